//! The issuer's log: no signature without its intent, every intent ended once, serial numbers, keys
//! and CRL numbers used once.

use std::collections::{HashMap, HashSet};

use lgpki_domain::{ApplicationId, CertificateKind, CrlSeries, Digest, Serial, Timestamp};
use lgpki_x509::{key::sha256, signed::Signed};

use super::{At, Certificate, GivenUp, Open, Rules, SignedCrl, WithoutApplication};
use crate::{
    certificate::Seen,
    fact::{Actor, Fact, Service},
    finding::Rule,
    profile, view,
};

/// What the issuer's entries have told.
#[derive(Debug, Default)]
pub(super) struct IssuerRules {
    epoch: u64,
    open: HashMap<u64, Intended>,
    ended: HashSet<u64>,
    serials: HashSet<Serial>,
    keys: HashMap<Digest, ApplicationId>,
    /// The certificate, or the open intent's serial number, of each application.
    by_application: HashMap<ApplicationId, Serial>,
    numbers: HashMap<CrlSeries, Numbers>,
    /// Numbers up to this one count as used, for entries were lost.
    numbers_used: u64,
}

/// What stands between an intent and its end.
#[derive(Debug)]
enum Intended {
    Certificate(Box<CertificateIntent>),
    Authority {
        serial: Serial,
        tbs: Digest,
        epoch: u64,
    },
    Crl(Box<view::CrlIntent>),
}

#[derive(Debug)]
struct CertificateIntent {
    intent: Box<view::Intent>,
    tbs: Digest,
    claim: Option<u64>,
}

#[derive(Debug, Default)]
struct Numbers {
    highest: u64,
    highest_delta: u64,
    this_update: Timestamp,
}

impl Intended {
    const fn epoch(&self) -> u64 {
        match self {
            Self::Certificate(certificate) => certificate.intent.epoch,
            Self::Authority { epoch, .. } => *epoch,
            Self::Crl(crl) => crl.epoch,
        }
    }
}

impl Rules {
    pub(super) fn issuer_entry(&mut self, at: At<'_>, answers: Option<(Service, u64)>, fact: Fact) {
        match fact {
            Fact::Epoch(epoch) => {
                if epoch != self.issuer.epoch + 1 {
                    let what = format!("epoch {epoch} follows epoch {}", self.issuer.epoch);
                    self.find(Rule::Epoch, at, what);
                }
                self.issuer.epoch = epoch;
            }
            Fact::Restored(used) => {
                self.issuer.numbers_used = used.max(self.issuer.numbers_used);
            }
            Fact::AuthorityIntent(intent, tbs) => {
                self.in_epoch(at, intent.epoch);
                self.serial(at, intent.serial);
                let (serial, epoch) = (intent.serial, intent.epoch);
                let intended = Intended::Authority { serial, tbs, epoch };
                self.issuer.open.insert(at.index, intended);
            }
            Fact::AuthorityCreated(created) => self.authority_created(at, &created),
            Fact::AuthorityAbandoned(given) | Fact::CrlAbandoned(given) => {
                self.in_epoch(at, given.epoch);
                self.end(at, given.intent);
            }
            Fact::Intent(intent, tbs, actor) => self.intent(at, answers, *intent, (tbs, actor)),
            Fact::Issued(issued, seen) => self.issued(at, answers, &issued, seen),
            Fact::Abandoned(given) => self.abandoned(at, &given),
            Fact::CrlIntent(intent) => self.crl_intent(at, intent),
            Fact::CrlSigned(signed) => self.crl_signed(at, *signed),
            _ => {}
        }
    }

    fn in_epoch(&mut self, at: At<'_>, epoch: u64) {
        if epoch != self.issuer.epoch {
            let what = format!(
                "it was written in epoch {epoch} while {} was open",
                self.issuer.epoch
            );
            self.find(Rule::Epoch, at, what);
        }
    }

    fn serial(&mut self, at: At<'_>, serial: Serial) {
        if !self.issuer.serials.insert(serial) {
            self.find(
                Rule::SerialTwice,
                at,
                format!("the serial number {serial} was intended before"),
            );
        }
    }

    /// Ends an intent; each ends once.
    fn end(&mut self, at: At<'_>, intent: u64) -> Option<Intended> {
        let open = self.issuer.open.remove(&intent);
        if open.is_some() {
            self.issuer.ended.insert(intent);
        } else if self.issuer.ended.contains(&intent) {
            self.find(
                Rule::IntentTwice,
                at,
                format!("the intent of entry {intent} was ended before"),
            );
        } else {
            self.find(
                Rule::IntentMissing,
                at,
                format!("entry {intent} is no intent recorded before"),
            );
        }
        open
    }

