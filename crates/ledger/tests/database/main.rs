//! The rules of sequencing where the events lie in a database: many writers commit in whatever order, one
//! sequencer at a time gives indexes, and connections break at any moment. The database is a model; the
//! sequencer and the publisher are those of the files.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod engine;
mod model;
mod steps;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, LazyLock},
};

use lgpki_ledger::{
    Checkpoint, Identity, Log, LogId, MemoryDisk, Sequencer,
    merkle::{CompactRange, Hash, leaf},
    sequencer::{State, needs},
};
use lgpki_testkit::log_identity;
use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestCaseError, TestRunner},
};

use crate::{
    engine::{Fate, Outcome, Process, Refused},
    model::{Database, Tables},
    steps::{Step, Tally, step, unit},
};

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| log_identity("issuer-1"));

#[derive(Debug, Default)]
struct World {
    db: Database,
    processes: [Process; 2],
    /// The index of each id, once it had one.
    given: BTreeMap<u64, u64>,
    /// Every checkpoint that anybody may have read.
    seen: BTreeSet<(LogId, String)>,
    /// The leaves that each process has published.
    sizes: BTreeMap<(usize, LogId), u64>,
    kept: Option<Tables>,
    entries: u64,
    tally: Tally,
}

fn root(leaves: &[Vec<u8>]) -> Hash {
    let mut range = CompactRange::new();
    for bytes in leaves {
        range.push(leaf(bytes));
    }
    range.root()
}

impl World {
    fn begin(&mut self, subject: u8, count: usize, year: usize) -> Option<u64> {
        let number = &mut self.entries;
        let entries = |step| unit(number, subject, step, count, year);
        self.db.begin(subject, Vec::new(), entries)
    }

    /// The n-th open writer, if there is one.
    fn writer(&self, n: usize) -> Option<u64> {
        let open = self.db.open();
        open.get(n % open.len().max(1)).copied()
    }

    fn act(&mut self, step: &Step) {
        let db = &mut self.db;
        match *step {
            Step::Begin(subject, count, year) => {
                self.begin(subject, count, year);
            }
            Step::Draw(n) => {
                self.writer(n).map(|one| self.db.write(one));
            }
            Step::Commit(n) => {
                if let Some(one) = self.writer(n) {
                    self.db.commit(one);
                }
            }
            Step::Abort(n) => {
                let aborted = self.writer(n).map(|one| self.db.abort(one));
                self.tally.holes += aborted.unwrap_or_default();
            }
            Step::Start(p) => {
                let refused = self.processes[p].start(db, &IDENTITY).is_err();
                self.tally.second_refused += u64::from(refused);
            }
            Step::Gather(p, units) => {
                let fenced_off = !self.processes[p].gather(db, units);
                self.tally.fenced_off += u64::from(fenced_off);
            }
            Step::Finish(p, fate) => match self.processes[p].finish(db, fate) {
                Outcome::Nothing => {}
                Outcome::Gone => self.tally.gone += 1,
                Outcome::Unknown => self.tally.unknown += 1,
                Outcome::Committed(frame, indexes) => {
                    for index in indexes {
                        let evidence = frame.evidence(index).unwrap();
                        assert!(evidence.leads_to_the_head());
                        assert!(IDENTITY.signed(evidence.log, &evidence.head));
                        let seen = self.db.tables.sequenced();
                        assert_eq!(seen[&index].entry.bytes, evidence.entry);
                    }
                }
            },
            Step::Publish(p) => self.publish(p),
            Step::Kill(p) => self.processes[p].kill(db),
            Step::Cut(p) => self.processes[p].cut(db),
            Step::Crash => db.crash(),
            Step::Keep => self.kept = Some(db.tables.clone()),
        }
        self.check();
    }

    fn publish(&mut self, p: usize) {
        let process = &mut self.processes[p];
        process.publish(&self.db.tables, &IDENTITY);
        for log in self.db.tables.openings.keys() {
            let Some(note) = process.published(*log) else {
                continue;
            };
            let (told, _) = Checkpoint::open(&note, &IDENTITY.verifier(*log)).unwrap();
            let before = self.sizes.insert((p, *log), told.size).unwrap_or(0);
            assert!(before <= told.size, "{log} went back from {before}");
            self.seen.insert((*log, note));
        }
    }

