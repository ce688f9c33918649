//! The store on an engine of `lgpki-store`: log and index on disk, or all in memory.
//!
//! Translates the port's commands into the machine's, and places in the log into what stands there.
//! Decides nothing.

mod feed;
mod find;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use lgpki_domain::{ApplicationId, AuthorityKey, Clock, CrlNumber, CrlOptions, Faults};
use lgpki_ledger::{Evidence, Identity, LogReader, Sequenced, Stamp, decode};
use lgpki_store::{Engine, Hold, OpenReport, Options, Rhythm};
use lgpki_x509::issuer::Addresses;
use tokio::sync::watch;

use crate::{
    error::StoreError,
    event::IssuerEvent,
    machine::{AuthorityState, Command, IntentStep, IssuerMachine, Outcome, Settled},
    ports::{
        AuthorityOutcome, AuthorityRecord, Certificate, CrlOutcome, EndCrl, Ending, EndingOutcome,
        Epoch, FeedPage, Intend, IntendAuthority, IntendCrl, IntentOutcome, Issuance, IssuerStore,
        NewAuthority, Opened,
    },
};

/// The issuer's store.
#[derive(Clone, Debug)]
pub struct LogStore {
    engine: Engine<IssuerMachine>,
}

impl LogStore {
    /// Opens the data directory `dir`, or begins it. Blocks while it recovers.
    pub fn open_embedded(dir: &Path, options: Options) -> Result<(Self, OpenReport), StoreError> {
        let (engine, report) = Engine::open_embedded(dir, IssuerMachine::default(), options)?;
        Ok((Self { engine }, report))
    }

    /// A store in memory, for tests; nothing survives.
    pub fn open_memory(log: Identity) -> Result<Self, StoreError> {
        let engine = Engine::open_memory(IssuerMachine::default(), log)?;
        Ok(Self { engine })
    }

    /// A store on a log alone, without an index on disk: for faulty disks in tests.
    pub fn open_unindexed(dir: &Path, options: Options) -> Result<(Self, OpenReport), StoreError> {
        let (engine, report) = Engine::open_unindexed(dir, IssuerMachine::default(), options)?;
        Ok((Self { engine }, report))
    }

    /// The log, for tests that read it whole.
    #[cfg(test)]
    pub(crate) fn log(&self) -> LogReader {
        self.engine.log()
    }

    /// Finishes what is queued and releases the directory.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    /// Returns only if the store stops by an error.
    pub async fn failed(&self) -> StoreError {
        self.engine.failed().await.into()
    }

    /// Records heartbeats by the clock, if any are wanted; returns only when the store has ended.
    pub async fn keep_heartbeats(
        &self,
        clock: Arc<dyn Clock>,
        rhythm: Option<Rhythm>,
    ) -> StoreError {
        let kept = self.engine.keep_heartbeats(clock, rhythm, "issuer");
        kept.await.into()
    }

    async fn submit(&self, commands: Vec<Command>) -> Result<Vec<Outcome>, StoreError> {
        Ok(self.engine.submit(commands).await?)
    }

    async fn submit_one(&self, epoch: Epoch, command: Command) -> Result<Outcome, StoreError> {
        refused(epoch, self.engine.submit_one(command).await?)
    }

    /// Also tells the frame of what was recorded.
    async fn submit_proven(
        &self,
        epoch: Epoch,
        command: Command,
    ) -> Result<(Outcome, Option<Arc<Sequenced>>), StoreError> {
        let (outcomes, frame) = self.engine.submit_sequenced(vec![command]).await?;
        let outcome = outcomes.into_iter().next().ok_or(StoreError::Mismatched)?;
        Ok((refused(epoch, outcome)?, frame))
    }

    /// The certificates recorded at `indexes`, in that order.
    async fn certificates(
        &self,
        indexes: Vec<u64>,
    ) -> Result<std::vec::IntoIter<Certificate>, StoreError> {
        if indexes.is_empty() {
            return Ok(Vec::new().into_iter());
        }
        let log = self.engine.log();
        let reading = tokio::task::spawn_blocking(move || {
            indexes
                .into_iter()
                .map(|index| certificate(&log, index))
                .collect::<Result<Vec<_>, _>>()
        });
        let read = reading.await.map_err(|_| StoreError::Mismatched)??;
        Ok(read.into_iter())
    }
}

/// That the entry `index` is in the log.
fn evidence(frame: Option<&Sequenced>, index: u64) -> Option<Box<Evidence>> {
    frame?.evidence(index).map(Box::new)
}

