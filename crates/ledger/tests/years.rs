//! The logs of years and of keys, their opening entries, and who signed them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod support;

use std::{io::ErrorKind, path::Path, sync::Arc};

use lgpki_ledger::{Disk, Log, LogError, LogId, MemoryDisk, NewEntry, Opened};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_identity, log_identity_with};

use crate::support::{Reference, new_entry};

const DIR: &str = "/data/issuer";
const OLD: &str = "2008-12-31T14:59:59.999Z";
const NEW: &str = "2008-12-31T15:00:00.000Z";
const LATER: &str = "2010-06-01T00:00:00.000Z";

fn new(i: usize, time: &str, ceremony: bool) -> NewEntry {
    new_entry(format!("{{\"i\":{i}}}").into_bytes(), time, ceremony)
}

fn open(disk: &(impl Disk + Clone)) -> Result<Log, LogError> {
    let disk = Arc::new(disk.clone());
    Log::open(Path::new(DIR), disk, log_identity("issuer-1")).map(|(log, _)| log)
}

fn time_of(reader: &lgpki_ledger::LogReader, log: LogId) -> String {
    let text = String::from_utf8(reader.opening(log).unwrap()).unwrap();
    let (_, time) = text.split_once("\"time\":\"").unwrap();
    time.split('"').next().unwrap().to_owned()
}

/// A time as entries tell it.
fn shown(time: &str) -> String {
    let time: lgpki_domain::Timestamp = time.parse().unwrap();
    time.to_string()
}

#[test]
fn a_year_in_japan_begins_a_log_and_a_clock_set_back_does_not() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk).unwrap();
    assert_eq!((log.year(), log.heads()), (None, None));
    assert_eq!(log.reader().logs(), []);
    let frames: [&[NewEntry]; 6] = [
        &[new(0, OLD, false), new(1, OLD, true)],
        &[new(2, OLD, false)],
        // A frame that holds both years goes into the later one.
        &[new(3, OLD, false), new(4, NEW, true), new(5, NEW, false)],
        &[new(6, OLD, true)],
        &[new(7, LATER, false)],
        &[new(8, NEW, false)],
    ];
    let mut all: Vec<NewEntry> = Vec::new();
    for (i, frame) in frames.into_iter().enumerate() {
        log.append(frame.to_vec()).unwrap();
        // What comes first in a frame of both years stands in the later one's log too.
        all.extend_from_slice(frame);
        if i == 2 {
            NEW.parse().map(|time| all[3].time = time).unwrap();
        }
        Reference::of(&log, &all).check(&log_identity("issuer-1"));
        if i % 2 == 1 {
            drop(log);
            log = open(&disk).unwrap();
            Reference::of(&log, &all).check(&log_identity("issuer-1"));
        }
    }
    let reader = log.reader();
    let years = [2008, 2009, 2010].map(LogId::Year);
    assert_eq!(reader.logs(), [&years[..], &[LogId::Keys]].concat());
    let times = years.map(|year| time_of(&reader, year));
    assert_eq!(times, [OLD, NEW, LATER].map(shown));
    assert_eq!(reader.head_at(LogId::Keys, 4).unwrap().unwrap().size, 4);
    assert_eq!(reader.head_at(LogId::Keys, 1).unwrap(), None);
}

#[test]
fn the_log_of_keys_has_a_head_even_if_nothing_is_about_keys() {
    let disk = MemoryDisk::new();
    let mut log = open(&disk).unwrap();
    log.append(vec![new(0, OLD, false)]).unwrap();
    log.append(vec![new(1, NEW, false)]).unwrap();
    drop(log);
    let reader = open(&disk).unwrap().reader();
    assert_eq!(
        reader.head_at(LogId::Keys, 1).unwrap(),
        reader.head(LogId::Keys).unwrap()
    );
    assert_eq!(reader.leaves(LogId::Keys, 0, 9, 9).unwrap().len(), 1);
}

#[test]
fn a_head_of_another_key_or_another_name_is_refused_and_nothing_is_changed() {
    let disk = FaultyDisk::new();
    let mut log = open(&disk).unwrap();
    log.append(vec![new(0, OLD, true)]).unwrap();
    log.append(vec![new(1, OLD, false)]).unwrap();
    drop(log);
    let segment = Path::new(DIR).join("log/segment-00000000000000000000.log");
    // A torn tail, which must not be cut for a stranger.
    disk.edit(&segment, |bytes| bytes.extend_from_slice(b"LGF2 torn"))
        .unwrap();
    let strangers = [log_identity_with("issuer-1", 8), log_identity("intake-1")];
    let steps = disk.steps();
    for stranger in strangers {
        let refused = Log::open(Path::new(DIR), Arc::new(disk.clone()), stranger).unwrap_err();
        assert!(matches!(refused, LogError::Unsigned { .. }), "{refused}");
        assert!(refused.to_string().contains("log_key"), "{refused}");
    }
    assert_eq!(disk.steps(), steps, "nothing may be written");
    assert_eq!(open(&disk).unwrap().size(), 2);
}

