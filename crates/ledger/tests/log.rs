//! The log on real files: appending, reading, segments, damage, the lock.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

mod support;

use lgpki_ledger::{Disk, Log, LogError, LogId, MemoryDisk, NewEntry, OsDisk};
use lgpki_testkit::log_identity;
use tempfile::TempDir;

use crate::support::{Reference, new_entry};

fn entry(i: u64) -> Vec<u8> {
    let fill = "x".repeat(usize::try_from(i * 37 % 400).unwrap());
    format!(r#"{{"i":{i},"x":"{fill}"}}"#).into_bytes()
}

/// Every seventh entry is about keys.
fn entries(range: std::ops::Range<u64>) -> Vec<NewEntry> {
    range
        .map(|i| new_entry(entry(i), "2008-02-03T00:15:00.000Z", i % 7 == 0))
        .collect()
}

fn large(bytes: usize) -> Vec<NewEntry> {
    vec![new_entry(
        vec![b'1'; bytes],
        "2008-02-03T00:15:00.000Z",
        false,
    )]
}

fn check_heads(log: &Log) {
    let size = log.size();
    Reference::of(log, &entries(0..size)).check(&log_identity("issuer-1"));
}

/// Appends until `size`, in frames of 1, 2, 3, 1, 2, 3 … entries.
fn fill(log: &mut Log, size: u64) {
    let mut step = 0;
    while log.size() < size {
        step = step % 3 + 1;
        let first = log.size();
        let appended = log.append(entries(first..size.min(first + step))).unwrap();
        assert_eq!((appended.first, appended.size), (first, log.size()));
    }
    check_heads(log);
}

fn open(dir: &Path, segment: u64) -> Result<Log, LogError> {
    Log::open_with(dir, Arc::new(OsDisk), log_identity("issuer-1"), segment).map(|(log, _)| log)
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("log")).unwrap();
    let mut paths: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    paths.sort();
    paths
}

fn check_reading(log: &Log) {
    let reader = log.reader();
    let size = log.size();
    assert_eq!(reader.durable(), size);
    for i in 0..size {
        assert_eq!(reader.entry(i).unwrap(), entry(i), "{i}");
    }
    assert!(matches!(
        reader.entry(size),
        Err(LogError::Beyond { index, .. }) if index == size
    ));
    for (from, max) in [(0, 1000), (0, 7), (13, 5), (size - 1, 9), (size, 9)] {
        let read = reader.read(from, max, usize::MAX).unwrap();
        let until = size.min(from + max as u64);
        let expected: Vec<_> = (from..until).map(|i| (i, entry(i))).collect();
        assert_eq!(read, expected, "{from} {max}");
    }
    let mut at = 0;
    while at < size {
        let read = reader.read(at, usize::MAX, 1000).unwrap();
        let bytes: usize = read.iter().map(|(_, e)| e.len()).sum();
        assert!(!read.is_empty() && (bytes <= 1000 || read.len() == 1));
        assert!(read.iter().all(|(i, e)| *e == entry(*i)));
        at += read.len() as u64;
    }
}

#[test]
fn what_was_appended_is_read_in_one_segment_and_in_many_on_disk_and_in_memory() {
    for segment in [u64::MAX, 3000, 1] {
        let dir = TempDir::new().unwrap();
        let disks: [Arc<dyn Disk>; 2] = [Arc::new(OsDisk), Arc::new(MemoryDisk::new())];
        for disk in disks {
            let (mut log, recovery) = Log::open_with(
                dir.path(),
                Arc::clone(&disk),
                log_identity("issuer-1"),
                segment,
            )
            .unwrap();
            assert_eq!((recovery.entries, recovery.torn_bytes), (0, 0));
            fill(&mut log, 100);
            check_reading(&log);
            drop(log);
            let (mut log, recovery) = Log::open_with(
                dir.path(),
                Arc::clone(&disk),
                log_identity("issuer-1"),
                segment,
            )
            .unwrap();
            assert_eq!((recovery.entries, recovery.torn_bytes), (100, 0));
            assert_eq!(recovery.segments > 1, segment < u64::MAX);
            check_reading(&log);
            fill(&mut log, 130);
            check_reading(&log);
            let reader = log.reader();
            let at = |size| reader.head_at(LogId::Year(2008), size).unwrap();
            assert_eq!(at(131), log.heads().map(|heads| heads.entries));
            assert_eq!(at(2).map(|head| head.size), Some(2));
            // The second frame holds entries 1 and 2; the opening entry was never a head's last leaf.
            assert_eq!([at(0), at(1), at(3), at(132)], [None; 4]);
        }
    }
}

