//! Heartbeats: what the state counts is what the log holds, whatever broke off in between; and when
//! they come.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path, sync::Arc};

use lgpki_domain::{Clock, Randomness, Timestamp};
use lgpki_ledger::{Event, LogReader, decode};
use lgpki_store::{Engine, Heartbeat, OpenReport, Options, Replica, Rhythm, StoreError};
use lgpki_testkit::{Fault, FaultyDisk, ManualClock, Persisted, SeededRandom, log_identity};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{
    conformance::engines_of,
    toy::{Toy, ToyEvent, add, close},
};

fn clock() -> ManualClock {
    ManualClock::new(at("09:15:00"))
}

fn at(time: &str) -> Timestamp {
    format!("2008-02-04T{time}+09:00").parse().unwrap()
}

async fn beat(engine: &Engine<Toy>, clock: &ManualClock) -> Result<(), StoreError> {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    engine.heartbeat(clock, Rhythm::default(), "toy").await
}

/// All heartbeats of a log, each held against a recount of the entries before it.
fn recounted(log: &LogReader) -> Vec<(Timestamp, Heartbeat)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for (index, bytes) in log.read(0, usize::MAX, usize::MAX).unwrap() {
        let recorded = decode::<ToyEvent>(index, &bytes).unwrap();
        if let ToyEvent::Heartbeat(beat) = &recorded.event {
            let told = beat.kinds.iter().map(|one| (one.of.clone(), one.count));
            assert_eq!(told.collect::<BTreeMap<_, _>>(), counts, "entry {index}");
            assert!(beat.kinds.is_sorted_by(|a, b| a.of < b.of));
            assert_eq!((beat.entries, beat.every_seconds), (index, 3600));
            found.push((recorded.stamp.time, beat.clone()));
        }
        *counts.entry(recorded.event.kind().to_owned()).or_default() += 1;
    }
    found
}

fn options(disk: &FaultyDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        segment_bytes: 2000,
        flush_keys: 3,
        ..Options::new(log_identity("node-1"))
    }
}

fn open(dir: &Path, disk: &FaultyDisk) -> (Engine<Toy>, OpenReport) {
    Engine::open_embedded(dir, Toy::default(), options(disk)).unwrap()
}

/// Submits units of chance until one fails, heartbeats among them; tells how many came through.
async fn live(engine: &Engine<Toy>, random: &SeededRandom, units: u32) -> u32 {
    for unit in 0..units {
        let mut bytes = [0; 3];
        Randomness::fill(random, &mut bytes).unwrap();
        let name = format!("n{}", bytes[1] % 5);
        let done = match bytes[0] % 8 {
            0 | 1 => beat(engine, &clock()).await,
            2 => engine.submit_one(close(&name)).await.map(|_| ()),
            3 => engine.submit(Vec::new()).await.map(|_| ()),
            _ => {
                let several = (0..=bytes[2] % 4).map(|_| add(&name, 1));
                engine.submit(several.collect()).await.map(|_| ())
            }
        };
        if done.is_err() {
            return unit;
        }
    }
    units
}

#[tokio::test]
async fn a_heartbeat_counts_what_stands_before_it_on_every_engine() {
    for (sort, engine, _dir) in engines_of(Toy::default) {
        beat(&engine, &clock()).await.unwrap();
        live(&engine, &SeededRandom::new(7), 60).await;
        beat(&engine, &clock()).await.unwrap();
        let found = recounted(&engine.log());
        assert!(found.len() > 5, "{sort}: {}", found.len());
        assert_eq!(found[0].1.kinds, [], "{sort}");
        // One too large to be recorded is not counted.
        let large = add(&"x".repeat(70_000), 1);
        engine
            .submit(vec![add("a", 1), large, add("b", 1)])
            .await
            .unwrap();
        beat(&engine, &clock()).await.unwrap();
        recounted(&engine.log());
    }
}

