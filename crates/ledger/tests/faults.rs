//! Every write and sync broken, before and after it persists, with and without a power cut.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{io::ErrorKind, path::Path, sync::Arc};

mod support;

use lgpki_ledger::{Log, LogError, NewEntry};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_identity};

use crate::support::{Reference, new_entry};

const DIR: &str = "/data/issuer";

fn entry(i: u64) -> Vec<u8> {
    format!(r#"{{"i":{i},"x":"{}"}}"#, "y".repeat(40)).into_bytes()
}

/// The year changes before entry 8, and the clock is set back before entry 14.
fn new(i: u64) -> NewEntry {
    let time = match i {
        8..14 => "2009-01-01T00:00:00.000Z",
        _ => "2008-12-31T00:00:00.000Z",
    };
    new_entry(entry(i), time, i % 4 == 1)
}

fn pair(first: u64) -> [NewEntry; 2] {
    [new(first), new(first + 1)]
}

fn open(disk: &FaultyDisk) -> Result<Log, LogError> {
    let disk = Arc::new(disk.clone());
    Log::open_with(Path::new(DIR), disk, log_identity("issuer-1"), 1200).map(|(log, _)| log)
}

/// Appends pairs until something fails; returns the entries acknowledged.
fn run(disk: &FaultyDisk, until: u64) -> (u64, Option<LogError>) {
    let mut log = match open(disk) {
        Ok(log) => log,
        Err(e) => return (0, Some(e)),
    };
    while log.size() < until {
        let first = log.size();
        if let Err(e) = log.append(pair(first).to_vec()) {
            assert!(matches!(
                log.append(vec![new(first)]),
                Err(LogError::Poisoned(_))
            ));
            assert_eq!(log.size(), first);
            assert_eq!(log.reader().durable(), first);
            return (first, Some(e));
        }
    }
    (log.size(), None)
}

fn check(log: &Log, acknowledged: u64, what: &str) {
    assert!(log.size() >= acknowledged, "{what}: {} left", log.size());
    assert_eq!(log.size() % 2, 0, "{what}: half a frame");
    for i in 0..log.size() {
        assert_eq!(log.reader().entry(i).unwrap(), entry(i), "{what}");
    }
    let all: Vec<_> = (0..log.size()).map(new).collect();
    Reference::of(log, &all).check(&log_identity("issuer-1"));
}

#[test]
fn nothing_acknowledged_is_lost_whichever_step_fails_and_whatever_a_power_cut_leaves() {
    let clean = FaultyDisk::new();
    run(&clean, 20);
    let steps = clean.steps();
    assert!(steps > 25, "the run must cross several segments");
    let kinds = [
        Fault::Before(ErrorKind::StorageFull),
        Fault::After(ErrorKind::Other),
        Fault::Torn(1, ErrorKind::Other),
        Fault::Torn(60, ErrorKind::StorageFull),
        Fault::Torn(320, ErrorKind::Other),
    ];
    let cuts = [
        Persisted::Nothing,
        Persisted::Bytes(1),
        Persisted::Bytes(350),
        Persisted::Everything,
    ];
    for step in 1..=steps {
        for fault in kinds {
            for cut in cuts {
                let what = format!("step {step} of {steps}, {fault:?}, {cut:?}");
                let disk = FaultyDisk::new();
                disk.fail_at(step, fault);
                let (acknowledged, error) = run(&disk, 20);
                assert!(error.is_some() && !disk.fault_pending(), "{what}");
                disk.power_cut(cut);
                let log = open(&disk).unwrap_or_else(|e| panic!("{what}: {e}"));
                check(&log, acknowledged, &what);
                drop(log);
                assert_eq!(run(&disk, 24).0, 24, "{what}");
                check(&open(&disk).unwrap(), 24, &what);
            }
        }
    }
}

#[test]
fn a_fault_while_recovering_loses_nothing_either() {
    for step in 1..=4 {
        let disk = FaultyDisk::new();
        // The eighth append is torn.
        let clean = FaultyDisk::new();
        run(&clean, 14);
        disk.fail_at(clean.steps() + 1, Fault::Torn(100, ErrorKind::Other));
        let (acknowledged, _) = run(&disk, 20);
        disk.power_cut(Persisted::Everything);
        disk.fail_at(step, Fault::Before(ErrorKind::Other));
        let _ = open(&disk);
        disk.power_cut(Persisted::Nothing);
        check(&open(&disk).unwrap(), acknowledged, &format!("step {step}"));
    }
}

#[test]
fn a_full_disk_is_named_and_says_what_to_do() {
    let disk = FaultyDisk::new();
    run(&disk, 2);
    disk.fail_at(3, Fault::Before(ErrorKind::StorageFull));
    let (_, error) = run(&disk, 20);
    let error = error.unwrap();
    assert!(matches!(error, LogError::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("free space"), "{error}");
}

#[test]
fn a_recovered_tail_is_synced_before_it_is_served() {
    let disk = FaultyDisk::new();
    run(&disk, 2);
    let mut log = open(&disk).unwrap();
    // The write persists in memory only; the process dies before the sync.
    disk.fail_at(2, Fault::Before(ErrorKind::Other));
    assert!(log.append(pair(2).to_vec()).is_err());
    drop(log);
    let served = open(&disk).unwrap().size();
    disk.power_cut(Persisted::Nothing);
    assert_eq!(open(&disk).unwrap().size(), served);
}
