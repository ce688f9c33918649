//! Lifecycle's log: the inventory is what the issuer recorded, each revocation was applied for, each
//! renewal has its application, each OCSP responder its certificate.

use std::collections::{HashMap, HashSet};

use lgpki_domain::{
    ApplicationId, CertificateKind, Digest, RevocationReason, Serial, Timestamp, application::Sort,
};

use super::{At, Open, Rules, SLACK_MILLIS, apart, crl::Listed, lag::Heard};
use crate::{
    fact::{Fact, Service},
    finding::{Place, Rule},
    view,
};

/// What lifecycle's entries have told.
#[derive(Debug, Default)]
pub(super) struct LifecycleRules {
    /// The issuer's entries below this one were followed.
    followed: u64,
    /// When, and by which entry; the serial numbers given up among them.
    pub(super) revoked: HashMap<Serial, (Timestamp, u64)>,
    /// The open renewal of each certificate.
    renewing: HashMap<Serial, ApplicationId>,
    /// Delivered renewals, whose old certificate must be superseded: its entry and last moment.
    superseded: Vec<(Serial, u64, Timestamp)>,
    commands: HashMap<ApplicationId, Serial>,
    /// The renewals that ended.
    closed: HashSet<ApplicationId>,
}

impl Rules {
    pub(super) fn lifecycle_entry(
        &mut self,
        at: At<'_>,
        answers: Option<(Service, u64)>,
        fact: Fact,
    ) {
        match fact {
            Fact::Registered(body, der) => self.registered(at, answers, &body, der),
            Fact::Unregistered(body) => self.unregistered(at, answers, &body),
            Fact::Revoked(body) => self.revoke(at, answers, &body),
            Fact::Published(body) => self.published(at, &body),
            Fact::RenewalOpened(body) => {
                let of = self.applications.get(&body.application);
                if self.knows_intake(at)
                    && of.is_none_or(|a| a.sort != Sort::Renew || a.target != Some(body.serial))
                {
                    let what = format!(
                        "{} asks for no renewal of {}",
                        body.application, body.serial
                    );
                    self.find(Rule::Renewal, at, what);
                }
                if let Some(other) = self
                    .lifecycle
                    .renewing
                    .insert(body.serial, body.application)
                {
                    let what = format!("{} is being renewed for {other} already", body.serial);
                    self.find(Rule::Renewal, at, what);
                }
            }
            Fact::RenewalClosed(body) => self.renewal_closed(at, &body),
            Fact::Ocsp(body) => self.ocsp(at, &body),
            _ => {}
        }
    }

    /// Whether intake's log reaches far enough for its absence of something to count.
    fn knows_intake(&self, at: At<'_>) -> bool {
        self.latest(Service::Intake) >= at.time
    }

    /// The same of the issuer's.
    pub(super) fn knows_issuer(&self, at: At<'_>) -> bool {
        self.latest(Service::Issuer) >= at.time
    }

    /// The feed brings the issuer's entries in their order.
    fn follow(&mut self, at: At<'_>, answers: Option<(Service, u64)>, expected: Option<u64>) {
        let Some((Service::Issuer, index)) = answers else {
            self.find(Rule::Answers, at, "it answers no entry of the issuer's log");
            return;
        };
        if expected.is_some_and(|expected| expected != index) {
            self.find(
                Rule::Answers,
                at,
                format!("entry {index} of the issuer's log is about something else"),
            );
        }
        if index < self.lifecycle.followed {
            self.find(
                Rule::Answers,
                at,
                "it follows the issuer's log out of order",
            );
        }
        self.lifecycle.followed = self.lifecycle.followed.max(index + 1);
    }

    fn registered(
        &mut self,
        at: At<'_>,
        answers: Option<(Service, u64)>,
        body: &view::Issued,
        der: Digest,
    ) {
        let serial = body.serial;
        let series = body.of.series();
        let expected = self
            .certificates
            .get(&serial)
            .map(|certificate| certificate.index);
        self.follow(at, answers, expected);
        self.crls.enter(at, serial, (series, body.not_after));
        let Some(certificate) = self.certificates.get_mut(&serial) else {
            if self.knows_issuer(at) {
                self.find(
                    Rule::Registered,
                    at,
                    format!("the issuer's log holds no certificate {serial}"),
                );
            }
            return;
        };
        let before = std::mem::replace(&mut certificate.registered, true);
        let same = certificate.der == der
            && certificate.application == body.application
            && (certificate.key, certificate.scope) == (series.key, series.scope)
            && certificate.kind == body.kind
            && certificate.not_after == body.not_after;
        if before {
            self.find(
                Rule::Registered,
                at,
                format!("{serial} was registered before"),
            );
        }
        if !same {
            self.find(
                Rule::Registered,
                at,
                format!("the issuer's log says something else of {serial}"),
            );
        }
    }

