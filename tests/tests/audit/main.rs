//! The auditor against what the real services write: a system lives for a while, its three logs are
//! read, and everything must hold; then they are tampered with, and each change must be named.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

mod disputed;
mod find;
mod foreign;
mod found;
mod handed;
mod life;
mod mutated;
mod omitted;
mod profiles;
mod published;
mod pulled;
mod schema;
mod served;
mod tampering;
mod witness;
mod witnessed;

use std::sync::Mutex;

use lgpki_audit::{Report, Service};
use lgpki_tests::audited::Logs;
use serde_json::{Value, json};

fn parse(entry: &[u8]) -> Value {
    serde_json::from_slice(entry).unwrap()
}

fn put(logs: &mut Logs, service: Service, at: usize, entry: &Value) {
    logs.of_service(service)[at] = entry.to_string().into_bytes();
}

/// Something harmless in an entry's place.
fn blank(logs: &mut Logs, service: Service, at: usize) {
    let mut entry = parse(&logs.of_service(service)[at]);
    let members = entry.as_object_mut().unwrap();
    members.remove("about");
    members.remove("answers");
    let (kind, body) = match service {
        Service::Intake => ("login.refused", json!({ "refusals": [] })),
        Service::Issuer => ("crl.abandoned", json!({})),
        Service::Lifecycle => ("slots.capacity-changed", json!({ "per_business_day": 7 })),
    };
    entry["kind"] = kind.into();
    entry["body"] = body;
    put(logs, service, at, &entry);
}

/// What was not found as it should be; all of it is told together at the end.
static MISSED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[track_caller]
fn names(report: &Report, rule: &str, words: &str) {
    let found = report
        .findings
        .iter()
        .any(|finding| finding.rule.name() == rule && finding.to_string().contains(words));
    if !found {
        miss(report, &format!("no {rule} of {words:?}"));
    }
}

#[track_caller]
fn miss(report: &Report, what: &str) {
    let at = std::panic::Location::caller();
    let findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    let missed = format!("{at}: {what} in {:#?}", &findings[..findings.len().min(5)]);
    MISSED.lock().unwrap().push(missed);
}
