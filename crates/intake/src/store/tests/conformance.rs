//! What every implementation of [`IntakeStore`] must do.

pub(crate) mod addressees;
mod directories;
mod examining;
mod issuing;
mod limits;
pub(crate) mod queueing;
mod reading;
mod renewing;

use lgpki_domain::{Digest, RevocationReason, application::State};

pub(super) use self::{
    addressees::{
        a_change_replaces_the_version_it_names_and_no_other,
        a_closed_branch_registers_nothing_and_its_entries_show_it,
        addressees_are_listed_by_number_and_followed_by_change,
        an_address_is_free_again_when_its_entry_no_longer_holds,
        an_addressee_has_versions_and_an_end, an_entry_shows_that_its_unit_left_the_directory,
        every_fault_of_an_addressee_is_told_at_once,
        the_same_request_about_an_addressee_is_carried_out_once,
    },
    directories::{
        a_renamed_unit_takes_its_accounts_along, bodies_are_imported_and_branches_deactivated,
        directory_changes_happen_all_or_none,
    },
    examining::{
        another_branchs_application_does_not_exist, two_operators_must_approve_where_two_are_needed,
    },
    issuing::{
        a_certificate_handed_over_since_the_look_stands_in_the_way,
        a_certificate_issued_behind_the_standings_is_in_the_way,
        a_key_compromise_does_not_wait_for_an_abolition_under_way,
        a_revocation_is_completed_and_blocks_a_second_one_until_then,
        an_abandoned_attempt_is_followed_by_the_next,
        an_answer_of_no_use_leaves_the_order_to_be_made_again,
        an_issued_certificate_is_kept_and_delivered_once, answers_that_do_not_fit_change_nothing,
        neither_queue_waits_for_what_the_other_gave_back,
        unconfirmed_certificates_are_found_by_age,
        urgent_revocations_are_claimed_first_and_the_rest_in_order,
        what_was_claimed_is_handed_out_again_only_after_its_release,
    },
    limits::{
        a_body_has_so_many_entries_in_its_directories,
        a_body_records_so_many_versions_and_can_always_end_an_entry,
        limits_change_once_for_each_revision_seen,
    },
    queueing::{
        the_queues_can_be_put_into_another_order, what_waits_for_an_examiner_is_listed_in_its_order,
    },
    reading::{
        listings_filter_and_page, the_door_sees_what_the_store_knows,
        watchers_see_every_change_of_their_branch,
    },
    renewing::{
        a_renewal_ends_with_the_revocation_of_its_certificate_unless_it_is_claimed,
        a_renewal_goes_on_only_once_lifecycle_has_opened_it,
        a_renewal_waits_while_the_end_of_its_certificate_is_under_way,
        answers_about_renewals_that_fit_no_longer_change_nothing,
        how_a_renewal_ended_is_owed_to_lifecycle_until_it_knows,
        only_one_renewal_of_a_certificate_is_under_way,
    },
};
use super::fixtures::{accept, act, at, begin, code, id, issue, manual, refused, revoke, with};
use crate::ports::{Acceptance, Act, Content, IntakeStore, NewApplication};

pub(super) async fn an_accepted_application_is_found_by_number_and_by_request_id(
    store: &impl IntakeStore,
) {
    begin(store).await;
    let new = issue(1);
    let accepted = accept(store, new.clone()).await;
    assert_eq!(
        accepted.state,
        State::Queued {
            at: at(1),
            attempt: 1
        }
    );
    let found = store.application(new.id).await.unwrap().unwrap();
    assert_eq!(found.content, new.content);
    assert_eq!(found.examination, new.examination);
    assert_eq!(found.examiner_commitment, new.examiner_commitment);
    assert_eq!(found.content_digest, new.content_digest);
    assert_eq!((found.branch, found.sort), (new.branch, new.sort));
    assert_eq!(
        (found.state.clone(), found.received_at),
        (accepted.state, at(1))
    );
    let request = new.request_id.clone();
    let by_request = store.by_request(new.branch, request.clone()).await.unwrap();
    assert_eq!(by_request, Some(found));
    let elsewhere = store
        .by_request(Some(code("01002")), request)
        .await
        .unwrap();
    assert_eq!(elsewhere, None);
    assert_eq!(store.application(id(2)).await.unwrap(), None);
}

pub(super) async fn the_same_request_is_the_same_application_and_never_another(
    store: &impl IntakeStore,
) {
    begin(store).await;
    let first = accept(store, manual(1, 1)).await;
    let again = NewApplication {
        id: id(2),
        ..manual(1, 1)
    };
    let other = NewApplication {
        content_digest: Digest([9; 32]),
        ..again.clone()
    };
    // In one batch with a new one, twice; the number drawn for the repetition is not used.
    let batch = vec![again.clone(), manual(3, 1), manual(3, 1), other];
    let answers = store.accept(batch).await.unwrap();
    let [repeated, new, new_again, other] = answers.try_into().unwrap();
    assert!(matches!(repeated, Acceptance::Repeated(a) if a == first));
    assert!(matches!(&new, Acceptance::Accepted(a) if a.id == id(3)));
    assert!(matches!(new_again, Acceptance::Repeated(a) if a.id == id(3)));
    assert!(matches!(other, Acceptance::OtherContent(of) if of == first.id));
    assert_eq!(store.application(id(2)).await.unwrap(), None);
    // A closed application is still the answer to its request.
    act(store, first.id, Act::Withdraw).await.unwrap();
    let answers = store.accept(vec![again]).await.unwrap();
    assert!(matches!(&answers[..], [Acceptance::Repeated(a)] if a.state.name() == "withdrawn"));
    // Another branch's request ids are its own.
    let elsewhere = NewApplication {
        id: id(4),
        branch: Some(code("01002")),
        ..with(issue(1), |c| c.key_digest = Digest([7; 32]))
    };
    assert_eq!(accept(store, elsewhere).await.id, id(4));
}