    /// What holds at every moment.
    fn check(&mut self) {
        let tables = &self.db.tables;
        let seen = tables.sequenced();
        let end = seen.len() as u64;
        assert!(seen.keys().copied().eq(0..end), "an index is missing");
        assert_eq!(tables.batches.last().map_or(0, |last| last.end), end);
        let highest = self.given.keys().last().copied().unwrap_or(0);
        for (id, event) in &tables.events {
            let Some(index) = event.index else {
                assert_eq!(self.given.get(id), None, "id {id} has lost its index");
                continue;
            };
            match self.given.insert(*id, index) {
                Some(before) => assert_eq!(before, index, "id {id} has another index"),
                None => self.tally.late += u64::from(*id < highest),
            }
        }
        let mut steps: BTreeMap<u8, u64> = BTreeMap::new();
        let mut units: BTreeMap<u64, u64> = BTreeMap::new();
        for (index, event) in &seen {
            let step = steps.entry(event.subject).or_default();
            assert!(
                *step <= event.step,
                "{event:?} is behind what builds upon it"
            );
            *step = event.step;
            let last = units.entry(event.unit).or_insert(*index);
            assert!(*last == *index || *last + 1 == *index, "a unit is torn");
            *last = *index;
        }
        for (id, event) in &tables.events {
            let shown = units.contains_key(&event.unit);
            assert_eq!(event.index.is_some(), shown, "half of id {id}'s unit");
        }
    }

    /// Whoever has begun gives up, and one process sequences and publishes all that is committed.
    fn settle(&mut self) {
        for one in self.db.open() {
            self.db.abort(one);
        }
        for process in &mut self.processes {
            process.kill(&mut self.db);
        }
        assert_eq!(self.processes[0].start(&mut self.db, &IDENTITY), Ok(()));
        let mut rounds = 0;
        while !self.db.tables.waiting().is_empty() {
            self.act(&Step::Gather(0, 2));
            self.act(&Step::Finish(0, Fate::Answered));
            rounds += 1;
            assert!(rounds < 1000, "the batches do not come to an end");
        }
        self.publish(0);
        let events = self.db.tables.events.values();
        assert!(events.clone().all(|event| event.index.is_some()));
        self.tally.entries += events.count() as u64;
        // The other one takes over, and publishes the same.
        self.processes[0].kill(&mut self.db);
        assert_eq!(self.processes[1].start(&mut self.db, &IDENTITY), Ok(()));
        self.publish(1);
        self.processes[1].kill(&mut self.db);
        for log in self.db.tables.openings.keys() {
            let [one, other] = &self.processes;
            assert_eq!(one.published(*log), other.published(*log));
        }
    }

    /// Every head that was durable, and every checkpoint that left, is of a beginning of what stands now.
    fn check_heads(&mut self) {
        let tables = &self.db.tables;
        for ((log, size), head) in &tables.heads {
            let leaves = tables.leaves_of(*log);
            let beginning = leaves.get(..usize::try_from(*size).unwrap());
            assert_eq!(root(beginning.unwrap()), head.root, "{log} {size}");
            assert!(IDENTITY.signed(*log, head), "{log} {size}");
        }
        for (log, note) in &self.seen {
            let (told, _) = Checkpoint::open(note, &IDENTITY.verifier(*log)).unwrap();
            let head = tables.heads[&(*log, told.size)];
            assert_eq!(IDENTITY.checkpoint(*log, &head).to_string(), *note);
        }
        self.tally.published += self.seen.len();
    }

    /// Each unit stands in the log of the year that it needs, or of a later one that was begun before it.
    fn check_years(&self) {
        let tables = &self.db.tables;
        let seen = tables.sequenced();
        let all: Vec<_> = seen.into_iter().collect();
        let mut newest = None;
        for unit in all.chunk_by(|(_, a), (_, b)| a.unit == b.unit) {
            let entries: Vec<_> = unit.iter().map(|(_, event)| event.entry.clone()).collect();
            newest = newest.max(needs(&entries));
            for (index, _) in unit {
                let years = tables
                    .openings
                    .iter()
                    .filter(|(log, _)| **log != LogId::Keys);
                let begun = years.filter(|(_, (first, _))| first <= index);
                assert_eq!(
                    begun.map(|(log, _)| *log).next_back(),
                    newest,
                    "entry {index}"
                );
            }
        }
    }

