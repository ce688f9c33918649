//! Openings: kept, found, erased, and what a crash leaves of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{io::ErrorKind, path::Path, sync::Arc};

use lgpki_store::{Opening, OpeningStore, StoreError, commit};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, SeededRandom};

const DIR: &str = "/data/intake";

fn open(disk: &FaultyDisk) -> Result<OpeningStore, StoreError> {
    OpeningStore::open(Path::new(DIR), Arc::new(disk.clone()))
}

fn openings(range: std::ops::Range<u64>) -> Vec<Opening> {
    range
        .map(|i| commit(&SeededRandom::new(i), &format!("総務 {i}")).unwrap())
        .collect()
}

fn file(disk: &FaultyDisk) -> Vec<u8> {
    let mut bytes = Vec::new();
    let path = Path::new(DIR).join("openings");
    disk.edit(&path, |content| bytes.clone_from(content))
        .unwrap();
    bytes
}

#[test]
fn a_commitment_is_opened_by_its_salt_and_text_only() {
    let [opening] = &openings(1..2)[..] else {
        panic!("one was asked for");
    };
    assert!(opening.holds());
    assert_eq!((opening.commitment.len(), opening.salt.len()), (43, 16));
    let other = Opening {
        text: "総務 2".to_owned(),
        ..opening.clone()
    };
    assert!(!other.holds());
    let again = commit(&SeededRandom::new(2), &opening.text).unwrap();
    assert_ne!(
        again.commitment, opening.commitment,
        "the salt hides equal texts"
    );
    assert!(!format!("{opening:?}").contains("総務"));
}

#[test]
fn what_was_put_is_found_after_opening_again_until_it_is_erased() {
    let disk = FaultyDisk::new();
    let all = openings(0..6);
    let store = open(&disk).unwrap();
    store.put(&all[..2]).unwrap();
    store.put(&all[2..]).unwrap();
    assert!(open(&disk).unwrap_err().to_string().contains("in use"));
    drop(store);
    disk.power_cut(Persisted::Nothing);
    let store = open(&disk).unwrap();
    assert!(
        all.iter()
            .all(|o| store.get(&o.commitment).as_ref() == Some(o))
    );
    let gone = [all[1].commitment.clone(), all[4].commitment.clone()];
    store.erase(&gone).unwrap();
    store.erase(&gone).unwrap();
    store.put(&openings(9..10)).unwrap();
    drop(store);
    disk.power_cut(Persisted::Nothing);
    let store = open(&disk).unwrap();
    assert_eq!(store.count(), 5);
    assert_eq!(store.get(&gone[0]), None);
    let text = String::from_utf8_lossy(&file(&disk)).into_owned();
    assert!(text.contains("総務 2") && !text.contains("総務 1") && !text.contains("総務 4"));
}

#[test]
fn whichever_step_fails_what_was_kept_stays_and_what_was_erased_is_gone() {
    let all = openings(0..4);
    let erased = all[0].commitment.clone();
    let run = |disk: &FaultyDisk| -> (usize, bool) {
        let Ok(store) = open(disk) else {
            return (0, false);
        };
        let mut kept = 0;
        for pair in all.chunks(2) {
            if store.put(pair).is_err() {
                return (kept, false);
            }
            kept += pair.len();
        }
        let erased = store.erase(std::slice::from_ref(&erased)).is_ok();
        (kept, erased)
    };
    let clean = FaultyDisk::new();
    assert_eq!(run(&clean), (4, true));
    for step in 1..=clean.steps() {
        for fault in [
            Fault::Before(ErrorKind::Other),
            Fault::After(ErrorKind::Other),
            Fault::Torn(90, ErrorKind::StorageFull),
        ] {
            for cut in [
                Persisted::Nothing,
                Persisted::Bytes(50),
                Persisted::Everything,
            ] {
                let what = format!("step {step}, {fault:?}, {cut:?}");
                let disk = FaultyDisk::new();
                disk.fail_at(step, fault);
                let (kept, gone) = run(&disk);
                disk.power_cut(cut);
                let store = open(&disk).unwrap_or_else(|e| panic!("{what}: {e}"));
                for opening in &all[1..kept.max(1)] {
                    assert!(store.get(&opening.commitment).is_some(), "{what}");
                }
                assert!(!gone || store.get(&erased).is_none(), "{what}");
                store.put(&openings(20..21)).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_failed_write_is_told_to_whoever_keeps_the_service_running() {
    for erasing in [false, true] {
        let disk = FaultyDisk::new();
        let store = open(&disk).unwrap();
        let all = openings(0..2);
        store.put(&all[..1]).unwrap();
        let watched = store.failed();
        tokio::pin!(watched);
        tokio::select! {
            biased;
            error = &mut watched => panic!("nothing failed yet: {error}"),
            () = std::future::ready(()) => {}
        }
        disk.fail_at(1, Fault::Before(ErrorKind::StorageFull));
        let failed = if erasing {
            store.erase(&[all[0].commitment.clone()])
        } else {
            store.put(&all[1..])
        };
        assert!(matches!(failed, Err(StoreError::Openings { .. })));
        let error = watched.await;
        assert!(matches!(error, StoreError::Openings { .. }), "{error}");
        // For good, and for whoever asks later as well.
        assert!(store.put(&all[1..]).is_err());
        store.failed().await;
    }
}

#[test]
fn damage_before_whole_records_is_reported_and_not_cut() {
    let disk = FaultyDisk::new();
    let store = open(&disk).unwrap();
    store.put(&openings(0..1)).unwrap();
    store.put(&openings(1..2)).unwrap();
    drop(store);
    let path = Path::new(DIR).join("openings");
    disk.edit(&path, |bytes| bytes[40] ^= 1).unwrap();
    assert!(matches!(open(&disk), Err(StoreError::Corrupt(_))));
}
