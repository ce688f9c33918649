//! Deltas: what may be recorded after what, which complete CRLs they may add to, and what they list.

use super::*;
use crate::ports::PublicationStanding;

/// A delta to the complete CRL `base`.
pub(in super::super) fn delta(
    number: u64,
    base: u64,
    this_update: &str,
    reflects: u64,
) -> Publication {
    Publication {
        base: Some(CrlNumber(base)),
        next_update: at(this_update).plus_seconds(8 * 3600),
        ..publication(number, this_update, reflects)
    }
}

async fn standing(store: &impl LifecycleStore) -> PublicationStanding {
    store.publication(series(AUTHORITY)).await.unwrap()
}

pub(in super::super) async fn a_delta_goes_with_its_complete_crl_or_follows_it(
    store: impl LifecycleStore,
) {
    let now = at("2008-02-04T09:15:00");
    let record = async |one: &Publication| store.record(one.clone(), now).await.unwrap();
    let nothing_to_add_to = delta(1, 1, "2008-02-04T09:15:00", 0);
    assert_eq!(record(&nothing_to_add_to).await, Recording::OutOfOrder);
    let complete = publication(5, "2008-02-04T09:15:00", 2);
    assert_eq!(record(&complete).await, Recording::Recorded);
    for wrong in [
        // A number of its own needs a time of its own, and the other way round.
        delta(6, 5, "2008-02-04T09:15:00", 2),
        delta(5, 5, "2008-02-04T09:15:01", 2),
        // It tells something else than the complete one of the same moment.
        delta(5, 5, "2008-02-04T09:15:00", 3),
        // Unknown bases.
        delta(5, 4, "2008-02-04T09:15:00", 2),
        delta(6, 6, "2008-02-04T13:15:00", 2),
        // Before the complete one.
        delta(4, 5, "2008-02-04T13:15:00", 2),
        delta(6, 5, "2008-02-04T09:14:00", 2),
        delta(6, 5, "2008-02-04T13:15:00", 1),
    ] {
        assert_eq!(record(&wrong).await, Recording::OutOfOrder, "{wrong:?}");
    }
    let beside = delta(5, 5, "2008-02-04T09:15:00", 2);
    assert_eq!(record(&beside).await, Recording::Recorded);
    assert_eq!(record(&beside).await, Recording::OutOfOrder);
    let alone = delta(6, 5, "2008-02-04T13:15:00", 4);
    assert_eq!(record(&alone).await, Recording::Recorded);
    let standing = standing(&store).await;
    assert_eq!(standing.newest.as_ref(), Some(&complete));
    assert_eq!(standing.delta.as_ref(), Some(&alone));
    assert_eq!(standing.recorded_at, Some(now));
    assert_eq!(standing.number(), Some(CrlNumber(6)));
    assert_eq!(standing.this_update(), Some(alone.this_update));
    // A complete one comes after the delta, too.
    for wrong in [
        publication(6, "2008-02-05T09:15:00", 4),
        publication(7, "2008-02-04T13:15:00", 4),
        publication(7, "2008-02-05T09:15:00", 3),
    ] {
        assert_eq!(record(&wrong).await, Recording::OutOfOrder, "{wrong:?}");
    }
    let next = publication(7, "2008-02-05T09:15:00", 4);
    assert_eq!(record(&next).await, Recording::Recorded);
}

pub(in super::super) async fn complete_crls_are_bases_while_they_are_in_force(
    store: impl LifecycleStore,
) {
    for (number, this_update, expected) in [
        (1, "2008-02-04T09:15:00", &[1][..]),
        (3, "2008-02-05T09:15:00", &[1, 3]),
        (4, "2008-02-05T17:00:00", &[1, 3, 4]),
        // The first runs out at this very moment and is in force yet.
        (5, "2008-02-06T09:15:00", &[1, 3, 4, 5]),
        // Within a sixteenth of its validity the one before stands for it, until it runs out.
        (6, "2008-02-06T11:15:00", &[3, 4, 5]),
        (7, "2008-02-07T09:15:01", &[4, 5, 7]),
        (8, "2008-02-08T11:15:00", &[5, 7, 8]),
        (9, "2008-02-08T17:15:01", &[7, 8, 9]),
        (10, "2008-02-20T09:15:00", &[10]),
    ] {
        let now = at(this_update);
        let next = publication(number, this_update, 0);
        assert_eq!(store.record(next, now).await.unwrap(), Recording::Recorded);
        let standing = standing(&store).await;
        let bases: Vec<_> = standing.bases.iter().map(|base| base.number.0).collect();
        assert_eq!(bases, expected, "{this_update}");
        let oldest = standing.base_at(now).map(|base| base.number.0);
        assert_eq!(oldest, expected.first().copied(), "{this_update}");
    }
    let later = standing(&store).await.base_at(at("2008-02-22T09:15:01"));
    assert_eq!(later, None);
}

