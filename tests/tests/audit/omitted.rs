//! What was left out of logs by whoever has their keys, while everything else goes on: nothing says
//! what is wrong but that it is not there.

use lgpki_audit::{Report, Service};
use serde_json::{Value, json};

use crate::{Logs, blank, miss, names, parse, put, tampering::Scene};

/// The first entry that refers to nothing.
const NOWHERE: u64 = (1 << 53) - 1;

/// Has a service record something harmless at hours of 10 March, a month after the system's last day.
fn goes_on(logs: &mut Logs, service: Service, hours: &[u8]) {
    let entries = logs.of_service(service);
    let mut entry = parse(entries.last().unwrap());
    let members = entry.as_object_mut().unwrap();
    members.remove("about");
    members.remove("answers");
    entry["kind"] = "log.restored".into();
    entry["body"] = json!({ "held": 0, "taken_back": 0 });
    for hour in hours {
        entry["time"] = format!("2008-03-10T{hour:02}:30:00.000+09:00").into();
        logs.of_service(service)
            .push(entry.to_string().into_bytes());
    }
}

fn all_go_on(logs: &mut Logs) {
    for service in Service::ALL {
        goes_on(logs, service, &[9, 10, 11, 12]);
    }
}

#[track_caller]
fn lacks(report: &Report, rule: &str) {
    if report.counts.contains_key(rule) {
        miss(report, rule);
    }
}

#[track_caller]
fn is_clean(report: &Report) {
    if !report.is_clean() {
        miss(report, "something");
    }
}

/// Every entry of a service's log that is about an application, alone.
fn about(scene: &Scene, service: Service, id: &Value) -> Vec<(usize, Value)> {
    let mut logs = scene.logs.clone();
    let entries = logs.of_service(service).iter().map(|entry| parse(entry));
    let is_it = |entry: &Value| {
        let of = &entry["body"];
        of["application"] == *id
            || of["applications"][0] == *id
            || of["applications"][0]["application"] == *id
    };
    entries.enumerate().filter(|(_, e)| is_it(e)).collect()
}

fn a_rejected_application_yields_a_certificate(scene: &Scene) {
    let (first, received) = scene.entry(Service::Intake, "application.received", 0);
    let id = &received["body"]["application"];
    let mut logs = scene.logs.clone();
    for (at, mut entry) in about(scene, Service::Intake, id) {
        let kind = entry["kind"].as_str().unwrap().to_owned();
        if kind == "application.approved" {
            entry["kind"] = "application.rejected".into();
            entry["body"] = json!({ "application": id, "reason": "no" });
            put(&mut logs, Service::Intake, at, &entry);
        } else if kind != "application.received" {
            blank(&mut logs, Service::Intake, at);
        }
    }
    for (at, mut entry) in about(scene, Service::Issuer, id) {
        entry["answers"]["index"] = NOWHERE.into();
        put(&mut logs, Service::Issuer, at, &entry);
    }
    names(
        &logs.audit(),
        "application-unexamined",
        "was not claimed for it",
    );
    // Where intake's log ends before the certificate was made, its claim may follow.
    logs.of_service(Service::Intake).truncate(first + 1);
    lacks(&logs.audit(), "application-unexamined");
}

fn a_certificate_is_passed_over(scene: &Scene) {
    // Intake goes on with later ones.
    let (at, issued) = scene.entry(Service::Intake, "application.issued", 0);
    let serial = issued["body"]["serial"].as_str().unwrap();
    let mut logs = scene.logs.clone();
    blank(&mut logs, Service::Intake, at);
    let words = format!("intake's log lacks {serial}");
    names(&logs.audit(), "issued-untold", &words);
    // The last of all may still come, however long intake goes on with other things.
    let told = scene.entries(Service::Intake, "application.issued");
    let (at, _) = told.last().unwrap();
    let mut logs = scene.logs.clone();
    blank(&mut logs, Service::Intake, at);
    all_go_on(&mut logs);
    lacks(&logs.audit(), "issued-untold");
    // The inventory goes without the last, and CRLs go on.
    let all: Vec<_> = scene
        .entries(Service::Lifecycle, "certificate.registered")
        .collect();
    let last_day = |entry: &Value| entry["time"].as_str().unwrap() > "2008-02-07T12";
    let mut logs = scene.logs.clone();
    let mut serials = Vec::new();
    for (at, entry) in all.into_iter().filter(|(_, entry)| last_day(entry)) {
        serials.push(entry["body"]["serial"].as_str().unwrap().to_owned());
        blank(&mut logs, Service::Lifecycle, at);
    }
    let report = logs.audit();
    names(
        &report,
        "issued-untold",
        &format!("the inventory lacks {}", serials[0]),
    );
}

fn a_revocation_is_done_in_words_only(scene: &Scene) {
    let (at, revoked) = scene.entry(Service::Lifecycle, "certificate.revoked", 0);
    let serial = revoked["body"]["serial"].as_str().unwrap();
    let mut logs = scene.logs.clone();
    blank(&mut logs, Service::Lifecycle, at);
    let words = format!("{serial} was not revoked for it");
    names(&logs.audit(), "revocation-undone", &words);
    // Where lifecycle's log was fetched before, it may be in the next one.
    logs.of_service(Service::Lifecycle).truncate(at);
    lacks(&logs.audit(), "revocation-undone");
}

fn lists_stop(scene: &Scene) {
    let with = |change: fn(&mut Logs)| {
        let mut logs = scene.logs.clone();
        change(&mut logs);
        logs.audit()
    };
    let stopped = with(all_go_on);
    for series in ["organization-1", "application-1"] {
        names(&stopped, "crl-lapsed", series);
    }
    if stopped.counts.len() != 1 {
        miss(&stopped, "more than the lists");
    }
    // A system that stood still and comes back, and one whose issuer stands still.
    let back = |logs: &mut Logs| Service::ALL.iter().for_each(|of| goes_on(logs, *of, &[9]));
    is_clean(&with(back));
    let without_issuer = |logs: &mut Logs| goes_on(logs, Service::Lifecycle, &[9, 10, 11, 12]);
    is_clean(&with(without_issuer));
}

fn a_subscribers_certificate_is_made_at_a_ceremony(scene: &Scene) {
    let (_, received) = scene.entry(Service::Intake, "application.received", 0);
    let mut logs = scene.logs.clone();
    for (at, mut entry) in about(scene, Service::Issuer, &received["body"]["application"]) {
        entry["actor"] = "ceremony".into();
        entry.as_object_mut().unwrap().remove("answers");
        put(&mut logs, Service::Issuer, at, &entry);
    }
    let words = "its kind is not made without one";
    names(&logs.audit(), "application-missing", words);
}

pub(crate) fn what_is_left_out_is_missed(scene: &Scene) {
    a_rejected_application_yields_a_certificate(scene);
    a_certificate_is_passed_over(scene);
    a_revocation_is_done_in_words_only(scene);
    lists_stop(scene);
    a_subscribers_certificate_is_made_at_a_ceremony(scene);
}
