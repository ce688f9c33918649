//! A log that was set back takes back from a copy of what it published what it lacks, and nothing else;
//! a fork, a copy that was changed and one that is shorter are told by name.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod support;

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_ledger::{
    Body, Disk, HealError, Identity, Log, LogError, LogId, LogReader, Mirror, NewEntry, Publisher,
    Snapshot, Stamp, decode, encode, events,
    heal::{compare, missing, read_as, take_back},
    merkle::Hash,
    publisher::{Leaves, Place},
};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_identity, log_identity_with};

use crate::support::Reference;

const HERE: &str = "/data/issuer";
const COPY: &str = "/copy/issuer";

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Happened {
    n: u64,
}

impl Body for Happened {
    const KIND: &'static str = "toy.happened";

    fn ceremony(&self) -> bool {
        self.n % 5 == 1
    }
}

events! {
    /// What happens.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum ToyEvent {
        /// It does.
        Happened(Happened),
    }
}

fn identity() -> Identity {
    log_identity("issuer-1")
}

/// Entry `n`: the year changes before entry 400, and once more before 500, whose frame has an older
/// entry too; the clock is set back before 450.
fn entry(n: u64) -> NewEntry {
    named(n, "init")
}

fn named(n: u64, actor: &str) -> NewEntry {
    let time = match n {
        400..450 => "2009-03-01T00:00:00.000Z",
        501..520 => "2010-03-01T00:00:00.000Z",
        _ => "2008-06-01T00:00:00.000Z",
    };
    let stamp = Stamp::new(time.parse().unwrap(), actor);
    let event = ToyEvent::from(Happened { n });
    let bytes = encode("issuer-1", &stamp, &event).unwrap();
    read_as::<ToyEvent>(n, bytes).unwrap()
}

fn open(disk: &FaultyDisk) -> Result<Log, LogError> {
    let disk = Arc::new(disk.clone());
    Log::open_with(Path::new(HERE), disk, identity(), 20_000).map(|(log, _)| log)
}

/// Appends entries in frames of `width` until there are `until`.
fn grow(log: &mut Log, until: u64, width: u64) {
    while log.size() < until {
        let first = log.size();
        let end = (first - first % width + width).min(until);
        log.append((first..end).map(entry).collect()).unwrap();
    }
}

struct OneLog<'a>(&'a LogReader, LogId);

impl Leaves for OneLog<'_> {
    fn leaves(&self, from: u64, most: usize, bytes: usize) -> Result<Vec<Vec<u8>>, LogError> {
        self.0.leaves(self.1, from, most, bytes)
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        self.0.root_at(self.1, size)
    }
}

fn publish(log: &Log, disk: &FaultyDisk, dir: &str) {
    let reader = log.reader();
    for id in reader.logs() {
        let head = reader.head(id).unwrap().unwrap();
        let place = Place {
            disk: Arc::new(disk.clone()),
            dir: Path::new(dir).join(id.to_string()),
            key: identity().verifier(id),
        };
        let (mut publisher, _) = Publisher::open(place, &OneLog(&reader, id)).unwrap();
        let note = identity().checkpoint(id, &head);
        publisher.publish(&note, &OneLog(&reader, id)).unwrap();
    }
}

/// Copies the files of a log to another disk, as a backup does.
fn backup(from: &FaultyDisk, to: &FaultyDisk) {
    let snapshot = Snapshot::take(Path::new(HERE), from, &identity()).unwrap();
    let log = Path::new(HERE).join("log");
    to.create_dir(&log).unwrap();
    for (path, length) in snapshot.unwrap().files() {
        let bytes = from.read(path).unwrap();
        let file = to.create(path).unwrap();
        let whole = usize::try_from(*length).unwrap();
        file.write_at(&bytes[..whole], 0).unwrap();
        file.sync().unwrap();
    }
    to.sync_dir(&log).unwrap();
}

fn mirror(disk: &FaultyDisk, dir: &str) -> Mirror {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let opened = Mirror::open(&disk, Path::new(dir), &identity());
    opened.unwrap().unwrap()
}

fn heal(log: &mut Log, mirrors: &[Mirror]) -> Result<u64, HealError> {
    let before = log.size();
    let compared = compare(&log.reader(), &identity(), mirrors)?;
    assert_eq!(compared.longer, []);
    let Some(best) = compared.best else {
        return Ok(0);
    };
    let mut listed = Vec::new();
    missing(log, best, read_as::<ToyEvent>, &mut |index, bytes| {
        assert_eq!(bytes, entry(index).bytes);
        listed.push(index);
    })?;
    assert_eq!(listed, (before..best.end()).collect::<Vec<_>>());
    let mut told = 0;
    take_back(log, best, read_as::<ToyEvent>, &mut |count| told += count)?;
    assert_eq!(told, best.end() - before);
    Ok(told)
}