#[test]
fn files_without_signed_heads_are_refused_with_what_to_do() {
    let disk = FaultyDisk::new();
    let mut log = open(&disk).unwrap();
    log.append(vec![new(0, OLD, true)]).unwrap();
    drop(log);
    let segment = Path::new(DIR).join("log/segment-00000000000000000000.log");
    disk.edit(&segment, |bytes| bytes[..4].copy_from_slice(b"LGS1"))
        .unwrap();
    let refused = open(&disk).unwrap_err();
    assert!(matches!(refused, LogError::OldForm(_)), "{refused}");
    assert!(refused.to_string().contains("lgpki init"), "{refused}");
}

#[test]
fn a_year_whose_first_frame_was_lost_keeps_its_opening_entry_or_gives_way_to_a_later_year() {
    for (time, kept) in [(OLD, true), (NEW, true), (LATER, false)] {
        for fault in [
            Fault::Before(ErrorKind::Other),
            Fault::Torn(40, ErrorKind::Other),
        ] {
            let disk = FaultyDisk::new();
            let mut log = open(&disk).unwrap();
            log.append(vec![new(0, OLD, true)]).unwrap();
            // After the five steps of the header comes the frame's write.
            disk.fail_at(6, fault);
            assert!(log.append(vec![new(1, NEW, false)]).is_err());
            assert!(!disk.fault_pending());
            drop(log);
            disk.power_cut(Persisted::Everything);
            let mut log = open(&disk).unwrap();
            assert_eq!((log.size(), log.year()), (1, Some(2009)));
            let reader = log.reader();
            assert_eq!(
                reader.logs(),
                [LogId::Year(2008), LogId::Keys],
                "2009 has no head"
            );
            assert_eq!(reader.opening(LogId::Year(2009)), None);
            let last = reader.head(LogId::Year(2008)).unwrap().unwrap();
            log.append(vec![new(1, time, false)]).unwrap();
            let year = LogId::Year(if kept { 2009 } else { 2010 });
            assert_eq!(reader.logs(), [LogId::Year(2008), year, LogId::Keys]);
            assert_eq!(
                time_of(&reader, year),
                shown(if kept { NEW } else { LATER })
            );
            let opened = Opened::decode(&reader.opening(year).unwrap()).unwrap();
            let final_one = log_identity("issuer-1").checkpoint(LogId::Year(2008), &last);
            assert_eq!(
                (opened.first, opened.previous),
                (1, Some(final_one.to_string()))
            );
            drop(log);
            assert_eq!(open(&disk).unwrap().size(), 2);
        }
    }
}

#[test]
fn a_log_that_never_got_its_first_entry_begins_anew_with_the_next() {
    let disk = FaultyDisk::new();
    let mut log = open(&disk).unwrap();
    disk.fail_at(6, Fault::Before(ErrorKind::Other));
    assert!(log.append(vec![new(0, OLD, false)]).is_err());
    drop(log);
    let mut log = open(&disk).unwrap();
    assert_eq!((log.size(), log.heads()), (0, None));
    log.append(vec![new(0, NEW, true)]).unwrap();
    drop(log);
    let log = open(&disk).unwrap();
    assert_eq!(log.reader().logs(), [LogId::Year(2009), LogId::Keys]);
    Reference::of(&log, &[new(0, NEW, true)]).check(&log_identity("issuer-1"));
}

#[test]
fn a_year_that_does_not_follow_the_one_before_is_reported() {
    let disk = FaultyDisk::new();
    let mut log = open(&disk).unwrap();
    log.append(vec![new(0, OLD, false)]).unwrap();
    log.append(vec![new(1, NEW, false)]).unwrap();
    drop(log);
    // Another log with the same shape and another first entry.
    let other = FaultyDisk::new();
    let mut log = open(&other).unwrap();
    log.append(vec![new(9, OLD, false)]).unwrap();
    drop(log);
    let segment = Path::new(DIR).join("log/segment-00000000000000000000.log");
    let mut foreign = Vec::new();
    other
        .edit(&segment, |bytes| foreign.clone_from(bytes))
        .unwrap();
    disk.edit(&segment, |bytes| *bytes = foreign).unwrap();
    let refused = open(&disk).unwrap_err();
    assert!(matches!(refused, LogError::Corrupt { .. }), "{refused}");
    assert!(
        refused.to_string().contains("does not continue"),
        "{refused}"
    );
}