    fn unregistered(
        &mut self,
        at: At<'_>,
        answers: Option<(Service, u64)>,
        body: &view::Abandoned,
    ) {
        let serial = body.serial;
        let expected = self.given_up.get(&serial).map(|given| given.index);
        self.follow(at, answers, expected);
        let same = self.given_up.get_mut(&serial).is_some_and(|given| {
            let same = given.application == body.application
                && given.series == body.of.series()
                && given.not_after == body.not_after
                && !given.registered;
            given.registered = true;
            same
        });
        if !same && self.knows_issuer(at) {
            self.find(
                Rule::Registered,
                at,
                format!("the issuer did not give up {serial} in this way"),
            );
        }
        let when = body.when.unwrap_or(at.time).min(at.time);
        self.crls
            .enter(at, serial, (body.of.series(), body.not_after));
        self.list(at, serial, (when, RevocationReason::CessationOfOperation));
    }

    /// From here on CRLs list it.
    fn list(&mut self, at: At<'_>, serial: Serial, (when, reason): (Timestamp, RevocationReason)) {
        let entry = Listed {
            at: when,
            reason,
            index: at.index,
        };
        if !self.crls.list(serial, entry) {
            self.find(
                Rule::RevokedUnknown,
                at,
                format!("there is no certificate {serial} in the inventory"),
            );
        }
        if self
            .lifecycle
            .revoked
            .insert(serial, (when, at.index))
            .is_some()
        {
            self.find(
                Rule::RevokedUnknown,
                at,
                format!("{serial} was revoked before"),
            );
        }
    }

    fn revoke(&mut self, at: At<'_>, answers: Option<(Service, u64)>, body: &view::Revoked) {
        let serial = body.serial;
        self.list(at, serial, (body.when, body.reason));
        if apart(body.when, at.time) > SLACK_MILLIS {
            self.find(
                Rule::Time,
                at,
                format!("{serial} was revoked at {}, it says", body.when),
            );
        }
        self.lifecycle.commands.insert(body.command, serial);
        let Some(application) = self.applications.get(&body.command) else {
            if self.knows_intake(at) {
                let what = format!(
                    "intake's log holds no application {} for {serial}",
                    body.command
                );
                self.find(Rule::RevokedUnordered, at, what);
            }
            return;
        };
        let asked = application.target == Some(serial)
            && match application.sort {
                Sort::Issue => false,
                Sort::Renew => body.reason == RevocationReason::Superseded,
                Sort::Revoke | Sort::Abolish => application.reason == Some(body.reason),
            };
        let claimed = application.claim.map(|(index, _)| (Service::Intake, index));
        let ends = !application.sort.yields_certificate();
        if !asked {
            let what = format!(
                "application {} does not ask for the end of {serial} in this way",
                body.command
            );
            self.find(Rule::RevokedUnordered, at, what);
        } else if claimed.is_none() {
            if self.knows_intake(at) {
                let what = format!(
                    "application {} was not examined before {serial} was revoked",
                    body.command
                );
                self.find(Rule::ApplicationUnexamined, at, what);
            }
        } else if ends && claimed != answers {
            self.find(
                Rule::Answers,
                at,
                format!("it does not answer the claim of {}", body.command),
            );
        }
    }

    fn renewal_closed(&mut self, at: At<'_>, body: &view::Renewal) {
        let serial = body.serial;
        self.lifecycle.closed.insert(body.application);
        let open = self.lifecycle.renewing.remove(&serial);
        if open.is_some_and(|open| open != body.application) {
            let what = format!(
                "{serial} is being renewed for another application than {}",
                body.application
            );
            self.find(Rule::Renewal, at, what);
            if let Some(open) = open {
                self.lifecycle.renewing.insert(serial, open);
            }
        }
        if body.outcome.as_deref() != Some("delivered") {
            return;
        }
        let new = body.replaced_by.and_then(|new| self.certificates.get(&new));
        let is_its = new.is_some_and(|new| new.application == body.application);
        let may_know = new.is_some() || self.knows_issuer(at);
        if body.replaced_by.is_some() && !is_its && may_know {
            let what = format!(
                "{serial} was replaced by what {} did not yield",
                body.application
            );
            self.find(Rule::Renewal, at, what);
        }
        let not_after = self.crls.not_after(serial).unwrap_or_default();
        if not_after > at.time {
            self.lifecycle.superseded.push((serial, at.index, at.time));
        }
    }

