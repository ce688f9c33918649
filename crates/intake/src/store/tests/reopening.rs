//! What a restart finds: after a close, a power cut, the loss of the index, a failing disk.

use std::{io::ErrorKind, path::Path, sync::Arc};

use lgpki_domain::{RevocationReason, application::State};
use lgpki_store::{OpenReport, Options};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, SeededRandom, log_identity};

use super::{
    fixtures::{
        accept, act, answer, at, begin, claim, claim_revocations, command, id, issue, issued,
        manual, numbers, of_branch, renew, revoke, settle, state,
    },
    scenario::{born, live, picture},
};
use crate::{
    error::StoreError,
    ports::{
        Acceptance, Act, Filter, IntakeStore, Lane, RenewalAnswer, RenewalAnswered, Settled,
        Settlement,
    },
    store::EngineStore,
};

fn open(dir: &Path, disk: &FaultyDisk) -> Result<(EngineStore, OpenReport), StoreError> {
    let options = Options {
        disk: Arc::new(disk.clone()),
        flush_keys: 64,
        ..Options::new(log_identity("intake-1"))
    };
    EngineStore::open_embedded(dir, options)
}

#[tokio::test]
async fn a_random_life_reads_the_same_after_every_way_of_reopening() {
    for seed in 0..4 {
        let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new());
        let random = SeededRandom::new(seed);
        let (store, _) = open(dir.path(), &disk).unwrap();
        born(&store).await;
        live(&store, &random, 0, 60).await.unwrap();
        let before = picture(&store).await;
        store.close().await;

        let (store, report) = open(dir.path(), &disk).unwrap();
        assert_eq!((report.rebuilt, report.replayed), (None, 0));
        picture(&store).await.assert_same(&before);
        live(&store, &random, 300, 60).await.unwrap();
        let before = picture(&store).await;
        store.close().await;

        std::fs::remove_dir_all(dir.path().join("index")).unwrap();
        let (store, report) = open(dir.path(), &disk).unwrap();
        assert!(report.rebuilt.is_some() && report.replayed == report.entries);
        picture(&store).await.assert_same(&before);
        live(&store, &random, 600, 60).await.unwrap();
        let before = picture(&store).await;
        disk.power_cut(Persisted::Nothing);
        store.close().await;

        let (store, _) = open(dir.path(), &disk).unwrap();
        picture(&store).await.assert_same(&before);
        store.close().await;
    }
}

#[tokio::test]
async fn a_record_too_long_for_its_neighbours_reads_back_after_reopening() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new());
    let (store, _) = open(dir.path(), &disk).unwrap();
    begin(&store).await;
    for n in 1..=3 {
        accept(&store, manual(n, 1)).await;
    }
    let reason = "理由".repeat(300);
    act(
        &store,
        id(2),
        Act::Reject {
            reason: reason.clone(),
        },
    )
    .await
    .unwrap();
    let mut store = store;
    for index_is_lost in [false, true] {
        store.close().await;
        if index_is_lost {
            std::fs::remove_dir_all(dir.path().join("index")).unwrap();
        }
        (store, _) = open(dir.path(), &disk).unwrap();
        let rejected = store.application(id(2)).await.unwrap().unwrap();
        assert!(matches!(rejected.state, State::Rejected { reason: told, .. } if told == reason));
        for other in [1, 3] {
            assert_eq!(state(&store, id(other)).await, "examining");
        }
        let listed = store.list(Filter::default(), None, 9).await.unwrap();
        assert_eq!(listed.len(), 3);
    }
    store.close().await;
}

#[tokio::test]
async fn what_is_owed_to_lifecycle_outlives_every_way_of_reopening() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new());
    let (store, _) = open(dir.path(), &disk).unwrap();
    begin(&store).await;
    accept(&store, renew(1, 1, 0)).await;
    accept(&store, renew(2, 2, 0)).await;
    answer(&store, id(2), RenewalAnswer::Opened).await;
    claim(&store, 1).await;
    settle(&store, id(2), issued(7)).await;
    act(&store, id(2), Act::ConfirmDelivery).await.unwrap();
    accept(&store, renew(3, 3, 1)).await;
    act(&store, id(3), Act::Withdraw).await.unwrap();
    let owed = store.renewals_due(9).await.unwrap();
    assert_eq!(owed.len(), 3);
    store.close().await;

    let (store, report) = open(dir.path(), &disk).unwrap();
    assert_eq!((report.rebuilt, report.replayed), (None, 0));
    assert_eq!(store.renewals_due(9).await.unwrap(), owed);
    store.close().await;

    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let (store, _) = open(dir.path(), &disk).unwrap();
    assert_eq!(store.renewals_due(9).await.unwrap(), owed);
    disk.power_cut(Persisted::Nothing);
    store.close().await;

    let (store, _) = open(dir.path(), &disk).unwrap();
    assert_eq!(store.renewals_due(9).await.unwrap(), owed);
    answer(&store, id(1), RenewalAnswer::Opened).await;
    answer(&store, id(2), RenewalAnswer::Closed).await;
    answer(&store, id(3), RenewalAnswer::Closed).await;
    store.close().await;
    let (store, _) = open(dir.path(), &disk).unwrap();
    assert!(store.renewals_due(9).await.unwrap().is_empty());
    assert_eq!(state(&store, id(1)).await, "queued");
    store.close().await;
}

