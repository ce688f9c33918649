//! The published logs of one service: what is published of each, and what is new.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_ledger::{
    Disk, Identity, LogError, LogId, LogReader, PublishError, Publisher, TileReader,
    merkle::Hash,
    published::{DIRECTORY, logs_in},
    publisher::{Leaves, Place},
};
use tokio::time::Instant;

use super::Publishing;
use crate::{error::StoreError, publish::WitnessStanding, witness::Witnesses};

/// A log of the reader's as the publisher wants it.
struct OneLog<'a>(&'a LogReader, LogId);

impl Leaves for OneLog<'_> {
    fn leaves(
        &self,
        from: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, LogError> {
        self.0.leaves(self.1, from, max_entries, max_bytes)
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        self.0.root_at(self.1, size)
    }
}

/// The published logs of one service.
#[derive(Debug)]
pub(crate) struct Publishers {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    identity: Identity,
    reader: LogReader,
    open: BTreeMap<LogId, Publisher>,
    /// Years whose final checkpoint is published, and cosigned where that is wanted.
    closed: BTreeSet<LogId>,
    witnesses: Option<Witnesses>,
}

/// How far a round has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    /// The index after the newest entry that the published heads speak of.
    pub(crate) end: u64,
    /// Whether enough witnesses have cosigned each of them.
    pub(crate) witnessed: bool,
}

impl Publishers {
    /// Opens what is published below `dir`, whose lock is held, and refuses it if the log never had
    /// those heads. What is missing or damaged of the tiles is written anew.
    pub(crate) fn open(
        dir: &Path,
        disk: Arc<dyn Disk>,
        identity: Identity,
        (reader, how): (LogReader, &Publishing),
    ) -> Result<Self, StoreError> {
        let mut all = Self {
            dir: dir.join(DIRECTORY),
            disk,
            identity,
            reader,
            open: BTreeMap::new(),
            closed: BTreeSet::new(),
            witnesses: None,
        };
        if let Some(witnessing) = how.witnesses.clone() {
            let place = (Arc::clone(&all.disk), dir);
            all.witnesses = Some(Witnesses::open(witnessing, all.identity.clone(), place)?);
        }
        let logs = all.reader.logs();
        let published = logs_in(all.disk.as_ref(), &all.dir).map_err(PublishError::from)?;
        if let Some(unknown) = published.iter().find(|log| !logs.contains(log)) {
            return Err(StoreError::SetBack {
                dir: dir.to_owned(),
                what: format!("has nothing of its log {unknown}, which is published"),
            });
        }
        for log in logs {
            all.publisher(log).map_err(|error| match error {
                PublishError::SetBack { size, .. } => StoreError::SetBack {
                    dir: dir.to_owned(),
                    what: format!(
                        "differs from the {size} entries of its log {log} that are published"
                    ),
                },
                other => other.into(),
            })?;
        }
        Ok(all)
    }

    fn publisher(&mut self, log: LogId) -> Result<&mut Publisher, PublishError> {
        use std::collections::btree_map::Entry;
        match self.open.entry(log) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(place) => {
                let at = Place {
                    disk: Arc::clone(&self.disk),
                    dir: self.dir.join(log.to_string()),
                    key: self.identity.verifier(log),
                };
                let (publisher, opened) = Publisher::open(at, &OneLog(&self.reader, log))?;
                if opened.mended > 0 {
                    tracing::warn!(
                        %log,
                        files = opened.mended,
                        "published files were missing or damaged and were written anew from the log"
                    );
                }
                Ok(place.insert(publisher))
            }
        }
    }

    /// When a witness that did not cosign is asked again.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        self.witnesses.as_ref().and_then(Witnesses::next_try)
    }

    /// How the witnesses stand.
    pub(crate) fn standings(&self) -> Vec<WitnessStanding> {
        self.witnesses
            .as_ref()
            .map(Witnesses::standings)
            .unwrap_or_default()
    }

    /// Publishes the newest heads, cosigned by whichever witnesses can be reached.
    pub(crate) fn round(&mut self) -> Result<Reached, PublishError> {
        let mut witnesses = self.witnesses.take();
        let reached = self.round_with(witnesses.as_mut());
        self.witnesses = witnesses;
        reached
    }

    fn round_with(
        &mut self,
        mut witnesses: Option<&mut Witnesses>,
    ) -> Result<Reached, PublishError> {
        let Some(heads) = self.reader.heads() else {
            return Ok(Reached {
                end: 0,
                witnessed: true,
            });
        };
        let mut all_cosigned = true;
        for log in self.reader.logs() {
            let (head, grows) = match log {
                LogId::Keys => (Some(heads.keys), true),
                LogId::Year(year) if year == heads.year => (Some(heads.entries), true),
                // Begun since the heads were looked at: the next round's.
                LogId::Year(year) if year > heads.year => continue,
                LogId::Year(_) if self.closed.contains(&log) => continue,
                LogId::Year(_) => (self.reader.head(log)?, false),
            };
            let Some(head) = head else {
                continue;
            };
            let note = self.identity.checkpoint(log, &head);
            let reader = self.reader.clone();
            let publisher = self.publisher(log)?;
            let before = publisher.checkpoint().cloned();
            let due = match (witnesses.as_deref(), &before) {
                (Some(witnesses), Some(before)) => witnesses.is_due(log, head.size, before, grows),
                _ => false,
            };
            let mut cosign = |tiles: &TileReader| match witnesses.as_deref_mut() {
                Some(witnesses) => witnesses.ask(log, &note, before.as_ref(), tiles),
                None => Vec::new(),
            };
            let leaves = OneLog(&reader, log);
            if publisher.size() < head.size {
                publisher.publish_with(&note, &leaves, &mut cosign)?;
            } else if due {
                publisher.cosign(&leaves, &mut cosign)?;
            }
            let mut done = true;
            if let (Some(witnesses), Some(published)) =
                (witnesses.as_deref(), publisher.checkpoint())
            {
                done = witnesses.suffices(published) && (grows || witnesses.is_settled(log));
            }
            all_cosigned &= done;
            if done && !grows {
                self.open.remove(&log);
                self.closed.insert(log);
            }
        }
        Ok(Reached {
            end: heads.end,
            witnessed: all_cosigned,
        })
    }
}