    fn ocsp(&mut self, at: At<'_>, body: &view::Ocsp) {
        let responder = self.certificates.get(&body.responder);
        let may = responder.is_some_and(|certificate| {
            certificate.kind == CertificateKind::OcspResponder
                && certificate.key == body.of.key()
                && certificate.not_before.plus_millis(-SLACK_MILLIS) <= at.time
                && at.time.plus_millis(-SLACK_MILLIS) <= certificate.not_after
        });
        if !may && (responder.is_some() || self.knows_issuer(at)) {
            let what = format!(
                "{} signed {} answers for {} without a certificate for it",
                body.responder,
                body.count,
                body.of.key()
            );
            self.find(Rule::Responder, at, what);
        }
    }

    /// What intake was told is done and lifecycle never recorded: a revocation, the end of a renewal.
    /// Lifecycle records before it answers.
    fn undone(&self) -> Vec<(Service, u64, Rule, String)> {
        let mut found = Vec::new();
        let is_overdue = |then: Option<Timestamp>| {
            then.is_some_and(|then| self.is_overdue(Service::Lifecycle, then))
        };
        for (id, application) in &self.applications {
            let Some(target) = application.target else {
                continue;
            };
            let mut tell = |rule, what| {
                found.push((Service::Intake, application.index, rule, what));
            };
            let ended = self.lifecycle.commands.contains_key(id);
            if !ended && is_overdue(application.completed) {
                let what = format!("{id} is completed, and {target} was not revoked for it");
                tell(Rule::RevocationUndone, what);
            }
            if !self.lifecycle.closed.contains(id) && is_overdue(application.closed) {
                let what = format!("the renewal {id} ended, and that of {target} did not");
                tell(Rule::Renewal, what);
            }
        }
        found
    }

    pub(super) fn finish_lifecycle(&mut self, open: &mut Open) {
        let followed = self.lifecycle.followed;
        let published = self.signed_crls.values();
        let heard = Heard::new(published.filter_map(|c| c.published.map(|at| (c.index, at))));
        let is_due = |index| index < followed || heard.passed_over(index);
        let mut found = self.undone();
        for (serial, certificate) in self.certificates.iter().filter(|(_, c)| !c.registered) {
            if is_due(certificate.index) {
                let what = format!("the inventory lacks {serial}");
                found.push((Service::Issuer, certificate.index, Rule::IssuedUntold, what));
            } else {
                open.not_registered += 1;
            }
        }
        for (serial, given) in self.given_up.iter().filter(|(_, given)| !given.registered) {
            if is_due(given.index) {
                let what =
                    format!("the inventory lacks the serial number {serial}, which was given up");
                found.push((Service::Issuer, given.index, Rule::IssuedUntold, what));
            } else {
                open.not_registered += 1;
            }
        }
        for (serial, index, at) in &self.lifecycle.superseded {
            if self
                .lifecycle
                .revoked
                .get(serial)
                .is_none_or(|(_, revoked)| *revoked > index + 1_000)
            {
                let what = format!("{serial} was replaced at {at} and not revoked");
                found.push((Service::Lifecycle, *index, Rule::Renewal, what));
            }
        }
        found.extend(self.lapsed());
        found.sort();
        for (service, index, rule, what) in found {
            self.findings.add(rule, Self::place(service, index), what);
        }
        let strange = self
            .crls
            .files
            .values()
            .filter(|f| !self.crls.published.contains(&f.digest));
        for file in strange {
            let place = Place {
                service: "lifecycle".to_owned(),
                ..Place::default()
            };
            match self.authorities.signer_of(file.list.der()) {
                Some(key) => {
                    let what = format!(
                        "the CRL {} is signed by {key}, and was never published",
                        file.name
                    );
                    self.findings.add(Rule::Unlogged, place, what);
                }
                None => self
                    .notes
                    .push(format!("{} is no CRL of these CAs", file.name)),
            }
        }
        open.crls = self
            .signed_crls
            .values()
            .filter(|crl| crl.published.is_none())
            .count() as u64;
    }
}
