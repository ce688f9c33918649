//! What a restart finds of the registry of addressees: after a close, a power cut, the loss of the index, a
//! failing disk.

use std::{io::ErrorKind, path::Path, sync::Arc};

use lgpki_store::Options;
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_identity};

use super::conformance::addressees::{change, end, id, made, register, request, since, with_units};
use crate::{
    error::StoreError,
    ports::{
        AddresseeAct, AddresseeAnswer, AddresseeFilter, AddresseeRequest, AddresseeStore,
        AddresseeVersion, Commitment, IntakeStore,
    },
    store::EngineStore,
};

fn open(dir: &Path, disk: &FaultyDisk) -> EngineStore {
    let options = Options {
        disk: Arc::new(disk.clone()),
        flush_keys: 4,
        ..Options::new(log_identity("intake-1"))
    };
    EngineStore::open_embedded(dir, options).unwrap().0
}

/// All that can be read of the registry.
async fn picture(store: &EngineStore) -> (Vec<AddresseeVersion>, Vec<AddresseeVersion>, u64) {
    let filter = AddresseeFilter {
        with_ended: true,
        ..AddresseeFilter::default()
    };
    let listed = store.addressees(filter, None, 99).await.unwrap();
    let mut versions = Vec::new();
    for one in &listed {
        versions.extend(store.addressee_history(one.id, 0, 99).await.unwrap());
    }
    let changes = store.addressees_since(None, 0, 99).await.unwrap();
    versions.extend(changes.entries);
    (listed, versions, changes.next)
}

#[tokio::test]
async fn the_registry_reads_the_same_after_every_way_of_reopening() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new());
    let store = open(dir.path(), &disk);
    with_units(&store).await;
    for n in 1..=3 {
        made(&store, register(n)).await;
    }
    made(&store, change(4, (1, 1), |_| ())).await;
    made(&store, end(5, (2, 1))).await;
    let reason = "合併により".to_owned();
    let operator = super::fixtures::operator(1);
    let (code, at) = (super::fixtures::code("01001"), super::fixtures::at(9));
    let closed = store.deactivate_branch(code, reason, operator, at);
    closed.await.unwrap().unwrap();
    let before = picture(&store).await;
    assert_eq!((before.0.len(), before.1.len()), (3, 8));
    store.close().await;

    let store = open(dir.path(), &disk);
    assert_eq!(picture(&store).await, before);
    store.close().await;
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let store = open(dir.path(), &disk);
    assert_eq!(picture(&store).await, before, "rebuilt from the log");
    // What was asked before is known still.
    let answer = store.record_addressee(register(1)).await.unwrap();
    assert!(matches!(answer, AddresseeAnswer::Repeated(made) if made.id == id(1)));
    disk.power_cut(Persisted::Nothing);
    store.close().await;
    let store = open(dir.path(), &disk);
    assert_eq!(picture(&store).await, before);
    store.close().await;
}

/// The requests of a short life, in order, and the version of entry 1 that each leaves.
fn life() -> Vec<(AddresseeRequest, u32)> {
    vec![
        (register(1), 1),
        (change(2, (1, 1), |_| ()), 2),
        (end(3, (1, 2)), 3),
    ]
}

async fn live(store: &EngineStore) -> (u32, Result<(), StoreError>) {
    let mut answered = 0;
    for (request, version) in life() {
        match store.record_addressee(request).await {
            Ok(AddresseeAnswer::Recorded { made, .. } | AddresseeAnswer::Repeated(made)) => {
                assert_eq!(made.version, version);
                answered = version;
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => return (answered, Err(error)),
        }
    }
    (answered, Ok(()))
}

#[tokio::test]
async fn no_answered_addressee_is_lost_whichever_write_or_sync_fails() {
    let faults = [
        Fault::Before(ErrorKind::StorageFull),
        Fault::After(ErrorKind::Other),
        Fault::Torn(40, ErrorKind::Other),
    ];
    for fault in faults {
        for persisted in [
            Persisted::Nothing,
            Persisted::Bytes(30),
            Persisted::Everything,
        ] {
            let mut step = 1;
            while fails_and_recovers(step, fault, persisted).await {
                step += 1;
            }
            assert!(step > 6, "three frames, each written and synced: {step}");
        }
    }
}

/// Whether the fault was reached.
async fn fails_and_recovers(step: u64, fault: Fault, persisted: Persisted) -> bool {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new());
    let store = open(dir.path(), &disk);
    with_units(&store).await;
    disk.fail_at(step, fault);
    let (answered, outcome) = live(&store).await;
    if outcome.is_err() {
        let shown = store.addressees_since(None, 0, 9).await;
        assert!(shown.is_err(), "a watcher sees nothing that may be lost");
    }
    disk.power_cut(persisted);
    store.close().await;

    let store = open(dir.path(), &disk);
    let found = store.addressee(id(1)).await.unwrap();
    let stands = found.map_or(0, |found| found.version);
    let place = format!("step {step}, {fault:?}, {persisted:?}");
    assert!(
        stands >= answered,
        "{place}: {answered} answered, {stands} found"
    );
    // Sent again, everything comes to its end, once.
    let (answered, again) = live(&store).await;
    again.unwrap();
    assert_eq!(answered, 3, "{place}");
    let history = store.addressee_history(id(1), 0, 9).await.unwrap();
    let versions: Vec<_> = history.iter().map(|one| one.version).collect();
    assert_eq!(versions, [1, 2, 3], "{place}");
    assert_eq!(since(&store, 0).await.0, [(1, 3)], "{place}");
    store.close().await;
    outcome.is_err()
}