pub(in super::super) async fn what_was_revoked_since_a_base_is_told_until_the_base_runs_out(
    store: impl LifecycleStore,
) {
    with(&store, 5).await;
    let mut command = 100;
    let mut revoke = async |n| {
        command += 1;
        let orders = vec![order(command, n, Superseded)];
        store
            .revoke(orders, at("2008-02-05T10:00:00"))
            .await
            .unwrap();
    };
    let record = async |number, this_update: &str| {
        let now = at(this_update);
        let snapshot = store.snapshot(series(AUTHORITY), now).await.unwrap();
        let reflects = snapshot.reflects;
        let next = publication(number, this_update, reflects);
        assert_eq!(store.record(next, now).await.unwrap(), Recording::Recorded);
        reflects
    };
    let told = async |since| {
        let series = series(AUTHORITY);
        let now = at("2008-02-08T10:00:00");
        let snapshot = store.snapshot(series, now).await.unwrap();
        let changed = store.changes(series, snapshot, since).await.unwrap();
        let recorded = store.recorded(series, snapshot, since).await.unwrap();
        assert_eq!(recorded, changed.len() as u64);
        changed.iter().map(|one| one.serial).collect::<Vec<_>>()
    };
    revoke(4).await;
    assert_eq!(told(0).await, [serial(4)]);
    let first = record(1, "2008-02-05T09:15:00").await;
    assert_eq!(told(first).await, []);
    revoke(3).await;
    revoke(1).await;
    store
        .follow(vec![abandoned_item(9)], at("2008-02-05T12:00:00"))
        .await
        .unwrap();
    // By serial number, whatever the order in which they were revoked.
    assert_eq!(told(first).await, [serial(1), serial(3), serial(9)]);
    let second = record(2, "2008-02-06T09:15:00").await;
    revoke(0).await;
    assert_eq!(
        told(first).await,
        [serial(0), serial(1), serial(3), serial(9)]
    );
    assert_eq!(told(second).await, [serial(0)]);
    // The first is not in force any more: nobody asks what has changed since.
    record(3, "2008-02-08T09:15:00").await;
    assert_eq!(told(0).await, [serial(0)]);
}

pub(in super::super) async fn a_crl_a_second_leaves_the_record_small(store: impl LifecycleStore) {
    let first = at("2008-02-04T09:15:00");
    for n in 0_u32..200 {
        let this_update = first.plus_seconds(i64::from(n) * 1_000);
        let next = Publication {
            this_update,
            next_update: this_update.plus_seconds(48 * 3600),
            ..publication(u64::from(n) + 1, "2008-02-04T09:15:00", 0)
        };
        let recorded = store.record(next, this_update).await.unwrap();
        assert_eq!(recorded, Recording::Recorded);
        let standing = standing(&store).await;
        assert!(standing.bases.len() <= 18, "{}", standing.bases.len());
        // Whoever holds one that is in force finds a base that is no later.
        let held = u64::from(n).saturating_sub(172) + 1;
        let base = standing.base_at(this_update).unwrap();
        assert!(base.number.0 <= held, "{} {held}", base.number);
    }
}

pub(in super::super) async fn a_shorter_validity_leaves_the_record_small(
    store: impl LifecycleStore,
) {
    // Numbers and indexes as long as they get; the validity is shortened twice, and each time as many
    // lists follow as are kept one by one.
    let (mut number, mut now) = (9_007_199_254_740_000_u64, at("2008-02-04T09:15:00"));
    let mut held = Vec::new();
    for hours in [240, 120, 60, 25] {
        for _ in 0..16 {
            number += 1;
            now = now.plus_seconds(hours * 3600 / 16 + 1);
            let next = Publication {
                this_update: now,
                next_update: now.plus_seconds(hours * 3600),
                ..publication(number, "2008-02-04T09:15:00", number)
            };
            held.push((number, next.next_update));
            let recorded = store.record(next.clone(), now).await.unwrap();
            assert_eq!(recorded, Recording::Recorded);
            let beside = Publication {
                base: standing(&store).await.bases.first().map(|base| base.number),
                next_update: now.plus_seconds(4 * 3600),
                ..next
            };
            let recorded = store.record(beside, now).await.unwrap();
            assert_eq!(recorded, Recording::Recorded);
            let standing = standing(&store).await;
            assert!(standing.bases.len() <= 24, "{}", standing.bases.len());
            // Whoever holds one that is in force finds a base that is no later.
            let oldest = held.iter().find(|(_, until)| *until >= now).unwrap().0;
            let base = standing.base_at(now).unwrap();
            assert!(base.number.0 <= oldest, "{} {oldest}", base.number);
        }
    }
}
