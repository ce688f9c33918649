//! The publishing thread: brings the logs' tiles and checkpoints to `<dir>/audit`, behind the commits.
//!
//! It goes by the machine's own time, for publication is nothing that a replay simulates. Whatever
//! goes wrong is tried again in the next round; what is recorded never waits for it. How far it lags
//! behind is told by [`Publication`], so that a service may wait with what must not run ahead.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lgpki_ledger::{
    Disk, Identity, LogError, LogId, LogReader, PublishError, Publisher,
    merkle::Hash,
    published::{DIRECTORY, logs_in},
    publisher::{Leaves, Place},
};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    engine::Core,
    error::{StoreError, chain},
    machine::Machine,
    metrics,
};

/// How a service's logs are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// The time between two rounds.
    pub every: Duration,
    /// How long what is durable may stay unpublished before publication is late.
    pub limit: Duration,
}

impl Default for Publishing {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            limit: Duration::from_mins(5),
        }
    }
}

/// How far publication has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The index after the newest entry that a published checkpoint speaks of.
    pub end: u64,
    /// For how long the oldest entry after that has been durable.
    pub lag: Duration,
    /// Whether that is longer than it may be.
    pub late: bool,
    /// Why the last round failed, if it did.
    pub failing: Option<Arc<str>>,
}

/// What the publishing thread has done.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    end: u64,
    /// Since when something durable is not published.
    behind: Option<Instant>,
    failing: Option<Arc<str>>,
}

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
        Ok(self.0.head_at(self.1, size)?.map(|head| head.root))
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
    /// Years whose final checkpoint is published.
    closed: BTreeSet<LogId>,
}

impl Publishers {
    /// Opens what is published below `dir`, whose lock is held, and refuses it if the log never had
    /// those heads. What is missing or damaged of the tiles is written anew.
    pub(crate) fn open(
        dir: &Path,
        disk: Arc<dyn Disk>,
        identity: Identity,
        reader: LogReader,
    ) -> Result<Self, StoreError> {
        let mut all = Self {
            dir: dir.join(DIRECTORY),
            disk,
            identity,
            reader,
            open: BTreeMap::new(),
            closed: BTreeSet::new(),
        };
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

    /// Publishes the newest heads; returns the index after the newest entry that they speak of.
    pub(crate) fn round(&mut self) -> Result<u64, PublishError> {
        let Some(heads) = self.reader.heads() else {
            return Ok(0);
        };
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
            if publisher.size() < head.size {
                publisher.publish(&note, &OneLog(&reader, log))?;
            }
            if !grows {
                self.open.remove(&log);
                self.closed.insert(log);
            }
        }
        Ok(heads.end)
    }
}

/// Publishes until the engine closes or stops.
pub(crate) fn run<M: Machine>(core: &Core<M>, how: Publishing, mut publishers: Publishers) {
    let mut end = 0;
    loop {
        let closing = {
            let mut signals = core.signals.lock();
            core.signalled.wait_while(&mut signals, |s| {
                s.durable <= end && !s.closing && !s.stopped
            });
            if signals.stopped {
                return;
            }
            signals.closing
        };
        let begun = Instant::now();
        match publishers.round() {
            Ok(reached) => {
                end = reached;
                core.published(reached, begun);
            }
            Err(e) => core.not_published(&chain(&e)),
        }
        if let Some(publication) = core.publication() {
            metrics::published(core.options.log.service(), &publication);
        }
        if closing {
            return;
        }
        let mut signals = core.signals.lock();
        let going = |s: &mut crate::flush::Signals| !s.closing && !s.stopped;
        core.signalled
            .wait_while_for(&mut signals, going, how.every);
    }
}

impl<M: Machine> Core<M> {
    /// How far publication has come; none if nothing is published.
    pub(crate) fn publication(&self) -> Option<Publication> {
        let how = self.options.publish?;
        let progress = self.progress.lock();
        let lag = progress
            .behind
            .map(|since| since.elapsed())
            .unwrap_or_default();
        Some(Publication {
            end: progress.end,
            lag,
            late: lag > how.limit,
            failing: progress.failing.clone(),
        })
    }

    /// Notes that something new is durable.
    pub(crate) fn falls_behind(&self) {
        if self.options.publish.is_some() {
            let mut progress = self.progress.lock();
            progress.behind.get_or_insert_with(Instant::now);
        }
    }

    /// Notes that everything before `end` was published in the round begun at `begun`.
    fn published(&self, end: u64, begun: Instant) {
        let recovered = {
            let mut progress = self.progress.lock();
            progress.end = end;
            progress.behind = (self.reader.durable() > end).then_some(begun);
            progress.failing.take().is_some()
        };
        if recovered {
            tracing::info!(dir = %self.dir.display(), "the log is published again");
        }
    }

    fn not_published(&self, why: &str) {
        let mut progress = self.progress.lock();
        progress.behind.get_or_insert_with(Instant::now);
        if progress.failing.as_deref() != Some(why) {
            tracing::error!(dir = %self.dir.display(), why, "the log cannot be published; it is tried again");
            progress.failing = Some(Arc::from(why));
        }
    }
}

/// Nothing is behind before anything is durable.
pub(crate) fn progress(durable: u64) -> Mutex<Progress> {
    Mutex::new(Progress {
        behind: (durable > 0).then(Instant::now),
        ..Progress::default()
    })
}
