//! The queue, claims, answers and deliveries.

use lgpki_domain::{RevocationReason, application::State};

use super::super::fixtures::{
    accept, act, at, begin, claim, claim_revocations, command, id, issue, issued, numbers, refused,
    revoke, serial, settle, state, with,
};
use crate::ports::{Act, Content, IntakeStore, NewApplication, Settled, Settlement};

pub(crate) async fn urgent_revocations_are_claimed_first_and_the_rest_in_order(
    store: &impl IntakeStore,
) {
    begin(store).await;
    // Certificates in the order of receipt, which their numbers tell; revocations as they were queued.
    let batch = vec![
        issue(5),
        revoke(2, 1, RevocationReason::Superseded),
        issue(1),
        revoke(7, 2, RevocationReason::KeyCompromise),
    ];
    store.accept(batch).await.unwrap();
    let first = claim(store, 1).await;
    assert_eq!(numbers(&first), [id(1)]);
    let urgent = claim_revocations(store, 1).await;
    assert_eq!(numbers(&urgent), [id(7)]);
    assert!(first.iter().chain(&urgent).all(|one| one.attempt == 1));
    let Content::Issue(content) = &first[0].application.content else {
        panic!("another content")
    };
    assert_eq!((content.csr.len(), content.public_key.len()), (0, 294));
    let Content::Revoke { serial: of, .. } = &urgent[0].application.content else {
        panic!("another content")
    };
    assert_eq!(*of, serial(2));
    assert_eq!(numbers(&claim(store, 9).await), [id(5)]);
    assert_eq!(numbers(&claim_revocations(store, 9).await), [id(2)]);
    assert!(claim(store, 9).await.is_empty());
    assert!(claim_revocations(store, 9).await.is_empty());
    assert_eq!(state(store, id(1)).await, "issuing");
}

pub(crate) async fn what_was_claimed_is_handed_out_again_only_after_its_release(
    store: &impl IntakeStore,
) {
    begin(store).await;
    store.accept((1..=4).map(issue).collect()).await.unwrap();
    claim(store, 3).await;
    assert_eq!(numbers(&claim(store, 1).await), [id(4)]);
    store.release(vec![id(2), id(4), id(9)]).await.unwrap();
    let refused = act(store, id(2), Act::Withdraw).await;
    assert!(
        refused.is_err(),
        "a claim that was given back may have been sent"
    );
    settle(store, id(4), issued(4)).await;
    accept(store, issue(5)).await;
    // Before what is new; what was settled meanwhile is not handed out.
    assert_eq!(numbers(&claim(store, 9).await), [id(2), id(5)]);
    assert!(claim(store, 9).await.is_empty());
}

pub(crate) async fn neither_queue_waits_for_what_the_other_gave_back(store: &impl IntakeStore) {
    begin(store).await;
    store.accept((1..=3).map(issue).collect()).await.unwrap();
    claim(store, 2).await;
    store.release(vec![id(1), id(2)]).await.unwrap();
    let batch = vec![
        revoke(4, 1, RevocationReason::Superseded),
        revoke(5, 2, RevocationReason::KeyCompromise),
    ];
    store.accept(batch).await.unwrap();
    let revocations = claim_revocations(store, 2).await;
    assert_eq!(numbers(&revocations), [id(5), id(4)]);
    store.release(vec![id(5)]).await.unwrap();
    let again = claim(store, 2).await;
    assert_eq!(numbers(&again), [id(1), id(2)]);
    assert_eq!(numbers(&claim_revocations(store, 2).await), [id(5)]);
    assert_eq!(state(store, id(3)).await, "queued");
    assert_eq!(numbers(&claim(store, 2).await), [id(3)]);
}

pub(crate) async fn an_issued_certificate_is_kept_and_delivered_once(store: &impl IntakeStore) {
    begin(store).await;
    store.accept(vec![issue(1), issue(2)]).await.unwrap();
    assert!(act(store, id(1), Act::ConfirmDelivery).await.is_err());
    claim(store, 9).await;
    settle(store, id(1), issued(1)).await;
    let before = store.application(id(1)).await.unwrap().unwrap();
    let since = State::Issued {
        at: at(7000),
        serial: serial(1),
    };
    assert_eq!(before.state, since);
    settle(store, id(1), issued(1)).await;
    assert_eq!(
        store.application(id(1)).await.unwrap(),
        Some(before.clone())
    );
    let Content::Issue(content) = &before.content else {
        panic!("another content")
    };
    assert_eq!(content.csr.len(), 700, "the CSR comes from the log now");
    let found = store.certificates(vec![id(2), id(1), id(9)]).await.unwrap();
    let [None, Some(found), None] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (found.id, found.serial, found.issuer_index),
        (id(1), serial(1), 1)
    );
    assert_eq!(
        (found.certificate.as_slice(), found.branch),
        (&[1; 900][..], before.branch)
    );
    // Twice in one batch, and once more: delivered once.
    let confirm = || command(id(1), Act::ConfirmDelivery);
    let batch = vec![confirm(), command(id(2), Act::ConfirmDelivery), confirm()];
    let answers = store.act(batch).await.unwrap();
    let [first, early, second] = answers.try_into().unwrap();
    let first = first.unwrap();
    assert_eq!(first.state.name(), "delivered");
    assert_eq!(second.unwrap().state, first.state);
    assert!(early.is_err());
    let again = act(store, id(1), Act::ConfirmDelivery).await.unwrap();
    assert_eq!(
        (again.state, again.log_index),
        (first.state, first.log_index)
    );
    let found = store.certificates(vec![id(1)]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().certificate, [1; 900]);
}

