//! A model of a database with transactions: what is committed stays, everything else is gone with its
//! connection.
//!
//! Ids come from a sequence that no transaction gives back, and are drawn before the commit. The row of
//! the chain is locked by whoever sequences, for the whole of a batch.

use std::{collections::BTreeMap, ops::Range};

use lgpki_ledger::{
    LogError, LogId, NewEntry, SignedHead, merkle::Hash, publisher::Leaves, sequencer::Batch,
};

/// A row of the table of events.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// The transaction that wrote it; its writer's receipt.
    pub(crate) unit: u64,
    pub(crate) subject: u8,
    /// Which of its subject's units it belongs to.
    pub(crate) step: u64,
    pub(crate) entry: NewEntry,
    pub(crate) index: Option<u64>,
}

/// What is committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// By id.
    pub(crate) events: BTreeMap<u64, Event>,
    /// The row of the chain: how often its lock was taken, and where the log stands.
    pub(crate) epoch: u64,
    pub(crate) state: Option<Vec<u8>>,
    /// The opening entries, each with the first index after it.
    pub(crate) openings: BTreeMap<LogId, (u64, Vec<u8>)>,
    pub(crate) heads: BTreeMap<(LogId, u64), SignedHead>,
    /// The indexes of each batch.
    pub(crate) batches: Vec<Range<u64>>,
}

/// A unit that has no index yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) ids: Vec<u64>,
    pub(crate) entries: Vec<NewEntry>,
}

impl Tables {
    /// The committed units without an index, by their smallest ids.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        self.units_without_index(0)
    }

    /// What an engine finds that takes the order of ids for the order of commits.
    pub(crate) fn waiting_past(&self, id: u64) -> Vec<Waiting> {
        self.units_without_index(id + 1)
    }

    fn units_without_index(&self, from: u64) -> Vec<Waiting> {
        let mut units: BTreeMap<u64, Waiting> = BTreeMap::new();
        let mut order = Vec::new();
        for (id, event) in self.events.range(from..) {
            if event.index.is_some() {
                continue;
            }
            let unit = units.entry(event.unit).or_insert_with(|| {
                order.push(event.unit);
                let (ids, entries) = (Vec::new(), Vec::new());
                Waiting { ids, entries }
            });
            unit.ids.push(*id);
            unit.entries.push(event.entry.clone());
        }
        let found = order.iter().map(|unit| units.remove(unit).unwrap());
        found.collect()
    }

    /// The events that readers see, by index.
    pub(crate) fn sequenced(&self) -> BTreeMap<u64, &Event> {
        let events = self.events.values();
        let seen: Vec<_> = events
            .filter_map(|event| Some((event.index?, event)))
            .collect();
        let by_index: BTreeMap<_, _> = seen.iter().copied().collect();
        assert_eq!(by_index.len(), seen.len(), "an index was given twice");
        by_index
    }

    /// All leaves of a log.
    pub(crate) fn leaves_of(&self, log: LogId) -> Vec<Vec<u8>> {
        let Some((first, opening)) = self.openings.get(&log) else {
            return Vec::new();
        };
        let later = |(other, (begun, _)): (&LogId, &(u64, Vec<u8>))| {
            (*other > log && *other != LogId::Keys).then_some(*begun)
        };
        let end = match log {
            LogId::Keys => u64::MAX,
            LogId::Year(_) => self.openings.iter().find_map(later).unwrap_or(u64::MAX),
        };
        let seen = self.sequenced();
        let entries = seen.range(*first..end).map(|(_, event)| &event.entry);
        let entries = entries.filter(|entry| entry.ceremony || log != LogId::Keys);
        let opening = std::iter::once(opening.clone());
        opening
            .chain(entries.map(|entry| entry.bytes.clone()))
            .collect()
    }

    /// The newest head of a log that has one.
    pub(crate) fn head(&self, log: LogId) -> Option<SignedHead> {
        let of_log = self.heads.range((log, 0)..=(log, u64::MAX));
        of_log.map(|(_, head)| *head).next_back()
    }
}

/// A log of the tables for its publisher.
pub(crate) struct OneLog<'a>(pub(crate) &'a Tables, pub(crate) LogId);

impl Leaves for OneLog<'_> {
    fn leaves(&self, from: u64, most: usize, _: usize) -> Result<Vec<Vec<u8>>, LogError> {
        let all = self.0.leaves_of(self.1);
        let from = usize::try_from(from).unwrap();
        Ok(all.into_iter().skip(from).take(most).collect())
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        Ok(self.0.heads.get(&(self.1, size)).map(|head| head.root))
    }
}

/// A writer's transaction that is open. It holds its subject's row.
#[derive(Debug)]
struct Writing {
    subject: u8,
    step: u64,
    left: Vec<NewEntry>,
    ids: Vec<u64>,
    drawn: Vec<(u64, NewEntry)>,
}

/// A session that holds the sequencer's lock, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fence(u64);

/// A sequencer's transaction, which holds the row of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transaction(u64);

/// The database.
#[derive(Debug, Default)]
pub(crate) struct Database {
    pub(crate) tables: Tables,
    next_id: u64,
    next_transaction: u64,
    writing: BTreeMap<u64, Writing>,
    held: Option<Fence>,
    /// Who has the row of the chain locked.
    sequencing: Option<(Fence, Transaction)>,
}

