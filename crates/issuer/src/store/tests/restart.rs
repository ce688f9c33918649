//! What a restart finds, with the index whole, lost or damaged, and after a power cut.

use std::{fs, io, path::Path, sync::Arc};

use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_identity};

use super::{
    support::{
        Wish, create, epoch, given_up, id, intend, intend_one, issue_one, issued, stamp, wish,
    },
    *,
};

async fn fill(store: &LogStore) -> (Epoch, Vec<Issuance>) {
    let epoch = epoch(store).await;
    create(store, epoch, 60).await;
    for n in 1..=40 {
        issue_one(store, epoch, wish(n)).await;
    }
    // Over more than one group of neighbours in the table of open intents.
    let open: Vec<_> = (41..=59).map(|n| intend(wish(n))).collect();
    store.intend(epoch, open).await.unwrap();
    store.end(epoch, vec![given_up(wish(45))]).await.unwrap();
    (epoch, everything(store).await)
}

async fn everything(store: &LogStore) -> Vec<Issuance> {
    store.issuances((0..=61).map(id).collect()).await.unwrap()
}

fn reopen(dir: &Path) -> (LogStore, OpenReport) {
    LogStore::open_embedded(dir, Options::new(log_identity("issuer-1"))).unwrap()
}

async fn same_after(damage: impl FnOnce(&Path)) -> OpenReport {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = reopen(dir.path());
    let (epoch, before) = fill(&store).await;
    let authorities = store.authorities().await.unwrap();
    store.close().await;
    damage(dir.path());
    let (store, report) = reopen(dir.path());
    assert_eq!(everything(&store).await, before);
    assert_eq!(store.authorities().await.unwrap(), authorities);
    // The epoch and the open intents are there too: 18 are left.
    let opened = store.open_epoch(stamp()).await.unwrap();
    assert_eq!(opened.epoch, Epoch(epoch.0 + 1));
    assert_eq!(opened.abandoned, 18);
    store.close().await;
    report
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_hides_no_neighbours_intent() {
    let disk = FaultyDisk::new();
    let options = Options {
        disk: Arc::new(disk.clone()),
        ..Options::new(log_identity("issuer-1"))
    };
    let (store, _) = LogStore::open_unindexed(Path::new("faulty"), options).unwrap();
    let epoch = epoch(&store).await;
    issue_one(&store, epoch, wish(1)).await;
    for path in disk.paths() {
        let damage = |bytes: &mut Vec<u8>| {
            let kind = b"certificate.issued";
            if let Some(at) = bytes.windows(kind.len()).position(|w| w == kind) {
                bytes[at] ^= 1;
            }
        };
        disk.edit(&path, damage).unwrap();
    }
    let batch = vec![intend(wish(1)), intend(wish(2))];
    let answers = store.intend(epoch, batch).await.unwrap();
    // Were the batch an error, nobody would ever close the second one's intent.
    assert_eq!(answers[0], IntentOutcome::InProgress { attempt: 1 });
    assert!(matches!(answers[1], IntentOutcome::Intended { .. }));
}

#[tokio::test]
async fn a_restart_finds_what_was_there() {
    let report = same_after(|_| ()).await;
    assert_eq!(report.rebuilt, None);
    assert_eq!(report.replayed, 0);
}

#[tokio::test]
async fn a_lost_index_is_rebuilt_from_the_log() {
    let report = same_after(|dir| fs::remove_dir_all(dir.join("index")).unwrap()).await;
    assert!(report.rebuilt.is_some());
}

#[tokio::test]
async fn a_log_set_back_behind_what_was_shown_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let old = tempfile::tempdir().unwrap();
    let (store, _) = reopen(dir.path());
    let first = epoch(&store).await;
    store.close().await;
    copy(&dir.path().join("log"), &old.path().join("log"));
    let (store, _) = reopen(dir.path());
    issue_one(&store, first, wish(1)).await;
    store.mark_shown(*store.durable().borrow()).await.unwrap();
    store.close().await;
    fs::remove_dir_all(dir.path().join("log")).unwrap();
    copy(&old.path().join("log"), &dir.path().join("log"));
    let refused =
        LogStore::open_embedded(dir.path(), Options::new(log_identity("issuer-1"))).unwrap_err();
    assert!(refused.to_string().contains("set back"), "{refused}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn whatever_write_fails_nothing_acknowledged_is_lost_and_no_certificate_is_doubled() {
    for fault in [
        Fault::Before(io::ErrorKind::StorageFull),
        Fault::After(io::ErrorKind::Other),
        Fault::Torn(70, io::ErrorKind::Other),
    ] {
        for step in 1..=6 {
            for persisted in [
                Persisted::Nothing,
                Persisted::Bytes(100),
                Persisted::Everything,
            ] {
                survive(fault, step, persisted).await;
            }
        }
    }
}

/// Issues one certificate after the other until the disk fails; then cuts the power and looks.
async fn survive(fault: Fault, step: u64, persisted: Persisted) {
    let case = format!("{fault:?} at {step}, {persisted:?}");
    let disk = FaultyDisk::new();
    let open = || {
        let options = Options {
            disk: Arc::new(disk.clone()),
            ..Options::new(log_identity("issuer-1"))
        };
        LogStore::open_unindexed(Path::new("issuer"), options)
            .unwrap()
            .0
    };
    let store = open();
    let first = epoch(&store).await;
    disk.fail_at(step, fault);
    let mut acknowledged = Vec::new();
    for n in 1..=9 {
        let Ok(outcomes) = store.intend(first, vec![intend(wish(n))]).await else {
            break;
        };
        let IntentOutcome::Intended { index, .. } = outcomes[0] else {
            panic!("{case}: {outcomes:?}");
        };
        let Ok(ended) = store.end(first, vec![issued(wish(n), index)]).await else {
            break;
        };
        acknowledged.push((n, ended[0]));
    }
    assert!(acknowledged.len() < 9, "{case}: the disk never failed");
    let refused = store.issuances(vec![id(1)]).await;
    assert!(refused.is_err(), "{case}: a stopped store answered");
    drop(store);
    disk.power_cut(persisted);
    let store = open();
    let opened = store.open_epoch(stamp()).await.unwrap();
    assert_eq!(opened.epoch, Epoch(2), "{case}");
    for (n, ended) in &acknowledged {
        let known = store.issuances(vec![id(*n)]).await.unwrap();
        let Issuance::Issued(certificate) = &known[0] else {
            panic!("{case}: {n} is {:?}", known[0]);
        };
        assert_eq!(
            *ended,
            EndingOutcome::Recorded {
                index: certificate.index
            }
        );
    }
    // The one that failed: there, or to be had with the next attempt, and nothing in between.
    let n = u8::try_from(acknowledged.len()).unwrap() + 1;
    let second = |attempt| Wish {
        attempt,
        draw: 40,
        ..wish(n)
    };
    match intend_one(&store, opened.epoch, second(1)).await {
        IntentOutcome::Issued(_) | IntentOutcome::Intended { .. } => {}
        IntentOutcome::Abandoned { attempt: 1 } => {
            issue_one(&store, opened.epoch, second(2)).await;
        }
        other => panic!("{case}: {other:?}"),
    }
}
