//! Intake's log: each application received once, examined before it is carried out, and carried out
//! as it was applied for.

use lgpki_domain::{ApplicationId, Digest};

use super::{
    At, Open, Rules,
    application::{Application, Refused, Stands},
    lag::Heard,
};
use crate::{
    fact::{Fact, Received, Service, Step},
    finding::Rule,
    view,
};

impl Rules {
    pub(super) fn intake_entry(&mut self, at: At<'_>, answers: Option<(Service, u64)>, fact: Fact) {
        match fact {
            Fact::Received(received) => self.received(at, &received),
            Fact::Step(id, step) => self.step(at, id, step),
            Fact::Claimed(claims) => {
                for (id, attempt) in claims {
                    self.claimed(at, id, attempt);
                }
            }
            Fact::ApplicationIssued(issued, der) => self.told(at, answers, &issued, der),
            Fact::Delivered(ids) => {
                for id in ids {
                    self.moved(at, id, |application| {
                        let may = matches!(application.stands, Stands::Issued | Stands::Delivered);
                        application.stands = Stands::Delivered;
                        may
                    });
                }
            }
            Fact::RenewalsOpened(ids) => {
                for id in ids {
                    self.moved(at, id, |application| {
                        !std::mem::replace(&mut application.opened, true)
                    });
                }
            }
            Fact::RenewalsClosed(ids) => {
                for id in ids {
                    self.moved(at, id, |application| {
                        application.closed = Some(at.time);
                        !application.is_open()
                    });
                }
            }
            _ => {}
        }
    }

    fn received(&mut self, at: At<'_>, received: &Received) {
        let application = Application::new(at.index, received);
        if let Some(before) = self.applications.insert(received.application, application) {
            let what = format!(
                "{} was received in entry {}",
                received.application, before.index
            );
            self.find(Rule::ApplicationTwice, at, what);
        }
    }

    /// Moves an application on, if it may.
    fn moved(
        &mut self,
        at: At<'_>,
        id: ApplicationId,
        step: impl FnOnce(&mut Application) -> bool,
    ) {
        match self.applications.get_mut(&id) {
            None => self.find(
                Rule::ApplicationLife,
                at,
                format!("{id} was never received"),
            ),
            Some(application) => {
                let stood = application.stands;
                if !step(application) {
                    let what = format!("{id} is {stood:?} and cannot take this step");
                    self.find(Rule::ApplicationLife, at, what);
                }
            }
        }
    }

    fn step(&mut self, at: At<'_>, id: ApplicationId, step: Step) {
        let Some(application) = self.applications.get_mut(&id) else {
            self.find(
                Rule::ApplicationLife,
                at,
                format!("{id} was never received"),
            );
            return;
        };
        match application.step(step) {
            Ok(()) if step == Step::Completed => application.completed = Some(at.time),
            Ok(()) => {}
            Err(Refused::Order(stands)) => {
                let what = format!("{id} is {stands:?} and cannot take this step");
                self.find(Rule::ApplicationLife, at, what);
            }
            Err(Refused::Unexamined(why)) => {
                self.find(Rule::ApplicationUnexamined, at, format!("{id}: {why}"));
            }
        }
    }

    fn claimed(&mut self, at: At<'_>, id: ApplicationId, attempt: u32) {
        let Some(application) = self.applications.get_mut(&id) else {
            self.find(
                Rule::ApplicationLife,
                at,
                format!("{id} was never received"),
            );
            return;
        };
        let stood = application.stands;
        let due = application
            .claim
            .map_or(1, |(_, attempt)| attempt.saturating_add(1));
        application.stands = Stands::Claimed;
        application.claim = Some((at.index, attempt));
        if stood == Stands::Received {
            let what = format!("{id} was carried out before it was approved");
            self.find(Rule::ApplicationUnexamined, at, what);
        } else if stood != Stands::Approved || attempt != due {
            let what = format!("{id} is {stood:?} and cannot be claimed as attempt {attempt}");
            self.find(Rule::ApplicationLife, at, what);
        }
    }