/// Whichever step of the disk fails: what was acknowledged is owed or done, never forgotten.
#[tokio::test]
async fn no_fault_of_the_disk_makes_a_store_forget_what_lifecycle_must_be_told() {
    let full = ErrorKind::StorageFull;
    let faults = [
        Fault::Before(full),
        Fault::After(full),
        Fault::Torn(60, full),
    ];
    for (step, fault) in (1..12).flat_map(|step| faults.map(|fault| (step, fault))) {
        let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new());
        let (store, _) = open(dir.path(), &disk).unwrap();
        begin(&store).await;
        disk.fail_at(step, fault);
        let accepted = store.accept(vec![renew(1, 1, 1)]).await.is_ok();
        let opened = RenewalAnswered {
            id: id(1),
            answer: RenewalAnswer::Opened,
        };
        let opened = store.settle_renewals(vec![opened], at(9)).await.is_ok() && accepted;
        let withdrawn = store.act(vec![command(id(1), Act::Withdraw)]).await.is_ok() && accepted;
        disk.power_cut(Persisted::Nothing);
        store.close().await;
        drop(store);
        let (store, _) = open(dir.path(), &disk).unwrap();
        let found = store.application(id(1)).await.unwrap();
        assert!(found.is_some() || !accepted, "step {step}");
        let owed = store.renewals_due(9).await.unwrap();
        match found.map(|found| found.state.name()) {
            None => assert!(owed.is_empty()),
            Some("examining") => assert!(owed.is_empty() && !withdrawn, "step {step}"),
            Some("received") => assert!(owed.len() == 1 && !opened, "step {step}"),
            Some("withdrawn") => assert_eq!(owed.len(), 1, "step {step}"),
            Some(other) => panic!("step {step}: {other}"),
        }
        store.close().await;
    }
}

/// Whichever step of the disk fails while lifecycle's answer to a revocation is noted: the renewal ends with
/// it or waits for it, and is never claimed.
#[tokio::test]
async fn no_fault_of_the_disk_parts_a_revocation_from_the_end_of_the_renewal() {
    let full = ErrorKind::StorageFull;
    let faults = [
        Fault::Before(full),
        Fault::After(full),
        Fault::Torn(60, full),
    ];
    for (step, fault) in (1..5).flat_map(|step| faults.map(|fault| (step, fault))) {
        let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new());
        let (store, _) = open(dir.path(), &disk).unwrap();
        begin(&store).await;
        accept(&store, renew(1, 1, 0)).await;
        accept(&store, revoke(2, 1, RevocationReason::KeyCompromise)).await;
        assert_eq!(claim_revocations(&store, 9).await.len(), 1);
        answer(&store, id(1), RenewalAnswer::Opened).await;
        disk.fail_at(step, fault);
        let completed = Settlement {
            id: id(2),
            outcome: Settled::Completed,
            at: at(7000),
        };
        let told = store.settle(vec![completed]).await.is_ok();
        disk.power_cut(Persisted::Nothing);
        store.close().await;
        drop(store);
        let (store, _) = open(dir.path(), &disk).unwrap();
        let stand = (state(&store, id(1)).await, state(&store, id(2)).await);
        let over = ("failed", "completed");
        let waits = ("queued", "issuing") == stand && !told;
        assert!(stand == over || waits, "step {step}: {stand:?}");
        assert!(claim(&store, 9).await.is_empty(), "step {step}");
        if waits {
            assert_eq!(claim_revocations(&store, 9).await.len(), 1);
            settle(&store, id(2), Settled::Completed).await;
        }
        assert_eq!(state(&store, id(1)).await, "failed");
        assert!(claim(&store, 9).await.is_empty(), "step {step}");
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_claimed_before_a_restart_is_handed_out_again_first() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new());
    let (store, _) = open(dir.path(), &disk).unwrap();
    begin(&store).await;
    store.accept((1..=4).map(issue).collect()).await.unwrap();
    assert_eq!(claim(&store, 3).await.len(), 3);
    settle(&store, id(1), issued(1)).await;
    store.close().await;
    let (store, _) = open(dir.path(), &disk).unwrap();
    let again = claim(&store, 9).await;
    assert_eq!(numbers(&again), [id(2), id(3), id(4)]);
    let crate::ports::Content::Issue(content) = &again[0].application.content else {
        panic!("another content")
    };
    assert_eq!(content.public_key.len(), 294, "read from the log");
    // The subjects of open applications are taken still, and keys for good.
    let answers = store.accept(vec![issue(5), issue(2)]).await.unwrap();
    assert!(matches!(
        &answers[..],
        [Acceptance::Accepted(_), Acceptance::Repeated(_)]
    ));
    // Watchers that were there before the restart miss nothing.
    let mut from = 0;
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let (found, next) = store
            .changed_since(of_branch("01001"), from, 3)
            .await
            .unwrap();
        seen.extend(found.into_iter().map(|one| one.id));
        if next == from {
            break;
        }
        from = next;
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [id(1), id(2), id(3), id(4), id(5)]
    );
    store.close().await;
}

