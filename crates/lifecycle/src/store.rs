//! The inventory on lgpki-store's engine: the log as the truth, small records as its index.
//!
//! The same machine runs embedded (log and index on disk) and in memory. Certificates and names are
//! read from the log where they are needed; whatever is returned was durable when it was read.

mod chain;
mod event;
mod find;
mod inventory;
mod machine;
mod rebuild;
mod record;
mod renewal;
mod search;
mod slots;
mod standings;

use std::{path::Path, sync::Arc};

use lgpki_domain::{ApplicationId, AuthorityKey, Clock, CrlSeries, Serial, Timestamp};
use lgpki_ledger::{Identity, Recorded, decode};
use lgpki_store::{Engine, OpenReport, Options, Rhythm};
use lgpki_x509::ocsp;
use tokio::{sync::watch, task::spawn_blocking};

pub use self::event::{
    CertificateAbandoned, CertificateRegistered, CertificateRevoked, CrlPublished, LifecycleEvent,
    OcspSigned, RenewalClosed, RenewalOpened, SlotCapacityChanged, SlotsBooked, SlotsKeyed,
    SlotsMissed,
};
use self::{
    machine::{Command, LifecycleMachine, Outcome},
    record::Held,
};
use crate::{
    error::StoreError,
    ports::{
        Certificate, Counts, Cursor, FeedItem, Filter, Followed, Histogram, HistogramQuery,
        LifecycleStore, Listed, NoticeQuery, Notices, OcspBatch, Publication, PublicationStanding,
        RebuildOrder, RebuildReport, Recording, RenewalClosing, RenewalEnd, RenewalOpening,
        RenewalOrder, RevocationOrder, RevocationOutcome, Snapshot, Standings,
    },
};

/// Entries that one look at the history takes at most.
const LOOK_ENTRIES: usize = 512;
/// Bytes that one look at the history takes at most.
const LOOK_BYTES: usize = 2 * 1024 * 1024;

/// The inventory of this process.
#[derive(Clone, Debug)]
pub struct EngineStore {
    engine: Engine<LifecycleMachine>,
    notable: watch::Receiver<u64>,
}

impl EngineStore {
    /// Opens the data directory, or begins it. Blocks while it recovers.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, OpenReport), StoreError> {
        let (machine, notable) = machine();
        let (engine, report) = Engine::open_embedded(dir, machine, options)?;
        Ok((Self { engine, notable }, report))
    }

    /// Runs on a log alone, without an index on disk.
    pub fn open_unindexed(dir: &Path, options: Options) -> Result<(Self, OpenReport), StoreError> {
        let (machine, notable) = machine();
        let (engine, report) = Engine::open_unindexed(dir, machine, options)?;
        Ok((Self { engine, notable }, report))
    }

    /// Runs in memory; nothing survives.
    pub fn in_memory(log: Identity) -> Result<Self, StoreError> {
        let (machine, notable) = machine();
        let engine = Engine::open_memory(machine, log)?;
        Ok(Self { engine, notable })
    }

    /// How many certificates there are.
    pub async fn count(&self) -> Result<usize, StoreError> {
        Ok(self
            .engine
            .read(|machine, _| machine.inventory.len())
            .await?)
    }

    /// Resolves when the store has stopped because of an error.
    pub async fn failed(&self) -> StoreError {
        self.engine.failed().await.into()
    }

    /// Records heartbeats by the clock, if any are wanted; returns only when the store has ended.
    pub async fn keep_heartbeats(
        &self,
        clock: Arc<dyn Clock>,
        rhythm: Option<Rhythm>,
    ) -> StoreError {
        let kept = self.engine.keep_heartbeats(clock, rhythm, machine::ACTOR);
        kept.await.into()
    }

    /// Finishes what is queued and releases the directory.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    async fn submit_one(&self, command: Command) -> Result<Outcome, StoreError> {
        match self.engine.submit(vec![command]).await?.pop() {
            Some(Outcome::Unrecordable(e)) => Err(StoreError::Unrecordable(e)),
            Some(outcome) => Ok(outcome),
            None => Err(StoreError::NoAnswer),
        }
    }

    /// The history from `from` on, from memory where it is recent.
    async fn look(&self, from: u64) -> Result<Vec<Arc<Recorded<LifecycleEvent>>>, StoreError> {
        if let Some(recent) = self.engine.recent(from, LOOK_ENTRIES, LOOK_BYTES) {
            return Ok(recent);
        }
        let log = self.engine.log();
        let look = spawn_blocking(move || {
            log.read(from, LOOK_ENTRIES, LOOK_BYTES)
                .map_err(lgpki_store::StoreError::from)?
                .into_iter()
                .map(|(index, bytes)| entry(index, &bytes).map(Arc::new))
                .collect()
        });
        look.await.map_err(|_| StoreError::NoAnswer)?
    }

    /// The whole history from `from` on.
    #[cfg(test)]
    pub(crate) async fn history(&self, from: u64) -> Result<Vec<LifecycleEvent>, StoreError> {
        let mut events = Vec::new();
        let mut next = from;
        loop {
            let seen = self.look(next).await?;
            let Some(last) = seen.last() else {
                return Ok(events);
            };
            next = last.index + 1;
            events.extend(seen.iter().map(|recorded| recorded.event.clone()));
        }
    }

    /// The certificates behind places of the index.
    async fn read_all(
        &self,
        found: Vec<Found>,
        with_der: bool,
    ) -> Result<Vec<Certificate>, StoreError> {
        let log = self.engine.log();
        let read = move || {
            let read_one = |found| {
                let mut certificate = read(&log, found)?;
                if !with_der {
                    certificate.issued.der = Vec::new();
                }
                Ok(certificate)
            };
            found.into_iter().map(read_one).collect()
        };
        spawn_blocking(read)
            .await
            .map_err(|_| StoreError::NoAnswer)?
    }
}