pub(super) async fn a_key_or_subject_taken_in_the_same_batch_is_refused(store: &impl IntakeStore) {
    begin(store).await;
    let Content::Issue(first) = issue(1).content else {
        unreachable!()
    };
    let same_key = with(issue(2), |c| c.key_digest = first.key_digest);
    let same_subject = with(issue(3), |c| c.subject = first.subject.clone());
    let batch = vec![issue(1), same_key, same_subject, issue(4)];
    let answers = store.accept(batch).await.unwrap();
    let reasons: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Acceptance::Refused(faults) => faults.iter().map(|f| f.reason).collect(),
            _ => vec![],
        })
        .collect();
    let expected = [
        vec![],
        vec!["KEY_USED_BEFORE"],
        vec!["SUBJECT_HAS_OPEN_APPLICATION"],
        vec![],
    ];
    assert_eq!(reasons, expected);
    assert_eq!(store.application(id(2)).await.unwrap(), None);
    assert_eq!(store.application(id(3)).await.unwrap(), None);
}

pub(super) async fn every_fault_of_an_application_is_told_at_once(store: &impl IntakeStore) {
    begin(store).await;
    accept(store, issue(1)).await;
    let Content::Issue(first) = issue(1).content else {
        unreachable!()
    };
    let new = NewApplication {
        branch: Some(code("47001")),
        ..with(issue(2), |c| *c = first)
    };
    let expected = [
        ("branch".to_owned(), "BODY_UNKNOWN"),
        ("issue.csr".to_owned(), "KEY_USED_BEFORE"),
        ("issue.subject".to_owned(), "SUBJECT_HAS_OPEN_APPLICATION"),
    ];
    assert_eq!(refused(store, new).await, expected);
}

pub(super) async fn a_rejected_application_frees_its_key_and_subject(store: &impl IntakeStore) {
    begin(store).await;
    let same = |n| {
        with(manual(n, 1), |c| {
            let Content::Issue(first) = issue(1).content else {
                unreachable!()
            };
            *c = first;
        })
    };
    let first = accept(store, same(1)).await;
    assert_eq!(refused(store, same(2)).await.len(), 2);
    let reason = "番号が違います".to_owned();
    let rejected = act(
        store,
        first.id,
        Act::Reject {
            reason: reason.clone(),
        },
    )
    .await;
    let rejected = rejected.unwrap().state;
    assert_eq!(
        rejected,
        State::Rejected {
            at: at(5000),
            reason
        }
    );
    let second = accept(store, same(3)).await;
    act(store, second.id, Act::Withdraw).await.unwrap();
    accept(store, same(4)).await;
    assert_eq!(refused(store, same(5)).await.len(), 2);
}

pub(super) async fn a_closed_branch_applies_for_nothing_but_may_still_revoke(
    store: &impl IntakeStore,
) {
    begin(store).await;
    let closed = store.deactivate_branch(
        code("01001"),
        "合併".to_owned(),
        super::fixtures::SERVICE,
        at(2),
    );
    closed.await.unwrap().unwrap();
    let expected = [("branch".to_owned(), "BRANCH_DEACTIVATED")];
    assert_eq!(refused(store, issue(1)).await, expected);
    let revocation = revoke(2, 1, RevocationReason::CessationOfOperation);
    let revocation = NewApplication {
        approvals_needed: 1,
        ..revocation
    };
    assert_eq!(accept(store, revocation).await.id, id(2));
    let operator = super::fixtures::approver(1, 1);
    act(store, id(2), Act::Approve { operator }).await.unwrap();
}

pub(super) async fn one_application_too_large_for_a_record_is_refused_alone(
    store: &impl IntakeStore,
) {
    begin(store).await;
    let large = with(issue(2), |c| c.csr = vec![1; 60_000]);
    let answers = store.accept(vec![issue(1), large, issue(3)]).await.unwrap();
    let [first, second, third] = answers.try_into().unwrap();
    assert!(matches!(first, Acceptance::Accepted(_)));
    assert!(matches!(third, Acceptance::Accepted(_)));
    let Acceptance::Refused(faults) = second else {
        panic!("accepted what no entry can hold");
    };
    assert_eq!(
        faults.iter().next().unwrap().reason,
        "APPLICATION_TOO_LARGE"
    );
    // Nothing of it stayed behind: the key and the subject are free.
    accept(store, issue(2)).await;
}