pub(crate) async fn an_abandoned_attempt_is_followed_by_the_next(store: &impl IntakeStore) {
    begin(store).await;
    store.accept(vec![issue(1), issue(2)]).await.unwrap();
    claim(store, 1).await;
    settle(store, id(1), Settled::Abandoned { attempt: 1 }).await;
    // It waits behind what was queued before it.
    let claimed = claim(store, 9).await;
    assert_eq!(numbers(&claimed), [id(2), id(1)]);
    assert_eq!(claimed[1].attempt, 2);
    settle(store, id(1), Settled::Abandoned { attempt: 1 }).await;
    assert!(
        claim(store, 9).await.is_empty(),
        "the second attempt is still out"
    );
    assert_eq!(state(store, id(1)).await, "issuing");
    assert!(act(store, id(1), Act::Withdraw).await.is_err());
    settle(store, id(1), issued(1)).await;
    assert_eq!(state(store, id(1)).await, "issued");
}

pub(crate) async fn a_revocation_is_completed_and_blocks_a_second_one_until_then(
    store: &impl IntakeStore,
) {
    begin(store).await;
    accept(store, revoke(1, 1, RevocationReason::Superseded)).await;
    let second = revoke(2, 1, RevocationReason::AffiliationChanged);
    let expected = [("revoke.serial".to_owned(), "REVOCATION_IS_OPEN")];
    assert_eq!(refused(store, second.clone()).await, expected);
    claim_revocations(store, 9).await;
    settle(store, id(1), Settled::Completed).await;
    settle(store, id(1), Settled::Completed).await;
    assert_eq!(state(store, id(1)).await, "completed");
    accept(store, second).await;
    claim_revocations(store, 9).await;
    let reason = "CERTIFICATE_REVOKED_BEFORE ".repeat(200);
    settle(
        store,
        id(2),
        Settled::Failed {
            reason: reason.clone(),
        },
    )
    .await;
    let failed = store.application(id(2)).await.unwrap().unwrap();
    let State::Failed { reason: kept, .. } = failed.state else {
        panic!("{:?}", failed.state)
    };
    assert!(reason.starts_with(kept.trim_end_matches('…')) && kept.len() > 1000);
}

pub(crate) async fn a_certificate_issued_behind_the_standings_is_in_the_way(
    store: &impl IntakeStore,
) {
    begin(store).await;
    accept(store, issue(1)).await;
    claim(store, 9).await;
    settle(store, id(1), issued(6)).await;
    let second = |position| {
        let Content::Issue(first) = issue(1).content else {
            unreachable!()
        };
        NewApplication {
            standings_position: position,
            ..with(issue(2), |c| c.subject = first.subject)
        }
    };
    let expected = [("issue.subject".to_owned(), "SUBJECT_HAS_VALID_CERTIFICATE")];
    assert_eq!(refused(store, second(6)).await, expected);
    // Standings that hold the certificate have judged already.
    accept(store, second(7)).await;
    // Its key is taken for good all the same.
    let Content::Issue(first) = issue(1).content else {
        unreachable!()
    };
    let same_key = with(issue(3), |c| c.key_digest = first.key_digest);
    let expected = [("issue.csr".to_owned(), "KEY_USED_BEFORE")];
    assert_eq!(refused(store, same_key.clone()).await, expected);
    act(store, id(1), Act::ConfirmDelivery).await.unwrap();
    assert_eq!(refused(store, same_key).await, expected);
}

pub(crate) async fn answers_that_do_not_fit_change_nothing(store: &impl IntakeStore) {
    begin(store).await;
    store
        .accept(vec![issue(1), revoke(2, 9, RevocationReason::Superseded)])
        .await
        .unwrap();
    let changes = store.changes();
    let entries = || *changes.borrow();
    let before = entries();
    settle(store, id(1), issued(1)).await;
    settle(store, id(9), issued(1)).await;
    claim(store, 9).await;
    claim_revocations(store, 9).await;
    let claimed = entries();
    assert_eq!(
        claimed,
        before + 2,
        "one entry for each claim, none for the answers"
    );
    settle(store, id(1), Settled::Completed).await;
    settle(store, id(2), issued(2)).await;
    settle(store, id(2), Settled::Abandoned { attempt: 1 }).await;
    assert_eq!(entries(), claimed);
    settle(store, id(1), issued(1)).await;
    settle(store, id(1), issued(3)).await;
    assert_eq!(entries(), claimed + 1);
    let found = store.certificates(vec![id(1)]).await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().serial, serial(1));
}

