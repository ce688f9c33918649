//! An engine over the model, as small as it can be: a process that sequences what others commit, and
//! publishes it into a directory of its own.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use lgpki_ledger::{
    Disk, Held, Identity, LogId, MemoryDisk, PublishError, Publisher, Sequenced, Sequencer,
    published::logs_in,
    publisher::Place,
    sequencer::{Batch, State, needs},
};

use crate::model::{Database, Fence, OneLog, Tables, Transaction};

const DIR: &str = "/audit";

/// A process that may sequence.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) disk: MemoryDisk,
    life: Option<Life>,
}

#[derive(Debug)]
struct Life {
    fence: Fence,
    sequencer: Sequencer,
    publishers: BTreeMap<LogId, Publisher>,
    planned: Option<Planned>,
    /// Nobody else writes the directory.
    _lock: Box<dyn Held>,
}

/// A batch whose transaction is open.
#[derive(Debug)]
struct Planned {
    transaction: Transaction,
    batch: Batch,
    ids: Vec<u64>,
}

/// Why a process did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It runs, or another one sequences.
    InUse,
    /// The database was set back behind what was published.
    SetBack,
}

/// What becomes of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done, and its answer arrives.
    Answered,
    /// The connection breaks before it.
    LostBefore,
    /// The connection breaks after it.
    LostAfter,
}

/// What came of an attempt to commit.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There was nothing to be committed.
    Nothing,
    /// These entries are durable.
    Committed(Arc<Sequenced>, std::ops::Range<u64>),
    /// Nobody knows; the process ended.
    Unknown,
    /// The transaction was no more; the process ended.
    Gone,
}

fn dir(log: LogId) -> PathBuf {
    PathBuf::from(DIR).join(log.to_string())
}

impl Process {
    pub(crate) fn runs(&self) -> bool {
        self.life.is_some()
    }

    fn place(&self, log: LogId, identity: &Identity) -> Place {
        Place {
            disk: Arc::new(self.disk.clone()),
            dir: dir(log),
            key: identity.verifier(log),
        }
    }

    /// The checkpoint of a log as anybody reads it.
    pub(crate) fn published(&self, log: LogId) -> Option<String> {
        let note = self.disk.read(&dir(log).join("checkpoint")).ok()?;
        Some(String::from_utf8(note).unwrap())
    }

    /// The locks, then the row and its proof, then what is published.
    pub(crate) fn start(&mut self, db: &mut Database, identity: &Identity) -> Result<(), Refused> {
        let here = self.disk.lock(&PathBuf::from(DIR).join("LOCK")).unwrap();
        let here = here.ok_or(Refused::InUse)?;
        let fence = db.take_lock().ok_or(Refused::InUse)?;
        let sequencer = match &db.tables.state {
            None => Sequencer::new(identity.clone()),
            Some(row) => Sequencer::resume(identity.clone(), State::parse(row).unwrap()).unwrap(),
        };
        let publishers = match self.publishers(&db.tables, identity) {
            Ok(publishers) => publishers,
            Err(refused) => {
                db.end_session(fence);
                return Err(refused);
            }
        };
        self.life = Some(Life {
            fence,
            sequencer,
            publishers,
            planned: None,
            _lock: here,
        });
        Ok(())
    }

    fn publishers(
        &self,
        tables: &Tables,
        identity: &Identity,
    ) -> Result<BTreeMap<LogId, Publisher>, Refused> {
        let there = logs_in(&self.disk, &PathBuf::from(DIR)).unwrap();
        if there.iter().any(|log| !tables.openings.contains_key(log)) {
            return Err(Refused::SetBack);
        }
        let open = |log: &LogId| {
            let place = self.place(*log, identity);
            match Publisher::open(place, &OneLog(tables, *log)) {
                Ok((publisher, _)) => Ok((*log, publisher)),
                Err(PublishError::SetBack { .. }) => Err(Refused::SetBack),
                Err(other) => panic!("{other}"),
            }
        };
        tables.openings.keys().map(open).collect()
    }

    /// Begins a batch of whatever has no index, `units` of it at most. False if the process was fenced
    /// off, and ended.
    pub(crate) fn gather(&mut self, db: &mut Database, units: usize) -> bool {
        self.gather_from(db, units, Tables::waiting)
    }

    /// The same, where `waiting` says what has no index.
    pub(crate) fn gather_from(
        &mut self,
        db: &mut Database,
        units: usize,
        waiting: impl FnOnce(&Tables) -> Vec<crate::model::Waiting>,
    ) -> bool {
        let Some(life) = self.life.as_mut().filter(|life| life.planned.is_none()) else {
            return true;
        };
        let state = life.sequencer.state().map(|state| state.write());
        let Some(transaction) = db.lock_row(life.fence, state.as_deref()) else {
            self.kill(db);
            return false;
        };
        let (mut ids, mut entries) = (Vec::new(), Vec::new());
        let mut year = life.sequencer.year().map(LogId::Year);
        for unit in waiting(&db.tables).into_iter().take(units) {
            let needed = needs(&unit.entries);
            if !entries.is_empty() && needed > year {
                break;
            }
            year = year.max(needed);
            ids.extend(unit.ids);
            entries.extend(unit.entries);
        }
        match life.sequencer.plan(entries).unwrap() {
            None => db.roll_back(transaction),
            Some(batch) => {
                life.planned = Some(Planned {
                    transaction,
                    batch,
                    ids,
                });
            }
        }
        true
    }

    /// Commits the batch that was begun. Whoever does not know what came of it ends.
    pub(crate) fn finish(&mut self, db: &mut Database, fate: Fate) -> Outcome {
        let Some(life) = &mut self.life else {
            return Outcome::Nothing;
        };
        let Some(planned) = life.planned.take() else {
            return Outcome::Nothing;
        };
        let Planned {
            transaction,
            batch,
            ids,
        } = planned;
        let done = fate != Fate::LostBefore && db.commit_batch(transaction, &batch, &ids);
        if fate != Fate::Answered {
            self.kill(db);
            return Outcome::Unknown;
        }
        if !done {
            self.kill(db);
            return Outcome::Gone;
        }
        let indexes = batch.first()..batch.end();
        Outcome::Committed(life.sequencer.committed(batch).unwrap(), indexes)
    }

    /// Publishes the newest heads that are committed.
    pub(crate) fn publish(&mut self, tables: &Tables, identity: &Identity) {
        let logs: Vec<LogId> = tables.openings.keys().copied().collect();
        for log in logs {
            let place = self.place(log, identity);
            let Some(life) = &mut self.life else {
                return;
            };
            let leaves = OneLog(tables, log);
            let publisher = life.publishers.entry(log).or_insert_with(|| {
                let (publisher, _) = Publisher::open(place, &leaves).unwrap();
                publisher
            });
            let head = tables.head(log).unwrap();
            if publisher.size() < head.size {
                let note = identity.checkpoint(log, &head);
                publisher.publish(&note, &leaves).unwrap();
            }
        }
    }

    /// The process loses its connection and has not noticed.
    pub(crate) fn cut(&mut self, db: &mut Database) {
        if let Some(life) = &self.life {
            db.end_session(life.fence);
        }
    }

    /// The process ends.
    pub(crate) fn kill(&mut self, db: &mut Database) {
        self.cut(db);
        self.life = None;
    }
}
