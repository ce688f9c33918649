//! What is published of the logs, and what a directory that does not fit is refused by.

use std::{fs, path::Path, sync::Arc, time::Duration};

use lgpki_ledger::{Identity, LogId, OsDisk, TileReader, published::Directory};
use lgpki_store::{Engine, OpenReport, Options, Publishing, StoreError};
use lgpki_testkit::log_identity;
use tempfile::TempDir;

use crate::toy::{Command, Toy, add};

pub(crate) const OLD: &str = "2008-12-31T23:59:59.999+09:00";
pub(crate) const NEW: &str = "2009-01-01T00:00:00.000+09:00";

fn open(dir: &Path) -> Result<(Engine<Toy>, OpenReport), StoreError> {
    let options = Options {
        publish: Some(Publishing {
            every: Duration::from_millis(1),
            limit: Duration::ZERO,
            ..Publishing::default()
        }),
        ..Options::new(log_identity("node-1"))
    };
    Engine::open_embedded(dir, Toy::default(), options)
}

pub(crate) fn at(time: &'static str, name: &str) -> Vec<Command> {
    vec![Command::AddAt {
        times: vec![(time, name.to_owned())],
    }]
}

fn published(dir: &Path, identity: &Identity, log: LogId) -> TileReader {
    let dir = dir.join("audit").join(log.to_string());
    let line = fs::read_to_string(dir.join("vkey")).unwrap();
    assert_eq!(line.trim_end(), identity.verifier(log).to_string());
    let source = Directory::new(Arc::new(OsDisk), dir);
    let key = identity.verifier(log);
    TileReader::open(Arc::new(source), &key).unwrap().0
}

pub(crate) async fn eventually(holds: impl Fn() -> bool) {
    let patience = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), patience).await;
    waited.unwrap();
}

#[tokio::test]
async fn all_that_is_recorded_is_published_while_it_runs_and_when_it_closes() {
    let dir = TempDir::new().unwrap();
    let (engine, _) = open(dir.path()).unwrap();
    engine.submit(at(OLD, "a")).await.unwrap();
    eventually(|| engine.publication().unwrap().end == 1).await;
    for (time, name) in [(OLD, "b"), (NEW, "c"), (NEW, "d")] {
        engine.submit(at(time, name)).await.unwrap();
    }
    let log = engine.log();
    let identity = engine.identity().clone();
    engine.close().await;
    let sizes = [
        (LogId::Year(2008), 3),
        (LogId::Year(2009), 3),
        (LogId::Keys, 1),
    ];
    for (id, size) in sizes {
        let tiles = published(dir.path(), &identity, id);
        assert_eq!(tiles.size(), size, "{id}");
        let leaves = log.leaves(id, 0, 100, usize::MAX).unwrap();
        for (i, leaf) in (0..).zip(leaves) {
            assert_eq!(tiles.entry(i).unwrap(), leaf, "{id} {i}");
        }
    }
    // Opened again it finds what it left, and goes on.
    let (engine, _) = open(dir.path()).unwrap();
    engine.submit(at(OLD, "e")).await.unwrap();
    engine.close().await;
    assert_eq!(
        published(dir.path(), &identity, LogId::Year(2009)).size(),
        4
    );
    assert_eq!(
        published(dir.path(), &identity, LogId::Year(2008)).size(),
        3
    );
}