pub(crate) async fn an_answer_of_no_use_leaves_the_order_to_be_made_again(
    store: &impl IntakeStore,
) {
    begin(store).await;
    store
        .accept(vec![issue(1), revoke(2, 9, RevocationReason::Superseded)])
        .await
        .unwrap();
    claim(store, 9).await;
    claim_revocations(store, 9).await;
    let answer = |n, outcome| Settlement {
        id: id(n),
        outcome,
        at: at(7000),
    };
    let unfit = vec![
        answer(1, Settled::Completed),
        answer(2, issued(2)),
        answer(9, issued(9)),
    ];
    assert_eq!(store.settle(unfit).await.unwrap(), [id(1), id(2)]);
    let stale = vec![
        answer(1, Settled::Abandoned { attempt: 7 }),
        answer(2, Settled::Completed),
    ];
    assert_eq!(store.settle(stale).await.unwrap(), [id(1)]);
    assert!(claim(store, 9).await.is_empty(), "in the caller's hands");
    store.release(vec![id(1)]).await.unwrap();
    let again = claim(store, 9).await;
    assert_eq!((numbers(&again), again[0].attempt), (vec![id(1)], 1));
    // What comes after the end is awaited no more.
    settle(store, id(1), issued(1)).await;
    let late = vec![answer(1, Settled::Completed), answer(2, Settled::Completed)];
    assert!(store.settle(late).await.unwrap().is_empty());
}

pub(crate) async fn unconfirmed_certificates_are_found_by_age(store: &impl IntakeStore) {
    begin(store).await;
    store.accept((1..=3).map(issue).collect()).await.unwrap();
    claim(store, 9).await;
    for n in [2, 1, 3] {
        settle(store, id(n), issued(u8::try_from(n).unwrap())).await;
    }
    let none = store.unconfirmed(at(7000), 9).await.unwrap();
    assert!(none.is_empty(), "issued then is not issued before");
    let all = store.unconfirmed(at(7001), 9).await.unwrap();
    assert_eq!(all, [id(1), id(2), id(3)]);
    assert_eq!(store.unconfirmed(at(7001), 2).await.unwrap().len(), 2);
    act(store, id(2), Act::ConfirmDelivery).await.unwrap();
    let presumed = act(store, id(1), Act::PresumeDelivery).await.unwrap();
    assert_eq!(presumed.state.name(), "delivered");
    assert_eq!(store.unconfirmed(at(7001), 9).await.unwrap(), [id(3)]);
}

pub(crate) async fn a_key_compromise_does_not_wait_for_an_abolition_under_way(
    store: &impl IntakeStore,
) {
    begin(store).await;
    let abolition = NewApplication {
        approvals_needed: 1,
        ..revoke(1, 1, RevocationReason::CessationOfOperation)
    };
    accept(store, abolition).await;
    accept(store, revoke(2, 1, RevocationReason::KeyCompromise)).await;
    assert_eq!(numbers(&claim_revocations(store, 9).await), [id(2)]);
    let expected = [("revoke.serial".to_owned(), "REVOCATION_IS_OPEN")];
    for reason in [
        RevocationReason::KeyCompromise,
        RevocationReason::Superseded,
    ] {
        assert_eq!(refused(store, revoke(3, 1, reason)).await, expected);
    }
    settle(store, id(2), Settled::Completed).await;
    act(store, id(1), Act::Withdraw).await.unwrap();
    assert_eq!(state(store, id(2)).await, "completed");
}

pub(crate) async fn a_certificate_handed_over_since_the_look_stands_in_the_way(
    store: &impl IntakeStore,
) {
    begin(store).await;
    accept(store, issue(1)).await;
    claim(store, 9).await;
    settle(store, id(1), issued(1)).await;
    act(store, id(1), Act::ConfirmDelivery).await.unwrap();
    let Content::Issue(first) = issue(1).content else {
        panic!("another content")
    };
    let second = |standings_position| {
        let mut second = issue(2);
        if let Content::Issue(content) = &mut second.content {
            content.subject = first.subject.clone();
        }
        second.standings_position = standings_position;
        second
    };
    let expected = [("issue.subject".to_owned(), "SUBJECT_HAS_VALID_CERTIFICATE")];
    assert_eq!(refused(store, second(0)).await, expected);
    // The standings knew of it and judged otherwise: it was revoked since.
    accept(store, second(u64::MAX)).await;
}