    /// The same units through files give the same opening entries, leaves, heads and signatures.
    fn check_against_files(&self) {
        let tables = &self.db.tables;
        let seen = tables.sequenced();
        let disk = Arc::new(MemoryDisk::new());
        let dir = Path::new("/data/issuer");
        let (mut log, _) = Log::open_with(dir, disk, IDENTITY.clone(), 4000).unwrap();
        for batch in &tables.batches {
            let entries = batch.clone().map(|index| seen[&index].entry.clone());
            let appended = log.append(entries.collect()).unwrap();
            assert_eq!((appended.first, appended.size), (batch.start, batch.end));
            let heads = log.heads().unwrap();
            for (log, head) in [
                (LogId::Year(heads.year), heads.entries),
                (LogId::Keys, heads.keys),
            ] {
                assert_eq!(tables.heads.get(&(log, head.size)), Some(&head), "{log}");
            }
        }
        let reader = log.reader();
        assert!(reader.logs().iter().eq(tables.openings.keys()));
        for id in reader.logs() {
            let leaves = reader.leaves(id, 0, usize::MAX, usize::MAX).unwrap();
            assert_eq!(leaves, tables.leaves_of(id), "{id}");
            assert_eq!(reader.head(id).unwrap(), tables.head(id), "{id}");
        }
    }

    /// The copy that was kept is put back: whoever has published more refuses it.
    fn check_restored(&mut self) {
        let Some(kept) = self.kept.take() else {
            return;
        };
        for process in &mut self.processes {
            process.kill(&mut self.db);
        }
        let mut db = Database::restored(kept);
        for (p, process) in self.processes.iter_mut().enumerate() {
            let behind = |((of, log), size): (&(usize, LogId), &u64)| {
                *of == p && db.tables.head(*log).is_none_or(|head| head.size < *size)
            };
            let refused = self.sizes.iter().any(behind);
            let expected = if refused {
                Err(Refused::SetBack)
            } else {
                Ok(())
            };
            assert_eq!(process.start(&mut db, &IDENTITY), expected);
            process.kill(&mut db);
            self.tally.set_back += u64::from(refused);
            self.tally.restored += u64::from(!refused);
        }
    }
}