    fn authority_created(&mut self, at: At<'_>, created: &view::AuthorityCreated) {
        self.in_epoch(at, created.epoch);
        // The intent is found by its serial number, for the entry does not name it.
        let intent = self.issuer.open.iter().find(|(_, open)| {
            matches!(open, Intended::Authority { serial, .. } if *serial == created.serial)
        });
        let intent = intent.map(|(index, _)| *index);
        let signed = Signed::parse(&created.certificate);
        let tbs = signed.map(|signed| sha256(signed.to_be_signed()));
        match intent.and_then(|index| self.end(at, index)) {
            Some(Intended::Authority { tbs: intended, .. })
                if tbs.as_ref().ok() == Some(&intended) => {}
            Some(_) => self.find(
                Rule::IntentDiffers,
                at,
                "the CA certificate is not the one intended",
            ),
            None => self.find(Rule::IntentMissing, at, "a CA was made without an intent"),
        }
        if let Err(why) = self.authorities.add(created) {
            self.find(Rule::Authority, at, why);
        }
    }

    fn intent(
        &mut self,
        at: At<'_>,
        answers: Option<(Service, u64)>,
        intent: view::Intent,
        (tbs, actor): (Digest, Actor),
    ) {
        self.in_epoch(at, intent.epoch);
        self.serial(at, intent.serial);
        if self.authorities.key(intent.of.key()).is_none() {
            self.find(
                Rule::Authority,
                at,
                format!("there is no {}", intent.of.key()),
            );
        }
        if !intent.kind.is_ca() {
            let before = self
                .issuer
                .keys
                .insert(intent.key_digest, intent.application);
            if let Some(other) = before.filter(|other| *other != intent.application) {
                self.find(
                    Rule::KeyTwice,
                    at,
                    format!("application {other} came with the same key"),
                );
            }
            let day = at.time.jst_date().number() - intent.not_before.jst_date().number();
            // A batch that is drafted before midnight may be recorded after it.
            if !(0..=1).contains(&day) {
                let what = format!(
                    "it is valid from {}, and was made at {}",
                    intent.not_before, at.time
                );
                self.find(Rule::Validity, at, what);
            }
        }
        let before = self.issuer.by_application.get(&intent.application);
        if let Some(other) = before.filter(|serial| !self.given_up.contains_key(*serial)) {
            let what = format!("its application has the serial number {other} already");
            self.find(Rule::ApplicationTwice, at, what);
        }
        let claim = answers
            .filter(|(service, _)| *service == Service::Intake)
            .map(|(_, index)| index);
        // Officers' first logins and certificates for CAs are made at a ceremony; a responder's, by
        // lifecycle. Every other one was applied for, whoever asks.
        let by = match (&actor, intent.kind) {
            (
                Actor::Ceremony(name),
                CertificateKind::Login | CertificateKind::Cross | CertificateKind::Link,
            ) => Some(name.clone()),
            (Actor::Other, CertificateKind::OcspResponder) => Some("lifecycle".to_owned()),
            _ => None,
        };
        match (claim, by) {
            (None, Some(by)) => self.without_application.push(WithoutApplication {
                serial: intent.serial.to_string(),
                kind: intent.kind.name(),
                by,
                index: at.index,
            }),
            (None, None) => {
                let what = "it answers no application, and its kind is not made without one";
                self.find(Rule::ApplicationMissing, at, what);
            }
            (Some(_), _) => {}
        }
        self.issuer
            .by_application
            .insert(intent.application, intent.serial);
        let intent = Box::new(intent);
        let certificate = Box::new(CertificateIntent { intent, tbs, claim });
        self.issuer
            .open
            .insert(at.index, Intended::Certificate(certificate));
    }

