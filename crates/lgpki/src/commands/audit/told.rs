//! What an audit tells people.

use lgpki_audit::{Report, Verdict, export::Manifest};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::application::short_time;
use crate::output::{sheet, table};

/// Findings that are shown word for word; `--json` has them all.
const SHOWN: usize = 50;

/// Silences that are shown; `--json` has a hundred.
const SILENCES: usize = 5;

/// How long it took.
#[derive(Debug, Serialize)]
pub(super) struct Took {
    seconds: f64,
    entries_per_second: u64,
}

impl Took {
    pub(super) fn new(millis: i64, entries: u64) -> Self {
        let millis = u64::try_from(millis).unwrap_or(1).max(1);
        Self {
            seconds: std::time::Duration::from_millis(millis).as_secs_f64(),
            entries_per_second: entries.saturating_mul(1000) / millis,
        }
    }
}

/// The whole report.
pub(super) fn report(report: &Report, took: &Took) -> String {
    let cosigned = report.logs.iter().any(|log| !log.cosigned.is_empty());
    let logs = report.logs.iter().map(|log| {
        let mut row = vec![
            format!("{}/{}", log.service, log.log),
            log.size.to_string(),
            log.tiles.to_string(),
            log.root.chars().take(16).collect(),
        ];
        if cosigned {
            let each = log.cosigned.iter();
            let each = each.map(|one| format!("{} {}", one.witness, short_time(&one.time)));
            row.push(each.collect::<Vec<_>>().join("\n"));
        }
        row
    });
    let mut header = vec!["log", "leaves", "tiles", "root"];
    if cosigned {
        header.push("cosigned by");
    }
    let mut parts = vec![table(&header, logs)];
    let of = |count: u64| count.to_string();
    let certificates = &report.certificates;
    let authorities = report
        .authorities
        .iter()
        .map(|ca| format!("{} {}", ca.name, ca.digest));
    parts.push(sheet(&[
        (
            "entries",
            format!(
                "{} in {:.1} s, {} a second",
                report.entries, took.seconds, took.entries_per_second
            ),
        ),
        ("applications", of(report.applications)),
        ("certificates re-read", of(certificates.issued)),
        ("  without application", without_application(report)),
        ("revoked", of(certificates.revoked)),
        (
            "CRLs made anew",
            format!("{}, each byte for byte what was signed", report.crls),
        ),
        ("heartbeats", heartbeats(report)),
        ("not over yet", open(report)),
        (
            "CA certificates",
            authorities.collect::<Vec<_>>().join("\n"),
        ),
    ]));
    let silent = &report.heartbeats.silent;
    for silent in silent.iter().take(SILENCES) {
        let (from, to) = (short_time(&silent.from), short_time(&silent.to));
        parts.push(format!("{} was silent from {from} to {to}", silent.service));
    }
    for note in &report.notes {
        parts.push(format!("note: {note}"));
    }
    if report.is_clean() {
        parts.push("nothing found: every rule holds".to_owned());
        return parts.join("\n");
    }
    let rules = report.counts.iter().map(|(rule, count)| {
        let meaning = lgpki_audit::Rule::ALL
            .iter()
            .find(|known| known.name() == *rule);
        vec![
            (*rule).to_owned(),
            count.to_string(),
            meaning.map_or("", |rule| rule.meaning()).to_owned(),
        ]
    });
    parts.push(table(&["finding", "count", "what it means"], rules));
    let shown = report.findings.iter().take(SHOWN);
    for finding in shown {
        parts.push(format!("{finding}"));
    }
    if report.findings.len() > SHOWN {
        parts.push(format!(
            "… and {} more; --json lists them",
            report.findings.len() - SHOWN
        ));
    }
    parts.join("\n")
}