/// The certificate recorded at `index`.
fn certificate(log: &LogReader, index: u64) -> Result<Certificate, StoreError> {
    let bytes = log.entry(index)?;
    let recorded = decode::<IssuerEvent>(index, &bytes)
        .map_err(|source| StoreError::Entry { index, source })?;
    match recorded.event {
        IssuerEvent::Issued(issued) => Ok(Certificate {
            serial: issued.serial,
            der: issued.certificate,
            index,
        }),
        _ => Err(StoreError::NotThere {
            index,
            expected: "certificate",
        }),
    }
}

/// What the state says of an application.
enum Found {
    Nothing,
    Open(u32),
    Issued(u64),
    Abandoned(u32),
}

/// Turns the answers that concern a command's right to be decided into errors.
fn refused(own: Epoch, outcome: Outcome) -> Result<Outcome, StoreError> {
    match outcome {
        Outcome::Fenced(newest) => Err(StoreError::Fenced { own, newest }),
        Outcome::Unrecordable(why) => Err(StoreError::Unrecordable(why)),
        other => Ok(other),
    }
}

fn record(key: AuthorityKey, state: &AuthorityState) -> AuthorityRecord {
    let created = state.created.clone();
    AuthorityRecord {
        authority: key.authority,
        generation: key.generation,
        algorithm: created.algorithm,
        key_digest: created.key_digest,
        certificate: created.certificate,
        addresses: Addresses {
            crl: created.addresses.crl,
            ca_certificate: created.addresses.ca_certificate,
            cps: created.addresses.cps,
            ocsp: created.addresses.ocsp,
        },
        crl_options: CrlOptions {
            partitions: created.crl_partitions,
            delta: created.crl_delta,
        },
        crl_numbers: state
            .crls
            .iter()
            .map(|(scope, crl)| (*scope, CrlNumber(crl.highest)))
            .collect(),
    }
}

impl IssuerStore for LogStore {
    fn identity(&self) -> &Identity {
        self.engine.identity()
    }

    fn hold(&self) -> Option<Hold> {
        self.engine.publication()?.hold()
    }

    async fn open_epoch(&self, stamp: Stamp) -> Result<Opened, StoreError> {
        match self.engine.submit_one(Command::OpenEpoch(stamp)).await? {
            Outcome::Opened(opened) => Ok(opened),
            Outcome::Unrecordable(why) => Err(StoreError::Unrecordable(why)),
            _ => Err(StoreError::Mismatched),
        }
    }

