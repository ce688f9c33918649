//! CRLs made anew from the log.
//!
//! A CRL follows from the log alone: header and series from `crl.published`, its entries from the
//! revocations below `reflects`, name and addresses from the CA. So the auditor writes each list
//! again and compares: the digest with the one that the issuer recorded before it signed, the
//! recorded signature with the CA's key, the whole with the digest of the file that was published.
//! What agrees is proved to list every revoked certificate that it must list, and no other, though
//! nobody kept the file. What does not agree is told by name where the file is at hand or where a
//! single certificate makes the difference.

use std::collections::{BTreeMap, HashMap, HashSet};

use lgpki_domain::{
    CrlNumber, CrlSeries, Digest, RevocationReason, Serial, SignatureAlgorithm, Timestamp,
};
use lgpki_x509::{
    crl::{self, CrlEntry, CrlHeader, RevocationList},
    key::sha256,
    signed,
};

use super::{At, Rules, SLACK_MILLIS};
use crate::{fact::Service, finding::Rule, view};

/// Octets that may be digested to find the one certificate that makes the difference.
const SEARCH: usize = 1 << 30;
/// A revocation may be recorded so long after it was drawn up, in milliseconds.
const RECORDING: i64 = 60_000;

/// A revocation as CRLs list it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) at: Timestamp,
    pub(super) reason: RevocationReason,
    pub(super) index: u64,
}

/// A CRL's file, which names what is wrong with a list that does not follow from the log.
#[derive(Debug)]
pub struct CrlFile {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// What it is called.
    pub name: String,
    /// Its list.
    pub list: RevocationList,
}

/// What is known of CRLs.
#[derive(Debug, Default)]
pub(super) struct CrlRules {
    /// Where each certificate would be listed, and until when.
    inventory: HashMap<Serial, (CrlSeries, Timestamp)>,
    series: HashMap<CrlSeries, Series>,
    pub(super) files: HashMap<Digest, CrlFile>,
    pub(super) proved: u64,
    /// The digests of all that was published.
    pub(super) published: HashSet<Digest>,
}

#[derive(Debug, Default)]
struct Series {
    listed: BTreeMap<Serial, (Listed, Timestamp)>,
    /// Index below which each complete CRL reflects the log, by number.
    complete: BTreeMap<u64, u64>,
    newest: Option<Made>,
    /// The complete CRL before the newest.
    before: Option<Made>,
    delta: Option<Made>,
    /// Since when there are certificates that belong on it, and lifecycle's entry.
    since: Option<(Timestamp, u64)>,
}

/// A CRL that was published.
#[derive(Clone, Copy, Debug)]
struct Made {
    number: u64,
    reflects: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    /// Lifecycle's entry.
    index: u64,
}

impl CrlRules {
    /// A certificate or serial number entered the inventory.
    pub(super) fn enter(&mut self, at: At<'_>, serial: Serial, of: (CrlSeries, Timestamp)) {
        self.inventory.insert(serial, of);
        let series = self.series.entry(of.0).or_default();
        series.since.get_or_insert((at.time, at.index));
    }

    pub(super) fn not_after(&self, serial: Serial) -> Option<Timestamp> {
        self.inventory.get(&serial).map(|(_, not_after)| *not_after)
    }

    /// From here on it is listed; not if nobody knows it.
    pub(super) fn list(&mut self, serial: Serial, entry: Listed) -> bool {
        let Some((series, not_after)) = self.inventory.get(&serial) else {
            return false;
        };
        let listed = &mut self.series.entry(*series).or_default().listed;
        listed.entry(serial).or_insert((entry, *not_after));
        true
    }
}

impl Series {
    /// What a CRL must list that reflects the log from `since` to `reflects`. RFC 5280 §3.3: what
    /// stood on the complete CRL `before` it may leave where that was issued after its expiry, if it has
    /// expired by `now` too.
    fn due(
        &self,
        (since, reflects): (u64, u64),
        before: Option<Made>,
        now: Timestamp,
    ) -> Vec<CrlEntry> {
        let gone = |entry: &Listed, not_after: Timestamp| {
            before.is_some_and(|before| {
                entry.index < before.reflects && not_after < before.this_update.min(now)
            })
        };
        let due = self.listed.iter().filter(|(_, (entry, not_after))| {
            (since..reflects).contains(&entry.index) && !gone(entry, *not_after)
        });
        due.map(|(serial, (entry, _))| CrlEntry {
            serial: *serial,
            revoked_at: entry.at,
            reason: entry.reason,
        })
        .collect()
    }
}