    fn issued(
        &mut self,
        at: At<'_>,
        answers: Option<(Service, u64)>,
        issued: &view::Issued,
        seen: Option<Seen>,
    ) {
        self.in_epoch(at, issued.epoch);
        if !issued.certificate.is_empty() {
            let told = profile::check(&issued.certificate, issued, &self.authorities);
            let unknown = || {
                let what = format!(
                    "{} or the key that it certifies is no CA's",
                    issued.of.key()
                );
                vec![(Rule::CertificateSignature, what)]
            };
            for (rule, what) in told.unwrap_or_else(unknown) {
                self.find(rule, at, what);
            }
        }
        let certificate = match self.end(at, issued.intent) {
            Some(Intended::Certificate(certificate)) => certificate,
            Some(_) => {
                self.find(
                    Rule::IntentDiffers,
                    at,
                    "its intent is not that of a certificate",
                );
                return;
            }
            None => return,
        };
        let CertificateIntent { intent, tbs, claim } = *certificate;
        let same = intent.application == issued.application
            && intent.attempt == issued.attempt
            && intent.serial == issued.serial
            && intent.kind == issued.kind
            && intent.key_digest == issued.key_digest
            && intent.of.series() == issued.of.series()
            && (intent.not_before, intent.not_after) == (issued.not_before, issued.not_after);
        if seen.is_some_and(|seen| seen.tbs != tbs) {
            let what = format!(
                "the certificate {} is not the one intended in entry {}",
                issued.serial, issued.intent
            );
            self.find(Rule::IntentDiffers, at, what);
        } else if !same {
            self.find(
                Rule::IntentDiffers,
                at,
                format!("it says something else than entry {}", issued.intent),
            );
        }
        if claim != answers.map(|(_, index)| index) {
            self.find(
                Rule::Answers,
                at,
                "it answers another entry than its intent",
            );
        }
        let Some(seen) = seen else { return };
        let series = issued.of.series();
        let record = Certificate {
            application: issued.application,
            key: series.key,
            scope: series.scope,
            kind: issued.kind,
            der: seen.der,
            says: (seen.key, seen.subject, seen.others),
            content: intent.content_digest,
            index: at.index,
            time: at.time,
            attempt: issued.attempt,
            claim,
            not_before: issued.not_before,
            not_after: issued.not_after,
            told: None,
            registered: false,
        };
        self.certificates.insert(issued.serial, record);
    }

    fn abandoned(&mut self, at: At<'_>, given: &view::Abandoned) {
        self.in_epoch(at, given.epoch);
        let Some(Intended::Certificate(open)) = self.end(at, given.intent) else {
            return;
        };
        let intent = &open.intent;
        if intent.serial != given.serial || intent.application != given.application {
            self.find(
                Rule::IntentDiffers,
                at,
                format!("it gives up another one than entry {}", given.intent),
            );
        }
        let record = GivenUp {
            application: given.application,
            series: given.of.series(),
            not_after: given.not_after,
            index: at.index,
            registered: false,
        };
        self.given_up.insert(given.serial, record);
    }

    fn crl_intent(&mut self, at: At<'_>, intent: Box<view::CrlIntent>) {
        self.in_epoch(at, intent.epoch);
        let numbers = self.issuer.numbers.entry(intent.of.series()).or_default();
        let used = self.issuer.numbers_used;
        let after_loss = used > numbers.highest && intent.number == used + 1;
        let is_next = intent.number == numbers.highest + 1 || after_loss;
        let is_beside = intent.base.is_some()
            && intent.number == numbers.highest
            && intent.number > numbers.highest_delta
            && intent.this_update == numbers.this_update;
        let highest = numbers.highest;
        numbers.highest = highest.max(intent.number);
        if intent.base.is_some() {
            numbers.highest_delta = numbers.highest_delta.max(intent.number);
        } else {
            numbers.this_update = intent.this_update;
        }
        if !is_next && !is_beside {
            let what = format!(
                "the number {} follows {highest} in {}",
                intent.number,
                intent.of.series()
            );
            self.find(Rule::CrlNumber, at, what);
        }
        if intent.next_update <= intent.this_update {
            self.find(
                Rule::CrlTimes,
                at,
                "its nextUpdate does not lie after its thisUpdate",
            );
        }
        self.issuer.open.insert(at.index, Intended::Crl(intent));
    }

    fn crl_signed(&mut self, at: At<'_>, signed: view::CrlSigned) {
        self.in_epoch(at, signed.epoch);
        let Some(Intended::Crl(intent)) = self.end(at, signed.intent) else {
            return;
        };
        let series = signed.of.series();
        if intent.tbs_digest != signed.tbs_digest
            || intent.number != signed.number
            || intent.of.series() != series
        {
            let what = format!("it is not the CRL intended in entry {}", signed.intent);
            self.find(Rule::IntentDiffers, at, what);
        }
        let crl = SignedCrl {
            tbs: signed.tbs_digest,
            algorithm: signed.algorithm,
            signature: signed.signature,
            index: at.index,
            published: None,
        };
        let key = (series, intent.base.is_some(), signed.number);
        if self.signed_crls.insert(key, crl).is_some() {
            self.find(
                Rule::CrlNumber,
                at,
                format!("the number {} of {series} was signed before", signed.number),
            );
        }
    }

    pub(super) fn finish_issuer(&mut self, open: &mut Open) {
        let mut left: Vec<_> = self
            .issuer
            .open
            .iter()
            .map(|(i, o)| (*i, o.epoch()))
            .collect();
        left.sort_unstable();
        for (index, epoch) in left {
            if epoch < self.issuer.epoch {
                let what = format!(
                    "it was intended in epoch {epoch}, and {} is open",
                    self.issuer.epoch
                );
                self.findings
                    .add(Rule::IntentOpen, Self::place(Service::Issuer, index), what);
            } else {
                open.intents += 1;
            }
        }
    }
}