#[tokio::test]
async fn counters_follow_the_log_through_crashes_and_a_lost_index() {
    for seed in 1..=8 {
        let random = SeededRandom::new(seed);
        let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::new());
        let mut behind = 0;
        for life in 0..6_u64 {
            let (engine, report) = open(dir.path(), &disk);
            behind += report.replayed;
            beat(&engine, &clock()).await.unwrap();
            // Before or after it was written, in one of the steps to come.
            let fault = match (seed + life) % 3 {
                0 => Fault::Before(ErrorKind::Other),
                1 => Fault::After(ErrorKind::Other),
                _ => Fault::Torn(40, ErrorKind::StorageFull),
            };
            disk.fail_at(3 + (seed * 7 + life * 5) % 20, fault);
            live(&engine, &random, 40).await;
            engine.close().await;
            disk.power_cut(match life % 2 {
                0 => Persisted::Everything,
                _ => Persisted::Nothing,
            });
            if life == 3 {
                fs::remove_dir_all(dir.path().join("index")).unwrap();
            }
        }
        assert!(behind > 0, "the index was never behind the log");
        let (engine, _) = open(dir.path(), &disk);
        beat(&engine, &clock()).await.unwrap();
        assert!(recounted(&engine.log()).len() >= 7, "seed {seed}");
        engine.submit_one(add("last", 1)).await.unwrap();
        engine.close().await;
        // Nothing to replay: the counters come from the index alone.
        let (engine, report) = open(dir.path(), &disk);
        assert_eq!((report.replayed, report.rebuilt), (0, None));
        beat(&engine, &clock()).await.unwrap();
        recounted(&engine.log());
        engine.close().await;
    }
}

#[tokio::test]
async fn an_adopted_replica_brings_its_counters() {
    for (sort, engine, _dir) in engines_of(Toy::default) {
        live(&engine, &SeededRandom::new(3), 40).await;
        let replica = Replica::try_new(Toy::default()).unwrap();
        assert_eq!(engine.adopt(replica, || ()).await.unwrap(), 0, "{sort}");
        beat(&engine, &clock()).await.unwrap();
        recounted(&engine.log());
    }
}

type Kept = JoinHandle<StoreError>;

fn keep(engine: &Engine<Toy>, clock: &ManualClock) -> Kept {
    let (engine, clock) = (engine.clone(), Arc::new(clock.clone()));
    tokio::spawn(async move {
        let rhythm = Some(Rhythm::default());
        engine.keep_heartbeats(clock, rhythm, "toy").await
    })
}

/// Returns once the worker sleeps until `time`.
async fn asleep_until(clock: &ManualClock, time: &str) {
    while !clock.has_sleeper(at(time)) {
        tokio::task::yield_now().await;
    }
}

fn times(engine: &Engine<Toy>) -> Vec<Timestamp> {
    let found = recounted(&engine.log());
    found.into_iter().map(|(time, _)| time).collect()
}

#[tokio::test]
async fn one_comes_at_each_hour_and_one_after_a_jump() {
    let (engine, clock) = (memory(), clock());
    let kept = keep(&engine, &clock);
    asleep_until(&clock, "10:00:00").await;
    clock.set(at("10:00:00"));
    asleep_until(&clock, "11:00:00").await;
    clock.set(at("15:20:00"));
    asleep_until(&clock, "16:00:00").await;
    assert_eq!(times(&engine), [at("10:00:00"), at("15:20:00")]);
    clock.set(at("08:30:00"));
    asleep_until(&clock, "09:00:00").await;
    clock.set(at("09:00:00"));
    asleep_until(&clock, "10:00:00").await;
    assert_eq!(times(&engine)[2..], [at("09:00:00")]);
    engine.close().await;
    assert!(matches!(kept.await.unwrap(), StoreError::Closed));
}

#[tokio::test]
async fn the_worker_ends_with_the_store_and_says_why() {
    let disk = FaultyDisk::new();
    let clock = clock();
    let (engine, _) =
        Engine::open_unindexed(Path::new("/data"), Toy::default(), options(&disk)).unwrap();
    engine.submit_one(add("a", 1)).await.unwrap();
    let kept = keep(&engine, &clock);
    asleep_until(&clock, "10:00:00").await;
    disk.fail_at(1, Fault::Before(ErrorKind::StorageFull));
    clock.set(at("10:00:00"));
    assert!(matches!(kept.await.unwrap(), StoreError::Stopped(_)));
    assert!(engine.stopped().is_some());
    // And at once where it was stopped by something else.
    assert!(matches!(
        keep(&engine, &clock).await.unwrap(),
        StoreError::Stopped(_)
    ));
}

fn memory() -> Engine<Toy> {
    Engine::open_memory(Toy::default(), log_identity("node-1")).unwrap()
}
