//! Renewals: what is owed to lifecycle, and what its answers do.

use lgpki_domain::{RenewalOutcome, RevocationReason, application::State};

use super::super::fixtures::{
    accept, act, answer, approver, at, begin, claim, claim_revocations, id, issue, issued, numbers,
    refused, renew, revoke, serial, settle, state, with,
};
use crate::ports::{
    Act, ActRefused, Content, IntakeStore, RenewalAnswer, RenewalDue, RenewalStep, Settled,
};

async fn owed(store: &impl IntakeStore) -> Vec<RenewalDue> {
    store.renewals_due(500).await.unwrap()
}

async fn step(store: &impl IntakeStore) -> RenewalStep {
    let [due] = &owed(store).await[..] else {
        panic!("one is owed")
    };
    due.step
}

fn closed(outcome: RenewalOutcome, new: Option<u8>) -> RenewalStep {
    RenewalStep::Close {
        outcome,
        new_serial: new.map(serial),
    }
}

pub(crate) async fn a_renewal_goes_on_only_once_lifecycle_has_opened_it(store: &impl IntakeStore) {
    begin(store).await;
    accept(store, renew(1, 1, 0)).await;
    accept(store, renew(2, 2, 2)).await;
    for n in [1, 2] {
        assert_eq!(state(store, id(n)).await, "received");
    }
    assert!(claim(store, 9).await.is_empty());
    let due = owed(store).await;
    let told: Vec<_> = due.iter().map(|due| (due.id, due.serial)).collect();
    assert_eq!(told, [(id(1), serial(1)), (id(2), serial(2))]);
    let received_at = at(1);
    assert_eq!(due[0].step, RenewalStep::Open { received_at });
    assert_eq!(store.renewals_due(1).await.unwrap().len(), 1);

    answer(store, id(1), RenewalAnswer::Opened).await;
    assert_eq!(state(store, id(1)).await, "queued");
    answer(store, id(2), RenewalAnswer::Opened).await;
    assert_eq!(state(store, id(2)).await, "examining");
    assert!(owed(store).await.is_empty());
    for n in [1, 2] {
        let operator = approver(n, n);
        let approved = act(store, id(2), Act::Approve { operator }).await;
        approved.unwrap();
    }
    assert_eq!(state(store, id(2)).await, "queued");
    assert_eq!(claim(store, 9).await.len(), 2);
}

pub(crate) async fn how_a_renewal_ended_is_owed_to_lifecycle_until_it_knows(
    store: &impl IntakeStore,
) {
    begin(store).await;
    accept(store, renew(1, 1, 0)).await;
    answer(store, id(1), RenewalAnswer::Opened).await;
    claim(store, 1).await;
    settle(store, id(1), issued(7)).await;
    assert!(owed(store).await.is_empty(), "it is not delivered yet");
    act(store, id(1), Act::ConfirmDelivery).await.unwrap();
    assert_eq!(
        step(store).await,
        closed(RenewalOutcome::Delivered, Some(7))
    );
    answer(store, id(1), RenewalAnswer::Closed).await;
    assert!(owed(store).await.is_empty());
    assert_eq!(state(store, id(1)).await, "delivered");

    let given_up = closed(RenewalOutcome::GivenUp, None);
    let reason = "no".to_owned();
    accept(store, renew(2, 2, 1)).await;
    answer(store, id(2), RenewalAnswer::Opened).await;
    act(store, id(2), Act::Reject { reason }).await.unwrap();
    assert_eq!(step(store).await, given_up);
    answer(store, id(2), RenewalAnswer::Closed).await;

    // Withdrawn before lifecycle was heard: it may have been opened all the same.
    accept(store, renew(3, 3, 0)).await;
    act(store, id(3), Act::Withdraw).await.unwrap();
    assert_eq!(step(store).await, given_up);
    // The next renewal of the same certificate comes after the end of this one.
    accept(store, renew(4, 3, 0)).await;
    let order: Vec<_> = owed(store).await.iter().map(|due| due.id).collect();
    assert_eq!(order, [id(3), id(4)]);
    answer(store, id(3), RenewalAnswer::Closed).await;

    let reason = "another was first".to_owned();
    answer(store, id(4), RenewalAnswer::Refused { reason }).await;
    assert_eq!(state(store, id(4)).await, "failed");
    assert_eq!(step(store).await, given_up);
}

pub(crate) async fn answers_about_renewals_that_fit_no_longer_change_nothing(
    store: &impl IntakeStore,
) {
    begin(store).await;
    accept(store, renew(1, 1, 0)).await;
    accept(store, issue(2)).await;
    answer(store, id(1), RenewalAnswer::Closed).await;
    answer(store, id(2), RenewalAnswer::Opened).await;
    answer(store, id(9), RenewalAnswer::Opened).await;
    assert_eq!(state(store, id(1)).await, "received");
    answer(store, id(1), RenewalAnswer::Opened).await;
    let entries = *store.changes().borrow();
    answer(store, id(1), RenewalAnswer::Opened).await;
    let reason = "late".to_owned();
    answer(store, id(1), RenewalAnswer::Refused { reason }).await;
    assert_eq!(*store.changes().borrow(), entries);
    assert_eq!(state(store, id(1)).await, "queued");
    act(store, id(1), Act::Withdraw).await.unwrap();
    answer(store, id(1), RenewalAnswer::Opened).await;
    assert_eq!(state(store, id(1)).await, "withdrawn");
}