#[test]
fn an_entry_over_the_limit_stops_the_log_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    let mut log = open(dir.path(), 3000).unwrap();
    fill(&mut log, 3);
    assert!(log.append([entries(3..4), large(65_536)].concat()).is_err());
    assert!(matches!(
        log.append(entries(3..4)),
        Err(LogError::Poisoned(_))
    ));
    drop(log);
    let mut log = open(dir.path(), 3000).unwrap();
    assert_eq!(log.size(), 3);
    log.append(large(65_535)).unwrap();
    assert_eq!(log.reader().entry(3).unwrap().len(), 65_535);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_nothing_before_it_is_lost() {
    let dir = TempDir::new().unwrap();
    let mut log = open(dir.path(), u64::MAX).unwrap();
    fill(&mut log, 6);
    let path = segments(dir.path()).pop().unwrap();
    let before = fs::metadata(&path).unwrap().len();
    log.append(entries(6..8)).unwrap();
    drop(log);
    let whole = fs::read(&path).unwrap();
    for length in usize::try_from(before).unwrap()..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (mut log, recovery) =
            Log::open(dir.path(), Arc::new(OsDisk), log_identity("issuer-1")).unwrap();
        assert_eq!(recovery.entries, 6, "{length}");
        check_heads(&log);
        assert_eq!(recovery.torn_bytes, length as u64 - before);
        log.append(entries(6..8)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn damage_that_whole_frames_follow_is_reported_and_not_cut() {
    let dir = TempDir::new().unwrap();
    let mut log = open(dir.path(), u64::MAX).unwrap();
    fill(&mut log, 10);
    drop(log);
    let path = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    // The last frame but one begins somewhere before the last three entries.
    let last_frames: usize = entries(6..10).iter().map(|e| e.bytes.len()).sum::<usize>() + 1100;
    for at in (0..whole.len() - last_frames).step_by(11) {
        let mut bad = whole.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        let error = open(dir.path(), u64::MAX).unwrap_err();
        assert!(matches!(error, LogError::Corrupt { .. }), "{at}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bad, "nothing may be changed");
    }
}

#[test]
fn damage_in_an_earlier_segment_is_found_when_it_is_opened_or_read() {
    let dir = TempDir::new().unwrap();
    let mut log = open(dir.path(), 2000).unwrap();
    fill(&mut log, 40);
    drop(log);
    let path = segments(dir.path()).remove(1);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(7) {
        let mut bad = whole.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let found = match open(dir.path(), 2000) {
            Err(error) => error,
            Ok(log) => log.reader().read(0, 1000, usize::MAX).unwrap_err(),
        };
        assert!(matches!(found, LogError::Corrupt { .. }), "{at}: {found}");
    }
}

#[test]
fn a_missing_or_cut_segment_is_reported() {
    let dir = TempDir::new().unwrap();
    let mut log = open(dir.path(), 2000).unwrap();
    fill(&mut log, 40);
    drop(log);
    let path = segments(dir.path()).remove(1);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(
        open(dir.path(), 2000),
        Err(LogError::Corrupt { .. })
    ));
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        open(dir.path(), 2000),
        Err(LogError::Corrupt { .. })
    ));
    fs::write(&path, &whole).unwrap();
    assert_eq!(open(dir.path(), 2000).unwrap().size(), 40);
}

#[test]
fn a_second_opening_is_refused_with_a_clear_message() {
    let dir = TempDir::new().unwrap();
    let log = open(dir.path(), 2000).unwrap();
    let error = open(dir.path(), 2000).unwrap_err();
    assert!(matches!(error, LogError::InUse(_)));
    assert!(
        error.to_string().contains("in use by another process"),
        "{error}"
    );
    drop(log);
    open(dir.path(), 2000).unwrap();
}

#[test]
fn a_reader_follows_the_writer_and_sees_only_whole_appends() {
    let dir = TempDir::new().unwrap();
    let mut log = open(dir.path(), 5000).unwrap();
    let reader = log.reader();
    std::thread::scope(|scope| {
        scope.spawn(move || fill(&mut log, 300));
        let mut next = 0;
        while next < 300 {
            for (index, bytes) in reader.read(next, 10, usize::MAX).unwrap() {
                assert_eq!((index, bytes), (next, entry(next)));
                next += 1;
            }
        }
    });
}
