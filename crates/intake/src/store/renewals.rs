//! The outbox to lifecycle: what renewals have to tell it, and what it answered.
//!
//! What is owed follows from an application's record alone, so that a restart finds it again: one
//! that is only received waits to be opened, one that is over and not closed waits to be closed.

use lgpki_domain::{
    ApplicationId, RenewalOutcome, Timestamp,
    application::{Sort, State},
};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, Tables, View};

use super::{
    EngineStore,
    applications::{Applications, At},
    command::{Command, Outcome},
    directory::chunks,
    event::{
        Approved, Content, Failed, INTAKE, IntakeEvent, ReceivedBody, RenewalsClosed,
        RenewalsOpened,
    },
    record::{Record, RenewalOf},
    step::{Step, bounded},
    unexpected,
};
use crate::{
    error::StoreError,
    ports::{RenewalAnswer, RenewalAnswered, RenewalDue, RenewalStep},
};

impl Record {
    /// What lifecycle must be told about it.
    pub(super) fn owes(&self, received_at: Timestamp) -> Option<RenewalStep> {
        self.renewal.filter(|renewal| !renewal.closed)?;
        let given_up = RenewalStep::Close {
            outcome: RenewalOutcome::GivenUp,
            new_serial: None,
        };
        match &self.state {
            State::Received { .. } => Some(RenewalStep::Open { received_at }),
            State::Delivered { serial, .. } => Some(RenewalStep::Close {
                outcome: RenewalOutcome::Delivered,
                new_serial: Some(*serial),
            }),
            state if state.is_final() => Some(given_up),
            _ => None,
        }
    }

    /// Whether lifecycle must be told anything.
    pub(super) fn is_due(&self) -> bool {
        self.owes(Timestamp::default()).is_some()
    }

    /// Whether it keeps others from renewing its certificate.
    pub(super) fn renews(&self) -> Option<RenewalOf> {
        let given_up = matches!(
            self.state,
            State::Rejected { .. } | State::Withdrawn { .. } | State::Failed { .. }
        );
        self.renewal.filter(|renewal| !renewal.closed && !given_up)
    }
}

/// What a new application renews.
pub(super) fn renewal_of(body: &ReceivedBody) -> Option<RenewalOf> {
    match &body.content {
        Content::Issue(issue) if body.sort == Sort::Renew => issue.renews.map(|serial| RenewalOf {
            serial,
            last_day: issue.renews_until,
            needed: body.approvals_needed,
            closed: false,
        }),
        Content::Issue(_) | Content::Revoke(_) => None,
    }
}

impl Applications {
    /// What lifecycle must be told, ends before beginnings, each in the order of the log: the end of
    /// one renewal makes room for the next of the same certificate.
    pub(crate) fn renewals_due(&self, most: usize) -> Vec<RenewalDue> {
        let (mut ends, mut beginnings) = (Vec::new(), Vec::new());
        for (id, record) in self.outbox() {
            // An application that is only received has stood so since its receipt.
            let Some((renewal, step)) = record.renewal.zip(record.owes(record.state.since()))
            else {
                continue;
            };
            let due = RenewalDue {
                id,
                serial: renewal.serial,
                branch: record.branch,
                log_index: record.changed,
                step,
            };
            match step {
                RenewalStep::Open { .. } if beginnings.len() < most => beginnings.push(due),
                RenewalStep::Close { .. } if ends.len() < most => ends.push(due),
                _ if ends.len() >= most && beginnings.len() >= most => break,
                _ => {}
            }
        }
        ends.append(&mut beginnings);
        ends
    }

    /// Notes lifecycle's answers; one that fits no longer changes nothing.
    pub(crate) fn decide_renewals(
        &self,
        view: &View<'_>,
        answers: Vec<RenewalAnswered>,
        at: Timestamp,
    ) -> Decision<IntakeEvent, Outcome> {
        let (mut opened, mut closed) = (Vec::new(), Vec::new());
        let mut events: Vec<(Stamp, IntakeEvent)> = Vec::new();
        let stamp = || Stamp::new(at, INTAKE);
        for RenewalAnswered { id, answer } in answers {
            let record = match self.find(view, id) {
                Ok(Some(found)) => found.record,
                Ok(None) => continue,
                Err(what) => return Decision::answer(Outcome::Corrupt(what)),
            };
            match (record.owes(at), answer) {
                (Some(RenewalStep::Open { .. }), RenewalAnswer::Opened) => {
                    opened.push(id);
                    if record.renewal.is_some_and(|renewal| renewal.needed == 0) {
                        let approved = Approved {
                            application: id,
                            operator: None,
                        };
                        events.push((stamp(), approved.into()));
                    }
                }
                (Some(RenewalStep::Open { .. }), RenewalAnswer::Refused { reason }) => {
                    let failed = Failed {
                        application: id,
                        reason: bounded(reason),
                    };
                    events.push((stamp(), failed.into()));
                }
                (Some(RenewalStep::Close { .. }), RenewalAnswer::Closed) => closed.push(id),
                // Withdrawn while lifecycle opened it, or answered twice.
                _ => {}
            }
        }
        let opened = chunks(opened, RenewalsOpened::MOST)
            .map(|applications| (stamp(), RenewalsOpened { applications }.into()));
        let closed = chunks(closed, RenewalsClosed::MOST)
            .map(|applications| (stamp(), RenewalsClosed { applications }.into()));
        let all = opened.chain(events).chain(closed).collect();
        Decision::record_all(all, Outcome::Noted)
    }

    /// The examination goes on; what the policy approves is told by an event of its own.
    pub(crate) fn apply_opened(&mut self, tables: &mut Tables<'_>, ids: &[ApplicationId], at: At) {
        for id in ids {
            let needed = self.renewal(*id).map_or(0, |renewal| renewal.needed);
            if needed > 0 {
                self.apply_one(tables, *id, Step::Examine(needed), at);
            } else {
                self.apply_noted(tables, *id, at);
            }
        }
    }
}

impl EngineStore {
    pub(super) async fn note_renewals(
        &self,
        answers: Vec<RenewalAnswered>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        match self.one(Command::NoteRenewals { answers, at }).await? {
            Outcome::Noted => Ok(()),
            other => Err(unexpected(other)),
        }
    }
}