impl Rules {
    pub(super) fn published(&mut self, at: At<'_>, body: &view::CrlPublished) {
        let series = body.of.series();
        self.crls.published.insert(body.digest);
        let state = self.crls.series.entry(series).or_default();
        let faults = follows(state, at, body);
        let lapsed = state
            .newest
            .filter(|n| body.base.is_none() && n.next_update < body.this_update);
        for (rule, what) in faults {
            self.find(rule, at, what);
        }
        if let Some(before) = lapsed {
            let what = format!(
                "no CRL of {series} was in force from {} to {}",
                before.next_update, body.this_update
            );
            if self.at_work(before.next_update, body.this_update) {
                self.find(Rule::CrlLapsed, at, what);
            } else {
                self.note(at, &what);
            }
        }
        self.compare(at, body);
        let state = self.crls.series.entry(series).or_default();
        let made = Made {
            number: body.number,
            reflects: body.reflects,
            this_update: body.this_update,
            next_update: body.next_update,
            index: at.index,
        };
        if body.base.is_some() {
            state.delta = Some(made);
        } else {
            state.before = state.newest.replace(made);
            state.complete.insert(body.number, body.reflects);
        }
    }

    /// Makes the list anew and compares.
    fn compare(&mut self, at: At<'_>, body: &view::CrlPublished) {
        let series = body.of.series();
        let signed = self
            .signed_crls
            .get_mut(&(series, body.base.is_some(), body.number));
        let Some(signed) = signed else {
            let what = format!(
                "the issuer's log holds no signature of number {} of {series}",
                body.number
            );
            if self.knows_issuer(at) {
                self.find(Rule::CrlUnsigned, at, what);
            }
            return;
        };
        signed.published = Some(at.time);
        let (tbs_digest, algorithm) = (signed.tbs, signed.algorithm.clone());
        let signature = signed.signature.clone();
        let (Some(issuer), Some(state)) = (
            self.authorities.issuer(series.key),
            self.crls.series.get(&series),
        ) else {
            self.find(Rule::Authority, at, format!("there is no {}", series.key));
            return;
        };
        let header = CrlHeader {
            scope: series.scope,
            base: body.base.map(CrlNumber),
            number: CrlNumber(body.number),
            this_update: body.this_update,
            next_update: body.next_update,
        };
        let since = body.base.map_or(0, |base| {
            // A delta that came first is its own base.
            state.complete.get(&base).copied().unwrap_or(body.reflects)
        });
        let write =
            |entries: &[CrlEntry]| crl::write(issuer, &header, entries.iter().copied()).ok();
        let is_it = |tbs: &Option<Vec<u8>>| tbs.as_ref().is_some_and(|t| sha256(t) == tbs_digest);
        // When the inventory was looked at is known within the time of making the list.
        let range = (since, body.reflects);
        // A delta comes from the same look as the complete list recorded just before it.
        let beside = |newest: &Made| body.base.is_some() && newest.number == body.number;
        let before = match state.newest {
            Some(newest) if beside(&newest) => state.before,
            newest => newest,
        };
        let mut due = state.due(range, before, body.this_update);
        let mut list = write(&due);
        if !is_it(&list) {
            let then = state.due(range, before, at.time);
            let second = write(&then);
            if is_it(&second) {
                (due, list) = (then, second);
            }
        }
        let Some(tbs) = list.filter(|tbs| sha256(tbs) == tbs_digest) else {
            let told = self.explain(&due, body, (tbs_digest, &header));
            for (rule, what) in told {
                self.find(rule, at, what);
            }
            return;
        };
        let algorithm = SignatureAlgorithm::ALL
            .into_iter()
            .find(|a| a.oid() == algorithm);
        let key = issuer.public_key();
        let holds = algorithm.is_some_and(|a| key.verify(a, &tbs, &signature));
        let count = due.len() as u64 == body.entries;
        let whole = algorithm.map(|algorithm| signed::assemble(tbs, algorithm, &signature));
        if !holds {
            let what = format!(
                "number {} does not bear the signature of {}",
                body.number, series.key
            );
            self.find(Rule::CrlSignature, at, what);
        } else if whole.map(|whole| sha256(&whole)) != Some(body.digest) {
            let what = format!(
                "the file published as number {} of {series} is not the CRL that was signed",
                body.number
            );
            self.find(Rule::CrlDiffers, at, what);
        } else if !count {
            let what = format!(
                "it says that number {} lists {} certificates",
                body.number, body.entries
            );
            self.find(Rule::CrlDiffers, at, what);
        } else {
            self.crls.proved += 1;
        }
    }

    /// The lists that came to an end while those who make them were at work, though the CA did not.
    pub(super) fn lapsed(&self) -> Vec<(Service, u64, Rule, String)> {
        let mut found = Vec::new();
        for (series, state) in &self.crls.series {
            let Some(issuer) = self.authorities.issuer(series.key) else {
                continue;
            };
            let until = issuer.validity().not_after();
            let mut tell = |index, from, what: String| {
                if self.at_work(from, until) {
                    found.push((Service::Lifecycle, index, Rule::CrlLapsed, what));
                }
            };
            for (made, sort) in [(state.newest, "CRL"), (state.delta, "delta CRL")] {
                if let Some(Made {
                    index,
                    number,
                    next_update: from,
                    ..
                }) = made
                {
                    let what = format!(
                        "no {sort} of {series} came after number {number}, which stood until {from}"
                    );
                    tell(index, from, what);
                }
            }
            if let (None, Some((from, index))) = (state.newest, state.since) {
                let what = format!("no CRL of {series} came at all");
                tell(index, from, what);
            }
        }
        found
    }