/// A log of 600 entries in three years, its copy, and a backup of it with `held` entries.
fn set_back(held: u64) -> (FaultyDisk, FaultyDisk) {
    let (old, new) = (FaultyDisk::new(), FaultyDisk::new());
    let mut log = open(&old).unwrap();
    if held > 0 {
        grow(&mut log, held, 10);
        backup(&old, &new);
    }
    grow(&mut log, 600, 10);
    publish(&log, &old, COPY);
    (old, new)
}

/// The log has all entries, the same heads as the one that was lost, and goes on.
fn is_whole(log: &Log, lost: &FaultyDisk) {
    let before = open(lost).unwrap();
    assert_eq!(log.heads(), before.heads());
    let reader = log.reader();
    assert_eq!(reader.logs(), before.reader().logs());
    for id in reader.logs() {
        assert_eq!(reader.opening(id), before.reader().opening(id), "{id}");
        assert_eq!(reader.head(id).unwrap(), before.reader().head(id).unwrap());
        // Where the other had a head, this one has the same root.
        let size = before.reader().head(id).unwrap().unwrap().size;
        for at in [2, 31, size / 2, size] {
            let there = before.reader().root_at(id, at).unwrap();
            assert_eq!(reader.root_at(id, at).unwrap(), there, "{id} {at}");
        }
        assert_eq!(reader.root_at(id, size + 1).unwrap(), None);
    }
    for n in [0, 399, 400, 499, 500, 599] {
        let event = decode::<ToyEvent>(n, &reader.entry(n).unwrap()).unwrap();
        assert_eq!(event.event, ToyEvent::from(Happened { n }));
    }
}

#[test]
fn what_is_missing_is_taken_back_byte_for_byte_wherever_the_backup_ended() {
    for held in [0, 10, 250, 390, 400, 410, 500, 590, 600] {
        let (old, new) = set_back(held);
        let mut log = open(&new).unwrap();
        assert_eq!(log.size(), held);
        assert_eq!(heal(&mut log, &[mirror(&old, COPY)]).unwrap(), 600 - held);
        is_whole(&log, &old);
        drop(log);
        // Opened anew, it is what it was, and goes on.
        let mut log = open(&new).unwrap();
        is_whole(&log, &old);
        assert_eq!(heal(&mut log, &[mirror(&old, COPY)]).unwrap(), 0);
        log.append(vec![entry(600)]).unwrap();
        publish(&log, &new, "/audit");
        assert_eq!(mirror(&new, "/audit").end(), 601);
    }
}

#[test]
fn the_frames_of_a_healed_log_hold_the_logs_that_auditors_see() {
    let (old, new) = set_back(250);
    let mut log = open(&new).unwrap();
    heal(&mut log, &[mirror(&old, COPY)]).unwrap();
    // The reference goes by the entries' times: 450 stands in the log of 2009, 500 in that of 2010.
    let all: Vec<NewEntry> = (0..600)
        .map(|n| {
            let mut entry = entry(n);
            if n == 500 {
                entry.time = "2010-03-01T00:00:00.000Z".parse().unwrap();
            }
            entry
        })
        .collect();
    Reference::of(&log, &all).check(&identity());
}

