//! Intake's store on the shared engine: an append-only log as the truth, tables as its index.
//!
//! One implementation of [`IntakeStore`] stands on both engines, embedded and memory. Commands are
//! made ready here, decided by the [`machine`] on the engine's one deciding thread, and their
//! answers put together here again; what memory no longer holds is read from the log. Nothing is
//! answered, and nothing shown, that is not durable.

mod acts;
mod addressees;
mod applications;
mod archive;
mod claims;
mod command;
mod convert;
mod directory;
mod event;
mod find;
mod heartbeat;
mod json;
mod leases;
mod limits;
mod listing;
mod machine;
mod origin;
mod query;
mod queue;
mod reading;
mod recent;
mod record;
mod renewals;
mod step;
mod tables;
mod trail;
mod waitlist;

/// Reads an entry of intake's log, for whoever puts entries back.
pub const READING: lgpki_ledger::heal::Reading = lgpki_ledger::heal::read_as::<event::IntakeEvent>;

#[cfg(test)]
pub(crate) mod tests;

#[cfg(test)]
pub(crate) use self::{
    record::{Claim, Record, RenewalOf},
    trail::Trail,
    waitlist::Waitlist,
};

use std::path::Path;

use lgpki_domain::{
    ApplicationId, BodyCode, Caller, Faults, RequestId, Timestamp,
    directory::{Account, Body, Organization},
};
use lgpki_ledger::{Identity, LogReader, Stamp};
use lgpki_store::{Engine, OpenReport, Options, View};
use tokio::sync::watch;

use self::{
    applications::Corrupt,
    archive::Archive,
    command::{Command, Outcome},
    convert::Extent,
    event::Refusals,
    leases::Leases,
    machine::IntakeMachine,
    reading::door_view,
    step::bounded,
};
use crate::{
    error::StoreError,
    ports::{
        Acceptance, ActRefused, Application, Claimed, Command as PortCommand, Commitment,
        DirectoryChange, DoorQuery, DoorView, Filter, IntakeStore, Lane, NewApplication,
        RenewalAnswered, RenewalDue, Settlement, StoredCertificate,
    },
};

/// The longest description of a caller whose login was refused, in characters.
const LONGEST_CALLER: usize = 200;

/// Intake's store on an engine of `lgpki-store`.
#[derive(Debug)]
pub struct EngineStore {
    engine: Engine<IntakeMachine>,
    archive: Archive,
    leases: Leases,
    /// Claims are made one after the other, so that none is handed out twice.
    claiming: tokio::sync::Mutex<()>,
    /// Long looks at the queues are taken one after the other.
    explaining: tokio::sync::Mutex<()>,
}

impl EngineStore {
    /// Opens the data directory `dir`, or begins it. Blocks while it recovers.
    pub fn open_embedded(dir: &Path, options: Options) -> Result<(Self, OpenReport), StoreError> {
        let (engine, report) = Engine::open_embedded(dir, IntakeMachine::default(), options)?;
        Ok((Self::new(engine), report))
    }

    /// A store in memory; nothing survives.
    pub fn open_memory(log: Identity) -> Result<Self, StoreError> {
        Ok(Self::new(Engine::open_memory(
            IntakeMachine::default(),
            log,
        )?))
    }

    fn new(engine: Engine<IntakeMachine>) -> Self {
        Self {
            archive: Archive::new(engine.log()),
            engine,
            leases: Leases::default(),
            claiming: tokio::sync::Mutex::new(()),
            explaining: tokio::sync::Mutex::new(()),
        }
    }

    /// Reads the log's durable entries.
    #[must_use]
    pub fn log(&self) -> LogReader {
        self.engine.log()
    }

    /// Why the store stopped, if it did; its process should end.
    #[must_use]
    pub fn stopped(&self) -> Option<StoreError> {
        self.engine.stopped().map(Into::into)
    }

    /// Returns only if the store stops by an error, with that error.
    pub async fn failed(&self) -> StoreError {
        self.engine.failed().await.into()
    }