pub(crate) async fn only_one_renewal_of_a_certificate_is_under_way(store: &impl IntakeStore) {
    begin(store).await;
    accept(store, renew(1, 1, 0)).await;
    // Whatever subject the second one claims.
    assert_eq!(
        refused(store, renew(2, 1, 0)).await,
        [("renew.serial".to_owned(), "RENEWAL_IS_OPEN")]
    );
    // A key that came before is told by the field that the applicant filled in.
    let again = with(renew(3, 2, 0), |content| {
        if let Content::Issue(first) = issue(1).content {
            content.key_digest = first.key_digest;
        }
    });
    assert_eq!(
        refused(store, again).await,
        [("renew.csr".to_owned(), "KEY_USED_BEFORE")]
    );
    answer(store, id(1), RenewalAnswer::Opened).await;
    claim(store, 1).await;
    settle(store, id(1), issued(7)).await;
    let same = |new| with(new, |_| ());
    assert_eq!(
        refused(store, same(renew(3, 1, 0))).await,
        [("renew.serial".to_owned(), "RENEWAL_IS_OPEN")]
    );
    act(store, id(1), Act::ConfirmDelivery).await.unwrap();
    assert_eq!(
        refused(store, renew(4, 1, 0)).await,
        [("renew.serial".to_owned(), "RENEWAL_IS_OPEN")]
    );
    answer(store, id(1), RenewalAnswer::Closed).await;
    // Lifecycle has the last word from here on.
    accept(store, renew(5, 1, 0)).await;
}

pub(crate) async fn a_renewal_ends_with_the_revocation_of_its_certificate_unless_it_is_claimed(
    store: &impl IntakeStore,
) {
    begin(store).await;
    accept(store, renew(4, 4, 0)).await;
    accept(store, renew(5, 5, 0)).await;
    for n in [4, 5] {
        answer(store, id(n), RenewalAnswer::Opened).await;
    }
    assert_eq!(claim(store, 9).await.len(), 2);
    settle(store, id(5), issued(50)).await;
    for (n, needed) in [(1, 0), (2, 1), (3, 1)] {
        accept(store, renew(n, u8::try_from(n).unwrap(), needed)).await;
    }
    for n in [1, 2] {
        answer(store, id(n), RenewalAnswer::Opened).await;
    }
    let states = async || {
        let mut states = Vec::new();
        for n in 1..=5 {
            states.push(state(store, id(n)).await);
        }
        states
    };
    let before = ["queued", "examining", "received", "issuing", "issued"];
    assert_eq!(states().await, before);
    for n in 1..=5 {
        let of = u8::try_from(n).unwrap();
        accept(store, revoke(10 + n, of, RevocationReason::KeyCompromise)).await;
    }
    assert_eq!(claim_revocations(store, 9).await.len(), 5);
    // On their way to lifecycle: nothing is decided yet, and nothing is claimed.
    assert_eq!(states().await, before);
    assert!(claim(store, 9).await.is_empty());
    for n in 11..=15 {
        settle(store, id(n), Settled::Completed).await;
    }
    let after = ["failed", "failed", "failed", "issuing", "issued"];
    assert_eq!(states().await, after);
    let failed = store.application(id(2)).await.unwrap().unwrap();
    let State::Failed { reason, .. } = failed.state else {
        panic!("it has failed");
    };
    assert!(reason.ends_with("[CERTIFICATE_REVOKED_BEFORE]"), "{reason}");
    assert!(reason.contains(&id(12).to_string()), "{reason}");
    // Its approval says why, and lifecycle is told that the renewals are over.
    let operator = approver(1, 1);
    let refused = act(store, id(2), Act::Approve { operator }).await;
    assert!(
        matches!(&refused, Err(ActRefused::CertificateRevoked(of, why)) if *of == id(2) && why.contains("issue")),
        "{refused:?}"
    );
    let ids: Vec<_> = owed(store).await.iter().map(|due| due.id).collect();
    assert_eq!(ids, [id(1), id(2), id(3)]);
    assert!(claim(store, 9).await.is_empty());
    // The claimed one is carried on with, and its subject is free afterwards like any other's.
    settle(store, id(4), issued(40)).await;
    assert_eq!(state(store, id(4)).await, "issued");
    accept(store, renew(6, 1, 0)).await;
}

pub(crate) async fn a_renewal_waits_while_the_end_of_its_certificate_is_under_way(
    store: &impl IntakeStore,
) {
    begin(store).await;
    for (n, of) in [(1, 1), (2, 2)] {
        accept(store, renew(n, of, 0)).await;
        answer(store, id(n), RenewalAnswer::Opened).await;
    }
    accept(store, revoke(3, 1, RevocationReason::Superseded)).await;
    // Others pass it, even where only the first of the queue is asked for.
    assert_eq!(numbers(&claim(store, 1).await), [id(2)]);
    assert!(claim(store, 1).await.is_empty());
    claim_revocations(store, 1).await;
    assert!(claim(store, 1).await.is_empty());
    // Lifecycle refused it: nothing stands in the renewal's way any more.
    let reason = "it is another branch's".to_owned();
    settle(store, id(3), Settled::Failed { reason }).await;
    let claimed = claim(store, 9).await;
    assert_eq!(numbers(&claimed), [id(1)]);
    assert!(!claimed[0].again);
    store.release(vec![id(1)]).await.unwrap();
    assert!(claim(store, 9).await[0].again);
}
