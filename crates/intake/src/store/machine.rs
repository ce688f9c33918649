//! Intake's state as the engine runs it: which command goes where, which event changes what.

use lgpki_ledger::{EntryError, Recorded, Stamp};
use lgpki_store::{Decision, Machine, StoreError, Tables, View};

use super::{
    addressees::Addressees,
    applications::{Applications, At},
    command::{Command, Outcome},
    directory::{Directories, chunks},
    event::{AdmissionRefused, INTAKE, IntakeEvent, LoginRefused, NameErased, issuer_index},
    limits::LimitsTable,
    step::Step,
    tables,
};

/// Applications, directories, addressees, limits.
#[derive(Debug, Default)]
pub(crate) struct IntakeMachine {
    pub(crate) applications: Applications,
    pub(crate) directories: Directories,
    pub(crate) limits: LimitsTable,
    pub(crate) addressees: Addressees,
}

impl Machine for IntakeMachine {
    type Command = Command;
    type Outcome = Outcome;
    type Event = IntakeEvent;

    const TABLES: &'static [&'static str] = tables::ALL;
    const STATE_VERSION: u32 = 10;

    fn decide(&self, view: &View<'_>, command: Command) -> Decision<IntakeEvent, Outcome> {
        match command {
            Command::Accept(accept) => {
                self.applications
                    .decide_accept(&self.directories, view, accept)
            }
            Command::Act(act) => self.applications.decide_act(&self.directories, view, act),
            Command::Deliver(deliver) => self.applications.decide_deliver(view, deliver),
            Command::Claim { lane, most, at } => {
                self.applications.decide_claim(view, lane, most, at)
            }
            Command::Settle(settle) => self.applications.decide_settle(view, settle),
            Command::ChangeDirectory {
                body,
                changes,
                stamp,
            } => {
                let most = self.limits.in_force().limits.directory_entries;
                self.directories
                    .decide_changes((body, most), changes, &stamp)
            }
            Command::ImportBodies { bodies, stamp } => {
                self.directories.decide_import(&bodies, &stamp)
            }
            Command::DeactivateBranch {
                body,
                reason,
                stamp,
            } => self.directories.decide_deactivation(body, reason, stamp),
            Command::NoteRenewals { answers, at } => {
                self.applications.decide_renewals(view, answers, at)
            }
            Command::NoteNameErased {
                id,
                commitment,
                stamp,
            } => {
                let erased = NameErased {
                    application: id,
                    commitment,
                };
                Decision::record(stamp, IntakeEvent::from(erased), Outcome::Noted)
            }
            Command::NoteRefusedLogins { refusals, at } => {
                let events = chunks(refusals, LoginRefused::MOST)
                    .map(|refusals| (Stamp::new(at, INTAKE), LoginRefused { refusals }.into()))
                    .collect();
                Decision::record_all(events, Outcome::Noted)
            }
            Command::ChangeLimits {
                limits,
                seen,
                stamp,
            } => self.limits.decide(limits, seen, stamp),
            Command::NoteTurnedAway { turned, at } => {
                let event = |turned_away| AdmissionRefused { turned_away }.into();
                let events = chunks(turned, AdmissionRefused::MOST)
                    .map(|turned| (Stamp::new(at, INTAKE), event(turned)))
                    .collect();
                Decision::record_all(events, Outcome::Noted)
            }
            Command::Addressee(request) => {
                let most = self.limits.in_force().limits.addressee_versions;
                Addressees::decide(&self.directories, view, *request, most)
            }
        }
    }

    fn unrecordable(error: EntryError) -> Outcome {
        Outcome::Unrecordable(error)
    }

    fn apply(&mut self, tables: &mut Tables<'_>, recorded: &Recorded<IntakeEvent>) {
        let at = At {
            index: recorded.index,
            time: recorded.stamp.time,
        };
        let all = &mut self.applications;
        match &recorded.event {
            IntakeEvent::Received(event) => {
                all.apply_received(tables, event, &recorded.stamp.actor, at);
            }
            IntakeEvent::Approved(event) => {
                let step = match &event.operator {
                    Some(operator) => Step::Approve(operator.into()),
                    None => Step::ApproveOnReceipt,
                };
                all.apply_one(tables, event.application, step, at);
            }
            IntakeEvent::Counted(event) => {
                let step = Step::Approve((&event.operator).into());
                all.apply_one(tables, event.application, step, at);
            }
            IntakeEvent::Rejected(event) => {
                let step = Step::Reject(event.reason.clone());
                all.apply_one(tables, event.application, step, at);
            }
            IntakeEvent::Withdrawn(event) => {
                all.apply_one(tables, event.application, Step::Withdraw, at);
            }
            IntakeEvent::Claimed(event) => {
                let ids = event.applications.iter().map(|one| one.application);
                all.apply_all(tables, ids, &Step::Claim, at);
            }
            IntakeEvent::Issued(event) => {
                let issuer = issuer_index(&recorded.stamp).unwrap_or_default();
                all.apply_issued(tables, &event.0, issuer, at);
            }
            IntakeEvent::Completed(event) => {
                all.apply_one(tables, event.application, Step::Complete, at);
            }
            IntakeEvent::Abandoned(event) => {
                all.apply_one(tables, event.application, Step::Abandon(event.attempt), at);
            }
            IntakeEvent::Failed(event) => {
                let step = Step::Fail(event.reason.clone());
                all.apply_one(tables, event.application, step, at);
            }
            IntakeEvent::Delivered(event) => {
                let ids = event.applications.iter().copied();
                all.apply_all(tables, ids, &Step::Deliver, at);
            }
            IntakeEvent::RenewalsOpened(event) => {
                all.apply_opened(tables, &event.applications, at);
            }
            IntakeEvent::RenewalsClosed(event) => {
                all.apply_closed(tables, &event.applications, at);
            }
            IntakeEvent::DirectoryChanged(event) => {
                let before = Addressees::units(tables, &self.directories, event.body);
                self.directories.apply_changes(tables, event);
                self.addressees
                    .touch_units(tables, &self.directories, before, at.index);
            }
            IntakeEvent::BodiesImported(event) => {
                self.directories.apply_import(tables, event);
                for body in event.codes() {
                    self.addressees.touch(tables, body, at.index);
                }
            }
            IntakeEvent::BranchDeactivated(event) => {
                self.directories.apply_deactivation(tables, event, at.time);
                self.addressees.touch(tables, event.body, at.index);
            }
            IntakeEvent::AddresseeRegistered(event) => {
                let place = (&recorded.stamp, at.index);
                self.addressees.apply_registered(tables, event, place);
            }
            IntakeEvent::AddresseeChanged(event) => {
                let place = (&recorded.stamp, at.index);
                self.addressees.apply_changed(tables, event, place);
            }
            IntakeEvent::AddresseeEnded(event) => {
                let place = (&recorded.stamp, at.index);
                self.addressees.apply_ended(tables, event, place);
            }
            IntakeEvent::LimitsChanged(event) => {
                self.limits.apply(tables, event, &recorded.stamp);
            }
            // Kept for the auditor, and for the sweep of names at the next start.
            IntakeEvent::NameErased(event) => all.apply_noted(tables, event.application, at),
            IntakeEvent::LoginRefused(_)
            | IntakeEvent::AdmissionRefused(_)
            | IntakeEvent::Restored(_)
            | IntakeEvent::Heartbeat(_) => {}
        }
    }

    fn load(&mut self, view: &View<'_>) -> Result<(), StoreError> {
        *self = Self {
            applications: Applications::load(view, &self.applications)?,
            directories: Directories::load(view)?,
            limits: LimitsTable::load(view)?,
            addressees: Addressees::default(),
        };
        Ok(())
    }
}
