//! What the next process makes of a crash at any point of a batch.

use std::{io, path::Path};

use lgpki_domain::Serial;
use lgpki_store::Options;
use lgpki_testkit::{Fault, FaultyDisk, ManualClock, Persisted, log_identity};

use super::{
    support::{create_authorities, noon, take_over},
    *,
};
use crate::{event::IssuerEvent, store::LogStore};

fn open(disk: &FaultyDisk) -> LogStore {
    let options = Options {
        disk: Arc::new(disk.clone()),
        ..Options::new(log_identity("issuer-1"))
    };
    LogStore::open_unindexed(Path::new("issuer"), options)
        .unwrap()
        .0
}

fn orders(attempt: u32) -> Vec<Order> {
    (1..=5)
        .map(|n| Order {
            attempt,
            ..order(n, CertificateKind::User)
        })
        .collect()
}

async fn feed(store: &LogStore) -> (Vec<Serial>, Vec<Serial>) {
    let (mut issued, mut abandoned) = (Vec::new(), Vec::new());
    for event in store.feed(0, 10_000).await.unwrap().events {
        match event.event {
            IssuerEvent::Issued(e) => issued.push(e.serial),
            IssuerEvent::Abandoned(e) => abandoned.push(e.serial),
            other => panic!("{other:?}"),
        }
    }
    (issued, abandoned)
}

/// The disk fails at its `step`th step of a batch; what is left, the next process takes over.
async fn crash_at(step: u64, fault: Fault, persisted: Persisted) -> (usize, usize) {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let clock = ManualClock::new(noon());
    let store = open(&disk);
    let app = take_over(&store, dir.path(), &clock, 1).await;
    create_authorities(&app, KeyAlgorithm::P256).await;
    disk.fail_at(step, fault);
    let answered = app.issue(orders(1), "intake".to_owned()).await;
    assert!(answered.is_err(), "an answer without a record");
    drop((app, store));
    disk.power_cut(persisted);

    let store = open(&disk);
    let app = take_over(&store, dir.path(), &clock, 2).await;
    let (issued, abandoned) = feed(&store).await;
    let answers = app.issue(orders(1), "intake".to_owned()).await.unwrap();
    let mut serials: Vec<_> = Vec::new();
    for (answer, second) in answers.iter().zip(orders(2)) {
        let answer = match answer {
            Answer::Abandoned { attempt: 1 } => {
                let next = app.issue(vec![second], "intake".to_owned()).await.unwrap();
                next[0].clone()
            }
            other => other.clone(),
        };
        serials.push(certificate(&answer).serial);
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 5);
    assert!(serials.iter().all(|s| !abandoned.contains(s)));
    assert!(issued.iter().all(|s| serials.contains(s)));
    (issued.len(), abandoned.len())
}

#[tokio::test]
async fn a_crash_before_the_intent_is_durable_leaves_nothing() {
    let fault = Fault::Before(io::ErrorKind::StorageFull);
    assert_eq!(crash_at(1, fault, Persisted::Nothing).await, (0, 0));
}

#[tokio::test]
async fn a_crash_between_intent_and_record_abandons_and_the_feed_tells_every_serial() {
    let fault = Fault::Before(io::ErrorKind::Other);
    // Steps of a batch: write and sync of the intents, write and sync of the records.
    assert_eq!(crash_at(3, fault, Persisted::Nothing).await, (0, 5));
    assert_eq!(crash_at(4, fault, Persisted::Nothing).await, (0, 5));
}

#[tokio::test]
async fn a_crash_after_the_record_and_before_the_answer_finds_the_certificates() {
    let fault = Fault::After(io::ErrorKind::Other);
    assert_eq!(crash_at(4, fault, Persisted::Nothing).await, (5, 0));
    let fault = Fault::Before(io::ErrorKind::Other);
    assert_eq!(crash_at(4, fault, Persisted::Everything).await, (5, 0));
}

#[tokio::test]
async fn a_torn_record_is_no_record() {
    for kept in [1, 100, 3000] {
        let fault = Fault::Torn(kept, io::ErrorKind::Other);
        let (issued, abandoned) = crash_at(3, fault, Persisted::Everything).await;
        assert_eq!((issued, abandoned), (0, 5), "{kept} bytes kept");
    }
}

#[tokio::test]
async fn a_process_whose_turn_is_over_answers_nothing() {
    let fixture = Fixture::new().await;
    fixture
        .store
        .open_epoch(fixture.app.stamp("issuer"))
        .await
        .unwrap();
    let size = fixture.log_size();
    let refused = fixture.app.issue(orders(1), "intake".to_owned()).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason(), "ISSUER_SUPERSEDED");
    assert_eq!(fixture.log_size(), size);
}

#[tokio::test]
async fn a_process_fenced_while_it_signs_records_nothing_and_the_serial_is_told_as_abandoned() {
    let fixture = Fixture::new().await;
    let gate = fixture.hold_signing(Authority::Organization);
    let app = Arc::clone(&fixture.app);
    let call = tokio::spawn(async move { app.issue(orders(1), "intake".to_owned()).await });
    gate.reached().await;
    let opened = fixture
        .store
        .open_epoch(fixture.app.stamp("issuer"))
        .await
        .unwrap();
    assert_eq!(opened.abandoned, 5);
    gate.open();
    let refused = call.await.unwrap().unwrap_err();
    assert_eq!(refused.reason(), "ISSUER_SUPERSEDED");
    let (issued, abandoned) = feed(&fixture.store).await;
    assert_eq!((issued.len(), abandoned.len()), (0, 5));
}
