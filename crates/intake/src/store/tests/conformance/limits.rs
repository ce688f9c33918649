//! The limits of admission.

use lgpki_domain::Limits;

use super::super::fixtures::{at, officer};
use crate::ports::{IntakeStore, LimitsInForce};

pub(crate) async fn limits_change_once_for_each_revision_seen(store: &impl IntakeStore) {
    let standing = store.limits().await.unwrap();
    assert_eq!(standing, LimitsInForce::default());
    let tight = Limits {
        branch_burst: 7,
        ..Limits::default()
    };
    let caller = officer("01001");
    let change = |limits, seen, when| store.change_limits(limits, seen, caller.clone(), at(when));
    let first = change(tight, 0, 5).await.unwrap().unwrap();
    assert_eq!((first.limits, first.revision), (tight, 1));
    let changed = first.changed.clone().unwrap();
    assert_eq!((changed.at, changed.by), (at(5), caller.to_string()));
    assert_eq!(store.limits().await.unwrap(), first);
    // Whoever saw the ones before is told how they stand.
    let late = change(Limits::default(), 0, 6).await.unwrap();
    assert_eq!(late, Err(first.clone()));
    // What is so already is no change.
    let same = change(tight, 1, 7).await.unwrap();
    assert_eq!(same, Ok(first));
    let second = change(Limits::default(), 1, 8).await.unwrap().unwrap();
    assert_eq!(second.revision, 2);
}
