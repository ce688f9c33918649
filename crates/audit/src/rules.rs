//! The rules that span entries: state machines fed with one entry after the other, the issuer's log
//! first, then intake's, then lifecycle's.
//!
//! They are pure: what they know comes from the entries. What must hold between the logs is looked at
//! when the later of the two is read, or at the end. A log may have been fetched a little before
//! another: what happened after its last entry counts as open, not as missing.

mod application;
mod crl;
mod heartbeat;
mod intake;
mod issuer;
mod lag;
mod lifecycle;

use std::collections::{BTreeMap, HashMap};

use lgpki_domain::{
    ApplicationId, AuthorityKey, CertificateKind, CrlScope, CrlSeries, Digest, Serial, Timestamp,
};
use serde::Serialize;

use self::{
    application::Application,
    crl::CrlRules,
    heartbeat::HeartbeatRules,
    issuer::IssuerRules,
    lag::{Hours, LAG},
    lifecycle::LifecycleRules,
};
pub use self::{
    crl::CrlFile,
    heartbeat::{Heartbeats, Silent},
};
use crate::{
    authorities::Authorities,
    fact::{Fact, Read, Service},
    finding::{Findings, Place, Rule},
};

/// How far an entry's time may lie before an earlier one's: threads and services draw times a little
/// apart.
const SLACK_MILLIS: i64 = 10 * 60 * 1000;

/// A certificate as the issuer recorded it.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) application: ApplicationId,
    pub(crate) key: AuthorityKey,
    pub(crate) scope: CrlScope,
    pub(crate) kind: CertificateKind,
    pub(crate) der: Digest,
    /// Key, subject and other names.
    pub(crate) says: (Digest, Digest, Digest),
    pub(crate) content: Digest,
    pub(crate) index: u64,
    pub(crate) time: Timestamp,
    pub(crate) attempt: u32,
    /// The entry of intake's log that its intent answers; none of a ceremony.
    pub(crate) claim: Option<u64>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// When intake recorded it.
    pub(crate) told: Option<Timestamp>,
    /// Whether lifecycle's log has it.
    pub(crate) registered: bool,
}

/// A serial number that was given up.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) application: ApplicationId,
    pub(crate) series: CrlSeries,
    pub(crate) not_after: Timestamp,
    pub(crate) index: u64,
    pub(crate) registered: bool,
}

/// A CRL as the issuer signed it.
#[derive(Debug)]
pub(crate) struct SignedCrl {
    pub(crate) tbs: Digest,
    pub(crate) algorithm: String,
    pub(crate) signature: Vec<u8>,
    /// Its entry in the issuer's log.
    pub(crate) index: u64,
    /// When it was published.
    pub(crate) published: Option<Timestamp>,
}

/// A certificate that no application asked for.
#[derive(Clone, Debug, Serialize)]
pub struct WithoutApplication {
    /// Its serial number.
    pub serial: String,
    /// Its kind.
    pub kind: &'static str,
    /// Who had it made.
    pub by: String,
    /// Its entry in the issuer's log.
    pub index: u64,
}

/// Where a log's reading stands.
#[derive(Debug, Default)]
struct Progress {
    latest: Timestamp,
    entries: u64,
    hours: Hours,
}

/// What is not over yet; no finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Open {
    /// Intents of the issuer's newest epoch without an end.
    pub intents: u64,
    /// Certificates that intake's log does not have yet.
    pub not_told: u64,
    /// Certificates that the inventory does not have yet.
    pub not_registered: u64,
    /// Applications that have not ended.
    pub applications: u64,
    /// CRLs signed and not published: cut off in between, their numbers are used up.
    pub crls: u64,
    /// Entries about keys that only one of a service's logs tells so far.
    pub keys: u64,
}

/// All rules, and what they know.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) findings: Findings,
    pub(crate) authorities: Authorities,
    pub(crate) certificates: HashMap<Serial, Certificate>,
    given_up: HashMap<Serial, GivenUp>,
    applications: HashMap<ApplicationId, Application>,
    signed_crls: HashMap<(CrlSeries, bool, u64), SignedCrl>,
    without_application: Vec<WithoutApplication>,
    issuer: IssuerRules,
    lifecycle: LifecycleRules,
    crls: CrlRules,
    heartbeats: HeartbeatRules,
    progress: BTreeMap<Service, Progress>,
    /// What looks odd and is no finding.
    pub(crate) notes: Vec<String>,
}

/// Notes that are kept.
const NOTES: usize = 200;

/// An entry's place while rules look at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    pub(crate) service: Service,
    pub(crate) log: &'a str,
    pub(crate) index: u64,
    pub(crate) leaf: Option<u64>,
    pub(crate) time: Timestamp,
}

impl At<'_> {
    pub(crate) fn place(&self) -> Place {
        Place {
            service: self.service.name().to_owned(),
            log: self.log.to_owned(),
            index: Some(self.index),
            leaf: self.leaf,
        }
    }
}

