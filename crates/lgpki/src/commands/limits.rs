//! `lgpki operator limits`: how many applications may enter, and how much else may be asked.

use lgpki_domain::Limits;
use lgpki_proto::v1::{self, admission_service_client::AdmissionServiceClient};
use serde_json::json;

use super::application::short_time;
use crate::{
    error::CommandError,
    office::Office,
    output::{Output, table},
};

/// Shows the limits, or changes those that `set` names.
pub(super) async fn run(
    office: &Office,
    set: &[(String, u32)],
    output: Output,
) -> Result<(), CommandError> {
    let mut client = AdmissionServiceClient::new(office.channel());
    let standing = client.get_limits(v1::GetLimitsRequest {}).await?;
    let mut standing = standing.into_inner();
    if !set.is_empty() {
        let mut limits = standing.limits.unwrap_or_default();
        for (name, value) in set {
            *field(&mut limits, name)? = *value;
        }
        let request = v1::ChangeLimitsRequest {
            limits: Some(limits),
            revision: standing.revision,
        };
        client.change_limits(request).await?;
        let after = client.get_limits(v1::GetLimitsRequest {}).await?;
        standing = after.into_inner();
    }
    show(&standing, output);
    Ok(())
}

fn show(standing: &v1::GetLimitsResponse, output: Output) {
    let limits = named(standing.limits.unwrap_or_default());
    let values: serde_json::Map<_, _> = limits
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let value = json!({
        "limits": values,
        "revision": standing.revision,
        "changed_at": standing.changed_at,
        "changed_by": standing.changed_by,
    });
    output.result(&value, || {
        let defaults = Limits::default().named();
        let rows = limits
            .iter()
            .zip(defaults)
            .map(|((name, value), (_, usual))| {
                vec![
                    (*name).to_owned(),
                    value.to_string(),
                    usual.to_string(),
                    meaning(name).to_owned(),
                ]
            });
        let shown = table(&["limit", "now", "default", "what it holds back"], rows);
        let history = if standing.revision == 0 {
            "never changed".to_owned()
        } else {
            let at = short_time(&standing.changed_at);
            format!("changed on {at} by {}", standing.changed_by)
        };
        format!("{shown}\n{history}; `--set NAME=NUMBER` changes one at once and for good")
    });
}

fn meaning(name: &str) -> &'static str {
    match name {
        "branch_per_hour" => "applications of one branch in an hour, whatever it holds",
        "branch_burst" => "applications of one branch at once, whatever it holds",
        "branch_per_hour_per_certificate" | "branch_burst_per_certificate" => {
            "more of them for each certificate that it holds"
        }
        "caller_per_hour" => "applications of one login certificate in an hour",
        "caller_burst" => "applications of one login certificate at once",
        "all_per_second" => "applications of all in a second",
        "all_burst" => "applications of all at once",
        "queue" => "applications under way, from receipt to issue",
        "registry_per_hour" => "addressee requests and directory changes of one body in an hour",
        "registry_burst" => "addressee requests and directory changes of one body at once",
        "addressee_versions" => "versions of all addressees of one body",
        "directory_entries" => "organizations and accounts of one body",
        "reads_per_second" => "calls that read, of one login certificate in a second",
        "reads_burst" => "calls that read, of one login certificate at once",
        _ => "how far ahead who is turned away is given a time, in seconds; 0 for never",
    }
}

/// The limits with their names, in the order of [`Limits::named`].
fn named(limits: v1::Limits) -> [(&'static str, u32); 16] {
    let mut limits = limits;
    Limits::default()
        .named()
        .map(|(name, _)| (name, field(&mut limits, name).map_or(0, |value| *value)))
}

fn field<'a>(limits: &'a mut v1::Limits, name: &str) -> Result<&'a mut u32, CommandError> {
    Ok(match name {
        "branch_per_hour" => &mut limits.branch_per_hour,
        "branch_per_hour_per_certificate" => &mut limits.branch_per_hour_per_certificate,
        "branch_burst" => &mut limits.branch_burst,
        "branch_burst_per_certificate" => &mut limits.branch_burst_per_certificate,
        "caller_per_hour" => &mut limits.caller_per_hour,
        "caller_burst" => &mut limits.caller_burst,
        "all_per_second" => &mut limits.all_per_second,
        "all_burst" => &mut limits.all_burst,
        "queue" => &mut limits.queue,
        "booking_seconds" => &mut limits.booking_seconds,
        "registry_per_hour" => &mut limits.registry_per_hour,
        "registry_burst" => &mut limits.registry_burst,
        "addressee_versions" => &mut limits.addressee_versions,
        "directory_entries" => &mut limits.directory_entries,
        "reads_per_second" => &mut limits.reads_per_second,
        "reads_burst" => &mut limits.reads_burst,
        _ => {
            let known = Limits::default().named().map(|(name, _)| name);
            return Err(CommandError::new(format!("there is no limit {name:?}"))
                .hint(format!("known: {}", known.join(", "))));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_the_domain_can_be_set_and_is_explained() {
        let mut limits = v1::Limits::default();
        for (n, (name, _)) in (1..).zip(Limits::default().named()) {
            *field(&mut limits, name).unwrap() = n;
        }
        let values = named(limits).map(|(_, value)| value);
        assert_eq!(
            values,
            std::array::from_fn(|n| u32::try_from(n).unwrap() + 1)
        );
        assert!(field(&mut limits, "branch").is_err());
    }
}
