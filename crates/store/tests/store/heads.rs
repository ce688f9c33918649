//! The logs of auditors: which year a submission belongs to, who signs, what a copy set back is found by.

use std::{path::Path, sync::Arc};

use lgpki_ledger::{LogId, Opened};
use lgpki_store::{Engine, Options, StoreError};
use lgpki_testkit::{FaultyDisk, log_identity, log_identity_with};
use tempfile::TempDir;

use crate::toy::{Command, Toy, add, dump};

const OLD: &str = "2008-12-31T23:59:59.999+09:00";
const NEW: &str = "2009-01-01T00:00:00.000+09:00";

fn at(times: &[&'static str]) -> Vec<Command> {
    let named = |(i, time): (usize, &&'static str)| (*time, format!("n{i}"));
    let times = times.iter().enumerate().map(named).collect();
    vec![Command::AddAt { times }]
}

#[tokio::test]
async fn a_submission_belongs_to_the_year_of_its_latest_entry_and_a_frame_to_one_year() {
    let disk = FaultyDisk::new();
    let options = Options {
        disk: Arc::new(disk.clone()),
        ..Options::new(log_identity("node-1"))
    };
    let (engine, _) =
        Engine::open_unindexed(Path::new("/data"), Toy::<1>::default(), options).unwrap();
    // While the first frame is synced the others gather, and would stand in one frame.
    disk.pause_syncs();
    let submissions = [
        at(&[OLD]),
        at(&[OLD, OLD]),
        at(&[OLD, NEW]),
        at(&[OLD]),
        at(&[NEW]),
    ];
    let mut tasks = Vec::new();
    for (place, commands) in submissions.into_iter().enumerate() {
        let other = engine.clone();
        tasks.push(tokio::spawn(async move { other.submit(commands).await }));
        tokio::task::yield_now().await;
        if place == 0 {
            disk.wait_for_a_sync();
        }
    }
    disk.resume_syncs();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let log = engine.log();
    let years = [LogId::Year(2008), LogId::Year(2009)];
    assert_eq!(log.logs(), [years[0], years[1], LogId::Keys]);
    let heads = years.map(|year| log.head(year).unwrap().unwrap());
    assert_eq!(heads.map(|head| head.size), [1 + 3, 1 + 4]);
    let identity = engine.identity();
    for (year, head) in years.iter().zip(&heads) {
        assert!(identity.signed(*year, head));
    }
    let opened = Opened::decode(&log.opening(years[1]).unwrap()).unwrap();
    assert_eq!(opened.first, 3);
    let last = identity.checkpoint(years[0], &heads[0]).to_string();
    assert_eq!(opened.previous, Some(last));
    assert_eq!(engine.heads().unwrap().entries, heads[1]);
    engine.close().await;
}

#[tokio::test]
async fn a_directory_is_opened_with_the_key_and_the_name_it_was_signed_with_and_no_other() {
    let dir = TempDir::new().unwrap();
    let open = |log| Engine::open_embedded(dir.path(), Toy::<1>::default(), Options::new(log));
    let (engine, _) = open(log_identity("node-1")).unwrap();
    engine.submit_one(add("a", 1)).await.unwrap();
    let before = dump(&engine).await;
    engine.close().await;
    for stranger in [log_identity_with("node-1", 8), log_identity("other-1")] {
        let refused = open(stranger).unwrap_err();
        assert!(matches!(refused, StoreError::Log(_)), "{refused}");
        assert!(refused.to_string().contains("log_key"), "{refused}");
    }
    // Another node of the same service goes on.
    let (engine, report) = open(log_identity("node-2")).unwrap();
    assert_eq!(report.rebuilt, None);
    assert_eq!(dump(&engine).await, before);
    engine.close().await;
}

#[tokio::test]
async fn an_old_copy_is_refused_by_the_mark_of_a_year_before_too() {
    let dir = TempDir::new().unwrap();
    let copy = TempDir::new().unwrap();
    let open = |dir: &Path| {
        let options = Options::new(log_identity("node-1"));
        Engine::open_embedded(dir, Toy::<1>::default(), options)
    };
    let (engine, _) = open(dir.path()).unwrap();
    engine.submit(at(&[OLD])).await.unwrap();
    engine.publish_mark(1).await.unwrap();
    let mark = std::fs::read(dir.path().join("published")).unwrap();
    engine.submit(at(&[NEW])).await.unwrap();
    engine.close().await;
    // The mark of the year before still fits.
    std::fs::write(dir.path().join("published"), &mark).unwrap();
    open(dir.path()).unwrap().0.close().await;
    // Another history with as many entries does not.
    let (engine, _) = open(copy.path()).unwrap();
    let times = ["other", "n0"].map(|name| (OLD, name.to_owned())).to_vec();
    engine.submit(vec![Command::AddAt { times }]).await.unwrap();
    engine.close().await;
    std::fs::write(copy.path().join("published"), &mark).unwrap();
    let refused = open(copy.path()).unwrap_err();
    assert!(matches!(refused, StoreError::SetBack { .. }), "{refused}");
    // The same history in other frames, as where it was healed, does.
    let healed = TempDir::new().unwrap();
    let (engine, _) = open(healed.path()).unwrap();
    engine.submit(at(&[OLD, OLD])).await.unwrap();
    engine.close().await;
    std::fs::write(healed.path().join("published"), &mark).unwrap();
    open(healed.path()).unwrap().0.close().await;
}

#[tokio::test]
async fn a_store_in_memory_signs_as_well() {
    let log = log_identity("node-1");
    let engine = Engine::open_memory(Toy::<1>::default(), log).unwrap();
    assert_eq!(engine.heads(), None);
    engine.submit_one(add("a", 1)).await.unwrap();
    let heads = engine.heads().unwrap();
    assert_eq!((heads.end, heads.keys.size), (1, 1));
    assert!(engine.identity().signed(LogId::Keys, &heads.keys));
}