impl Rules {
    /// Knows these kinds of entries, by the schema.
    pub(crate) fn new(kinds: Vec<String>) -> Self {
        Self {
            heartbeats: HeartbeatRules::new(kinds),
            ..Self::default()
        }
    }

    /// Takes the next entry of a log.
    pub(crate) fn take(&mut self, at: At<'_>, read: Read) {
        for (rule, what) in read.faults {
            self.findings.add(rule, at.place(), what);
        }
        self.check_time(at);
        self.heartbeats.meet(at);
        let (answers, kind) = (read.answers, read.kind);
        match (at.service, read.fact) {
            (_, Fact::Other | Fact::LogOpened(_)) => {}
            (_, Fact::Heartbeat(beat)) => self.heartbeat(at, &beat),
            (Service::Issuer, fact) => self.issuer_entry(at, answers, fact),
            (Service::Intake, fact) => self.intake_entry(at, answers, fact),
            (Service::Lifecycle, fact) => self.lifecycle_entry(at, answers, fact),
        }
        self.heartbeats.count(at, kind);
    }

    /// Looks at what can only be known at the end.
    pub(crate) fn finish(&mut self, which: &[Service]) -> Open {
        let mut open = Open::default();
        if which.contains(&Service::Issuer) {
            self.finish_issuer(&mut open);
        }
        if which.contains(&Service::Intake) {
            self.finish_intake(&mut open);
        }
        if which.contains(&Service::Lifecycle) {
            self.finish_lifecycle(&mut open);
        }
        open
    }

    pub(crate) fn find(&mut self, rule: Rule, at: At<'_>, what: impl Into<String>) {
        self.findings.add(rule, at.place(), what);
    }

    /// Something that an auditor should know of and that breaks no rule.
    fn note(&mut self, at: At<'_>, what: &str) {
        if self.notes.len() < NOTES {
            self.notes.push(format!("{}: {what}", at.place()));
        }
    }

    /// The place of an entry that was read before, told at the end.
    fn place(service: Service, index: u64) -> Place {
        Place {
            service: service.name().to_owned(),
            index: Some(index),
            ..Place::default()
        }
    }

    fn check_time(&mut self, at: At<'_>) {
        let progress = self.progress.entry(at.service).or_default();
        progress.entries = progress.entries.max(at.index + 1);
        let latest = progress.latest;
        progress.latest = latest.max(at.time);
        if at.time == Timestamp::default() {
            return;
        }
        progress.hours.add(at.time);
        if at.time.plus_millis(SLACK_MILLIS) < latest {
            let what = format!(
                "it happened at {}, and an earlier entry at {latest}",
                at.time
            );
            self.find(Rule::Time, at, what);
        }
    }

    /// The latest time in a service's log.
    fn latest(&self, service: Service) -> Timestamp {
        self.progress
            .get(&service)
            .map_or_else(Timestamp::default, |p| p.latest)
    }

    /// The latest time in any log.
    pub(crate) fn latest_of_all(&self) -> Timestamp {
        let all = self.progress.values().map(|progress| progress.latest);
        all.max().unwrap_or_default()
    }

    /// Whether what happened then, and had to stand in this service's log before, is no longer open.
    fn is_overdue(&self, service: Service, then: Timestamp) -> bool {
        then.plus_millis(LAG) <= self.latest(service)
    }

    /// Whether both who sign CRLs and who publish them were at work between these times.
    fn at_work(&self, from: Timestamp, until: Timestamp) -> bool {
        let both = [Service::Issuer, Service::Lifecycle];
        both.iter().all(|service| {
            let progress = self.progress.get(service);
            progress.is_some_and(|progress| progress.hours.at_work(from, until))
        })
    }

    /// The entries of a service's log that were read.
    fn entries(&self, service: Service) -> u64 {
        self.progress.get(&service).map_or(0, |p| p.entries)
    }

    pub(crate) fn without_application(&self) -> &[WithoutApplication] {
        &self.without_application
    }

    /// How many CRLs were made anew from the log and found the same.
    pub(crate) const fn crls_proved(&self) -> u64 {
        self.crls.proved
    }

    /// How many certificates are revoked.
    pub(crate) fn revoked(&self) -> u64 {
        self.lifecycle.revoked.len() as u64
    }

    /// How many applications there are.
    pub(crate) fn applications(&self) -> u64 {
        self.applications.len() as u64
    }

    /// When a certificate was revoked, and the entry that says so.
    pub(crate) fn revocation(&self, serial: Serial) -> Option<(Timestamp, u64)> {
        self.lifecycle.revoked.get(&serial).copied()
    }

    /// Whether a CRL with this digest was published.
    pub(crate) fn is_published(&self, digest: &Digest) -> bool {
        self.crls.published.contains(digest)
    }

    /// Takes note of a CRL's file, against which what is wrong with a CRL is told.
    pub(crate) fn add_file(&mut self, file: CrlFile) {
        self.crls.files.insert(file.digest, file);
    }
}

/// The distance between two times.
fn apart(one: Timestamp, other: Timestamp) -> i64 {
    (one.as_millis() - other.as_millis()).abs()
}