    /// Intake recorded the certificate that the issuer answered.
    fn told(
        &mut self,
        at: At<'_>,
        answers: Option<(Service, u64)>,
        issued: &view::ApplicationIssued,
        der: Digest,
    ) {
        let serial = issued.serial;
        self.moved(at, issued.application, |application| {
            let may =
                application.stands == Stands::Claimed && application.sort.yields_certificate();
            application.stands = Stands::Issued;
            application.issued = Some(serial);
            may
        });
        let Some(certificate) = self.certificates.get_mut(&serial) else {
            if self.latest(Service::Issuer) >= at.time {
                let what = format!("the issuer's log holds no certificate {serial}");
                self.find(Rule::ApplicationDiffers, at, what);
            }
            return;
        };
        certificate.told = Some(at.time);
        let same = certificate.der == der && certificate.application == issued.application;
        let answered = answers == Some((Service::Issuer, certificate.index));
        if !same {
            let what = format!("the certificate {serial} is another one in the issuer's log");
            self.find(Rule::ApplicationDiffers, at, what);
        }
        if !answered {
            let what = format!("it does not answer the issuer's entry for {serial}");
            self.find(Rule::Answers, at, what);
        }
    }

    /// Each certificate against its application.
    pub(super) fn finish_intake(&mut self, open: &mut Open) {
        let told = self.certificates.values();
        let heard = Heard::new(told.filter_map(|c| c.told.map(|time| (c.index, time))));
        let entries = self.entries(Service::Intake);
        let mut found = Vec::new();
        for (serial, certificate) in &self.certificates {
            let Some(claim) = certificate.claim else {
                continue;
            };
            // Its claim was recorded before the order left.
            let overdue = claim < entries || self.is_overdue(Service::Intake, certificate.time);
            let mut tell = |rule, what: String| found.push((certificate.index, rule, what));
            if certificate.told.is_none() {
                open.not_told += 1;
                if heard.passed_over(certificate.index) {
                    let what = format!("intake's log lacks {serial}, and has later ones");
                    tell(Rule::IssuedUntold, what);
                }
            }
            let id = certificate.application;
            let Some(application) = self.applications.get(&id) else {
                if overdue {
                    tell(
                        Rule::ApplicationMissing,
                        format!("{serial}: intake's log holds no application {id}"),
                    );
                }
                continue;
            };
            match application.claim {
                Some((index, attempt)) if attempt == certificate.attempt && index == claim => {}
                Some((index, attempt)) if attempt == certificate.attempt => {
                    let what = format!(
                        "{serial}: its application was claimed in entry {index}, not {claim}"
                    );
                    tell(Rule::Answers, what);
                }
                Some((_, attempt)) if attempt > certificate.attempt => {
                    tell(
                        Rule::ApplicationTwice,
                        format!("{serial}: its application was claimed again"),
                    );
                }
                _ if overdue => {
                    tell(
                        Rule::ApplicationUnexamined,
                        format!("{serial}: application {id} was not claimed for it"),
                    );
                }
                _ => {}
            }
            let differs = match application.wanted {
                None => Some("no certificate"),
                Some((key, ..)) if key != certificate.says.0 => Some("another public key"),
                Some((_, subject, _)) if subject != certificate.says.1 => Some("another subject"),
                Some((.., others)) if others != certificate.says.2 => {
                    Some("other host names, another mail address or another role")
                }
                Some(_) if application.kind != certificate.kind => Some("another kind"),
                Some(_) if application.content != certificate.content => Some("another content"),
                Some(_) => None,
            };
            if let Some(what) = differs {
                tell(
                    Rule::ApplicationDiffers,
                    format!("{serial}: application {id} asked for {what}"),
                );
            }
        }
        found.sort_unstable();
        for (index, rule, what) in found {
            self.findings
                .add(rule, Self::place(Service::Issuer, index), what);
        }
        open.applications = self.applications.values().filter(|a| a.is_open()).count() as u64;
    }
}
