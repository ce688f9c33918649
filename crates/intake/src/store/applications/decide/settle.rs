//! Deciding what an answer of the issuer or lifecycle means.
//!
//! A revocation that was carried out is the end of the renewal of its certificate too, in the same
//! frame, unless that renewal is claimed: from then on its certificate may exist.

use std::sync::Arc;

use lgpki_domain::{ApplicationId, Serial, application::State};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, View};

use super::Decided;
use crate::{
    ports::Settled,
    store::{
        applications::Applications,
        command::{Outcome, Settle},
        event::{
            Abandoned, Completed, Failed, INTAKE, IntakeEvent, Issued, IssuedBody, issuer_entry,
        },
        record::{Claim, Record},
        step::{Step, advance, bounded},
    },
};

impl Applications {
    /// Notes an answer; one that came before changes nothing.
    pub(crate) fn decide_settle(&self, view: &View<'_>, settle: Settle) -> Decided {
        let id = settle.id;
        let found = match self.find(view, id) {
            Ok(Some(found)) => found,
            Ok(None) => {
                let what = format!("there is no application {id} to be settled");
                let awaited = false;
                return Decision::answer(Outcome::Unfit { what, awaited });
            }
            Err(corrupt) => return Decision::answer(Outcome::Corrupt(corrupt)),
        };
        let state = found.record.state;
        let awaited = matches!(state, State::Issuing { .. });
        if is_repeated(&state, &settle.outcome) {
            return Decision::answer(Outcome::SettledBefore { awaited });
        }
        let yields = found.record.sort.yields_certificate();
        let fits = match &settle.outcome {
            Settled::Issued { .. } | Settled::Abandoned { .. } => yields,
            Settled::Completed => !yields,
            // What is still examined was never ordered.
            Settled::Failed { .. } => !matches!(state, State::Examining { .. }),
        };
        if !fits {
            let what = format!(
                "an answer does not fit application {id}, which is to {}",
                found.record.sort
            );
            return Decision::answer(Outcome::Unfit { what, awaited });
        }
        let mut stamp = Stamp::new(settle.at, INTAKE);
        let (step, event): (_, IntakeEvent) = match settle.outcome {
            Settled::Issued {
                serial,
                certificate,
                issuer_index,
            } => {
                stamp.answers = Some(issuer_entry(issuer_index));
                let body = IssuedBody {
                    application: id,
                    certificate,
                    serial,
                };
                (Step::Issue(serial), Issued(Arc::new(body)).into())
            }
            Settled::Completed => (Step::Complete, Completed { application: id }.into()),
            Settled::Abandoned { attempt } => {
                let abandoned = Abandoned {
                    application: id,
                    attempt,
                };
                (Step::Abandon(attempt), abandoned.into())
            }
            Settled::Failed { reason } => {
                let reason = bounded(reason);
                let failed = Failed {
                    application: id,
                    reason: reason.clone(),
                };
                (Step::Fail(reason), failed.into())
            }
        };
        let ended = match (&step, &found.record.claim) {
            (Step::Complete, Claim::Revocation(serial)) => Some((*serial, found.record.urgent)),
            _ => None,
        };
        match advance(state, settle.at, step) {
            Ok(_) => {
                let mut events = vec![(stamp, event)];
                let failed = ended.and_then(|ended| self.renewal_ended_by(id, ended));
                let stamp = Stamp::new(settle.at, INTAKE);
                events.extend(failed.map(|failed| (stamp, failed.into())));
                Decision::record_all(events, Outcome::Settled)
            }
            Err(wrong) => {
                let what = format!("an answer came for application {id}, but {wrong}");
                Decision::answer(Outcome::Unfit { what, awaited })
            }
        }
    }
}

impl Applications {
    /// The renewal that ends since the application `by` had its certificate revoked.
    fn renewal_ended_by(
        &self,
        by: ApplicationId,
        (serial, urgent): (Serial, bool),
    ) -> Option<Failed> {
        let id = self.renewed_by(serial)?;
        let claimed = !matches!(
            self.live(id)?.state,
            State::Received { .. }
                | State::Examining { .. }
                | State::Approved { .. }
                | State::Queued { .. }
        );
        if claimed {
            if urgent {
                tracing::warn!(
                    renewal = %id,
                    certificate = %serial,
                    "a certificate was revoked for key compromise after its renewal had been claimed for issue: \
                     the new one has another key and stays good; where whoever held the old key may have \
                     applied for it, as with a login certificate, have the new one revoked too"
                );
            }
            return None;
        }
        let reason = format!(
            "certificate {serial} cannot be renewed: it was revoked meanwhile, for application {by}, and \
             what is revoked is never renewed; apply for a new certificate (issue) instead{REVOKED}"
        );
        Some(Failed {
            application: id,
            reason,
        })
    }
}

/// How the reason ends for which a renewal of what was revoked has failed, whoever found it so.
const REVOKED: &str = " [CERTIFICATE_REVOKED_BEFORE]";

/// Why this renewal failed, if that was because its certificate was revoked.
pub(super) fn outlived(record: &Record) -> Option<&str> {
    record.renewal?;
    match &record.state {
        State::Failed { reason, .. } => reason.strip_suffix(REVOKED),
        _ => None,
    }
}

/// Whether the answer says what is known already, or comes too late to matter.
fn is_repeated(state: &State, outcome: &Settled) -> bool {
    match (state, outcome) {
        (
            State::Issued { serial: known, .. } | State::Delivered { serial: known, .. },
            Settled::Issued { serial, .. },
        ) => known == serial,
        // Of an attempt, only the present one can still be abandoned.
        (State::Issuing { attempt, .. }, Settled::Abandoned { attempt: abandoned }) => {
            abandoned != attempt
        }
        (State::Completed { .. }, Settled::Completed)
        | (State::Failed { .. }, Settled::Failed { .. })
        | (_, Settled::Abandoned { .. }) => true,
        _ => false,
    }
}
