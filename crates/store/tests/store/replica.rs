//! A state rebuilt from the log beside the live one, and adopted by it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lgpki_store::{Beside, Engine, Options, Replica};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::{
    conformance::engines_of,
    toy::{Toy, accounts, add, balances, close, crooked, dump, from_log},
};

fn replica() -> Replica<Toy> {
    Replica::try_new(Toy::default()).unwrap()
}

async fn fill(engine: &Engine<Toy>) {
    for n in 0..30 {
        let name = format!("n{}", n % 7);
        let commands = vec![add(&name, n), add("bent", 1), add("lost", 1)];
        engine.submit(commands).await.unwrap();
    }
    engine.submit_one(close("n3")).await.unwrap();
}

/// The balances and the totals, live and rebuilt.
type Both = [(BTreeMap<String, u64>, u64); 2];

fn both(beside: &Beside<'_, Toy>) -> Both {
    assert_eq!(
        beside.live_tables.next_index(),
        beside.rebuilt_tables.next_index()
    );
    [
        (balances(&beside.live_tables), beside.live.total),
        (balances(&beside.rebuilt_tables), beside.rebuilt.total),
    ]
}

#[tokio::test]
async fn a_replica_of_what_is_right_is_equal_and_changes_nothing() {
    for (sort, engine, _dir) in engines_of(Toy::default) {
        fill(&engine).await;
        let mut replica = replica();
        let mut told = Vec::new();
        while !engine
            .replay(&mut replica, 9, |recorded| told.push(recorded.index))
            .unwrap()
        {}
        let size = engine.log().durable();
        assert_eq!(told, (0..size).collect::<Vec<_>>(), "{sort}");
        assert_eq!((replica.position(), replica.machine().loaded), (size, true));
        let [live, rebuilt] = engine.beside(&mut replica, both).await.unwrap();
        assert_eq!(live, rebuilt, "{sort}");
        assert_eq!(engine.adopt(replica, || ()).await.unwrap(), 0, "{sort}");
        assert_eq!(dump(&engine).await, from_log(&engine.log()));
    }
}

