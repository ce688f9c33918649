//! Deciding what is asked of applications. Nothing is changed here.

mod accept;
mod settle;

use lgpki_domain::{ApplicationId, BodyCode, Timestamp, application::State, directory::Branch};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, View};

use super::{Applications, Corrupt};
use crate::{
    ports::{ActRefused, Lane},
    store::{
        command::{Act, ActStep, Deliver, Outcome, Snapshot},
        directory::{Directories, chunks},
        event::{
            Approved, Attempt, Claimed, Counted, Delivered, INTAKE, IntakeEvent, Rejected,
            Withdrawn,
        },
        record::Claim,
        step::{Step, advance, bounded},
    },
};

/// What was decided on intake's state.
type Decided = Decision<IntakeEvent, Outcome>;

impl Applications {
    /// Acts upon one application.
    pub(crate) fn decide_act(
        &self,
        directories: &Directories,
        view: &View<'_>,
        act: Act,
    ) -> Decided {
        let id = act.id;
        let mut found = match self.visible(view, id, act.branch) {
            Ok(found) => found,
            Err(unseen) => return Decision::answer(unseen.acted(id)),
        };
        if let Some(refused) = forbidden(directories, &found, &act) {
            return Decision::answer(Outcome::Acted(Box::new(Err(refused))));
        }
        let (step, event): (_, IntakeEvent) = match act.step {
            ActStep::Approve(operator) => {
                let approved = Approved {
                    application: id,
                    operator: Some(operator.into()),
                };
                (Step::Approve(operator), approved.into())
            }
            ActStep::Reject(reason) => {
                let reason = bounded(reason);
                let rejected = Rejected {
                    application: id,
                    reason: reason.clone(),
                };
                (Step::Reject(reason), rejected.into())
            }
            ActStep::Withdraw => (Step::Withdraw, Withdrawn { application: id }.into()),
        };
        let stood = found.record.state.clone();
        match advance(stood, act.stamp.time, step.clone()) {
            Err(wrong) => Decision::answer(Outcome::Acted(Box::new(Err(wrong.into())))),
            Ok(state) => {
                // An approval that was only counted says so.
                let event = match (&step, &state) {
                    (Step::Approve(operator), State::Examining { .. }) => Counted {
                        application: id,
                        operator: (*operator).into(),
                    }
                    .into(),
                    _ => event,
                };
                found.record.state = state;
                found.record.changed = view.next_index();
                let outcome = Outcome::Acted(Box::new(Ok(found)));
                Decision::record(act.stamp, event, outcome)
            }
        }
    }

    /// Hands over, in one entry for all where they fit.
    pub(crate) fn decide_deliver(&self, view: &View<'_>, deliver: Deliver) -> Decided {
        let mut outcomes = Vec::with_capacity(deliver.ids.len());
        let mut handed: Vec<ApplicationId> = Vec::with_capacity(deliver.ids.len());
        let mut places = Vec::new();
        for (id, branch) in deliver.ids {
            let found = match self.visible(view, id, branch) {
                Ok(found) => found,
                Err(Unseen::NotFound) => {
                    outcomes.push(Err(ActRefused::NotFound(id)));
                    continue;
                }
                Err(Unseen::Corrupt(what)) => return Decision::answer(Outcome::Corrupt(what)),
            };
            let stood = found.record.state.clone();
            match advance(stood, deliver.stamp.time, Step::Deliver) {
                Err(wrong) => outcomes.push(Err(wrong.into())),
                Ok(state) => {
                    if state != found.record.state && !handed.contains(&id) {
                        places.push((outcomes.len(), handed.len() / Delivered::MOST));
                        handed.push(id);
                    }
                    let mut found = found;
                    found.record.state = state;
                    outcomes.push(Ok(found));
                }
            }
        }
        for (place, entry) in places {
            if let Some(Ok(found)) = outcomes.get_mut(place) {
                found.record.changed = view.next_index() + entry as u64;
            }
        }
        let events = chunks(handed, Delivered::MOST)
            .map(|applications| {
                let event = Delivered {
                    applications,
                    presumed: deliver.presumed,
                };
                (deliver.stamp.clone(), event.into())
            })
            .collect();
        Decision::record_all(events, Outcome::Delivered(outcomes))
    }

