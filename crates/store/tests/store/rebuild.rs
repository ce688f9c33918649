//! The index lost, damaged, foreign or set back; the log set back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use lgpki_store::{Engine, OpenReport, Options, StoreError};
use tempfile::TempDir;

use crate::toy::{Toy, add, close, dump, from_log};

fn options() -> Options {
    Options {
        flush_keys: 16,
        ..Options::new(lgpki_testkit::log_identity("node-1"))
    }
}

fn open(dir: &Path) -> Result<(Engine<Toy>, OpenReport), StoreError> {
    Engine::open_embedded(dir, Toy::default(), options())
}

async fn fill(engine: &Engine<Toy>, rounds: u64) {
    for i in 0..rounds {
        let name = format!("n{}", i % 13);
        engine
            .submit(vec![add(&name, i), add("all", 1)])
            .await
            .unwrap();
        if i % 7 == 6 {
            engine.submit_one(close(&name)).await.unwrap();
        }
    }
}

async fn filled() -> (TempDir, BTreeMap<String, u64>, u64) {
    let dir = TempDir::new().unwrap();
    let (engine, report) = open(dir.path()).unwrap();
    assert_eq!(report, OpenReport::default());
    fill(&engine, 60).await;
    let all = dump(&engine).await;
    let size = engine.log().durable();
    engine.close().await;
    (dir, all, size)
}

/// Opens the directory, which must rebuild its index for a reason that names `why`.
async fn check_rebuilt(dir: &Path, all: &BTreeMap<String, u64>, size: u64, why: &str) {
    let (engine, report) = open(dir).unwrap();
    let reason = report.rebuilt.clone().unwrap_or_default();
    assert!(reason.contains(why), "{why}: {report:?}");
    assert_eq!((report.entries, report.replayed), (size, size), "{why}");
    assert_eq!(&dump(&engine).await, all, "{why}");
    engine.close().await;
    let (engine, report) = open(dir).unwrap();
    assert_eq!((report.replayed, report.rebuilt), (0, None), "{why}");
    assert_eq!(&dump(&engine).await, all, "{why}");
    engine.close().await;
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&path, target).unwrap();
    }
}

#[tokio::test]
async fn a_lost_emptied_or_damaged_index_is_rebuilt_and_equal() {
    let (dir, all, size) = filled().await;
    let index = dir.path().join("index");
    fs::remove_dir_all(&index).unwrap();
    check_rebuilt(dir.path(), &all, size, "empty").await;

    for file in files(&index) {
        fs::remove_file(file).unwrap();
    }
    check_rebuilt(dir.path(), &all, size, "empty").await;

    for file in files(&index) {
        fs::write(file, b"garbage").unwrap();
    }
    check_rebuilt(dir.path(), &all, size, "").await;

    for file in files(&index) {
        let mut bytes = fs::read(&file).unwrap();
        bytes.iter_mut().step_by(50).for_each(|byte| *byte ^= 0x55);
        fs::write(file, bytes).unwrap();
    }
    check_rebuilt(dir.path(), &all, size, "").await;
}

#[tokio::test]
async fn an_index_that_was_open_when_the_machine_went_down_is_not_trusted() {
    let (dir, all, size) = filled().await;
    let note = dir.path().join("index.state");
    assert_eq!(fs::read_to_string(&note).unwrap(), "closed\n");
    fs::write(&note, "opened in another run of the system\n").unwrap();
    check_rebuilt(dir.path(), &all, size, "the machine went down").await;
    fs::remove_file(&note).unwrap();
    check_rebuilt(dir.path(), &all, size, "the machine went down").await;
}

#[tokio::test]
async fn an_index_of_another_log_or_ahead_of_its_own_is_not_trusted() {
    let (dir, all, size) = filled().await;
    let (other, _, _) = filled().await;
    let (engine, _) = open(other.path()).unwrap();
    engine.submit_one(add("more", 1)).await.unwrap();
    engine.close().await;
    let index = dir.path().join("index");
    fs::remove_dir_all(&index).unwrap();
    copy(&other.path().join("index"), &index);
    check_rebuilt(dir.path(), &all, size, "and the log holds").await;

    // As long as this log, but another one.
    let third = TempDir::new().unwrap();
    let (engine, _) = open(third.path()).unwrap();
    for i in 0..size {
        engine.submit_one(add("other", i)).await.unwrap();
    }
    engine.close().await;
    fs::remove_dir_all(&index).unwrap();
    copy(&third.path().join("index"), &index);
    check_rebuilt(dir.path(), &all, size, "another log").await;
}

