//! A process that writes is killed, again and again, on the same directory.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use lgpki_store::{Engine, Options, StoreError};
use lgpki_testkit::SeededRandom;
use tempfile::TempDir;

use crate::toy::{Toy, add, dump, from_log};

const GO: &str = "child-may-run";

fn open(dir: &Path) -> Result<Engine<Toy>, StoreError> {
    let options = Options {
        flush_keys: 50,
        segment_bytes: 100_000,
        ..Options::new("node-1")
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

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--ignored", "--nocapture"])
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_killing_the_process() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join(GO), "").unwrap();
    let data = dir.path().join("data");
    let random = SeededRandom::new(11);
    let mut acknowledged = 0;
    for round in 0..8 {
        let mut child = spawn(dir.path());
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