#[tokio::test]
async fn what_differs_from_the_log_is_seen_and_put_right_and_stays_so() {
    for (sort, engine, dir) in engines_of(crooked) {
        fill(&engine).await;
        let mut replica = replica();
        let [live, rebuilt] = engine.beside(&mut replica, both).await.unwrap();
        let truth = from_log(&engine.log());
        assert_eq!(rebuilt.0, truth, "{sort}");
        assert_ne!(live.0, truth);
        assert_ne!(live.1, rebuilt.1);
        let size = engine.log().durable();
        // A ghost goes, what was bent is mended, what was lost is found; and the order follows.
        assert!(engine.adopt(replica, || ()).await.unwrap() >= 3, "{sort}");
        assert_eq!(dump(&engine).await, truth, "{sort}");
        assert_eq!(engine.log().durable(), size, "the log was touched");
        engine.close().await;
        let Some(dir) = dir else { continue };
        let options = Options::new(lgpki_testkit::log_identity("node-1"));
        let (engine, report) =
            Engine::open_embedded(dir.path(), Toy::<1>::default(), options).unwrap();
        assert_eq!((report.replayed, report.rebuilt), (0, None));
        assert_eq!(dump(&engine).await, truth);
        engine.submit_one(add("more", 1)).await.unwrap();
        assert_eq!(dump(&engine).await, from_log(&engine.log()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuilding_and_adopting_go_on_beside_the_writer() {
    for (sort, engine, _dir) in engines_of(Toy::default) {
        let writer = engine.clone();
        let writing = tokio::spawn(async move {
            for n in 0..400_u64 {
                let name = format!("n{}", n % 50);
                writer.submit_one(add(&name, n)).await.unwrap();
            }
        });
        for _ in 0..8 {
            let mut replica = replica();
            let [live, rebuilt] = engine.beside(&mut replica, both).await.unwrap();
            assert_eq!(live, rebuilt, "{sort}");
            assert_eq!(engine.adopt(replica, || ()).await.unwrap(), 0, "{sort}");
        }
        writing.await.unwrap();
        assert_eq!(dump(&engine).await, from_log(&engine.log()), "{sort}");
    }
}

#[tokio::test]
async fn a_closed_engine_adopts_nothing() {
    let dir = TempDir::new().unwrap();
    let (engine, _) = Engine::open_embedded(
        dir.path(),
        crooked(),
        Options::new(lgpki_testkit::log_identity("node-1")),
    )
    .unwrap();
    fill(&engine).await;
    let wrong = accounts(&engine).await;
    let mut replica = replica();
    while !engine.replay(&mut replica, 100, |_| ()).unwrap() {}
    engine.close().await;
    assert!(engine.adopt(replica, || ()).await.is_err());
    let (engine, _) = Engine::open_embedded(
        dir.path(),
        Toy::default(),
        Options::new(lgpki_testkit::log_identity("node-1")),
    )
    .unwrap();
    assert_eq!(accounts(&engine).await, wrong);
}

#[tokio::test]
async fn readers_wait_for_no_loading_while_a_replica_is_adopted() {
    for (sort, engine, _dir) in engines_of(crooked) {
        fill(&engine).await;
        let mut replica = replica();
        engine.beside(&mut replica, both).await.unwrap();
        engine.adopt(replica, || ()).await.unwrap();
        let loads = engine.read(|machine, _| machine.loads).await.unwrap();
        assert_eq!(loads, 1, "{sort}: only when it was opened");
        assert_eq!(dump(&engine).await, from_log(&engine.log()), "{sort}");
    }
}

#[tokio::test]
async fn tables_longer_than_one_look_are_compared_to_their_end() {
    for (sort, engine, _dir) in engines_of(crooked) {
        for some in 0..10_u64 {
            let names = (0..1_000).map(|n| add(&format!("n{:05}", some * 1_000 + n), 1));
            let last = ["bent", "lost"].map(|name| add(name, 1));
            engine.submit(names.chain(last).collect()).await.unwrap();
        }
        let mut replica = replica();
        engine.beside(&mut replica, both).await.unwrap();
        assert!(engine.adopt(replica, || ()).await.unwrap() >= 3, "{sort}");
        assert_eq!(dump(&engine).await, from_log(&engine.log()), "{sort}");
    }
}

#[tokio::test]
async fn commands_are_carried_out_between_two_stretches_and_what_they_wrote_is_put_right_too() {
    for (sort, engine, dir) in engines_of(crooked) {
        for some in 0..10_u64 {
            let names = (0..1_000).map(|n| add(&format!("n{:05}", some * 1_000 + n), 1));
            engine.submit(names.collect()).await.unwrap();
        }
        let mut replica = replica();
        engine.beside(&mut replica, both).await.unwrap();
        let (writer, runtime) = (engine.clone(), Handle::current());
        let stretches = Arc::new(AtomicU64::new(0));
        let passed = Arc::clone(&stretches);
        let between = move || {
            let n = passed.fetch_add(1, Ordering::SeqCst);
            // What stands where it was compared before and will be only then; wrongly written, and rightly.
            let names = ["bent", "lost", "n00000", "n09999", &format!("o{n}")];
            let commands = names.map(|name| add(name, n + 1)).into();
            runtime.block_on(writer.submit(commands)).unwrap();
        };
        assert!(engine.adopt(replica, between).await.unwrap() >= 3, "{sort}");
        assert!(stretches.load(Ordering::SeqCst) >= 4, "{sort}");
        let truth = from_log(&engine.log());
        assert!(truth["bent"] > 1 && truth["lost"] > 1, "{sort}");
        assert_eq!(dump(&engine).await, truth, "{sort}");
        engine.close().await;
        let Some(dir) = dir else { continue };
        let options = Options::new(lgpki_testkit::log_identity("node-1"));
        let opened = Engine::open_embedded(dir.path(), Toy::<1>::default(), options);
        assert_eq!(dump(&opened.unwrap().0).await, truth, "{sort}");
    }
}