/// A short life of one application after the other; the answers that came.
async fn path(store: &EngineStore) -> Result<Vec<&'static str>, (Vec<&'static str>, StoreError)> {
    let mut answered = Vec::new();
    let failed = |answered: &Vec<_>, e| (answered.clone(), e);
    for n in 1..=3_u8 {
        let new = issue(u16::from(n));
        let accepted = store.accept(vec![new]).await;
        accepted.map_err(|e| failed(&answered, e))?;
        answered.push("queued");
        let claimed = store.claim(Lane::Certificates, 9, at(6000)).await;
        let claimed = claimed.map_err(|e| failed(&answered, e))?;
        answered.push("issuing");
        let settlements = claimed.iter().map(|one| Settlement {
            id: one.application.id,
            outcome: issued(n),
            at: at(7000),
        });
        let settled = store.settle(settlements.collect()).await;
        settled.map_err(|e| failed(&answered, e))?;
        answered.push("issued");
    }
    Ok(answered)
}

/// How far a state is on the path.
fn rank(state: &str) -> usize {
    let path = ["queued", "issuing", "issued"];
    path.iter().position(|s| *s == state).unwrap()
}

#[tokio::test]
async fn nothing_answered_is_lost_whichever_write_or_sync_fails() {
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
            // Until the path runs through without reaching the step that would fail.
            while fails_and_recovers(step, fault, persisted).await {
                step += 1;
            }
            assert!(step > 18, "nine frames, each written and synced: {step}");
        }
    }
}

async fn fails_and_recovers(step: u64, fault: Fault, persisted: Persisted) -> bool {
    let (dir, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new());
    let (store, _) = open(dir.path(), &disk).unwrap();
    begin(&store).await;
    disk.fail_at(step, fault);
    let outcome = path(&store).await;
    let failed = outcome.is_err();
    let answered = outcome.unwrap_or_else(|(answered, _)| answered);
    if failed {
        assert!(store.stopped().is_some(), "a failed store stops");
        assert!(store.list(Filter::default(), None, 9).await.is_err());
    }
    disk.power_cut(persisted);
    store.close().await;

    let (store, _) = open(dir.path(), &disk).unwrap();
    let found = store.list(Filter::default(), None, 9).await.unwrap();
    let shown: Vec<_> = found.iter().map(|one| one.state.name()).collect();
    for (n, answers) in answered.chunks(3).enumerate() {
        let last = answers.last().unwrap();
        assert!(
            shown.get(n).is_some_and(|state| rank(state) >= rank(last)),
            "step {step}, {fault:?}, {persisted:?}: answered {answered:?}, found {shown:?}"
        );
    }
    // Sent again, everything comes to its end, each application once.
    path(&store).await.unwrap();
    let found = store.list(Filter::default(), None, 9).await.unwrap();
    let shown: Vec<_> = found.iter().map(|one| (one.id, one.state.name())).collect();
    assert_eq!(
        shown,
        [(id(1), "issued"), (id(2), "issued"), (id(3), "issued")]
    );
    accept(&store, issue(4)).await;
    store.close().await;
    failed
}

#[tokio::test]
async fn refused_logins_stand_in_the_log_and_entries_in_their_final_form() {
    let store = EngineStore::open_memory(log_identity("intake-1")).unwrap();
    begin(&store).await;
    accept(&store, issue(1)).await;
    claim(&store, 1).await;
    settle(&store, id(1), issued(7)).await;
    let refusals = vec![("CN=someone".repeat(90), "LOGIN_REVOKED", 3)];
    store.note_refused_logins(refusals, at(9)).await.unwrap();
    let log = store.log();
    let mut kinds = Vec::new();
    for (_, bytes) in log.read(0, 99, 1 << 20).unwrap() {
        lgpki_ledger::canonical::is_canonical(&bytes).unwrap();
        let entry: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        kinds.push(entry["kind"].as_str().unwrap().to_owned());
        if entry["kind"] == "application.issued" {
            assert_eq!(
                entry["answers"],
                serde_json::json!({"index": 7, "log": "issuer"})
            );
            assert_eq!(entry["about"]["application"], id(1).to_string());
        }
        if entry["kind"] == "application.received" {
            assert_eq!(
                entry["actor"].as_str().unwrap().split('/').next(),
                Some("branch-officer")
            );
        }
        if entry["kind"] == "login.refused" {
            assert_eq!(entry["body"]["refusals"][0]["count"], 3);
        }
    }
    let expected = [
        "bodies.imported",
        "application.received",
        "application.approved",
        "application.claimed",
        "application.issued",
        "login.refused",
    ];
    assert_eq!(kinds, expected);
    store.close().await;
}