    /// Claims the first of a queue.
    pub(crate) fn decide_claim(
        &self,
        view: &View<'_>,
        lane: Lane,
        most: usize,
        at: Timestamp,
    ) -> Decided {
        let mut claimed = Vec::new();
        let mut attempts = Vec::new();
        let first: Vec<ApplicationId> = match lane {
            Lane::Certificates => {
                let free = |id| {
                    let renewal = self.renewal(id);
                    renewal.is_none_or(|renewal| !self.is_about_to_end(renewal.serial))
                };
                self.waitlist().to_issue(most, at, free)
            }
            Lane::Revocations => self.ending.iter().take(most).map(|t| t.id).collect(),
        };
        for (id, live) in first
            .into_iter()
            .filter_map(|id| Some((id, self.live.get(&id)?)))
        {
            let mut found = live.snapshot(id);
            // What is queued can be claimed.
            let Ok(state) = advance(found.record.state.clone(), at, Step::Claim) else {
                continue;
            };
            if let State::Issuing { attempt, .. } = &state {
                attempts.push(Attempt {
                    application: id,
                    attempt: *attempt,
                });
            }
            found.record.state = state;
            found.record.changed = view.next_index() + (claimed.len() / Claimed::MOST) as u64;
            claimed.push(found);
        }
        let events = chunks(attempts, Claimed::MOST)
            .map(|applications| (Stamp::new(at, INTAKE), Claimed { applications }.into()))
            .collect();
        Decision::record_all(events, Outcome::Claimed(claimed))
    }

    /// The application, if there is one and it belongs to `branch`, where one is given.
    fn visible(
        &self,
        view: &View<'_>,
        id: ApplicationId,
        branch: Option<BodyCode>,
    ) -> Result<Snapshot, Unseen> {
        let found = self.find(view, id).map_err(Unseen::Corrupt)?;
        found
            .filter(|found| branch.is_none() || branch == found.record.branch)
            .ok_or(Unseen::NotFound)
    }
}

/// Why this application does not suffer this act, whatever its state: a branch takes back only what it
/// has submitted; nobody approves a login for themselves; a deactivated branch gets no more
/// certificates, though it may still lose its old ones; and of what was revoked, nothing is renewed.
fn forbidden(directories: &Directories, found: &Snapshot, act: &Act) -> Option<ActRefused> {
    let record = &found.record;
    match act.step {
        // An operator renews nothing but the own login.
        ActStep::Withdraw => (record.by_operator && record.renewal.is_none())
            .then_some(ActRefused::OfAnOperator(found.id)),
        ActStep::Approve(operator) if record.claim == Claim::Subject(operator.subject) => {
            Some(ActRefused::OwnLogin(found.id))
        }
        ActStep::Approve(_) if record.sort.yields_certificate() => {
            if let Some(why) = settle::outlived(record) {
                return Some(ActRefused::CertificateRevoked(found.id, why.to_owned()));
            }
            let local = directories.body(record.branch?)?;
            let closed = matches!(local.branch, Branch::Deactivated { .. });
            closed.then_some(ActRefused::BranchDeactivated(local.code))
        }
        ActStep::Approve(_) | ActStep::Reject(_) => None,
    }
}

/// Why an application cannot be acted upon.
enum Unseen {
    NotFound,
    Corrupt(Corrupt),
}

impl Unseen {
    fn acted(self, id: ApplicationId) -> Outcome {
        match self {
            Self::NotFound => Outcome::Acted(Box::new(Err(ActRefused::NotFound(id)))),
            Self::Corrupt(what) => Outcome::Corrupt(what),
        }
    }
}