fn heartbeats(report: &Report) -> String {
    let told = &report.heartbeats;
    let checked = format!("{}, their counters held against the entries", told.checked);
    let unchecked = format!("{} follow entries that are not there", told.unchecked);
    let silences = format!("{} silences longer than they promise", told.silences);
    let parts = [
        (1, checked),
        (told.unchecked, unchecked),
        (told.silences, silences),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(_, what)| what).collect::<Vec<_>>().join("; ")
}

/// Who has a certificate that nobody applied for: those of ceremonies by name, responders by number.
fn without_application(report: &Report) -> String {
    let all = &report.certificates.without_application;
    let (responders, others): (Vec<_>, Vec<_>) =
        all.iter().partition(|one| one.kind == "ocsp-responder");
    let mut lines = vec![format!(
        "{}, of which {} OCSP responders'",
        all.len(),
        responders.len()
    )];
    lines.extend(others.iter().take(SHOWN).map(|one| {
        format!(
            "{} {} by {}, issuer entry {}",
            one.kind, one.serial, one.by, one.index
        )
    }));
    if others.len() > SHOWN {
        lines.push(format!(
            "… and {} more; --json lists them",
            others.len() - SHOWN
        ));
    }
    lines.join("\n")
}

fn open(report: &Report) -> String {
    let open = &report.open;
    let parts = [
        (open.intents, "intents"),
        (open.not_told, "certificates not told to intake"),
        (open.not_registered, "not in the inventory"),
        (open.applications, "applications"),
        (open.crls, "CRLs signed and not published"),
        (open.keys, "entries about keys in one log only"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What is told of a certificate or CRL, and whether it is accounted for.
pub(super) fn verdict(verdict: &Verdict) -> (Value, String, bool) {
    match verdict {
        Verdict::NotOurs => (
            json!({ "signed_by": null }),
            "none of the CAs in these logs signed it".to_owned(),
            true,
        ),
        Verdict::Unjudged { ca, why } => (
            json!({ "signed_by": null, "names": ca, "judged": false, "why": why }),
            format!("it names {ca}, and its signature cannot be judged here: {why}"),
            true,
        ),
        Verdict::Authority { ca } => (
            json!({ "signed_by": ca, "is": "authority", "logged": true }),
            format!("it is the CA certificate of {ca}, as recorded"),
            true,
        ),
        Verdict::Crl { ca, number, logged } => {
            let stands = if *logged {
                "and was published by the system"
            } else {
                "AND WAS NEVER PUBLISHED by the system"
            };
            (
                json!({ "signed_by": ca, "is": "crl", "number": number, "logged": logged }),
                format!("it is CRL number {number}, signed by {ca}, {stands}"),
                *logged,
            )
        }
        Verdict::Certificate {
            ca,
            serial,
            logged,
            other,
        } => {
            let index = logged.map(|logged| logged.index);
            let revoked = logged
                .and_then(|logged| logged.revoked)
                .map(|(at, _)| at.to_string());
            let value = json!({
                "signed_by": ca, "is": "certificate", "serial": serial, "logged": logged.is_some(),
                "entry": index, "revoked": revoked, "another_of_this_serial": other,
            });
            let stands = match (index, revoked) {
                (Some(index), None) => format!(": entry {index} of the issuer's log holds it"),
                (Some(index), Some(at)) => {
                    format!(": entry {index} of the issuer's log holds it; revoked at {at}")
                }
                (None, _) => ": THE ISSUER'S LOG DOES NOT HOLD IT".to_owned(),
            };
            let beside = if *other {
                "; it holds another certificate under this serial number"
            } else {
                ""
            };
            let text = format!("certificate {serial}, signed by {ca}{stands}{beside}");
            (value, text, logged.is_some())
        }
    }
}

/// The files of an export.
pub(super) fn manifest(manifest: &Manifest) -> String {
    let rows = manifest.files.iter().map(|file| {
        vec![
            file.file.clone(),
            file.entries.to_string(),
            file.bytes.to_string(),
            file.sha256.clone(),
        ]
    });
    table(&["file", "entries", "bytes", "SHA-256"], rows)
}
