//! `lgpki operator status`: whether anything needs a human, at one look.

mod logs;

use std::time::Duration;

use lgpki_domain::{Clock as _, Timestamp};
use lgpki_proto::v1::{
    self, audit_log_service_client::AuditLogServiceClient,
    certificate_service_client::CertificateServiceClient,
    examination_service_client::ExaminationServiceClient,
};
use lgpki_runtime::clock::SystemClock;
use serde_json::json;

use super::{application::short_time, operator::CrlView, queue};
use crate::{
    error::CommandError,
    office::Office,
    output::{Output, table},
};

/// Shows CRLs, alarms, what waits and how far estimates were wrong.
pub(super) async fn show(office: &Office, output: Output) -> Result<(), CommandError> {
    let authorities = CertificateServiceClient::new(office.channel())
        .list_authorities(v1::ListAuthoritiesRequest {})
        .await?
        .into_inner()
        .authorities;
    let examinations = v1::ListExaminationsRequest {
        page_size: 1,
        page_token: String::new(),
    };
    let waiting = ExaminationServiceClient::new(office.channel())
        .list_examinations(examinations)
        .await?
        .into_inner()
        .waiting;
    let queues = queue::queues(office).await?;
    let told = AuditLogServiceClient::new(office.channel())
        .list_logs(v1::ListLogsRequest::default())
        .await?
        .into_inner();
    let now = SystemClock.now();
    let crls: Vec<_> = authorities.iter().flat_map(|of| &of.crls).collect();
    let alarms: Vec<_> = authorities
        .iter()
        .flat_map(|of| of.alarms.iter().map(move |alarm| (name(of), alarm)))
        .collect();
    let value = json!({
        "crls": crls.iter().map(|crl| CrlView::from(*crl)).collect::<Vec<_>>(),
        "alarms": alarms.iter().map(|(key, alarm)| json!({
            "key": key,
            "kind": alarm.kind,
            "scope": alarm.scope,
            "delta": alarm.delta,
            "since": alarm.since,
            "message": alarm.message,
        })).collect::<Vec<_>>(),
        "logs": logs::value(&told),
        "waiting_for_examination": waiting,
        "queue": queue::overview(&queues),
    });
    output.result(&value, || {
        let lists = table(
            &["CA key", "CRL", "number", "entries", "age", "next update"],
            crls.iter().map(|crl| {
                vec![
                    format!("{}-{}", CrlView::from(*crl).authority(), crl.key_generation),
                    CrlView::from(*crl).list(),
                    crl.number.to_string(),
                    crl.entries.to_string(),
                    age(&crl.this_update, now),
                    short_time(&crl.next_update),
                ]
            }),
        );
        let troubles = if alarms.is_empty() {
            "no alarms".to_owned()
        } else {
            table(
                &["CA key", "CRL", "alarm", "since", "what to do"],
                alarms.iter().map(|(key, alarm)| {
                    vec![
                        key.clone(),
                        format!("{}{}", alarm.scope, if alarm.delta { " delta" } else { "" }),
                        alarm.kind.clone(),
                        short_time(&alarm.since),
                        alarm.message.clone(),
                    ]
                }),
            )
        };
        let queues = queue::overview_tables(&queues);
        let logs = logs::shown(&told);
        format!("{lists}\n\n{troubles}\n\n{logs}\n\nwaiting for examination: {waiting}\n{queues}")
    });
    let alarms = alarms.len() + logs::alarms(&told);
    if alarms > 0 {
        output.say(format!("{alarms} alarms: somebody must look"));
    }
    Ok(())
}

/// Such as `organization-1`.
fn name(info: &v1::AuthorityInfo) -> String {
    let authority = info.authority().as_str_name();
    let authority = authority.trim_start_matches("AUTHORITY_").to_lowercase();
    format!("{authority}-{}", info.key_generation)
}

/// How long ago a time was, such as `3 h 20 min`.
fn age(time: &str, now: Timestamp) -> String {
    let Ok(at) = time.parse::<Timestamp>() else {
        return String::new();
    };
    let seconds = u64::try_from(now.as_seconds() - at.as_seconds()).unwrap_or_default();
    let minutes = Duration::from_secs(seconds).as_secs() / 60;
    format!("{} h {:02} min", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_hours_and_minutes() {
        let now = "2011-03-18T12:35:10+09:00".parse().unwrap();
        assert_eq!(age("2011-03-18T09:15:00.000+09:00", now), "3 h 20 min");
        assert_eq!(age("2011-03-18T12:35:00+09:00", now), "0 h 00 min");
        assert_eq!(age("2011-03-19T12:35:00+09:00", now), "0 h 00 min");
        assert_eq!(age("", now), "");
    }
}