    async fn intend(
        &self,
        epoch: Epoch,
        batch: Vec<Intend>,
    ) -> Result<Vec<IntentOutcome>, StoreError> {
        let attempts: Vec<_> = batch.iter().map(|intend| intend.attempt).collect();
        let commands = batch
            .into_iter()
            .map(|intend| Command::Intend(epoch, Box::new(intend)))
            .collect();
        let (outcomes, frame) = self.engine.submit_sequenced(commands).await?;
        let known = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Intent(IntentStep::Issued { index }) => Some(*index),
            _ => None,
        });
        // The intents of this batch are durable by now, and only who learns of them closes them: a
        // certificate that cannot be read is told of later and fails no neighbour.
        let read = self.certificates(known.collect()).await;
        let mut certificates = read.unwrap_or_else(|error| {
            tracing::error!(%error, "certificates ordered before cannot be read");
            Vec::new().into_iter()
        });
        outcomes
            .into_iter()
            .zip(attempts)
            .map(|(outcome, attempt)| match outcome {
                Outcome::Intent(step) => Ok(match step {
                    IntentStep::Intended { index } => IntentOutcome::Intended {
                        index,
                        evidence: evidence(frame.as_deref(), index),
                    },
                    IntentStep::Issued { .. } => certificates
                        .next()
                        .map_or(IntentOutcome::InProgress { attempt }, IntentOutcome::Issued),
                    IntentStep::InProgress { attempt } => IntentOutcome::InProgress { attempt },
                    IntentStep::Abandoned { attempt } => IntentOutcome::Abandoned { attempt },
                    IntentStep::Refused(faults) => IntentOutcome::Refused(faults),
                }),
                // An entry that is too large is this order's fault, not its neighbours'.
                Outcome::Unrecordable(why) => {
                    let mut faults = Faults::new();
                    faults.push("order", "ISSUANCE_TOO_LARGE", why);
                    Ok(IntentOutcome::Refused(faults))
                }
                other => refused(epoch, other).and(Err(StoreError::Mismatched)),
            })
            .collect()
    }

    async fn end(
        &self,
        epoch: Epoch,
        batch: Vec<Ending>,
    ) -> Result<Vec<EndingOutcome>, StoreError> {
        let commands = batch
            .into_iter()
            .map(|ending| Command::End(epoch, ending))
            .collect();
        let outcomes = self.submit(commands).await?;
        outcomes
            .into_iter()
            .map(|outcome| match refused(epoch, outcome)? {
                Outcome::Ended(ended) => Ok(ended),
                _ => Err(StoreError::Mismatched),
            })
            .collect()
    }

    async fn issuances(
        &self,
        applications: Vec<ApplicationId>,
    ) -> Result<Vec<Issuance>, StoreError> {
        let found =
            self.engine
                .read(move |machine, view| {
                    let look = |id| match machine.open.get(id) {
                        Some(open) => Found::Open(open.attempt),
                        None => machine
                            .application(view, id)
                            .map_or(Found::Nothing, |known| match known.settled {
                                Settled::Issued => Found::Issued(known.index),
                                Settled::Abandoned => Found::Abandoned(known.attempt),
                            }),
                    };
                    applications.into_iter().map(look).collect::<Vec<_>>()
                })
                .await?;
        let issued = found.iter().filter_map(|found| match found {
            Found::Issued(index) => Some(*index),
            _ => None,
        });
        let mut certificates = self.certificates(issued.collect()).await?;
        found
            .into_iter()
            .map(|found| {
                Ok(match found {
                    Found::Nothing => Issuance::Unknown,
                    Found::Open(attempt) => Issuance::InProgress { attempt },
                    Found::Abandoned(attempt) => Issuance::Abandoned { attempt },
                    Found::Issued(_) => {
                        Issuance::Issued(certificates.next().ok_or(StoreError::Mismatched)?)
                    }
                })
            })
            .collect()
    }

    async fn authorities(&self) -> Result<Vec<AuthorityRecord>, StoreError> {
        let read = self.engine.read(|machine, _| {
            let all = machine.authorities.iter();
            all.map(|(key, state)| record(*key, state)).collect()
        });
        Ok(read.await?)
    }

    async fn intend_authority(
        &self,
        epoch: Epoch,
        intent: IntendAuthority,
    ) -> Result<AuthorityOutcome, StoreError> {
        let command = Command::IntendAuthority(epoch, Box::new(intent));
        match self.submit_proven(epoch, command).await? {
            (Outcome::Authority(AuthorityOutcome::Recorded { index, .. }), frame) => {
                Ok(AuthorityOutcome::Recorded {
                    index,
                    evidence: evidence(frame.as_deref(), index),
                })
            }
            (Outcome::Authority(outcome), _) => Ok(outcome),
            _ => Err(StoreError::Mismatched),
        }
    }

    async fn create_authority(
        &self,
        epoch: Epoch,
        new: NewAuthority,
    ) -> Result<AuthorityOutcome, StoreError> {
        let command = Command::CreateAuthority(epoch, Box::new(new));
        match self.submit_one(epoch, command).await? {
            Outcome::Authority(outcome) => Ok(outcome),
            _ => Err(StoreError::Mismatched),
        }
    }

    async fn intend_crl(&self, epoch: Epoch, intent: IntendCrl) -> Result<CrlOutcome, StoreError> {
        let command = Command::IntendCrl(epoch, intent);
        match self.submit_proven(epoch, command).await? {
            (Outcome::Crl(CrlOutcome::Intended { index, .. }), frame) => Ok(CrlOutcome::Intended {
                index,
                evidence: evidence(frame.as_deref(), index),
            }),
            (Outcome::Crl(outcome), _) => Ok(outcome),
            _ => Err(StoreError::Mismatched),
        }
    }

    async fn end_crl(&self, epoch: Epoch, end: EndCrl) -> Result<Option<u64>, StoreError> {
        match self.submit_one(epoch, Command::EndCrl(epoch, end)).await? {
            Outcome::CrlEnded(index) => Ok(index),
            _ => Err(StoreError::Mismatched),
        }
    }

    async fn feed(&self, from: u64, most: usize) -> Result<FeedPage, StoreError> {
        let recent = self.engine.recent(from, most, feed::PAGE_BYTES);
        if let Some(recent) = recent {
            return Ok(feed::recent_page(&recent, from));
        }
        let log = self.engine.log();
        let read = tokio::task::spawn_blocking(move || feed::page(&log, from, most));
        read.await.map_err(|_| StoreError::Mismatched)?
    }

    fn durable(&self) -> watch::Receiver<u64> {
        self.engine.watch()
    }

    async fn mark_shown(&self, size: u64) -> Result<(), StoreError> {
        Ok(self.engine.publish_mark(size).await?)
    }
}