#[tokio::test]
async fn a_log_set_back_behind_what_it_published_is_refused() {
    let dir = TempDir::new().unwrap();
    let (engine, _) = open(dir.path()).unwrap();
    engine.submit(at(OLD, "a")).await.unwrap();
    engine.close().await;
    let copy = TempDir::new().unwrap();
    copy_all(&dir.path().join("log"), &copy.path().join("log"));
    let (engine, _) = open(dir.path()).unwrap();
    engine.submit(at(OLD, "b")).await.unwrap();
    engine.close().await;
    let audit = copy.path().join("audit");
    copy_all(&dir.path().join("audit"), &audit);
    let refused = open(copy.path()).unwrap_err();
    assert!(matches!(refused, StoreError::SetBack { .. }), "{refused}");
    assert!(refused.to_string().contains("2008"), "{refused}");
    // A year that the log knows nothing of.
    let (engine, _) = open(dir.path()).unwrap();
    engine.submit(at(NEW, "c")).await.unwrap();
    engine.close().await;
    fs::remove_dir_all(&audit).unwrap();
    copy_all(&dir.path().join("audit/2009"), &audit.join("2009"));
    let refused = open(copy.path()).unwrap_err();
    assert!(matches!(refused, StoreError::SetBack { .. }), "{refused}");
    assert!(refused.to_string().contains("2009"), "{refused}");
    // Without anything published it is only an older log.
    fs::remove_dir_all(&audit).unwrap();
    open(copy.path()).unwrap().0.close().await;
}

#[tokio::test]
async fn what_cannot_be_published_is_recorded_all_the_same_and_told_as_late() {
    let dir = TempDir::new().unwrap();
    let (engine, _) = open(dir.path()).unwrap();
    let in_the_way = dir.path().join("audit");
    fs::write(&in_the_way, "").unwrap();
    engine.submit_one(add("a", 1)).await.unwrap();
    eventually(|| engine.publication().unwrap().failing.is_some()).await;
    engine.submit_one(add("b", 1)).await.unwrap();
    let publication = engine.publication().unwrap();
    assert_eq!((publication.end, publication.late), (0, true));
    fs::remove_file(&in_the_way).unwrap();
    eventually(|| engine.publication().unwrap().end == 2).await;
    let publication = engine.publication().unwrap();
    assert_eq!((publication.failing, publication.late), (None, false));
    assert_eq!(publication.lag, Duration::ZERO);
    engine.close().await;
}

#[tokio::test]
async fn what_is_missing_of_the_published_files_is_written_anew() {
    let dir = TempDir::new().unwrap();
    let (engine, _) = open(dir.path()).unwrap();
    for i in 0..300 {
        engine.submit(at(OLD, &format!("n{i}"))).await.unwrap();
    }
    let identity = engine.identity().clone();
    engine.close().await;
    fs::remove_dir_all(dir.path().join("audit/2008/tile")).unwrap();
    open(dir.path()).unwrap().0.close().await;
    let tiles = published(dir.path(), &identity, LogId::Year(2008));
    assert_eq!(tiles.size(), 301);
    tiles.entry(0).unwrap();
    tiles.entry(300).unwrap();
}

pub(crate) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn a_log_that_is_altered_while_it_runs_stops_the_service() {
    let dir = TempDir::new().unwrap();
    let options = Options {
        segment_bytes: 1000,
        publish: Some(Publishing {
            every: Duration::from_millis(1),
            ..Publishing::default()
        }),
        ..Options::new(log_identity("node-1"))
    };
    let (engine, _) = Engine::<Toy>::open_embedded(dir.path(), Toy::default(), options).unwrap();
    let in_the_way = dir.path().join("audit");
    fs::write(&in_the_way, "").unwrap();
    for n in 0..20 {
        engine.submit_one(add("a", n)).await.unwrap();
    }
    let entry = engine.log().entry(0).unwrap();
    let segment = dir.path().join("log/segment-00000000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    lgpki_testkit::alter_first_entry(&mut bytes, &entry, |entry| {
        let digit = entry.iter_mut().rfind(|byte| byte.is_ascii_digit());
        *digit.unwrap() ^= 1;
    });
    fs::write(&segment, bytes).unwrap();
    fs::remove_file(&in_the_way).unwrap();
    let stopped = engine.failed().await.to_string();
    assert!(stopped.contains("was altered where it lies"), "{stopped}");
    assert!(engine.submit_one(add("a", 1)).await.is_err());
}
