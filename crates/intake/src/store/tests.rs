//! The store's tests: one conformance suite on every engine, and what only a disk can do to one.

mod addressees;
pub(crate) mod conformance;
pub(crate) mod fixtures;
mod queues;
mod reopening;
mod scenario;

/// Runs the conformance suite's functions on each engine.
macro_rules! on_every_engine {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $name() {
                    let store = crate::store::EngineStore::open_memory(lgpki_testkit::log_identity("intake-1")).unwrap();
                    super::conformance::$name(&store).await;
                    store.close().await;
                }
            )+
        }

        mod embedded {
            $(
                #[tokio::test]
                async fn $name() {
                    let dir = tempfile::tempdir().unwrap();
                    let options = lgpki_store::Options::new(lgpki_testkit::log_identity("intake-1"));
                    let opened = crate::store::EngineStore::open_embedded(dir.path(), options);
                    let (store, _) = opened.unwrap();
                    super::conformance::$name(&store).await;
                    store.close().await;
                }
            )+
        }
    };
}

on_every_engine! {
    an_accepted_application_is_found_by_number_and_by_request_id,
    the_same_request_is_the_same_application_and_never_another,
    a_key_or_subject_taken_in_the_same_batch_is_refused,
    every_fault_of_an_application_is_told_at_once,
    a_rejected_application_frees_its_key_and_subject,
    a_closed_branch_applies_for_nothing_but_may_still_revoke,
    two_operators_must_approve_where_two_are_needed,
    another_branchs_application_does_not_exist,
    urgent_revocations_are_claimed_first_and_the_rest_in_order,
    neither_queue_waits_for_what_the_other_gave_back,
    what_was_claimed_is_handed_out_again_only_after_its_release,
    an_issued_certificate_is_kept_and_delivered_once,
    an_abandoned_attempt_is_followed_by_the_next,
    an_answer_of_no_use_leaves_the_order_to_be_made_again,
    a_certificate_handed_over_since_the_look_stands_in_the_way,
    a_key_compromise_does_not_wait_for_an_abolition_under_way,
    a_revocation_is_completed_and_blocks_a_second_one_until_then,
    a_certificate_issued_behind_the_standings_is_in_the_way,
    answers_that_do_not_fit_change_nothing,
    limits_change_once_for_each_revision_seen,
    a_body_records_so_many_versions_and_can_always_end_an_entry,
    a_body_has_so_many_entries_in_its_directories,
    what_waits_for_an_examiner_is_listed_in_its_order,
    the_queues_can_be_put_into_another_order,
    listings_filter_and_page,
    directory_changes_happen_all_or_none,
    a_renamed_unit_takes_its_accounts_along,
    bodies_are_imported_and_branches_deactivated,
    watchers_see_every_change_of_their_branch,
    the_door_sees_what_the_store_knows,
    one_application_too_large_for_a_record_is_refused_alone,
    unconfirmed_certificates_are_found_by_age,
    a_renewal_goes_on_only_once_lifecycle_has_opened_it,
    how_a_renewal_ended_is_owed_to_lifecycle_until_it_knows,
    answers_about_renewals_that_fit_no_longer_change_nothing,
    only_one_renewal_of_a_certificate_is_under_way,
    a_renewal_ends_with_the_revocation_of_its_certificate_unless_it_is_claimed,
    a_renewal_waits_while_the_end_of_its_certificate_is_under_way,
    an_addressee_has_versions_and_an_end,
    the_same_request_about_an_addressee_is_carried_out_once,
    every_fault_of_an_addressee_is_told_at_once,
    a_change_replaces_the_version_it_names_and_no_other,
    an_address_is_free_again_when_its_entry_no_longer_holds,
    a_closed_branch_registers_nothing_and_its_entries_show_it,
    an_entry_shows_that_its_unit_left_the_directory,
    addressees_are_listed_by_number_and_followed_by_change,
}
