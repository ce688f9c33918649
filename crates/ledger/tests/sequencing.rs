//! Sequencing and publication together, on one disk that fails at every one of their steps, before and
//! after it persists, with and without a power cut: no acknowledged entry is missing, no published head
//! is ever signed again or left by a fork, and whatever is published is extended by what follows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

mod support;

use lgpki_ledger::{
    Checkpoint, Disk as _, Identity, Log, LogError, LogId, LogReader, NewEntry, Publisher,
    TileReader,
    merkle::Hash,
    published::Directory,
    publisher::{Leaves, Place},
};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_identity};

use crate::support::{Reference, new_entry};

const DIR: &str = "/data/issuer";
static IDENTITY: LazyLock<Identity> = LazyLock::new(|| log_identity("issuer-1"));
const ENTRIES: u64 = 12;
/// The year changes between two publications.
const NEW_YEAR: u64 = 6;

fn new(i: u64) -> NewEntry {
    let time = if i < NEW_YEAR {
        "2008-12-31T00:00:00.000Z"
    } else {
        "2009-01-01T00:00:00.000Z"
    };
    let bytes = format!(r#"{{"i":{i},"x":"{}"}}"#, "y".repeat(40)).into_bytes();
    new_entry(bytes, time, i % 4 == 1)
}

/// What came out of one life of the process.
#[derive(Debug, Default)]
struct Life {
    /// Entries that were acknowledged.
    acknowledged: u64,
    /// The checkpoints that stood published, each as whoever read it keeps it.
    published: BTreeSet<(LogId, String)>,
    failed: bool,
}

/// One of the logs, for its publisher.
struct OneLog<'a>(&'a LogReader, LogId);

impl Leaves for OneLog<'_> {
    fn leaves(&self, from: u64, most: usize, bytes: usize) -> Result<Vec<Vec<u8>>, LogError> {
        self.0.leaves(self.1, from, most, bytes)
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        Ok(self.0.head_at(self.1, size)?.map(|head| head.root))
    }
}

fn open(disk: &FaultyDisk) -> Result<Log, LogError> {
    let disk = Arc::new(disk.clone());
    Log::open_with(Path::new(DIR), disk, IDENTITY.clone(), 1200).map(|(log, _)| log)
}

fn place(disk: &FaultyDisk, log: LogId) -> Place {
    Place {
        disk: Arc::new(disk.clone()),
        dir: PathBuf::from(DIR).join("audit").join(log.to_string()),
        key: IDENTITY.verifier(log),
    }
}

/// The checkpoints as they lie there for anybody to read.
fn published(disk: &FaultyDisk) -> BTreeSet<(LogId, String)> {
    let logs = [LogId::Year(2008), LogId::Year(2009), LogId::Keys];
    let read = |log: LogId| {
        let note = disk.read(&place(disk, log).dir.join("checkpoint")).ok()?;
        Some((log, String::from_utf8(note).unwrap()))
    };
    logs.into_iter().filter_map(read).collect()
}

/// Brings all logs to their newest heads; false if a step failed.
fn publish(disk: &FaultyDisk, reader: &LogReader, open: &mut BTreeMap<LogId, Publisher>) -> bool {
    reader.logs().into_iter().all(|log| {
        let head = reader.head(log).unwrap().unwrap();
        let source = OneLog(reader, log);
        let publisher = match open.entry(log) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(free) => match Publisher::open(place(disk, log), &source) {
                Ok((publisher, _)) => free.insert(publisher),
                Err(_) => return false,
            },
        };
        publisher.size() >= head.size
            || publisher
                .publish(&IDENTITY.checkpoint(log, &head), &source)
                .is_ok()
    })
}

/// Appends pairs, publishes after every second one, and tries a failed publication once more, as the
/// services do; ends with the first append that fails.
fn live(disk: &FaultyDisk, until: u64) -> Life {
    let mut life = Life::default();
    let Ok(mut log) = open(disk) else {
        life.failed = true;
        return life;
    };
    life.acknowledged = log.size();
    let mut publishers = BTreeMap::new();
    while log.size() < until {
        let first = log.size();
        if log.append(vec![new(first), new(first + 1)]).is_err() {
            life.failed = true;
            break;
        }
        life.acknowledged = log.size();
        if log.size().is_multiple_of(4) {
            let reader = log.reader();
            if !publish(disk, &reader, &mut publishers) {
                life.failed = true;
                life.published.extend(published(disk));
                publishers.clear();
                assert!(publish(disk, &reader, &mut publishers));
            }
            life.published.extend(published(disk));
        }
    }
    life
}

/// Every checkpoint that anybody has is a head that the log had, under the one signature of it, and
/// what is published now extends it.
fn check(disk: &FaultyDisk, acknowledged: u64, seen: &BTreeSet<(LogId, String)>, what: &str) {
    let log = open(disk).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(log.size() >= acknowledged, "{what}: {} left", log.size());
    let all: Vec<_> = (0..log.size()).map(new).collect();
    Reference::of(&log, &all).check(&IDENTITY);
    let reader = log.reader();
    assert!(publish(disk, &reader, &mut BTreeMap::new()), "{what}");
    let mut tiles = BTreeMap::new();
    for (id, note) in seen {
        let key = IDENTITY.verifier(*id);
        let (kept, _) = Checkpoint::open(note, &key).unwrap();
        let head = reader.head_at(*id, kept.size).unwrap();
        let head = head.unwrap_or_else(|| panic!("{what}: {id} has no head {}", kept.size));
        let signed = IDENTITY.checkpoint(*id, &head).to_string();
        assert_eq!(signed, *note, "{what}: {id} was signed again");
        let tiles = tiles.entry(*id).or_insert_with(|| {
            let source = Directory::new(Arc::new(disk.clone()), place(disk, *id).dir);
            TileReader::open(Arc::new(source), &key).unwrap().0
        });
        assert_eq!(tiles.root_at(kept.size).unwrap(), kept.root, "{what}: {id}");
    }
}

#[test]
fn no_step_of_sequencing_or_publication_that_fails_loses_an_entry_or_forks_a_log() {
    let clean = FaultyDisk::new();
    assert!(!live(&clean, ENTRIES).failed);
    check(&clean, ENTRIES, &published(&clean), "no fault");
    let faults = [
        Fault::Before(ErrorKind::StorageFull),
        Fault::After(ErrorKind::Other),
        Fault::Torn(40, ErrorKind::StorageFull),
    ];
    let cuts = [
        Persisted::Nothing,
        Persisted::Bytes(50),
        Persisted::Bytes(400),
        // A process that is killed, on a machine that goes on.
        Persisted::Everything,
    ];
    let mut rounds = 0;
    for step in 1..=clean.steps() {
        for fault in faults {
            // Of the power cuts each step meets one, and always that of the process alone.
            for cut in [cuts[usize::try_from(step).unwrap() % 3], cuts[3]] {
                let what = format!("step {step}, {fault:?}, {cut:?}");
                let disk = FaultyDisk::new();
                disk.fail_at(step, fault);
                let life = live(&disk, ENTRIES);
                if disk.fault_pending() {
                    continue;
                }
                disk.power_cut(cut);
                let mut seen = life.published;
                seen.extend(published(&disk));
                check(&disk, life.acknowledged, &seen, &what);
                let next = live(&disk, ENTRIES + 4);
                assert_eq!(next.acknowledged, ENTRIES + 4, "{what}");
                seen.extend(next.published);
                check(&disk, ENTRIES + 4, &seen, &what);
                rounds += 1;
            }
        }
    }
    assert!(rounds >= 300, "{rounds} rounds of {} steps", clean.steps());
}