/// A record of the index, and the application by which the certificate is being renewed.
type Found = (Held, Option<ApplicationId>);

fn find(machine: &LifecycleMachine, serial: Serial) -> Option<Found> {
    let held = machine.inventory.held(serial)?;
    Some((*held, machine.inventory.renewal_of(serial)))
}

/// A new machine, and what tells of notable entries.
fn machine() -> (LifecycleMachine, watch::Receiver<u64>) {
    let machine = LifecycleMachine::default();
    let notable = machine.notable.subscribe();
    (machine, notable)
}

/// Reads the certificate behind a record of the index.
fn read(log: &lgpki_ledger::LogReader, (held, renewal): Found) -> Result<Certificate, StoreError> {
    let index = held.index;
    let bytes = log.entry(index).map_err(lgpki_store::StoreError::from)?;
    match entry(index, &bytes)?.event {
        LifecycleEvent::Registered(body) => Ok(Certificate {
            issued: body.into(),
            revocation: held.revoked.map(|revoked| revoked.revocation),
            renewal,
        }),
        _ => Err(StoreError::Misplaced { index }),
    }
}

fn entry(index: u64, bytes: &[u8]) -> Result<Recorded<LifecycleEvent>, StoreError> {
    let decoded = decode(index, bytes);
    Ok(decoded.map_err(|source| lgpki_store::StoreError::Entry { index, source })?)
}

impl LifecycleStore for EngineStore {
    async fn follow(&self, items: Vec<FeedItem>, at: Timestamp) -> Result<Followed, StoreError> {
        match self.submit_one(Command::Follow(items, at)).await? {
            Outcome::Followed(followed) => Ok(followed),
            _ => Err(StoreError::NoAnswer),
        }
    }

    async fn position(&self) -> Result<u64, StoreError> {
        Ok(self
            .engine
            .read(|machine, _| machine.inventory.position())
            .await?)
    }