#[test]
fn of_several_copies_the_longest_is_used_and_a_checkpoint_that_none_can_serve_is_told() {
    let (old, new) = set_back(100);
    let shorter = FaultyDisk::new();
    let mut log = open(&shorter).unwrap();
    grow(&mut log, 450, 10);
    publish(&log, &shorter, COPY);
    // The longest has lost a tile's file.
    let tile = Path::new(COPY).join("2008/tile/entries/001.p/145");
    let longest = FaultyDisk::new();
    for path in old.paths() {
        if path.starts_with(COPY) && path != tile {
            longest.create_dir(path.parent().unwrap()).unwrap();
            let file = longest.create(&path).unwrap();
            file.write_at(&old.read(&path).unwrap(), 0).unwrap();
        }
    }
    let mut log = open(&new).unwrap();
    let mirrors = [mirror(&shorter, COPY), mirror(&longest, COPY)];
    let compared = compare(&log.reader(), &identity(), &mirrors).unwrap();
    let reached = missing(
        &log,
        compared.best.unwrap(),
        read_as::<ToyEvent>,
        &mut |_, _| {},
    );
    let Err(HealError::Mirror { dir, .. }) = reached else {
        // It was refused when it was opened.
        panic!("{reached:?}");
    };
    assert_eq!(dir, Path::new(COPY));
    // Given up, it still says how far the log reached.
    let mut mirrors = mirrors;
    mirrors[1].give_up(lgpki_ledger::TreeError::Missing("tile".to_owned()));
    let compared = compare(&log.reader(), &identity(), &mirrors).unwrap();
    assert_eq!(compared.best.unwrap().end(), 450);
    let told: Vec<_> = compared.longer.iter().map(|l| (l.size, l.have)).collect();
    assert!(told.contains(&(101, 51)), "2009 {told:?}");
    assert!(told.contains(&(101, 0)), "2010 {told:?}");
    let best = compared.best.unwrap();
    take_back(&mut log, best, read_as::<ToyEvent>, &mut |_| {}).unwrap();
    assert_eq!(log.size(), 450);
    // With a whole copy of it, the rest follows.
    assert_eq!(heal(&mut log, &[mirror(&old, COPY)]).unwrap(), 150);
    is_whole(&log, &old);
}

#[test]
fn a_shorter_copy_gives_nothing_and_is_no_fault() {
    let (old, _) = set_back(0);
    let longer = FaultyDisk::new();
    let mut log = open(&longer).unwrap();
    // Other frames than those that were published.
    grow(&mut log, 620, 20);
    assert_eq!(heal(&mut log, &[mirror(&old, COPY)]).unwrap(), 0);
}

