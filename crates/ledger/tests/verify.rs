//! Entries altered together with their checksums, in whichever segment they stand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, sync::Arc};

use lgpki_domain::Timestamp;
use lgpki_ledger::{Disk, DiskFile, Log, LogError, MemoryDisk, NewEntry, disk::read_whole};
use lgpki_testkit::{alter_first_entry, log_identity};

const DIR: &str = "data";
/// 2008-12-31T12:00:00+09:00.
const LATE: i64 = 1_230_692_400;

fn open(disk: &MemoryDisk) -> Result<Log, LogError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Log::open_with(Path::new(DIR), disk, log_identity("issuer-1"), 600).map(|(log, _)| log)
}

/// A log of three entries a frame, in segments of two frames, in two years; its segments with the
/// first entry of each.
fn grown(disk: &MemoryDisk) -> Vec<(String, Vec<u8>)> {
    let mut log = open(disk).unwrap();
    for n in 0..12_i64 {
        let entry = |m: i64| NewEntry {
            bytes: format!("{{\"m\":{m},\"n\":{n}}}").into_bytes(),
            time: Timestamp::from_seconds(LATE + n * 12_000),
            ceremony: (n + m) % 4 == 0,
        };
        log.append((0..3).map(entry).collect()).unwrap();
    }
    let names = disk.list(&Path::new(DIR).join("log")).unwrap();
    let mut segments: Vec<_> = names
        .into_iter()
        .filter_map(|name| {
            let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
            let first = log.reader().entry(digits.parse().ok()?).unwrap();
            Some((name, first))
        })
        .collect();
    segments.sort();
    segments
}

fn file(disk: &MemoryDisk, name: &str) -> Arc<dyn DiskFile> {
    disk.open(&Path::new(DIR).join("log").join(name)).unwrap()
}

#[test]
fn a_log_that_nobody_altered_verifies_to_its_end() {
    let disk = MemoryDisk::new();
    let log = open(&disk).unwrap();
    log.reader().verify(&mut |_| panic!("it is empty")).unwrap();
    drop(log);
    grown(&disk);
    let mut told = 0;
    let log = open(&disk).unwrap();
    log.reader().verify(&mut |read| told = read).unwrap();
    assert_eq!(told, 36);
}

#[test]
fn an_entry_altered_with_its_checksums_is_found_in_whichever_segment_it_stands() {
    let count = grown(&MemoryDisk::new()).len();
    assert!(count > 3);
    for which in 0..count {
        let disk = MemoryDisk::new();
        let (name, entry) = &grown(&disk)[which];
        let file = file(&disk, name);
        let mut bytes = read_whole(file.as_ref()).unwrap();
        alter_first_entry(&mut bytes, entry, |entry| entry[5] ^= 1);
        file.write_at(&bytes, 0).unwrap();
        let found = open(&disk).and_then(|log| log.reader().verify(&mut |_| {}));
        let Err(LogError::Corrupt { path, what, .. }) = found else {
            panic!("{which}: {found:?}");
        };
        assert!(path.ends_with(name), "{}", path.display());
        assert!(what.contains("do not hash"), "{what}");
    }
}
