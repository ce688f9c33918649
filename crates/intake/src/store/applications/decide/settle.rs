//! Deciding what an answer of the issuer or lifecycle means.

use std::sync::Arc;

use lgpki_domain::application::State;
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
            Settled::Failed { .. } => true,
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
        match advance(state, settle.at, step) {
            Ok(_) => Decision::record(stamp, event, Outcome::Settled),
            Err(wrong) => {
                let what = format!("an answer came for application {id}, but {wrong}");
                Decision::answer(Outcome::Unfit { what, awaited })
            }
        }
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