#[tokio::test]
async fn entries_have_their_final_form_and_hold_no_name_of_a_person() {
    let store = EngineStore::open_memory(log_identity("intake-1")).unwrap();
    with_units(&store).await;
    let begun = *store.changes().borrow();
    for (request, _) in life() {
        made(&store, request).await;
    }
    let mut bodies = Vec::new();
    for (_, bytes) in store.log().read(begun, 99, 1 << 20).unwrap() {
        lgpki_ledger::canonical::is_canonical(&bytes).unwrap();
        let entry: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        bodies.push((
            entry["kind"].as_str().unwrap().to_owned(),
            entry["body"].clone(),
        ));
    }
    let content = |contact: &str| {
        serde_json::json!({
            "address": "soumu1.city", "contact": contact, "mail": "soumu@city.lg.jp",
            "names": {"en": "Documents 1", "ja": "総務部文書係"},
            "unit": {"en": "General Affairs", "ja": "総務部"}, "valid_since": "2008-02-04",
        })
    };
    let expected = [
        serde_json::json!({
            "addressee": "01001-0001", "content": content("commitment-1"),
            "content_digest": "01".repeat(32), "request": "addressee-001",
        }),
        serde_json::json!({
            "addressee": "01001-0001", "content": content("commitment-2"),
            "content_digest": "02".repeat(32), "erases": "commitment-1",
            "request": "addressee-002", "version": 2,
        }),
        serde_json::json!({
            "addressee": "01001-0001", "content_digest": "03".repeat(32),
            "erases": "commitment-2", "reason": "文書係の廃止",
            "request": "addressee-003", "version": 3,
        }),
    ];
    let kinds = ["registered", "changed", "ended"].map(|kind| format!("addressee.{kind}"));
    assert_eq!(bodies, kinds.into_iter().zip(expected).collect::<Vec<_>>());
    let (commitments, _) = store.commitments(begun, 99).await.unwrap();
    let made = |n: u8| Commitment::Made(format!("commitment-{n}"));
    let erased = |n: u8| Commitment::Erased(format!("commitment-{n}"));
    assert_eq!(commitments, [made(1), made(2), erased(1), erased(2)]);
}

#[tokio::test]
async fn the_largest_addressee_fits_into_its_record() {
    use lgpki_domain::Names;
    let store = EngineStore::open_memory(log_identity("intake-1")).unwrap();
    with_units(&store).await;
    let body = super::fixtures::code("01001");
    let widest = Names::try_new("n", &"W".repeat(64), &"𠮷".repeat(64)).unwrap();
    let unit = lgpki_domain::directory::Organization {
        body,
        names: widest.clone(),
    };
    let new_unit = vec![crate::ports::DirectoryChange::RegisterOrganization(unit)];
    let officer = super::fixtures::officer("01001");
    let at = super::fixtures::at(0);
    let registered = store.change_directory(body, new_unit, officer, at);
    registered.await.unwrap().unwrap();
    let mut draft = super::conformance::addressees::draft(1);
    draft.unit = Some(widest.clone());
    draft.names = Some(widest);
    draft.address = Some(format!("a.{}", "b".repeat(62)).parse().unwrap());
    let mail = format!("{}@{}.lg.jp", "m".repeat(58), "d".repeat(63));
    draft.mail = Some(mail.parse().unwrap());
    draft.contact = Some("c".repeat(43));
    made(&store, request(1, AddresseeAct::Register { body, draft })).await;
    let reason = "\\".repeat(200);
    let last = AddresseeAct::End {
        id: id(1),
        version: 1,
        reason,
    };
    let (last, _) = made(&store, request(2, last)).await;
    assert_eq!(store.addressee(id(1)).await.unwrap(), Some(last));
    assert!(store.stopped().is_none());
}
