//! Many callers at once.

use lgpki_store::{Engine, Options, StoreError};
use tempfile::TempDir;

use crate::toy::{Command, Outcome, Toy, add, dump, from_log};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_one_of_many_callers_is_answered_and_the_index_follows_the_log() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        flush_keys: 20,
        queue: 8,
        segment_bytes: 50_000,
        ..Options::new(lgpki_testkit::log_identity("node-1"))
    };
    let (engine, _) =
        Engine::open_embedded(dir.path(), Toy::<1>::default(), options.clone()).unwrap();
    let mut tasks = Vec::new();
    for task in 0..24 {
        let engine = engine.clone();
        tasks.push(tokio::spawn(async move {
            for i in 0..40_u64 {
                let own = format!("own-{task}");
                let shared = Command::AddTwo {
                    names: [format!("shared-{}", i % 5), own.clone()],
                    amount: 1,
                };
                let outcomes = engine.submit(vec![shared, add(&own, 1)]).await.unwrap();
                let Outcome::Balance { balance, index } = outcomes[1] else {
                    panic!("{outcomes:?}");
                };
                assert_eq!(balance, 2 * (i + 1));
                assert!(engine.log().durable() > index);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(engine.log().durable(), 24 * 40 * 3);
    let live = dump(&engine).await;
    assert_eq!(live, from_log(&engine.log()));
    engine.close().await;
    let (engine, report) = Engine::open_embedded(dir.path(), Toy::<1>::default(), options).unwrap();
    assert_eq!((report.replayed, report.rebuilt), (0, None));
    assert_eq!(dump(&engine).await, live);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_is_durable_when_the_reader_hears_of_it() {
    let engine =
        Engine::open_memory(Toy::<1>::default(), lgpki_testkit::log_identity("node-1")).unwrap();
    let writer = engine.clone();
    let writing = tokio::spawn(async move {
        for _ in 0..300 {
            writer.submit_one(add("a", 1)).await.unwrap();
        }
    });
    let mut seen = 0;
    while seen < 300 {
        seen = engine.read(|_, view| view.next_index()).await.unwrap();
        assert!(engine.log().durable() >= seen);
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn a_watcher_hears_of_growth() {
    let engine =
        Engine::open_memory(Toy::<1>::default(), lgpki_testkit::log_identity("node-1")).unwrap();
    let mut watch = engine.watch();
    assert_eq!(*watch.borrow_and_update(), 0);
    engine.submit(vec![add("a", 1), add("a", 1)]).await.unwrap();
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow_and_update(), 2);
}

#[tokio::test]
async fn a_full_queue_refuses_those_who_will_not_wait() {
    let options = Options {
        queue: 1,
        disk: std::sync::Arc::new(lgpki_ledger::MemoryDisk::new()),
        ..Options::new(lgpki_testkit::log_identity("node-1"))
    };
    let dir = std::path::Path::new("/log");
    let (engine, _) = Engine::open_unindexed(dir, Toy::<1>::default(), options).unwrap();
    // A reader that holds its lock keeps the writer from deciding, so the queue fills.
    let (held, release) = std::sync::mpsc::channel::<()>();
    let (reading, started) = std::sync::mpsc::channel();
    let reader = engine.clone();
    let runtime = tokio::runtime::Handle::current();
    let blocked = std::thread::spawn(move || {
        runtime.block_on(reader.read(move |_, _| {
            reading.send(()).unwrap();
            release.recv().unwrap();
        }))
    });
    started.recv().unwrap();
    // One is being decided, one waits in the queue; of the others at least one finds no room.
    let submit = |_| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.try_submit(vec![add("a", 1)]).await })
    };
    let tasks: Vec<_> = (0..4).map(submit).collect();
    tokio::task::yield_now().await;
    held.send(()).unwrap();
    let mut refused = 0;
    for task in tasks {
        match task.await.unwrap() {
            Err(StoreError::Overloaded) => refused += 1,
            other => drop(other.unwrap()),
        }
    }
    blocked.join().unwrap().unwrap();
    assert!((1..4).contains(&refused), "{refused}");
    assert_eq!(engine.log().durable(), 4 - refused);
}
