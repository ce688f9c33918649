//! What becomes of names when the caller goes away.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use lgpki_ledger::OsDisk;
use lgpki_testkit::{SeededRandom, log_identity};

use super::*;
use crate::store::{
    EngineStore,
    tests::fixtures::{begin, issue},
};

#[tokio::test]
async fn a_caller_who_goes_away_leaves_no_name_without_an_application() {
    let store = Arc::new(EngineStore::open_memory(log_identity("intake-1")).unwrap());
    begin(store.as_ref()).await;
    let dir = tempfile::tempdir().unwrap();
    let names = Arc::new(OpeningStore::open(dir.path(), Arc::new(OsDisk)).unwrap());
    let random = SeededRandom::new(1);
    let opening = |name| commit(&random, name).unwrap();
    let openings = vec![opening("佐藤花子"), opening("鈴木一郎")];
    let of = |new, opening: &Opening| NewApplication {
        examiner_commitment: Some(opening.commitment.clone()),
        ..new
    };
    let first = of(issue(1), &openings[0]);
    // The same key and subject again: the store refuses it.
    let mut second = of(issue(1), &openings[1]);
    second.id = issue(2).id;
    second.request_id = issue(2).request_id;
    let (kept, dropped) = (openings[0].clone(), openings[1].clone());
    let id = first.id;

    let mut changes = store.changes();
    changes.mark_unchanged();
    {
        let taking = Taking {
            store: store.clone(),
            names: names.clone(),
        };
        let mut taken = pin!(taking.uninterrupted(openings, vec![first, second]));
        let polled = poll_fn(|context| Poll::Ready(taken.as_mut().poll(context))).await;
        assert!(polled.is_pending(), "the caller leaves before the answer");
    }
    let done = async {
        changes.changed().await.unwrap();
        while names.count() != 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), done)
        .await
        .expect("the steps are finished without the caller");
    assert!(store.application(id).await.unwrap().is_some());
    assert_eq!(names.get(&kept.commitment), Some(kept));
    assert_eq!(names.get(&dropped.commitment), None);
    store.close().await;
}
