//! A process that writes is killed, again and again, on the same directory.
//!
//! Apart from the other tests, and one at a time: a process that is being started holds for a moment
//! what its parent has open, such as the lock of another test's directory.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

#[allow(dead_code, reason = "the other tests use the rest of it")]
#[path = "../store/toy.rs"]
mod toy;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use lgpki_store::{Engine, Options, Replica, StoreError};
use lgpki_testkit::{SeededRandom, log_identity};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::toy::{Toy, accounts, add, crooked, dump, from_log};

const GO: &str = "child-may-run";

/// Whoever has it may start processes.
static TURN: Mutex<()> = Mutex::const_new(());

fn open(dir: &Path) -> Result<Engine<Toy>, StoreError> {
    let options = Options {
        flush_keys: 50,
        segment_bytes: 100_000,
        publish: Some(lgpki_store::Publishing {
            every: std::time::Duration::from_millis(5),
            ..lgpki_store::Publishing::default()
        }),
        ..Options::new(log_identity("node-1"))
    };
    Engine::open_embedded(dir, Toy::default(), options).map(|(engine, _)| engine)
}

/// Not a test of its own: the process that is killed. Tells each acknowledgement on its output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test below"]
async fn child() {
    if !Path::new(GO).exists() {
        return;
    }
    let engine = open(Path::new("data")).unwrap();
    let acknowledge = async |task: u64| {
        let name = format!("task-{task}");
        loop {
            let commands = vec![add(&name, 1), add("all", 1)];
            engine.submit(commands).await.unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged").unwrap();
            out.flush().unwrap();
        }
    };
    tokio::join!(
        acknowledge(0),
        acknowledge(1),
        acknowledge(2),
        acknowledge(3)
    );
}

/// Not a test of its own either: it puts a wrong index right, and tells when that is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test at the end"]
async fn adopting_child() {
    if !Path::new(GO).exists() {
        return;
    }
    let tell = |what: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{what}").unwrap();
        out.flush().unwrap();
    };
    let engine = open(Path::new("data")).unwrap();
    tell("opened");
    let mut replica = Replica::try_new(Toy::default()).unwrap();
    while !engine.replay(&mut replica, 100, |_| ()).unwrap() {}
    engine.adopt(replica, || ()).await.unwrap();
    tell("adopted");
    std::future::pending::<()>().await;
}

fn spawn(dir: &Path, child: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--ignored", "--nocapture"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_killing_the_process() {
    let _turn = TURN.lock().await;
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join(GO), "").unwrap();
    let data = dir.path().join("data");
    let random = SeededRandom::new(11);
    let mut acknowledged = 0;
    for round in 0..8 {
        let mut child = spawn(dir.path(), "child");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = |line: std::io::Result<String>| line.is_ok_and(|l| l.contains("acknowledged"));
        let wanted = usize::try_from(random.below(400)).unwrap() + 1;
        let mut heard = lines
            .by_ref()
            .map(told)
            .filter(|told| *told)
            .take(wanted)
            .count();
        assert_eq!(heard, wanted, "round {round}: the child ended by itself");
        if round == 0 {
            let error = open(&data).unwrap_err();
            assert!(
                error.to_string().contains("in use by another process"),
                "{error}"
            );
        }
        child.kill().unwrap();
        child.wait().unwrap();
        heard += lines.map(told).filter(|told| *told).count();
        acknowledged += heard as u64;

        let engine = open(&data).unwrap();
        let all = dump(&engine).await;
        assert!(all["all"] >= acknowledged, "round {round}");
        let tasks: u64 = all
            .iter()
            .filter(|(n, _)| *n != "all")
            .map(|(_, b)| b)
            .sum();
        assert_eq!(
            tasks, all["all"],
            "round {round}: a submission is there in part"
        );
        assert_eq!(all, from_log(&engine.log()));
        acknowledged = all["all"];
        engine.close().await;
    }
}

#[tokio::test]
async fn a_kill_while_an_index_is_put_right_leaves_the_one_before_or_the_one_after() {
    let _turn = TURN.lock().await;
    let random = SeededRandom::new(12);
    let (mut before, mut after) = (0, 0);
    for round in 0..12_u64 {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join(GO), "").unwrap();
        let data = dir.path().join("data");
        let (engine, _) =
            Engine::open_embedded(&data, crooked(), Options::new(log_identity("node-1"))).unwrap();
        for n in 0..40 {
            let names = [format!("n{n}"), "bent".to_owned(), "lost".to_owned()];
            let all = names.iter().map(|name| add(name, 2)).collect();
            engine.submit(all).await.unwrap();
        }
        let (truth, wrong) = (from_log(&engine.log()), accounts(&engine).await);
        assert_ne!(truth, wrong);
        engine.close().await;

        let mut child = spawn(dir.path(), "adopting_child");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut hear = |what: &str| {
            lines
                .by_ref()
                .any(|line| line.is_ok_and(|l| l.contains(what)))
        };
        assert!(hear("opened"));
        // Every other child gets to its end.
        let patient = round % 2 == 0;
        if patient {
            assert!(hear("adopted"));
        } else {
            std::thread::sleep(std::time::Duration::from_micros(random.below(4000)));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let adopted = patient || hear("adopted");

        let engine = open(&data).unwrap();
        let found = accounts(&engine).await;
        assert_eq!(from_log(&engine.log()), truth, "round {round}");
        if found == truth {
            dump(&engine).await;
            after += 1;
        } else {
            assert!(!adopted, "round {round}: what was adopted is gone");
            assert_eq!(found, wrong, "round {round}: a mixture");
            before += 1;
        }
        engine.close().await;
    }
    assert!(after >= 6, "{before} {after}");
}