impl Database {
    /// What stands after a copy of the tables was put back.
    pub(crate) fn restored(tables: Tables) -> Self {
        let next_id = tables.events.keys().last().map_or(0, |id| id + 1);
        let next_transaction = tables.events.values().map(|e| e.unit + 1).max();
        Self {
            tables,
            next_id,
            next_transaction: next_transaction.unwrap_or_default(),
            ..Self::default()
        }
    }

    fn transaction(&mut self) -> u64 {
        self.next_transaction += 1;
        self.next_transaction
    }

    /// Draws an id, for good.
    pub(crate) fn draw(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Begins a writer's transaction, which locks its subject and reads how many units it has. None while
    /// another one holds the subject. `ids` were drawn before, as none should be.
    pub(crate) fn begin(
        &mut self,
        subject: u8,
        ids: Vec<u64>,
        entries: impl FnOnce(u64) -> Vec<NewEntry>,
    ) -> Option<u64> {
        if self.writing.values().any(|one| one.subject == subject) {
            return None;
        }
        let of_subject = self.tables.events.values().filter(|e| e.subject == subject);
        let step = of_subject.map(|event| event.step + 1).max().unwrap_or(0);
        let writing = Writing {
            subject,
            step,
            left: entries(step).into_iter().rev().collect(),
            ids: ids.into_iter().rev().collect(),
            drawn: Vec::new(),
        };
        let transaction = self.transaction();
        self.writing.insert(transaction, writing);
        Some(transaction)
    }

    /// The open transactions of writers.
    pub(crate) fn open(&self) -> Vec<u64> {
        self.writing.keys().copied().collect()
    }

    /// Writes the next entry of a transaction under an id of its own.
    pub(crate) fn write(&mut self, transaction: u64) -> bool {
        let one = self.writing.get_mut(&transaction).unwrap();
        let Some(entry) = one.left.pop() else {
            return false;
        };
        let id = one.ids.pop().unwrap_or_else(|| {
            self.next_id += 1;
            self.next_id
        });
        one.drawn.push((id, entry));
        true
    }

    /// Commits a writer's transaction; its number is the receipt.
    pub(crate) fn commit(&mut self, transaction: u64) {
        while self.write(transaction) {}
        let one = self.writing.remove(&transaction).unwrap();
        for (id, entry) in one.drawn {
            let event = Event {
                unit: transaction,
                subject: one.subject,
                step: one.step,
                entry,
                index: None,
            };
            assert!(self.tables.events.insert(id, event).is_none());
        }
    }

    /// Gives a writer's transaction up; tells how many ids nobody will ever see.
    pub(crate) fn abort(&mut self, transaction: u64) -> usize {
        self.writing.remove(&transaction).unwrap().drawn.len()
    }

    /// Takes the lock that one sequencer holds for life, and raises the epoch. None while another session
    /// holds it, or has the row of the chain locked.
    pub(crate) fn take_lock(&mut self) -> Option<Fence> {
        if self.held.is_some() || self.sequencing.is_some() {
            return None;
        }
        self.tables.epoch += 1;
        self.held = Some(Fence(self.tables.epoch));
        self.held
    }

    /// The session is gone, with its lock and what it had not committed.
    pub(crate) fn end_session(&mut self, fence: Fence) {
        self.held = self.held.filter(|held| *held != fence);
        self.sequencing = self.sequencing.filter(|(by, _)| *by != fence);
    }

    /// Locks the row of the chain for a batch on top of `state`. None if anything else stands there: the
    /// sequencer was fenced off.
    pub(crate) fn lock_row(&mut self, fence: Fence, state: Option<&[u8]>) -> Option<Transaction> {
        let free = self.sequencing.is_none();
        let same = self.tables.epoch == fence.0 && self.tables.state.as_deref() == state;
        if !free || !same {
            return None;
        }
        let transaction = Transaction(self.transaction());
        self.sequencing = Some((fence, transaction));
        Some(transaction)
    }

    /// Ends a batch's transaction and changes nothing.
    pub(crate) fn roll_back(&mut self, transaction: Transaction) {
        self.sequencing = self.sequencing.filter(|(_, one)| *one != transaction);
    }

    /// Commits a batch: indexes, opening entries, heads, and where the log stands now. False if the
    /// transaction is no more.
    pub(crate) fn commit_batch(
        &mut self,
        transaction: Transaction,
        batch: &Batch,
        ids: &[u64],
    ) -> bool {
        if self.sequencing.is_none_or(|(_, one)| one != transaction) {
            return false;
        }
        self.sequencing = None;
        let tables = &mut self.tables;
        for ((index, entry), id) in (batch.first()..).zip(batch.entries()).zip(ids) {
            let event = tables.events.get_mut(id).unwrap();
            assert_eq!(event.entry, *entry);
            assert_eq!(event.index.replace(index), None, "id {id} has an index");
        }
        for (log, opening) in batch.openings() {
            let begun = (batch.first(), opening.to_vec());
            assert_eq!(tables.openings.insert(log, begun), None, "{log}");
        }
        let heads = batch.heads();
        let made = [
            (LogId::Year(heads.year), heads.entries),
            (LogId::Keys, heads.keys),
        ];
        for (log, head) in made {
            let before = tables.heads.insert((log, head.size), head);
            let same = before.is_none_or(|before| before == head);
            assert!(same, "{log} has two roots of size {}", head.size);
        }
        tables.state = Some(batch.state().write());
        tables.batches.push(batch.first()..batch.end());
        true
    }

    /// The database falls over: every connection breaks.
    pub(crate) fn crash(&mut self) {
        self.writing.clear();
        self.held = None;
        self.sequencing = None;
    }
}
