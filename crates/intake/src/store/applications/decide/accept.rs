//! Deciding whether a new application may enter: what only the one who decides can know.

use lgpki_domain::{Digest, Faults, Serial, application::State};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, View};

use super::Decided;
use crate::{
    renewal_fields::{RENEWED, of_renewal},
    store::{
        applications::{
            Applications, Corrupt,
            apply::{At, new_record},
            delivered::Known,
        },
        command::{Accept, Content as HeldContent, Held, Outcome, Snapshot},
        directory::Directories,
        event::{Approved, Content, INTAKE, Received, ReceivedBody},
        record::Claim,
        step::{Step, advance},
    },
};

/// The field of the subject of an application for a certificate.
const SUBJECT: &str = "issue.subject";
/// The field of its key.
const CSR: &str = "issue.csr";
/// Its key came with another application.
const KEY_USED: &str = "KEY_USED_BEFORE";

impl Applications {
    /// Admits a new application, recognises a repeated one, or says what stands in its way.
    pub(crate) fn decide_accept(
        &self,
        directories: &Directories,
        view: &View<'_>,
        accept: Accept,
    ) -> Decided {
        match self.answer_without_recording(directories, view, &accept) {
            Err(corrupt) => Decision::answer(Outcome::Corrupt(corrupt)),
            Ok(Some(answer)) => Decision::answer(answer),
            Ok(None) => admit(view, accept),
        }
    }

    fn answer_without_recording(
        &self,
        directories: &Directories,
        view: &View<'_>,
        accept: &Accept,
    ) -> Result<Option<Outcome>, Corrupt> {
        let body = &accept.body;
        if let Some((id, digest)) = self.by_request(view, body.branch, &body.request)? {
            if digest != body.content_digest {
                return Ok(Some(Outcome::OtherContent(id)));
            }
            let found = self.find(view, id)?;
            let found = found.ok_or_else(|| format!("the application {id} of a request"))?;
            return Ok(Some(Outcome::Repeated(Box::new(found))));
        }
        let mut faults = Faults::new();
        match &body.content {
            Content::Issue(issue) => {
                check_branch(directories, body, &mut faults);
                if let Some(other) = self.key_used_by(view, &issue.key_digest)? {
                    let message = format!(
                        "this key came with application {other}; every certificate needs a key pair \
                         of its own; make a new one"
                    );
                    faults.push(CSR, KEY_USED, message);
                }
                let (subject, position) = (&accept.subject_key, accept.standings_position);
                match self.delivered.since(subject, position) {
                    Known::Nothing => self.check_subject(subject, position, &mut faults),
                    Known::Certificate => {
                        let message = "a certificate of the same subject and kind was handed over just \
                                       now; if another is needed all the same, revoke that one first";
                        faults.push(SUBJECT, "SUBJECT_HAS_VALID_CERTIFICATE", message);
                    }
                    Known::TooOld => return Ok(Some(Outcome::JudgedLongAgo)),
                }
                if let Some(serial) = issue.renews {
                    self.check_renewal(serial, &mut faults);
                    faults = of_renewal(faults);
                }
            }
            Content::Revoke(_) => self.check_revocation(body, &mut faults),
        }
        Ok((!faults.is_empty()).then_some(Outcome::Refused(faults)))
    }

    fn check_subject(&self, key: &Digest, standings_position: u64, faults: &mut Faults) {
        let Some((id, live)) = self
            .subjects
            .get(key)
            .and_then(|id| Some((*id, self.live.get(id)?)))
        else {
            return;
        };
        if live.record.state.is_open() {
            let message = format!(
                "application {id} for the same subject and kind is under way; wait for it or \
                 withdraw it"
            );
            faults.push(SUBJECT, "SUBJECT_HAS_OPEN_APPLICATION", message);
        } else if let Some(certificate) = &live.record.certificate
            && certificate.issuer >= standings_position
        {
            let message = format!(
                "a certificate of the same subject and kind was issued for application {id} just \
                 now; if another is needed all the same, revoke that one first"
            );
            faults.push(SUBJECT, "SUBJECT_HAS_VALID_CERTIFICATE", message);
        }
    }

    /// Lifecycle has the last word; what is known here need not be asked there.
    fn check_renewal(&self, serial: Serial, faults: &mut Faults) {
        if let Some(other) = self.renewed_by(serial) {
            let mut told = Faults::new();
            std::mem::swap(faults, &mut told);
            let message = format!(
                "application {other} renews this certificate already; wait for it or withdraw it"
            );
            faults.push(RENEWED, "RENEWAL_IS_OPEN", message);
            // The same application stands in the way of the subject, which is no fault of its own; and who
            // cannot renew needs no new key.
            let others = told.into_iter();
            others
                .filter(|fault| fault.field != SUBJECT && fault.reason != KEY_USED)
                .for_each(|fault| faults.add(fault));
        }
    }

    /// What the door saw may have changed since. An urgent one does not wait for one that is not.
    fn check_revocation(&self, body: &ReceivedBody, faults: &mut Faults) {
        let Content::Revoke(revoke) = &body.content else {
            return;
        };
        let urgent = revoke.reason.is_urgent();
        let other = self.ended_by(revoke.serial);
        let other = other.filter(|(id, _)| *id != body.application);
        if let Some((other, _)) = other.filter(|(_, also_urgent)| *also_urgent || !urgent) {
            let message = format!(
                "application {other} for the end of this certificate is under way; wait for it"
            );
            faults.push(
                format!("{}.serial", body.sort),
                "REVOCATION_IS_OPEN",
                message,
            );
        }
    }
}

/// A closed branch applies for no certificates; it may still have its old ones revoked.
fn check_branch(directories: &Directories, body: &ReceivedBody, faults: &mut Faults) {
    let Some(branch) = body.branch else {
        return;
    };
    if let Some(local) = directories.body(branch) {
        faults.keep(local.may_apply());
    } else {
        let message = format!("there is no body {branch} in the body name list");
        faults.push("branch", "BODY_UNKNOWN", message);
    }
}

fn admit(view: &View<'_>, accept: Accept) -> Decided {
    let Accept {
        body,
        subject_key,
        stamp,
        ..
    } = accept;
    let claim = match &body.content {
        Content::Issue(_) => Claim::Subject(subject_key),
        Content::Revoke(revoke) => Claim::Revocation(revoke.serial),
    };
    let at = At {
        index: view.next_index(),
        time: stamp.time,
    };
    let id = body.application;
    let mut record = new_record(&body, &stamp.actor, claim, at);
    let held = Held {
        received: Some(HeldContent {
            body: body.clone(),
            actor: stamp.actor.as_str().into(),
            at: stamp.time,
            slim: false,
        }),
        issued: None,
    };
    let mut events = vec![(stamp, Received(body).into())];
    if let State::Received { .. } = record.state
        && record.renewal.is_none()
        && let Ok(queued) = advance(record.state.clone(), at.time, Step::ApproveOnReceipt)
    {
        record.state = queued;
        record.changed = at.index + 1;
        let approved = Approved {
            application: id,
            operator: None,
        };
        events.push((Stamp::new(at.time, INTAKE), approved.into()));
    }
    let snapshot = Snapshot { id, record, held };
    Decision::record_all(events, Outcome::Accepted(Box::new(snapshot)))
}