    async fn revoke(
        &self,
        orders: Vec<RevocationOrder>,
        at: Timestamp,
    ) -> Result<Vec<RevocationOutcome>, StoreError> {
        let commands = orders.into_iter().map(|order| Command::Revoke(order, at));
        let outcomes = self.engine.submit(commands.collect()).await?;
        let outcomes = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Revoked(outcome) => Ok(outcome),
            Outcome::Unrecordable(e) => Err(StoreError::Unrecordable(e)),
            _ => Err(StoreError::NoAnswer),
        });
        outcomes.collect()
    }

    async fn open_renewals(
        &self,
        orders: Vec<RenewalOrder>,
        at: Timestamp,
    ) -> Result<Vec<RenewalOpening>, StoreError> {
        let commands = orders
            .into_iter()
            .map(|order| Command::OpenRenewal(order, at));
        let outcomes = self.engine.submit(commands.collect()).await?;
        let outcomes = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::RenewalOpened(opening) => Ok(opening),
            Outcome::Unrecordable(e) => Err(StoreError::Unrecordable(e)),
            _ => Err(StoreError::NoAnswer),
        });
        outcomes.collect()
    }

    async fn close_renewals(
        &self,
        ends: Vec<RenewalEnd>,
        at: Timestamp,
    ) -> Result<Vec<RenewalClosing>, StoreError> {
        let commands = ends.into_iter().map(|end| Command::CloseRenewal(end, at));
        let outcomes = self.engine.submit(commands.collect()).await?;
        let outcomes = outcomes.into_iter().map(|outcome| match outcome {
            Outcome::RenewalClosed(closing) => Ok(closing),
            Outcome::Unrecordable(e) => Err(StoreError::Unrecordable(e)),
            _ => Err(StoreError::NoAnswer),
        });
        outcomes.collect()
    }

    async fn certificate(&self, serial: Serial) -> Result<Option<Certificate>, StoreError> {
        let found = self.engine.read(|machine, _| find(machine, serial));
        match found.await?.filter(|(held, _)| held.kind.is_some()) {
            Some(found) => Ok(Some(read(&self.engine.log(), found)?)),
            None => Ok(None),
        }
    }

    async fn page(
        &self,
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<Certificate>, Option<Cursor>), StoreError> {
        self.search(filter, after, limit).await
    }

    async fn counts(&self, filter: Filter, now: Timestamp) -> Result<Counts, StoreError> {
        self.count_all(filter, now).await
    }

    async fn histogram(&self, query: HistogramQuery) -> Result<Option<Histogram>, StoreError> {
        let histogram = self
            .engine
            .read(|machine, _| machine.inventory.histogram(&query));
        Ok(histogram.await?)
    }

    async fn notices(&self, query: NoticeQuery) -> Result<Notices, StoreError> {
        self.look_for_notices(query).await
    }

    fn notable(&self) -> watch::Receiver<u64> {
        self.notable.clone()
    }

    async fn series(&self) -> Result<Vec<CrlSeries>, StoreError> {
        Ok(self
            .engine
            .read(|machine, _| machine.inventory.series())
            .await?)
    }

    async fn publication(&self, series: CrlSeries) -> Result<PublicationStanding, StoreError> {
        let standing = self
            .engine
            .read(|machine, _| machine.inventory.standing(series));
        Ok(standing.await?)
    }

    async fn snapshot(&self, series: CrlSeries, now: Timestamp) -> Result<Snapshot, StoreError> {
        let snapshot = self.engine.read(|machine, view| {
            let next = view.next_index();
            machine.inventory.snapshot(series, now, next)
        });
        Ok(snapshot.await?)
    }

    async fn listed(
        &self,
        series: CrlSeries,
        snapshot: Snapshot,
        mut after: Option<Serial>,
    ) -> Result<Vec<Listed>, StoreError> {
        loop {
            let look = self
                .engine
                .read(|machine, _| machine.inventory.listed(series, &snapshot, after));
            let (listed, end) = look.await?;
            if !listed.is_empty() || end.is_none() {
                return Ok(listed);
            }
            // All along this stretch has left.
            after = end;
        }
    }

    async fn changes(
        &self,
        series: CrlSeries,
        snapshot: Snapshot,
        since: u64,
    ) -> Result<Vec<Listed>, StoreError> {
        let changes = self
            .engine
            .read(|machine, _| machine.inventory.changes(series, &snapshot, since));
        let mut changes = changes.await?;
        changes.sort_unstable_by_key(|listed| listed.serial);
        Ok(changes)
    }

    async fn recorded(
        &self,
        series: CrlSeries,
        snapshot: Snapshot,
        since: u64,
    ) -> Result<u64, StoreError> {
        let meant = since.min(snapshot.reflects)..snapshot.reflects;
        let recorded = self
            .engine
            .read(|machine, _| machine.inventory.recorded(series, meant));
        Ok(recorded.await?)
    }

    async fn expiries(&self, serials: Vec<Serial>) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let expiries = self.engine.read(|machine, _| {
            let expiry = |serial| machine.inventory.held(serial).map(|held| held.not_after);
            serials.into_iter().map(expiry).collect()
        });
        Ok(expiries.await?)
    }

    async fn record(
        &self,
        publication: Publication,
        at: Timestamp,
    ) -> Result<Recording, StoreError> {
        match self.submit_one(Command::Publish(publication, at)).await? {
            Outcome::Recorded(recording) => Ok(recording),
            _ => Err(StoreError::NoAnswer),
        }
    }

    async fn standings(&self, from: u64) -> Result<Standings, StoreError> {
        self.tell_standings(from).await
    }

    async fn ocsp_statuses(
        &self,
        ca_key: AuthorityKey,
        serials: Vec<Option<Serial>>,
    ) -> Result<Vec<ocsp::Status>, StoreError> {
        let statuses = self.engine.read(|machine, _| {
            let status = |serial: Option<Serial>| {
                let held = serial.and_then(|serial| machine.inventory.held(serial));
                held.map_or(ocsp::Status::Unknown, |held| held.ocsp_status(ca_key))
            };
            serials.into_iter().map(status).collect()
        });
        Ok(statuses.await?)
    }

    async fn record_ocsp(&self, batches: Vec<OcspBatch>, at: Timestamp) -> Result<(), StoreError> {
        match self.submit_one(Command::RecordOcsp(batches, at)).await? {
            Outcome::OcspRecorded => Ok(()),
            _ => Err(StoreError::NoAnswer),
        }
    }

    async fn rebuild(&self, order: RebuildOrder) -> Result<RebuildReport, StoreError> {
        rebuild::run(&self.engine, order).await
    }

    fn durable(&self) -> watch::Receiver<u64> {
        self.engine.watch()
    }

    async fn shown(&self, size: u64) -> Result<(), StoreError> {
        Ok(self.engine.publish_mark(size).await?)
    }
}

#[cfg(test)]
mod tests;