    /// Finishes what is queued, writes everything out and releases the directory.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    async fn read<T: Send>(
        &self,
        read: impl FnOnce(&IntakeMachine, &View<'_>) -> Result<T, Corrupt> + Send,
    ) -> Result<T, StoreError> {
        let read = self.engine.read(read).await?;
        read.map_err(StoreError::Inconsistent)
    }

    async fn one(&self, command: Command) -> Result<Outcome, StoreError> {
        self.engine.submit_one(command).await.map_err(Into::into)
    }
}

impl IntakeStore for EngineStore {
    #[tracing::instrument(level = "debug", skip_all, fields(count = batch.len()))]
    async fn accept(&self, batch: Vec<NewApplication>) -> Result<Vec<Acceptance>, StoreError> {
        self.accept_batch(batch).await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(count = batch.len()))]
    async fn act(
        &self,
        batch: Vec<PortCommand>,
    ) -> Result<Vec<Result<Application, ActRefused>>, StoreError> {
        self.act_batch(batch).await
    }

    #[tracing::instrument(level = "debug", skip_all)]
    async fn claim(
        &self,
        lane: Lane,
        most: usize,
        at: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        self.claim_next(lane, most, at).await
    }

    async fn release(&self, ids: Vec<ApplicationId>) -> Result<(), StoreError> {
        self.leases.take_back(&ids);
        Ok(())
    }

    #[tracing::instrument(level = "debug", skip_all, fields(count = batch.len()))]
    async fn settle(&self, batch: Vec<Settlement>) -> Result<Vec<ApplicationId>, StoreError> {
        self.settle_batch(batch).await
    }

    async fn renewals_due(&self, most: usize) -> Result<Vec<RenewalDue>, StoreError> {
        self.read(|machine, _| Ok(machine.applications.renewals_due(most)))
            .await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(count = answers.len()))]
    async fn settle_renewals(
        &self,
        answers: Vec<RenewalAnswered>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.note_renewals(answers, at).await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(%body))]
    async fn change_directory(
        &self,
        body: BodyCode,
        changes: Vec<DirectoryChange>,
        caller: Caller,
        at: Timestamp,
    ) -> Result<Result<u32, Faults>, StoreError> {
        let command = Command::ChangeDirectory {
            body,
            changes,
            stamp: Stamp::new(at, caller.to_string()),
        };
        match self.one(command).await? {
            Outcome::Changed(answer) => Ok(answer),
            other => Err(unexpected(other)),
        }
    }

    #[tracing::instrument(level = "debug", skip_all, fields(count = bodies.len()))]
    async fn import_bodies(
        &self,
        bodies: Vec<Body>,
        actor: String,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let stamp = Stamp::new(at, actor);
        match self.one(Command::ImportBodies { bodies, stamp }).await? {
            Outcome::Noted => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    #[tracing::instrument(level = "debug", skip_all, fields(%body))]
    async fn deactivate_branch(
        &self,
        body: BodyCode,
        reason: String,
        caller: Caller,
        at: Timestamp,
    ) -> Result<Result<Body, Faults>, StoreError> {
        let command = Command::DeactivateBranch {
            body,
            reason: bounded(reason),
            stamp: Stamp::new(at, caller.to_string()),
        };
        match self.one(command).await? {
            Outcome::Deactivated(answer) => Ok(answer),
            other => Err(unexpected(other)),
        }
    }

    async fn note_refused_logins(
        &self,
        refusals: Vec<(String, &'static str, u64)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let refusals = refusals
            .into_iter()
            .map(|(caller, reason, count)| Refusals {
                caller: caller.chars().take(LONGEST_CALLER).collect(),
                count,
                reason: reason.to_owned(),
            })
            .collect();
        let command = Command::NoteRefusedLogins { refusals, at };
        match self.one(command).await? {
            Outcome::Noted => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    async fn note_name_erased(
        &self,
        id: ApplicationId,
        commitment: String,
        caller: Caller,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let stamp = Stamp::new(at, caller.to_string());
        let command = Command::NoteNameErased {
            id,
            commitment,
            stamp,
        };
        match self.one(command).await? {
            Outcome::Noted => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    async fn commitments(
        &self,
        from: u64,
        most: usize,
    ) -> Result<(Vec<Commitment>, Option<u64>), StoreError> {
        self.archive.commitments(from, most).await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(count = queries.len()))]
    async fn door(&self, queries: Vec<DoorQuery>) -> Result<Vec<DoorView>, StoreError> {
        self.read(|machine, view| {
            queries
                .iter()
                .map(|query| door_view(machine, view, query))
                .collect()
        })
        .await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(%id))]
    async fn application(&self, id: ApplicationId) -> Result<Option<Application>, StoreError> {
        let found = self
            .read(|machine, view| machine.applications.find(view, id))
            .await?;
        match found {
            Some(found) => self
                .archive
                .application(found, Extent::Full)
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    #[tracing::instrument(level = "debug", skip_all, fields(branch = branch.map(tracing::field::display)))]
    async fn by_request(
        &self,
        branch: Option<BodyCode>,
        request: RequestId,
    ) -> Result<Option<Application>, StoreError> {
        let found = self
            .read(|machine, view| {
                let all = &machine.applications;
                match all.by_request(view, branch, &request)? {
                    Some((id, _)) => all.find(view, id),
                    None => Ok(None),
                }
            })
            .await?;
        match found {
            Some(found) => self
                .archive
                .application(found, Extent::Full)
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    #[tracing::instrument(level = "debug", skip_all)]
    async fn list(
        &self,
        filter: Filter,
        after: Option<ApplicationId>,
        most: usize,
    ) -> Result<Vec<Application>, StoreError> {
        self.list_page(filter, after, most).await
    }

    async fn counts(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        self.read(|machine, _| Ok(machine.applications.counts()))
            .await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(count = ids.len()))]
    async fn certificates(
        &self,
        ids: Vec<ApplicationId>,
    ) -> Result<Vec<Option<StoredCertificate>>, StoreError> {
        let found = self
            .read(|machine, view| {
                let find = |id| machine.applications.find(view, id);
                ids.into_iter().map(find).collect::<Result<Vec<_>, _>>()
            })
            .await?;
        self.archive.certificates(found).await
    }

    async fn unconfirmed(
        &self,
        before: Timestamp,
        most: usize,
    ) -> Result<Vec<ApplicationId>, StoreError> {
        self.read(|machine, _| {
            Ok(machine
                .applications
                .issued_before(before)
                .take(most)
                .collect())
        })
        .await
    }

    async fn body(&self, code: BodyCode) -> Result<Option<Body>, StoreError> {
        self.read(|machine, _| Ok(machine.directories.body(code).cloned()))
            .await
    }

    async fn bodies(
        &self,
        prefecture: Option<u8>,
        after: Option<BodyCode>,
        most: usize,
    ) -> Result<Vec<Body>, StoreError> {
        self.read(|machine, _| {
            let bodies = machine.directories.bodies_after(after);
            let of = |body: &&Body| prefecture.is_none_or(|p| p == body.code.prefecture());
            Ok(bodies.filter(of).take(most).cloned().collect())
        })
        .await
    }

    async fn entries(
        &self,
        body: BodyCode,
    ) -> Result<(Vec<Organization>, Vec<Account>), StoreError> {
        self.read(|machine, _| Ok(machine.directories.entries(body)))
            .await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.engine.watch()
    }

    #[tracing::instrument(level = "debug", skip_all)]
    async fn changed_since(
        &self,
        filter: Filter,
        from: u64,
        most: usize,
    ) -> Result<(Vec<Application>, u64), StoreError> {
        self.changes_since(filter, from, most).await
    }
}

fn unexpected(outcome: Outcome) -> StoreError {
    match outcome {
        Outcome::Unrecordable(e) => StoreError::Unrecordable(e),
        Outcome::Corrupt(what) => StoreError::Inconsistent(what),
        _ => StoreError::Inconsistent("an answer of another kind came back".to_owned()),
    }
}
