//! What a log lacks: how much, of what kinds, which certificates were issued and revoked in it.

use std::{collections::BTreeMap, path::PathBuf};

use lgpki_ledger::heal::Longer;
use lgpki_proto::ServiceName;
use serde::Serialize;
use serde_json::{Value, json};

use crate::output::{sheet, table};

/// Serial numbers shown to people of each list; machines get all.
const SHOWN: usize = 10;

/// The gap between a log and what was published of it.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) service: ServiceName,
    /// The first index that is missing.
    pub(super) from: u64,
    /// The index after the last.
    pub(super) to: u64,
    /// The copy that has them.
    pub(super) mirror: Option<PathBuf>,
    kinds: BTreeMap<String, u64>,
    issued: Vec<String>,
    revoked: Vec<String>,
    /// Commitments to names of persons.
    pub(super) names: Vec<String>,
    /// What was published and is in no usable copy.
    pub(super) longer: Vec<Longer>,
}

impl Gap {
    pub(super) const fn new(service: ServiceName, from: u64) -> Self {
        Self {
            service,
            from,
            to: from,
            mirror: None,
            kinds: BTreeMap::new(),
            issued: Vec::new(),
            revoked: Vec::new(),
            names: Vec::new(),
            longer: Vec::new(),
        }
    }

    /// Takes in an entry.
    pub(super) fn add(&mut self, index: u64, entry: &[u8]) {
        self.to = index + 1;
        let entry: Value = serde_json::from_slice(entry).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let kind = text(&entry["kind"]).unwrap_or_default();
        let list = match (self.service, kind.as_str()) {
            (ServiceName::Issuer, "certificate.issued") => Some(&mut self.issued),
            (ServiceName::Lifecycle, "certificate.revoked") => Some(&mut self.revoked),
            _ => None,
        };
        if let Some((list, serial)) = list.zip(text(&entry["about"]["certificate"])) {
            list.push(serial);
        }
        let body = &entry["body"];
        let names = [
            &body["examination"]["examiner"],
            &body["content"]["contact"],
        ];
        self.names.extend(names.into_iter().filter_map(text));
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// How many entries are missing.
    pub(super) const fn count(&self) -> u64 {
        self.to - self.from
    }

    /// For machines.
    pub(super) fn to_json(&self) -> Value {
        #[derive(Serialize)]
        struct Missing<'a> {
            from: u64,
            to: u64,
            kinds: &'a BTreeMap<String, u64>,
            issued: &'a [String],
            revoked: &'a [String],
        }
        let missing = (self.count() > 0).then_some(Missing {
            from: self.from,
            to: self.to - 1,
            kinds: &self.kinds,
            issued: &self.issued,
            revoked: &self.revoked,
        });
        let longer: Vec<_> = self.longer.iter().map(longer_json).collect();
        json!({
            "service": self.service.name(), "entries_here": self.from, "count": self.count(), "missing": missing,
            "mirror": self.mirror.as_ref().map(|dir| dir.display().to_string()), "in_no_copy": longer,
        })
    }
}

fn longer_json(longer: &Longer) -> Value {
    json!({
        "log": longer.origin, "checkpoint": longer.dir.display().to_string(), "size": longer.size, "have": longer.have,
    })
}

/// The gaps for people.
pub(super) fn told(gaps: &[Gap]) -> String {
    let rows = gaps.iter().map(|gap| {
        let number = |n: usize| if n > 0 { n.to_string() } else { String::new() };
        let span = |n: u64| {
            if gap.count() > 0 {
                n.to_string()
            } else {
                String::new()
            }
        };
        vec![
            gap.service.name().to_owned(),
            gap.from.to_string(),
            gap.count().to_string(),
            span(gap.from),
            span(gap.to.saturating_sub(1)),
            number(gap.issued.len()),
            number(gap.revoked.len()),
        ]
    });
    let header = [
        "service",
        "entries here",
        "missing",
        "from",
        "to",
        "issued",
        "revoked",
    ];
    let mut text = table(&header, rows);
    for gap in gaps.iter().filter(|gap| gap.count() > 0) {
        let kinds: Vec<_> = gap
            .kinds
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let mirror = gap.mirror.as_ref().map(|dir| dir.display().to_string());
        text.push('\n');
        text.push_str(&sheet(&[
            ("missing from", gap.service.name().to_owned()),
            ("in the copy", mirror.unwrap_or_default()),
            ("kinds", kinds.join(", ")),
            ("issued", some(&gap.issued)),
            ("revoked", some(&gap.revoked)),
        ]));
    }
    for longer in gaps.iter().flat_map(|gap| &gap.longer) {
        text.push('\n');
        text.push_str(&in_no_copy(longer));
    }
    text
}

/// What was published and cannot be had.
pub(super) fn in_no_copy(longer: &Longer) -> String {
    format!(
        "{} once had {} leaves, as the checkpoint in {} says; the log and the usable copies have {}: get a whole copy \
         of that",
        longer.origin,
        longer.size,
        longer.dir.display(),
        longer.have
    )
}

fn some(serials: &[String]) -> String {
    let shown: Vec<_> = serials.iter().take(SHOWN).cloned().collect();
    let text = shown.join(", ");
    match serials.len().checked_sub(SHOWN + 1) {
        Some(more) => format!("{text} and {} more (--json lists all)", more + 1),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_tells_what_was_issued_and_revoked_in_it_and_whose_names_it_needs() {
        let mut gap = Gap::new(ServiceName::Lifecycle, 7);
        let entry = |kind: &str, serial: &str| {
            json!({ "about": { "certificate": serial }, "kind": kind, "body": {} }).to_string()
        };
        gap.add(7, entry("certificate.registered", "0a").as_bytes());
        gap.add(8, entry("certificate.revoked", "0b").as_bytes());
        assert_eq!((gap.count(), gap.to), (2, 9));
        let value = gap.to_json();
        assert_eq!(value["missing"]["revoked"], json!(["0b"]));
        assert_eq!(value["missing"]["issued"], json!([]));
        assert_eq!(value["missing"]["to"], 8);
        let mut gap = Gap::new(ServiceName::Intake, 0);
        let entry = json!({ "kind": "application.received", "body": { "examination": { "examiner": "c1" } } });
        gap.add(0, entry.to_string().as_bytes());
        assert_eq!(gap.names, ["c1"]);
        assert!(told(&[gap]).contains("1 application.received"));
    }

    #[test]
    fn long_lists_are_cut_for_people() {
        let serials: Vec<_> = (0..12).map(|n| n.to_string()).collect();
        assert!(some(&serials).ends_with("9 and 2 more (--json lists all)"));
        assert!(some(&serials[..10]).ends_with("8, 9"));
    }
}