    /// What is wrong with a list that does not follow from the log.
    fn explain(
        &self,
        due: &[CrlEntry],
        body: &view::CrlPublished,
        (digest, header): (Digest, &CrlHeader),
    ) -> Vec<(Rule, String)> {
        let series = body.of.series();
        let named = format!("number {} of {series}", body.number);
        if let Some(file) = self.crls.files.get(&body.digest) {
            let told = by_file(due, &file.list, &named);
            if !told.is_empty() {
                return told;
            }
        }
        if let Some(issuer) = self.authorities.issuer(series.key) {
            let size = due.len().saturating_mul(due.len()).saturating_mul(49);
            if due.len() as u64 == body.entries + 1 && size < SEARCH {
                for (place, missing) in due.iter().enumerate() {
                    let others = due[..place].iter().chain(&due[place + 1..]).copied();
                    if crl::write(issuer, header, others).is_ok_and(|tbs| sha256(&tbs) == digest) {
                        let what = format!(
                            "{} is revoked since {} and missing from {named}",
                            missing.serial, missing.revoked_at
                        );
                        return vec![(Rule::CrlMisses, what)];
                    }
                }
            }
        }
        let what = format!(
            "{named} lists {} certificates, and {} are due; its file would tell which differ",
            body.entries,
            due.len()
        );
        let rule = if body.entries < due.len() as u64 {
            Rule::CrlMisses
        } else {
            Rule::CrlDiffers
        };
        vec![(rule, what)]
    }
}

/// The differences between what is due and what a file lists.
fn by_file(due: &[CrlEntry], list: &RevocationList, named: &str) -> Vec<(Rule, String)> {
    let mut told = Vec::new();
    let mut listed: BTreeMap<Serial, CrlEntry> = list
        .entries()
        .filter_map(Result::ok)
        .map(|entry| (entry.serial, entry))
        .collect();
    for entry in due {
        match listed.remove(&entry.serial) {
            None => {
                let what = format!(
                    "{} is revoked since {} and missing from {named}",
                    entry.serial, entry.revoked_at
                );
                told.push((Rule::CrlMisses, what));
            }
            Some(found)
                if found.reason != entry.reason
                    || found.revoked_at.as_seconds() != entry.revoked_at.as_seconds() =>
            {
                let what = format!(
                    "{named} says something else of {} than the log",
                    entry.serial
                );
                told.push((Rule::CrlLists, what));
            }
            Some(_) => {}
        }
    }
    for serial in listed.keys() {
        told.push((
            Rule::CrlLists,
            format!("{named} lists {serial}, which the log does not have as revoked"),
        ));
    }
    told
}

/// Whether a CRL may follow those before it.
fn follows(state: &Series, at: At<'_>, body: &view::CrlPublished) -> Vec<(Rule, String)> {
    let mut faults = Vec::new();
    let mut tell = |rule, what: String| faults.push((rule, what));
    let named = format!("number {} of {}", body.number, body.of.series());
    let is_delta = body.base.is_some();
    for (before, beside) in [(state.newest, is_delta), (state.delta, false)] {
        let Some(before) = before else { continue };
        let next = before.number < body.number && before.this_update < body.this_update;
        let with = beside && before.number == body.number && before.this_update == body.this_update;
        if before.number > body.number || (before.number == body.number && !with) {
            tell(
                Rule::CrlNumber,
                format!("{named} follows number {}", before.number),
            );
        } else if !next && !with {
            tell(
                Rule::CrlTimes,
                format!("{named} is no later than number {}", before.number),
            );
        }
        if body.reflects < before.reflects {
            tell(
                Rule::CrlMisses,
                format!(
                    "{named} reflects less of the log than number {}",
                    before.number
                ),
            );
        }
    }
    if let Some(base) = body.base.filter(|base| !state.complete.contains_key(base)) {
        tell(
            Rule::CrlNumber,
            format!("{named} adds to number {base}, which was not published"),
        );
    }
    if body.reflects > at.index {
        tell(
            Rule::CrlTimes,
            format!("{named} reflects entries that came after it"),
        );
    }
    // It may be published late, never before its time.
    if body.next_update <= body.this_update || body.this_update > at.time.plus_millis(SLACK_MILLIS)
    {
        let what = format!(
            "{named} is of {} to {}, and was published at {}",
            body.this_update, body.next_update, at.time
        );
        tell(Rule::CrlTimes, what);
    }
    let late = state.listed.iter().filter(|(_, (entry, _))| {
        entry.index >= body.reflects && entry.at.plus_millis(RECORDING) < body.this_update
    });
    for (serial, (entry, _)) in late.take(100) {
        tell(
            Rule::CrlMisses,
            format!("{serial} was revoked at {} and is not in {named}", entry.at),
        );
    }
    faults
}
