//! `lgpki audit logs`: which logs a running system has published, and how far they are.

use lgpki_domain::{Clock as _, Timestamp};
use lgpki_proto::v1::{self, audit_log_service_client::AuditLogServiceClient};
use lgpki_runtime::clock::SystemClock;
use serde_json::{Value, json};

use super::super::application::short_time;
use crate::{
    cli::{LogsArgs, ServiceChoice},
    error::CommandError,
    office::Office,
    output::{Output, table},
};

/// Asks intake, which asks the others.
pub(super) async fn run(args: LogsArgs, output: Output) -> Result<(), CommandError> {
    let office = Office::open(&args.office)?;
    let service = match args.service {
        None => "",
        Some(ServiceChoice::Intake) => "intake",
        Some(ServiceChoice::Issuer) => "issuer",
        Some(ServiceChoice::Lifecycle) => "lifecycle",
    };
    let request = v1::ListLogsRequest {
        service: service.to_owned(),
    };
    let mut client = AuditLogServiceClient::new(office.channel());
    let answer = client.list_logs(request).await;
    let told = answer
        .map_err(|status| CommandError::from(status).at(office.server()))?
        .into_inner();
    let now = SystemClock.now();
    output.result(&value(&told, now), || shown(&told, now));
    if told.away.is_empty() {
        return Ok(());
    }
    let away = told.away.join(" and ");
    Err(CommandError::new(format!("{away} could not be asked"))
        .hint("what is shown is of the others; see whether that service runs"))
}

/// Seconds since the newest entry, if its time is known and past.
fn age(log: &v1::Log, now: Timestamp) -> Option<i64> {
    let at: Timestamp = log.newest_at.parse().ok()?;
    Some((now.as_millis() - at.as_millis()) / 1000).filter(|age| *age >= 0)
}

fn value(told: &v1::ListLogsResponse, now: Timestamp) -> Value {
    let log = |log: &v1::Log| {
        let name = log.name.clone().unwrap_or_default();
        let mut value = json!({
            "service": name.service, "log": name.log, "origin": log.origin, "size": log.size,
            "closed": log.closed, "vkey": log.vkey, "checkpoint": log.checkpoint,
        });
        if let (Some(object), Some(age)) = (value.as_object_mut(), age(log, now)) {
            object.insert("newest_at".to_owned(), json!(log.newest_at));
            object.insert("age_seconds".to_owned(), json!(age));
        }
        value
    };
    json!({ "logs": told.logs.iter().map(log).collect::<Vec<_>>(), "away": told.away })
}

fn shown(told: &v1::ListLogsResponse, now: Timestamp) -> String {
    let header = ["service", "log", "entries", "newest entry", "", "origin"];
    let rows = told.logs.iter().map(|log| {
        let name = log.name.clone().unwrap_or_default();
        let newest = match age(log, now) {
            Some(age) => format!("{} ({} ago)", short_time(&log.newest_at), span(age)),
            None => short_time(&log.newest_at),
        };
        let closed = if log.closed { "closed" } else { "grows" };
        vec![
            name.service,
            name.log,
            log.size.to_string(),
            newest,
            closed.to_owned(),
            log.origin.clone(),
        ]
    });
    table(&header, rows)
}

/// Such as `3 d`, `2 h`, `5 min` or `40 s`.
fn span(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> v1::ListLogsResponse {
        let log = |log: &str, closed, newest_at: &str| v1::Log {
            name: Some(v1::LogName {
                service: "issuer".to_owned(),
                log: log.to_owned(),
            }),
            origin: format!("lgpki.invalid/audit/issuer/{log}"),
            size: 7,
            closed,
            newest_at: newest_at.to_owned(),
            ..v1::Log::default()
        };
        v1::ListLogsResponse {
            logs: vec![
                log("2008", true, "2008-12-31T23:59:59.000+09:00"),
                log("2009", false, "2009-02-10T09:55:00.000+09:00"),
                log("keys", false, ""),
            ],
            away: vec!["lifecycle".to_owned()],
            publications: Vec::new(),
        }
    }

    #[test]
    fn each_log_is_told_with_its_size_and_how_old_it_is() {
        let now = "2009-02-10T10:00:00+09:00".parse().unwrap();
        let text = shown(&told(), now);
        for part in [
            "2008",
            "closed",
            "40 d ago",
            "5 min ago",
            "keys",
            "lgpki.invalid/audit/issuer/2009",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let value = value(&told(), now);
        assert_eq!(value["logs"][1]["age_seconds"], 300);
        assert_eq!(value["logs"][0]["closed"], true);
        assert!(value["logs"][2].get("age_seconds").is_none());
        assert_eq!(value["away"][0], "lifecycle");
    }

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        assert_eq!(span(59), "59 s");
        assert_eq!(span(3_599), "59 min");
        assert_eq!(span(86_399), "23 h");
        assert_eq!(span(200_000), "2 d");
    }
}
