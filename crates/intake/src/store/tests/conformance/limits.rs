//! The limits of admission.

use lgpki_domain::Limits;

use super::{
    super::fixtures::{at, code, officer, unit},
    addressees::{change, end, made, register, with_units},
};
use crate::ports::{
    AddresseeAnswer, AddresseeRequest, DirectoryChange, IntakeStore, LimitsInForce,
};

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

/// Allows so many versions of addressees, or so many entries of the directories.
async fn allow(store: &impl IntakeStore, limits: Limits) {
    let seen = store.limits().await.unwrap().revision;
    let changed = store.change_limits(limits, seen, officer("01001"), at(0));
    changed.await.unwrap().unwrap();
}

/// Why a request is refused.
async fn reasons(store: &impl IntakeStore, request: AddresseeRequest) -> Vec<&'static str> {
    match store.record_addressee(request).await.unwrap() {
        AddresseeAnswer::Refused(faults) => faults.into_iter().map(|f| f.reason).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) async fn a_body_records_so_many_versions_and_can_always_end_an_entry(
    store: &impl IntakeStore,
) {
    with_units(store).await;
    let most = |addressee_versions| Limits {
        addressee_versions,
        ..Limits::default()
    };
    allow(store, most(3)).await;
    made(store, register(1)).await;
    made(store, register(2)).await;
    made(store, change(3, (1, 1), |_| ())).await;
    let full = ["TOO_MANY_VERSIONS"];
    assert_eq!(reasons(store, change(4, (1, 2), |_| ())).await, full);
    assert_eq!(reasons(store, register(5)).await, full);
    made(store, end(6, (2, 1))).await;
    // What has ended has still been recorded.
    assert_eq!(reasons(store, register(5)).await, full);
    allow(store, most(5)).await;
    made(store, register(5)).await;
}

pub(crate) async fn a_body_has_so_many_entries_in_its_directories(store: &impl IntakeStore) {
    with_units(store).await;
    let register = |n: u32| {
        let (en, ja) = (format!("Unit {n}"), format!("第{n}部"));
        DirectoryChange::RegisterOrganization(unit("01001", &en, &ja))
    };
    let change = |changes| {
        let officer = officer("01001");
        store.change_directory(code("01001"), changes, officer, at(1))
    };
    let most = |directory_entries| Limits {
        directory_entries,
        ..Limits::default()
    };
    // One stands there already.
    allow(store, most(3)).await;
    let refused = change((0..3).map(register).collect()).await.unwrap();
    let refused = refused.unwrap_err();
    let reasons: Vec<_> = refused.into_iter().map(|f| (f.field, f.reason)).collect();
    assert_eq!(reasons, [("changes".to_owned(), "TOO_MANY_ENTRIES")]);
    assert_eq!(change((0..2).map(register).collect()).await.unwrap(), Ok(2));
    // Beyond a limit that was lowered nothing comes in, but entries may be exchanged or go.
    allow(store, most(2)).await;
    let gone = || DirectoryChange::RemoveOrganization("Unit 0".to_owned());
    assert!(change(vec![register(4)]).await.unwrap().is_err());
    assert_eq!(change(vec![gone(), register(4)]).await.unwrap(), Ok(2));
}