#[tokio::test]
async fn a_half_made_snapshot_of_sled_is_removed() {
    let (dir, all, _) = filled().await;
    let half = dir
        .path()
        .join("index")
        .join("snap.0000000000000001.generating");
    fs::write(&half, b"half").unwrap();
    let (engine, report) = open(dir.path()).unwrap();
    assert_eq!(report.rebuilt, None);
    assert!(!half.exists());
    assert_eq!(dump(&engine).await, all);
}

#[tokio::test]
async fn another_version_of_the_tables_is_rebuilt() {
    let (dir, all, size) = filled().await;
    let (engine, report) =
        Engine::open_embedded(dir.path(), Toy::<2>::default(), options()).unwrap();
    assert!(report.rebuilt.unwrap().contains("another version"));
    assert_eq!(report.replayed, size);
    assert_eq!(dump(&engine).await, all);
}

#[tokio::test]
async fn tables_that_the_machine_cannot_load_are_rebuilt() {
    let (dir, all, size) = filled().await;
    let machine = Toy::<1> {
        distrustful: true,
        ..Toy::default()
    };
    let (engine, report) = Engine::open_embedded(dir.path(), machine, options()).unwrap();
    assert!(report.rebuilt.unwrap().contains("looks odd"));
    assert_eq!(report.replayed, size);
    assert_eq!(dump(&engine).await, all);
}

#[tokio::test]
async fn an_index_behind_the_log_is_brought_up_to_it() {
    let (dir, _, size) = filled().await;
    let saved = TempDir::new().unwrap();
    copy(&dir.path().join("index"), saved.path());
    let (engine, _) = open(dir.path()).unwrap();
    fill(&engine, 20).await;
    let all = dump(&engine).await;
    let grown = engine.log().durable();
    engine.close().await;
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    copy(saved.path(), &dir.path().join("index"));
    let (engine, report) = open(dir.path()).unwrap();
    assert_eq!((report.replayed, report.rebuilt), (grown - size, None));
    assert_eq!(dump(&engine).await, all);
    assert_eq!(from_log(&engine.log()), all);
}

#[tokio::test]
async fn a_log_set_back_behind_what_was_published_is_refused() {
    let (dir, _, _) = filled().await;
    let old = TempDir::new().unwrap();
    copy(&dir.path().join("log"), old.path());
    let (engine, _) = open(dir.path()).unwrap();
    engine.submit_one(add("shown", 1)).await.unwrap();
    let size = engine.log().durable();
    engine.publish_mark(size).await.unwrap();
    let noted = fs::read(dir.path().join("published")).unwrap();
    engine.publish_mark(size - 1).await.unwrap();
    assert_eq!(fs::read(dir.path().join("published")).unwrap(), noted);
    engine.close().await;

    let log = dir.path().join("log");
    let newest = TempDir::new().unwrap();
    copy(&log, newest.path());
    fs::remove_dir_all(&log).unwrap();
    copy(old.path(), &log);
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::SetBack { .. }), "{error}");
    assert!(
        error.to_string().contains("restored from an old copy"),
        "{error}"
    );

    // A log as long, but with another history.
    fs::remove_dir_all(&log).unwrap();
    let other = TempDir::new().unwrap();
    let (engine, _) = open(other.path()).unwrap();
    for _ in 0..size {
        engine.submit_one(add("other", 1)).await.unwrap();
    }
    engine.close().await;
    copy(&other.path().join("log"), &log);
    assert!(matches!(open(dir.path()), Err(StoreError::SetBack { .. })));

    fs::remove_dir_all(&log).unwrap();
    copy(newest.path(), &log);
    assert_eq!(open(dir.path()).unwrap().1.entries, size);
}

#[tokio::test]
async fn an_index_is_not_built_from_a_log_that_was_altered_with_its_checksums() {
    let dir = TempDir::new().unwrap();
    let small = || Options {
        segment_bytes: 1000,
        ..options()
    };
    let (engine, _) = Engine::<Toy>::open_embedded(dir.path(), Toy::default(), small()).unwrap();
    fill(&engine, 60).await;
    let entry = engine.log().entry(0).unwrap();
    engine.close().await;
    let segment = dir.path().join("log/segment-00000000000000000000.log");
    let mut bytes = fs::read(&segment).unwrap();
    lgpki_testkit::alter_first_entry(&mut bytes, &entry, |entry| {
        let digit = entry.iter_mut().rfind(|byte| byte.is_ascii_digit());
        *digit.unwrap() ^= 1;
    });
    fs::write(&segment, bytes).unwrap();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let refused = Engine::<Toy>::open_embedded(dir.path(), Toy::default(), small()).unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("they were altered"), "{refused}");
    assert!(
        refused.contains("restore the whole data directory"),
        "{refused}"
    );
}
