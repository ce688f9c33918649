//! What every engine must do: one suite, run in memory, on a log alone, and embedded with an index.

mod deltas;
mod rebuild;
mod slots;
mod suite;

use std::{io::ErrorKind, sync::Arc};

use lgpki_domain::{
    RenewalOutcome,
    RevocationReason::{AffiliationChanged, KeyCompromise, Superseded},
};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_identity};

use self::suite::{AUTHORITY, delta, end, publication, renewal, with};
use super::*;
use crate::{
    ports::{FeedEvent, SlotStore as _},
    testing::{abandoned_item, at, issued_item, issued_on, item, order, serial},
};

/// Runs a test on each engine.
macro_rules! on_every_engine {
    ($($(#[$meta:meta])* $name:ident;)+) => {
        mod in_memory {
            $($(#[$meta])* #[tokio::test] async fn $name() {
                super::suite::$name(super::EngineStore::in_memory(lgpki_testkit::log_identity("test")).unwrap()).await;
            })+
        }
        mod on_a_log_alone {
            $($(#[$meta])* #[tokio::test] async fn $name() {
                super::suite::$name(super::on(&super::FaultyDisk::new())).await;
            })+
        }
        mod embedded {
            $($(#[$meta])* #[tokio::test] async fn $name() {
                let dir = tempfile::tempdir().unwrap();
                super::suite::$name(super::embedded(dir.path())).await;
            })+
        }
    };
}

on_every_engine! {
    a_certificate_from_the_feed_is_found_as_it_was_told;
    the_feed_told_again_changes_nothing;
    a_serial_number_told_twice_is_a_conflict;
    a_revocation_is_refused_for_its_own_reason;
    a_revocation_is_idempotent_by_its_command;
    orders_of_one_batch_are_decided_one_by_one;
    pages_are_stable_and_ordered_by_expiry;
    filters_select;
    the_snapshot_lists_what_is_revoked_in_order;
    a_long_list_is_told_in_stretches_and_without_what_came_later;
    an_expired_entry_leaves_only_after_one_crl_past_its_expiry;
    a_crl_made_under_a_clock_that_was_ahead_lets_nothing_go;
    a_publication_that_does_not_follow_is_not_recorded;
    a_key_compromise_is_urgent_until_it_is_published;
    a_delta_goes_with_its_complete_crl_or_follows_it;
    complete_crls_are_bases_while_they_are_in_force;
    a_crl_a_second_leaves_the_record_small;
    a_shorter_validity_leaves_the_record_small;
    what_was_revoked_since_a_base_is_told_until_the_base_runs_out;
    standings_tell_everything_in_order;
    a_renewal_is_opened_within_the_window_and_only_once;
    a_renewal_is_idempotent_by_its_command;
    a_delivered_renewal_supersedes_what_still_stands;
    an_open_renewal_does_not_outlive_the_revocation_of_its_certificate;
    a_renewal_given_up_leaves_the_certificate_as_it_was;
    a_renewal_given_up_before_it_was_opened_is_never_opened;
    what_is_renewing_is_told_and_listed_but_on_no_crl;
    every_filter_selects_and_counts_what_it_says;
    a_search_that_finds_little_goes_on_past_a_stretch;
    counters_agree_with_what_is_held_after_any_history;
    a_histogram_puts_each_day_into_its_bucket;
    a_histogram_too_large_is_not_made;
    notices_come_at_their_times_and_for_the_own_branch;
    every_notice_is_told_exactly_once_whatever_happens_between_pages;
    a_certificate_that_arrives_late_is_told_of_at_once;
    what_is_wanted_since_a_day_leaves_out_what_was_before;
    whoever_takes_one_notice_at_a_time_hears_of_each_once;
    what_is_wanted_since_a_day_is_complete_though_the_clock_was_set_back;
    a_look_for_what_happened_since_a_day_passes_a_stretch_at_most;
    a_slot_is_booked_from_where_it_was_and_only_for_what_stands;
    a_slot_let_pass_is_counted_and_may_leave_none;
    a_slot_ends_with_the_certificate_or_its_renewal;
    many_slots_of_a_day_are_a_few_entries_and_found_by_page;
    keys_are_kept_while_their_tokens_may_hold;
}

fn embedded(dir: &Path) -> EngineStore {
    EngineStore::open(dir, Options::new(log_identity("test")))
        .unwrap()
        .0
}

fn on(disk: &FaultyDisk) -> EngineStore {
    let options = Options {
        disk: Arc::new(disk.clone()),
        ..Options::new(log_identity("test"))
    };
    EngineStore::open_unindexed(Path::new("data"), options)
        .unwrap()
        .0
}

/// Everything there is to see, for comparing a store with itself after it was opened again.
async fn whole(store: &EngineStore) -> String {
    let page = store.page(Filter::default(), None, 100).await.unwrap();
    let series = crate::testing::series(AUTHORITY);
    let now = at("2030-01-01T00:00:00");
    let snapshot = store.snapshot(series, now).await.unwrap();
    let listed = crate::testing::listed(store, series).await;
    let publication = store
        .publication(crate::testing::series(AUTHORITY))
        .await
        .unwrap();
    let slots = (
        store.slot_load().await.unwrap(),
        store.slot_keys().await.unwrap(),
        store.slot_capacity().await.unwrap(),
    );
    format!(
        "{page:?} {snapshot:?} {listed:?} {publication:?} {slots:?} {}",
        store.position().await.unwrap()
    )
}

async fn lived_in(store: &EngineStore) {
    with(store, 5).await;
    let now = at("2011-02-02T10:00:00");
    store.follow(vec![abandoned_item(7)], now).await.unwrap();
    let orders = vec![order(100, 0, Superseded), order(101, 1, KeyCompromise)];
    store.revoke(orders, now).await.unwrap();
    store
        .record(publication(1, "2011-02-04T09:15:00", 8), now)
        .await
        .unwrap();
    let delta = delta(2, 1, "2011-02-04T13:15:00", 9);
    let recorded = store.record(delta, now).await.unwrap();
    assert_eq!(recorded, Recording::Recorded);
    let late = item(issued_on(20, "2009-01-01"), 20);
    store.follow(vec![late], now).await.unwrap();
    store
        .revoke(vec![order(102, 20, KeyCompromise)], now)
        .await
        .unwrap();
    let renewals = vec![renewal(110, 2, now), renewal(111, 3, now)];
    store.open_renewals(renewals, now).await.unwrap();
    let end = end(110, 2, RenewalOutcome::Delivered, 4);
    store.close_renewals(vec![end], now).await.unwrap();
    let mut order = suite::slots([suite::moved(4, None, Some("2011-02-03"))]);
    order.per_business_day = Some(120);
    store.book_slots(order, now).await.unwrap();
    store.add_slot_key([7; 32], now).await.unwrap();
}

#[tokio::test]
async fn an_opened_store_is_the_one_that_was_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = embedded(dir.path());
    lived_in(&store).await;
    let before = whole(&store).await;
    store.close().await;
    drop(store);
    let (store, report) =
        EngineStore::open(dir.path(), Options::new(log_identity("test"))).unwrap();
    assert_eq!((report.replayed, report.rebuilt), (0, None));
    assert_eq!(whole(&store).await, before);
    // Idempotence outlives the process, and what is open stays so.
    let now = at("2011-02-02T10:00:00");
    let renewals = vec![renewal(111, 3, now), renewal(112, 3, now)];
    let opened = store.open_renewals(renewals, now.plus_seconds(9)).await;
    let [again, other] = &opened.unwrap()[..] else {
        panic!("two answers")
    };
    assert_eq!(again, &Ok(now));
    assert_eq!(other.as_ref().unwrap_err().reason, "RENEWAL_IS_OPEN");
    let again = store
        .revoke(vec![order(100, 0, Superseded)], at("2012-01-01T00:00:00"))
        .await;
    assert_eq!(again.unwrap(), [Ok(at("2011-02-02T10:00:00"))]);
}

#[tokio::test]
async fn a_store_rebuilt_from_its_log_is_the_same() {
    let disk = FaultyDisk::new();
    let store = on(&disk);
    lived_in(&store).await;
    let before = whole(&store).await;
    store.close().await;
    drop(store);
    assert_eq!(whole(&on(&disk)).await, before);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_whichever_step_of_the_disk_fails() {
    let full = ErrorKind::StorageFull;
    let faults = [
        Fault::Before(full),
        Fault::After(full),
        Fault::Torn(100, full),
    ];
    for (step, fault) in (0..40).zip(faults.into_iter().cycle()) {
        let disk = FaultyDisk::new();
        let store = on(&disk);
        with(&store, 2).await;
        disk.fail_at(disk.steps() + step, fault);
        let mut acknowledged = Vec::new();
        for n in 2..8 {
            let now = at("2008-03-01T10:00:00");
            if store.follow(vec![issued_item(n)], now).await.is_ok() {
                acknowledged.push(n);
            }
            if store
                .revoke(vec![order(100 + n, n, Superseded)], now)
                .await
                .is_ok()
            {
                acknowledged.push(100 + n);
            }
        }
        drop(store);
        disk.power_cut(Persisted::Nothing);
        let store = on(&disk);
        for n in acknowledged {
            let found = store.certificate(serial(n % 100)).await.unwrap().unwrap();
            assert!(
                n < 100 || found.revocation.is_some(),
                "step {step}: {n} was lost"
            );
        }
    }
}

/// Whichever step of the disk fails while a renewal is delivered: afterwards it is closed and the old
/// certificate superseded, or neither, and the same end given again leads to both.
#[tokio::test]
async fn a_renewal_is_closed_and_its_certificate_superseded_together_or_not_at_all() {
    let full = ErrorKind::StorageFull;
    let now = at("2011-01-05T10:00:00");
    let faults = [
        Fault::Before(full),
        Fault::After(full),
        Fault::Torn(100, full),
        Fault::Torn(400, full),
    ];
    let (mut done, mut undone) = (0, 0);
    // The first five make the segment of the new year.
    for (step, fault) in (1..13).flat_map(|step| faults.map(|fault| (step, fault))) {
        let disk = FaultyDisk::new();
        let store = on(&disk);
        with(&store, 2).await;
        disk.fail_at(step, fault);
        let opened = store.open_renewals(vec![renewal(110, 0, now)], now).await;
        let delivered = || vec![end(110, 0, RenewalOutcome::Delivered, 1)];
        let closed = store.close_renewals(delivered(), now).await;
        drop(store);
        disk.power_cut(Persisted::Nothing);
        let store = on(&disk);
        let found = store.certificate(serial(0)).await.unwrap().unwrap();
        if closed.is_ok() {
            assert!(found.revocation.is_some() && found.renewal.is_none());
            done += 1;
        } else if opened.is_ok() && found.revocation.is_none() {
            assert!(found.renewal.is_some(), "step {step}");
            undone += 1;
        } else {
            assert_eq!(
                found.revocation.is_some(),
                found.renewal.is_none() && opened.is_ok(),
                "step {step}"
            );
        }
        let again = vec![renewal(110, 0, now)];
        store.open_renewals(again, now).await.unwrap();
        let closed = store.close_renewals(delivered(), now).await.unwrap();
        assert_eq!(closed[0].as_ref().unwrap().superseded_at, Some(now));
        let standing = store.standings(0).await.unwrap();
        let last = standing.certificates.last().unwrap();
        assert_eq!((last.issued.serial, last.renewal), (serial(0), None));
        assert!(last.revocation.is_some());
    }
    assert!(done > 0 && undone > 0, "{done} {undone}");
}

#[test]
fn every_event_is_recorded_in_canonical_form() {
    let FeedEvent::Issued(issued) = issued_item(1).event else {
        unreachable!()
    };
    let FeedEvent::Abandoned(abandoned) = abandoned_item(2).event else {
        unreachable!()
    };
    let closed = |replaced_by: Option<Serial>| RenewalClosed {
        application: crate::testing::application(1),
        outcome: RenewalOutcome::GivenUp,
        replaced_by,
        serial: serial(1),
    };
    let events: [LifecycleEvent; 12] = [
        CertificateRegistered::from(*issued).into(),
        CertificateAbandoned::from(abandoned).into(),
        CertificateRevoked {
            command: crate::testing::application(1),
            reason: AffiliationChanged,
            revoked_at: at("2008-03-01T10:00:00"),
            serial: serial(1),
        }
        .into(),
        CrlPublished::from(publication(1, "2008-03-01T10:00:00", 4)).into(),
        CrlPublished::from(delta(2, 1, "2008-03-01T11:00:00", 4)).into(),
        RenewalOpened {
            application: crate::testing::application(1),
            serial: serial(1),
        }
        .into(),
        closed(Some(serial(2))).into(),
        closed(None).into(),
        SlotsBooked {
            certificates: (1..1_001).map(serial).collect(),
            day: suite::day("2010-11-04"),
        }
        .into(),
        SlotsMissed {
            certificates: vec![serial(1)],
            day: suite::day("2010-11-04"),
        }
        .into(),
        SlotCapacityChanged {
            per_business_day: 120,
        }
        .into(),
        SlotsKeyed {
            public_key: vec![7; 32],
        }
        .into(),
    ];
    for event in events {
        let stamp = lgpki_ledger::Stamp::new(at("2008-03-01T10:00:00"), "lifecycle");
        let bytes = lgpki_ledger::encode("test", &stamp, &event).unwrap();
        lgpki_ledger::canonical::is_canonical(&bytes).unwrap();
        assert_eq!(entry(0, &bytes).unwrap().event, event);
    }
}