#[test]
fn every_committed_event_gets_one_index_and_no_log_forks_whatever_breaks_when() {
    let config = ProptestConfig {
        cases: 128,
        rng_seed: RngSeed::Fixed(5),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let tally = RefCell::new(Tally::default());
    let steps = proptest::collection::vec(step(), 40..160);
    let held = TestRunner::new(config).run(&steps, |steps| {
        let mut world = World {
            tally: tally.take(),
            ..World::default()
        };
        for step in &steps {
            world.act(step);
        }
        world.check_restored();
        world.settle();
        world.check_heads();
        world.check_years();
        world.check_against_files();
        tally.replace(world.tally);
        Ok::<_, TestCaseError>(())
    });
    held.unwrap();
    let tally = tally.take();
    let least = [
        tally.entries / 100,
        tally.late,
        tally.holes as u64,
        tally.second_refused,
        tally.fenced_off,
        tally.gone,
        tally.unknown,
        tally.published as u64,
        tally.set_back,
        tally.restored,
    ];
    assert!(least.iter().all(|times| *times >= 10), "{tally:?}");
}

/// Two writers; the one with the lower id commits after the other one was sequenced.
fn overtaken() -> (World, [u64; 2]) {
    let mut world = World::default();
    assert_eq!(world.processes[0].start(&mut world.db, &IDENTITY), Ok(()));
    let slow = world.begin(0, 1, 0).unwrap();
    let quick = world.begin(1, 1, 0).unwrap();
    for one in [slow, quick] {
        assert!(world.db.write(one));
    }
    world.act(&Step::Commit(1));
    world.act(&Step::Gather(0, 9));
    world.act(&Step::Finish(0, Fate::Answered));
    world.act(&Step::Commit(0));
    (world, [slow, quick])
}

fn index_of(tables: &Tables, unit: u64) -> Option<u64> {
    let mut events = tables.events.values();
    events.find(|event| event.unit == unit).unwrap().index
}

#[test]
fn an_engine_that_asks_for_ids_past_the_last_one_leaves_an_event_out() {
    let (mut world, [slow, quick]) = overtaken();
    let given = |tables: &Tables| {
        let last = tables
            .events
            .iter()
            .rfind(|(_, event)| event.index.is_some());
        tables.waiting_past(*last.unwrap().0)
    };
    for _ in 0..3 {
        assert!(world.processes[0].gather_from(&mut world.db, 9, given));
        let outcome = world.processes[0].finish(&mut world.db, Fate::Answered);
        assert!(matches!(outcome, Outcome::Nothing), "{outcome:?}");
    }
    assert_eq!(index_of(&world.db.tables, quick), Some(0));
    assert_eq!(
        index_of(&world.db.tables, slow),
        None,
        "this is what is wrong with it"
    );
    // Asked for what has no index, the same database gives it.
    world.act(&Step::Gather(0, 9));
    world.act(&Step::Finish(0, Fate::Answered));
    assert_eq!(index_of(&world.db.tables, slow), Some(1));
}

#[test]
fn a_writer_that_draws_its_id_before_it_holds_its_lock_stands_before_what_it_builds_upon() {
    for early in [true, false] {
        let mut world = World::default();
        assert_eq!(world.processes[0].start(&mut world.db, &IDENTITY), Ok(()));
        let ids = if early {
            vec![world.db.draw()]
        } else {
            Vec::new()
        };
        world.act(&Step::Begin(0, 1, 0));
        world.act(&Step::Commit(0));
        let number = &mut world.entries;
        let second = world.db.begin(0, ids, |step| unit(number, 0, step, 1, 0));
        world.db.commit(second.unwrap());
        assert!(world.processes[0].gather(&mut world.db, 9));
        world.processes[0].finish(&mut world.db, Fate::Answered);
        let seen = world.db.tables.sequenced();
        let steps: Vec<_> = seen.values().map(|event| event.step).collect();
        assert_eq!(steps, if early { [1, 0] } else { [0, 1] });
    }
}

#[test]
fn one_process_sequences_at_a_time_and_one_that_lost_its_lock_commits_nothing() {
    let mut world = World::default();
    let [one, other] = &mut world.processes;
    let db = &mut world.db;
    assert_eq!(one.start(db, &IDENTITY), Ok(()));
    assert_eq!(one.start(db, &IDENTITY), Err(Refused::InUse));
    assert_eq!(other.start(db, &IDENTITY), Err(Refused::InUse));
    let number = &mut world.entries;
    let unit = db.begin(0, Vec::new(), |step| unit(number, 0, step, 2, 0));
    db.commit(unit.unwrap());
    // Its transaction goes with the connection, and the other one is given the same event.
    assert!(one.gather(db, 9));
    one.cut(db);
    assert_eq!(other.start(db, &IDENTITY), Ok(()));
    assert!(other.gather(db, 9));
    assert!(matches!(one.finish(db, Fate::Answered), Outcome::Gone));
    assert!(!one.runs());
    let committed = other.finish(db, Fate::Answered);
    assert!(matches!(committed, Outcome::Committed(_, indexes) if indexes == (0..2)));
    // One that was only asleep finds another epoch in the row, though the rest may be as it left it.
    assert_eq!(one.start(db, &IDENTITY), Err(Refused::InUse));
    other.cut(db);
    assert_eq!(one.start(db, &IDENTITY), Ok(()));
    assert!(!other.gather(db, 9));
    assert!(!other.runs());
    world.check();
}

#[test]
fn whoever_goes_on_from_memory_after_a_commit_of_unknown_outcome_is_refused_by_the_row() {
    let mut db = Database::default();
    let fence = db.take_lock().unwrap();
    let (subject, mut number) = (0, 0);
    let entries = |step| unit(&mut number, subject, step, 1, 0);
    let writer = db.begin(subject, Vec::new(), entries).unwrap();
    db.commit(writer);
    let sequencer = Sequencer::new(IDENTITY.clone());
    let waiting = db.tables.waiting().remove(0);
    let batch = sequencer.plan(waiting.entries).unwrap().unwrap();
    let transaction = db.lock_row(fence, None).unwrap();
    assert!(db.commit_batch(transaction, &batch, &waiting.ids));
    // The answer is lost, and memory says that nothing was committed.
    assert_eq!(sequencer.state(), None);
    assert_eq!(db.lock_row(fence, None), None);
    let row = db.tables.state.clone().unwrap();
    let state = State::parse(&row).unwrap();
    let resumed = Sequencer::resume(IDENTITY.clone(), state).unwrap();
    assert_eq!(resumed.end(), 1);
    assert!(db.lock_row(fence, Some(&row)).is_some());
}