#[test]
fn a_fork_is_refused_by_name_and_place_and_nothing_is_written() {
    let (old, new) = set_back(100);
    let mut log = open(&new).unwrap();
    log.append(vec![named(100, "somebody else")]).unwrap();
    let steps = new.steps();
    let refused = heal(&mut log, &[mirror(&old, COPY)]).unwrap_err();
    assert!(matches!(refused, HealError::Fork { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("lgpki.example/audit/issuer/2008"), "{text}");
    assert!(
        text.contains(COPY) && text.contains("from leaf 101 on"),
        "{text}"
    );
    assert_eq!(new.steps(), steps);
    // Two copies that cannot both be true, of which the log is the beginning.
    let (mut log, other) = (open(&FaultyDisk::new()).unwrap(), FaultyDisk::new());
    let mut forked = open(&other).unwrap();
    forked.append(vec![named(0, "somebody else")]).unwrap();
    publish(&forked, &other, "/other");
    let refused = heal(&mut log, &[mirror(&old, COPY), mirror(&other, "/other")]);
    assert!(
        matches!(refused, Err(HealError::Fork { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_copy_that_was_changed_or_that_another_key_signed_gives_nothing() {
    let (old, new) = set_back(100);
    let disk: Arc<dyn Disk> = Arc::new(old.clone());
    for stranger in [log_identity_with("issuer-1", 8), log_identity("intake-1")] {
        assert!(Mirror::open(&disk, Path::new(COPY), &stranger).is_err());
    }
    let bundles: Vec<PathBuf> = old
        .paths()
        .into_iter()
        .filter(|path| path.starts_with(COPY) && path.to_string_lossy().contains("/entries/"))
        .filter(|path| !path.to_string_lossy().contains("keys"))
        .collect();
    assert!(bundles.len() > 3);
    for path in bundles {
        let whole = old.read(&path).unwrap();
        old.edit(&path, |bytes| {
            let last = bytes.len() - 2;
            bytes[last] ^= 1;
        })
        .unwrap();
        let mut log = open(&new).unwrap();
        let steps = new.steps();
        let mirrors = [mirror(&old, COPY)];
        if mirrors[0].broken().is_none() {
            let refused = heal(&mut log, &mirrors).unwrap_err();
            assert!(matches!(refused, HealError::Mirror { .. }), "{refused}");
        } else {
            let compared = compare(&log.reader(), &identity(), &mirrors).unwrap();
            assert!(compared.best.is_none() && !compared.longer.is_empty());
        }
        assert_eq!(new.steps(), steps, "nothing may be written");
        drop(log);
        old.edit(&path, |bytes| *bytes = whole).unwrap();
    }
    // A checkpoint that was moved on by hand.
    let checkpoint = Path::new(COPY).join("2010/checkpoint");
    old.edit(&checkpoint, |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replace("\n101\n", "\n102\n").into_bytes();
    })
    .unwrap();
    assert!(Mirror::open(&disk, Path::new(COPY), &identity()).is_err());
}

#[test]
fn a_copy_whose_log_of_keys_is_ahead_of_its_years_gives_what_it_has_and_says_that_there_was_more() {
    let (old, new) = set_back(100);
    let mixed = FaultyDisk::new();
    let mut log = open(&mixed).unwrap();
    grow(&mut log, 300, 10);
    publish(&log, &mixed, COPY);
    for path in old.paths() {
        if path.starts_with(Path::new(COPY).join("keys")) {
            mixed.create_dir(path.parent().unwrap()).unwrap();
            let file = mixed.create(&path).unwrap();
            file.write_at(&old.read(&path).unwrap(), 0).unwrap();
        }
    }
    let mut log = open(&new).unwrap();
    let mirrors = [mirror(&mixed, COPY)];
    assert_eq!(heal(&mut log, &mirrors).unwrap(), 200);
    let compared = compare(&log.reader(), &identity(), &mirrors).unwrap();
    let told: Vec<_> = compared.longer.iter().map(|l| (l.size, l.have)).collect();
    assert_eq!(told, [(121, 61)]);
}

/// Heals with a fault; returns whether there was one.
fn heal_with(old: &FaultyDisk, new: &FaultyDisk, step: u64, fault: Fault) -> bool {
    new.fail_at(step, fault);
    let healed = open(new).map(|mut log| {
        let mirrors = [mirror(old, COPY)];
        let compared = compare(&log.reader(), &identity(), &mirrors).unwrap();
        let Some(best) = compared.best else {
            return true;
        };
        take_back(&mut log, best, read_as::<ToyEvent>, &mut |_| {}).is_ok()
    });
    let failed = !matches!(healed, Ok(true));
    failed || !new.fault_pending()
}

#[test]
fn cut_off_before_or_after_any_write_the_same_healing_goes_on() {
    let kinds = [
        Fault::Before(ErrorKind::StorageFull),
        Fault::After(ErrorKind::Other),
        Fault::Torn(700, ErrorKind::Other),
    ];
    let (old, backed_up) = set_back(390);
    let heads = open(&old).unwrap().heads();
    for fault in kinds {
        for persisted in [
            Persisted::Nothing,
            Persisted::Bytes(100),
            Persisted::Everything,
        ] {
            let mut step = 1;
            loop {
                let new = FaultyDisk::new();
                backup(&backed_up, &new);
                let hit = heal_with(&old, &new, step, fault);
                let what = format!("{fault:?} {persisted:?} at step {step}");
                new.power_cut(persisted);
                let mut log = open(&new).unwrap();
                assert!((390..=600).contains(&log.size()), "{what}");
                // What is there is a beginning of the same tree.
                heal(&mut log, &[mirror(&old, COPY)]).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(log.heads(), heads, "{what}");
                if !hit {
                    break;
                }
                step += 1;
            }
            assert!(step > 8, "{step}");
        }
    }
}

#[test]
fn a_backup_during_writes_is_a_beginning_of_the_log_and_leaves_it_alone() {
    let old = FaultyDisk::new();
    let mut log = open(&old).unwrap();
    grow(&mut log, 200, 10);
    let segment = old
        .paths()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "log"));
    let last = segment.max().unwrap();
    let whole = old.read(&last).unwrap();
    grow(&mut log, 210, 10);
    let grown = old.read(&last).unwrap();
    assert!(
        grown.len() > whole.len(),
        "the frame went into the same file"
    );
    for length in (whole.len()..=grown.len()).step_by(37) {
        // The writer is in the middle of its frame.
        let torn = grown[..length].to_vec();
        old.edit(&last, |bytes| *bytes = torn.clone()).unwrap();
        let new = FaultyDisk::new();
        backup(&old, &new);
        assert_eq!(old.read(&last).unwrap(), torn, "a look changes nothing");
        let copied = open(&new).unwrap();
        let entries = if length == grown.len() { 210 } else { 200 };
        assert_eq!(copied.size(), entries, "{length}");
        assert_eq!(copied.reader().entry(199).unwrap(), entry(199).bytes);
    }
    // A directory without a log has nothing to copy.
    let nothing = Snapshot::take(Path::new("/data/other"), &old, &identity());
    assert!(nothing.unwrap().is_none());
}
