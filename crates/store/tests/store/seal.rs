//! A sealed directory is opened by nobody, whatever its seal says and whenever sealing was cut off.

use std::{io::ErrorKind, path::Path, sync::Arc};

use lgpki_ledger::{Disk, Log};
use lgpki_store::{
    Engine, Options, StoreError,
    seal::{Seal, Stage, check_mark, forget_mark},
};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_identity};

use crate::toy::{Toy, add};

const DIR: &str = "/data/node";

fn options(disk: &FaultyDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        ..Options::new(log_identity("node-1"))
    }
}

fn open(disk: &FaultyDisk) -> Result<Engine<Toy>, StoreError> {
    Engine::open_unindexed(Path::new(DIR), Toy::default(), options(disk)).map(|(engine, _)| engine)
}

fn seal(why: &str) -> Seal {
    Seal {
        held: 3,
        since: "2011-02-01T09:00:00.000+09:00".parse().unwrap(),
        stage: Stage::Restored,
        why: why.to_owned(),
    }
}

#[tokio::test]
async fn a_sealed_directory_is_refused_with_its_reason_and_untouched() {
    let disk = FaultyDisk::new();
    let dir = Path::new(DIR);
    seal("restored from an old backup")
        .write(dir, &disk)
        .unwrap();
    let steps = disk.steps();
    let refused = open(&disk).unwrap_err();
    assert!(matches!(refused, StoreError::Sealed { .. }), "{refused}");
    assert!(
        refused.to_string().contains("restored from an old backup"),
        "{refused}"
    );
    assert_eq!(disk.steps(), steps);
    // One that cannot be read seals all the same.
    disk.edit(&dir.join("sealed"), |bytes| bytes.truncate(7))
        .unwrap();
    open(&disk).unwrap_err();
    seal("again").write(dir, &disk).unwrap();
    assert_eq!(Seal::read(dir, &disk).unwrap(), Some(seal("again")));
    Seal::remove(dir, &disk).unwrap();
    Seal::remove(dir, &disk).unwrap();
    disk.power_cut(Persisted::Nothing);
    assert_eq!(Seal::read(dir, &disk).unwrap(), None);
    open(&disk).unwrap();
}

#[test]
fn a_seal_changed_when_the_power_fails_is_the_one_before_or_the_new_one() {
    for fault in [
        Fault::Before(ErrorKind::Other),
        Fault::Torn(9, ErrorKind::Other),
    ] {
        for step in 1.. {
            let disk = FaultyDisk::new();
            let dir = Path::new(DIR);
            seal("before").write(dir, &disk).unwrap();
            disk.fail_at(step, fault);
            let written = seal("after").write(dir, &disk);
            let hit = !disk.fault_pending();
            disk.power_cut(Persisted::Nothing);
            let found = Seal::read(dir, &disk).unwrap().unwrap();
            let wanted = if written.is_ok() { "after" } else { "before" };
            assert_eq!(found.why, wanted, "step {step}");
            if !hit {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_log_behind_what_others_have_seen_is_told_until_that_is_forgotten() {
    let disk = FaultyDisk::new();
    let dir = Path::new(DIR);
    let engine = open(&disk).unwrap();
    engine.submit_one(add("a", 1)).await.unwrap();
    engine.publish_mark(1).await.unwrap();
    engine.close().await;
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (log, _) = Log::open(dir, shared, log_identity("node-1")).unwrap();
    check_mark(dir, &disk, &log.reader()).unwrap();
    drop(log);
    let empty = Log::open(
        Path::new("/empty"),
        Arc::new(FaultyDisk::new()),
        log_identity("node-1"),
    );
    let empty = empty.unwrap().0.reader();
    let behind = check_mark(dir, &disk, &empty).unwrap_err();
    assert!(matches!(behind, StoreError::SetBack { .. }), "{behind}");
    forget_mark(dir, &disk).unwrap();
    forget_mark(dir, &disk).unwrap();
    check_mark(dir, &disk, &empty).unwrap();
}
