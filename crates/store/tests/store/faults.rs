//! Each write and sync of the log broken, then opened again.

use std::{
    collections::BTreeMap,
    future::Future,
    io::ErrorKind,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use lgpki_store::{Engine, OpenReport, Options, StoreError};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_identity};
use tempfile::TempDir;

use crate::toy::{Outcome, Toy, add, dump, from_log};

const ROUNDS: u64 = 12;

fn options(disk: &FaultyDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        segment_bytes: 900,
        flush_keys: 2,
        ..Options::new(log_identity("node-1"))
    }
}

type Opened = Result<(Engine<Toy>, OpenReport), StoreError>;

fn unindexed(disk: &FaultyDisk) -> Opened {
    Engine::open_unindexed(Path::new("/data"), Toy::default(), options(disk))
}

/// Submits pairs until something fails; returns how many were acknowledged.
async fn run(opened: Opened, rounds: u64) -> (u64, Option<StoreError>) {
    let (engine, _) = match opened {
        Ok(opened) => opened,
        Err(e) => return (0, Some(e)),
    };
    let mut failed = None;
    let mut acknowledged = 0;
    for i in 0..rounds {
        match engine
            .submit(vec![add("a", 1), add(&format!("n{i}"), 1)])
            .await
        {
            Ok(_) => acknowledged = i + 1,
            Err(e) => {
                assert!(matches!(e, StoreError::Stopped(_)), "{e}");
                assert!(engine.read(|_, _| ()).await.is_err());
                assert!(engine.submit_one(add("a", 1)).await.is_err());
                failed = Some(engine.failed().await);
                break;
            }
        }
    }
    engine.close().await;
    (acknowledged, failed)
}

async fn check(engine: &Engine<Toy>, acknowledged: u64, what: &str) {
    let all = dump(engine).await;
    let pairs = all.get("a").copied().unwrap_or(0);
    assert!(pairs >= acknowledged, "{what}: {pairs} of {acknowledged}");
    let mut expected: BTreeMap<String, u64> = (0..pairs).map(|i| (format!("n{i}"), 1)).collect();
    if pairs > 0 {
        expected.insert("a".to_owned(), pairs);
    }
    assert_eq!(all, expected, "{what}: a submission is there in part");
    assert_eq!(from_log(&engine.log()), all, "{what}");
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_whichever_step_of_the_log_fails() {
    let clean = FaultyDisk::new();
    assert_eq!(run(unindexed(&clean), ROUNDS).await.0, ROUNDS);
    let faults = [
        Fault::Before(ErrorKind::StorageFull),
        Fault::After(ErrorKind::Other),
        Fault::Torn(70, ErrorKind::StorageFull),
    ];
    let cuts = [
        Persisted::Nothing,
        Persisted::Bytes(100),
        Persisted::Everything,
    ];
    for step in 1..=clean.steps() {
        for fault in faults {
            for cut in cuts {
                let what = format!("step {step}, {fault:?}, {cut:?}");
                let disk = FaultyDisk::new();
                disk.fail_at(step, fault);
                let (acknowledged, _) = run(unindexed(&disk), ROUNDS).await;
                assert!(!disk.fault_pending(), "{what}");
                disk.power_cut(cut);
                let (engine, _) = unindexed(&disk).unwrap_or_else(|e| panic!("{what}: {e}"));
                check(&engine, acknowledged, &what).await;
                engine.close().await;
            }
        }
    }
}

#[tokio::test]
async fn the_index_is_never_ahead_of_a_log_that_failed() {
    for step in [8, 9, 12, 15, 20, 23] {
        let dir = TempDir::new().unwrap();
        let disk = FaultyDisk::new();
        let open = || Engine::open_embedded(dir.path(), Toy::default(), options(&disk));
        disk.fail_at(step, Fault::Before(ErrorKind::Other));
        let (acknowledged, failed) = run(open(), ROUNDS).await;
        assert!(failed.is_some());
        disk.power_cut(Persisted::Nothing);
        let (engine, report) = open().unwrap();
        assert_eq!(
            (report.torn_bytes, &report.rebuilt),
            (0, &None),
            "step {step}"
        );
        check(&engine, acknowledged, &format!("step {step}")).await;
        engine.close().await;
    }
}

/// Looks at a future once.
fn look<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>) -> Poll<T> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn nobody_hears_of_an_effect_before_its_sync_returns() {
    let disk = FaultyDisk::new();
    let (engine, _) = unindexed(&disk).unwrap();
    engine.submit_one(add("a", 1)).await.unwrap();
    disk.pause_syncs();
    let mut submitted: Pin<Box<dyn Future<Output = _>>> = Box::pin(engine.submit_one(add("a", 1)));
    assert!(look(&mut submitted).is_pending());
    disk.wait_for_a_sync();
    assert!(look(&mut submitted).is_pending());
    let mut read: Pin<Box<dyn Future<Output = _>>> =
        Box::pin(engine.read(|machine, _| machine.total));
    assert!(
        look(&mut read).is_pending(),
        "the reader may have seen what is not durable"
    );
    assert_eq!((engine.log().durable(), *engine.watch().borrow()), (1, 1));
    assert_eq!(engine.log().read(0, 10, usize::MAX).unwrap().len(), 1);
    disk.resume_syncs();
    assert_eq!(
        submitted.await.unwrap(),
        Outcome::Balance {
            balance: 2,
            index: 1
        }
    );
    assert_eq!(read.await.unwrap(), 2);
}

#[tokio::test]
async fn the_index_waits_for_a_sync_that_then_fails() {
    let dir = TempDir::new().unwrap();
    let disk = FaultyDisk::new();
    let open = || Engine::open_embedded(dir.path(), Toy::<1>::default(), options(&disk));
    let (engine, _) = open().unwrap();
    engine.submit_one(add("a", 1)).await.unwrap();
    disk.pause_syncs();
    let submit = |i: u64| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.submit_one(add(&format!("n{i}"), 1)).await })
    };
    let tasks: Vec<_> = (0..6).map(submit).collect();
    tokio::task::yield_now().await;
    disk.wait_for_a_sync();
    disk.fail_at(1, Fault::Before(ErrorKind::Other));
    disk.resume_syncs();
    for task in tasks {
        assert!(task.await.unwrap().is_err());
    }
    engine.close().await;
    disk.power_cut(Persisted::Nothing);
    let (engine, report) = open().unwrap();
    assert_eq!((report.entries, report.rebuilt), (1, None));
    assert_eq!(dump(&engine).await, BTreeMap::from([("a".to_owned(), 1)]));
}

#[tokio::test]
async fn a_full_disk_stops_the_store_with_a_message_that_helps() {
    let disk = FaultyDisk::new();
    run(unindexed(&disk), 1).await;
    disk.fail_at(4, Fault::Before(ErrorKind::StorageFull));
    let (_, failed) = run(unindexed(&disk), ROUNDS).await;
    let text = failed.unwrap().to_string();
    assert!(
        text.contains("no space is left") && text.contains("free space"),
        "{text}"
    );
}
