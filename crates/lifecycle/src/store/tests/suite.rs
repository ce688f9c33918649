//! What every implementation of the store must do, whatever it stands on.

mod deltas;
mod notices;
mod renewals;
mod searching;
mod slots;

use lgpki_domain::{
    Authority, CertificateKind, CrlNumber, Digest,
    RevocationReason::{AffiliationChanged, CessationOfOperation, KeyCompromise, Superseded},
};

use crate::{
    ports::{
        CertificateState, Filter, IssuedCertificate, LifecycleStore, Publication, Recording,
        RevocationOrder, Standings,
    },
    testing::{
        abandoned_item, at, issued, issued_item, issued_on, item, listed, listed_at, order, serial,
        series,
    },
};

pub(super) use deltas::*;
pub(super) use notices::*;
pub(super) use renewals::*;
pub(super) use searching::*;
pub(super) use slots::*;

/// The CA of the fixtures' certificates.
pub(super) const AUTHORITY: Authority = Authority::Application;

pub(super) async fn with(store: &impl LifecycleStore, count: u32) {
    let items = (0..count).map(issued_item).collect();
    let followed = store
        .follow(items, at("2008-02-04T12:00:00"))
        .await
        .unwrap();
    assert_eq!(followed.recorded, count as usize);
}

pub(super) fn publication(number: u64, this_update: &str, reflects: u64) -> Publication {
    Publication {
        series: series(AUTHORITY),
        base: None,
        number: CrlNumber(number),
        digest: Digest([1; 32]),
        entries: 0,
        this_update: at(this_update),
        next_update: at(this_update).plus_seconds(172_800),
        reflects,
    }
}

pub(super) async fn a_certificate_from_the_feed_is_found_as_it_was_told(
    store: impl LifecycleStore,
) {
    with(&store, 3).await;
    let found = store.certificate(serial(1)).await.unwrap().unwrap();
    assert_eq!(found.issued, issued(1));
    assert_eq!(found.revocation, None);
    assert_eq!(store.certificate(serial(3)).await.unwrap(), None);
    assert_eq!(store.position().await.unwrap(), 21);
}

pub(super) async fn the_feed_told_again_changes_nothing(store: impl LifecycleStore) {
    with(&store, 3).await;
    let again = (1..5).map(issued_item).collect();
    let followed = store
        .follow(again, at("2008-02-04T13:00:00"))
        .await
        .unwrap();
    assert_eq!((followed.recorded, followed.position), (2, 41));
    assert_eq!(followed.conflicts, []);
    assert_eq!(*store.durable().borrow(), 5);
}

pub(super) async fn a_serial_number_told_twice_is_a_conflict(store: impl LifecycleStore) {
    with(&store, 2).await;
    let items = vec![item(issued(1), 7), issued_item(8), item(issued(8), 9)];
    let followed = store
        .follow(items, at("2008-02-04T13:00:00"))
        .await
        .unwrap();
    assert_eq!(followed.conflicts, [serial(1), serial(8)]);
    assert_eq!((followed.recorded, followed.position), (1, 91));
}

pub(super) async fn a_revocation_is_refused_for_its_own_reason(store: impl LifecycleStore) {
    with(&store, 3).await;
    store
        .follow(vec![abandoned_item(5)], at("2008-02-04T12:00:00"))
        .await
        .unwrap();
    store
        .revoke(vec![order(100, 0, Superseded)], at("2008-03-01T10:00:00"))
        .await
        .unwrap();
    let of_another = RevocationOrder {
        branch: "02001".parse().ok(),
        ..order(101, 1, Superseded)
    };
    for (order, when, reason) in [
        (
            order(102, 9, Superseded),
            "2008-03-02T10:00:00",
            "CERTIFICATE_UNKNOWN",
        ),
        (
            order(103, 5, Superseded),
            "2008-03-02T10:00:00",
            "CERTIFICATE_UNKNOWN",
        ),
        (
            order(104, 0, Superseded),
            "2008-03-02T10:00:00",
            "CERTIFICATE_REVOKED_BEFORE",
        ),
        (
            order(105, 2, Superseded),
            "2011-02-04T00:00:00",
            "CERTIFICATE_EXPIRED",
        ),
        (
            of_another,
            "2008-03-02T10:00:00",
            "CERTIFICATE_OF_ANOTHER_BRANCH",
        ),
    ] {
        let outcome = store.revoke(vec![order], at(when)).await.unwrap();
        assert_eq!(outcome[0].as_ref().unwrap_err().reason, reason);
    }
    // In its last second a certificate is valid.
    let last = at("2011-02-03T23:59:59.999");
    assert_eq!(
        store
            .revoke(vec![order(106, 2, Superseded)], last)
            .await
            .unwrap(),
        [Ok(last)]
    );
    assert_eq!(
        store
            .certificate(serial(1))
            .await
            .unwrap()
            .unwrap()
            .revocation,
        None
    );
}

pub(super) async fn a_revocation_is_idempotent_by_its_command(store: impl LifecycleStore) {
    with(&store, 2).await;
    let first = at("2008-03-01T10:00:00");
    let later = at("2008-03-02T10:00:00");
    for when in [first, later] {
        let outcome = store
            .revoke(vec![order(100, 0, Superseded)], when)
            .await
            .unwrap();
        assert_eq!(outcome, [Ok(first)]);
    }
    assert_eq!(*store.durable().borrow(), 3);
    for other in [order(100, 1, Superseded), order(100, 0, KeyCompromise)] {
        let outcome = store.revoke(vec![other], later).await.unwrap();
        assert_eq!(
            outcome[0].as_ref().unwrap_err().reason,
            "COMMAND_OF_OTHER_CONTENT"
        );
    }
}

pub(super) async fn orders_of_one_batch_are_decided_one_by_one(store: impl LifecycleStore) {
    with(&store, 2).await;
    let orders = vec![
        order(100, 0, Superseded),
        order(101, 0, Superseded),
        order(102, 9, Superseded),
        order(103, 1, AffiliationChanged),
        order(100, 0, Superseded),
    ];
    let now = at("2008-03-01T10:00:00");
    let outcomes = store.revoke(orders, now).await.unwrap();
    let told: Vec<_> = outcomes
        .iter()
        .map(|o| o.as_ref().map_err(|f| f.reason))
        .collect();
    assert_eq!(
        told,
        [
            Ok(&now),
            Err("CERTIFICATE_REVOKED_BEFORE"),
            Err("CERTIFICATE_UNKNOWN"),
            Ok(&now),
            Ok(&now)
        ]
    );
}

pub(super) async fn pages_are_stable_and_ordered_by_expiry(store: impl LifecycleStore) {
    // Later serial numbers expire earlier, two on each day.
    let items = (0..10).map(|n| item(issued_on(n, &format!("2008-02-{:02}", 20 - n / 2)), n));
    store
        .follow(items.collect(), at("2008-03-01T00:00:00"))
        .await
        .unwrap();
    for branch in [None, "01001".parse().ok()] {
        let filter = Filter {
            branch,
            ..Filter::default()
        };
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let (page, next) = store.page(filter.clone(), after, 3).await.unwrap();
            assert!(page.len() == 3 || next.is_none());
            seen.extend(page.iter().map(|c| (c.issued.not_after, c.issued.serial)));
            assert!(page.iter().all(|c| c.issued.der.is_empty()));
            // One that comes between the pages, before the cursor, shifts nothing.
            if after.is_none() && branch.is_none() {
                let early = item(issued_on(90, "2008-02-05"), 90);
                store
                    .follow(vec![early], at("2008-03-01T00:00:00"))
                    .await
                    .unwrap();
            }
            after = next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), if branch.is_none() { 10 } else { 11 });
        assert!(seen.is_sorted(), "{seen:?}");
    }
    let (page, next) = store.page(Filter::default(), None, 11).await.unwrap();
    assert_eq!((page.len(), next), (11, None));
}

pub(super) async fn filters_select(store: impl LifecycleStore) {
    let other = IssuedCertificate {
        branch: "02002".parse().ok(),
        kind: CertificateKind::Login,
        ..issued(1)
    };
    let none = IssuedCertificate {
        branch: None,
        ..issued(2)
    };
    let late = issued_on(3, "2009-02-04");
    let items = [issued(0), other, none, late];
    let items = items
        .into_iter()
        .zip(0..)
        .map(|(issued, n)| item(issued, n));
    store
        .follow(items.collect(), at("2009-02-04T12:00:00"))
        .await
        .unwrap();
    store
        .follow(vec![abandoned_item(9)], at("2009-02-04T12:00:00"))
        .await
        .unwrap();
    store
        .revoke(vec![order(100, 0, Superseded)], at("2009-03-01T10:00:00"))
        .await
        .unwrap();
    let now = at("2011-06-01T00:00:00");
    let all = Filter::default();
    let state = |state| Filter {
        state: Some((state, now)),
        ..Filter::default()
    };
    for (filter, expected) in [
        (all.clone(), vec![0, 1, 2, 3]),
        (
            Filter {
                branch: "01001".parse().ok(),
                ..all.clone()
            },
            vec![0, 3],
        ),
        (
            Filter {
                branch: "03003".parse().ok(),
                ..all.clone()
            },
            vec![],
        ),
        (
            Filter {
                kinds: vec![CertificateKind::Login],
                ..all.clone()
            },
            vec![1],
        ),
        (state(CertificateState::Revoked), vec![0]),
        (state(CertificateState::Expired), vec![1, 2]),
        (state(CertificateState::Valid), vec![3]),
        (state(CertificateState::Renewing), vec![]),
        (
            Filter {
                expires_from: Some(at("2011-02-04T00:00:00")),
                ..all.clone()
            },
            vec![3],
        ),
        (
            Filter {
                expires_to: Some(at("2011-02-03T23:59:59")),
                ..all.clone()
            },
            vec![0, 1, 2],
        ),
    ] {
        let (page, _) = store.page(filter.clone(), None, 100).await.unwrap();
        let found: Vec<_> = page.iter().map(|c| c.issued.serial).collect();
        let expected: Vec<_> = expected.into_iter().map(serial).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

pub(super) async fn the_snapshot_lists_what_is_revoked_in_order(store: impl LifecycleStore) {
    with(&store, 4).await;
    store
        .follow(vec![abandoned_item(9)], at("2008-02-04T12:00:00"))
        .await
        .unwrap();
    let orders = vec![order(100, 3, Superseded), order(101, 1, AffiliationChanged)];
    store
        .revoke(orders, at("2008-03-01T10:00:00"))
        .await
        .unwrap();
    let now = at("2008-03-01T10:00:00");
    let snapshot = store.snapshot(series(AUTHORITY), now).await.unwrap();
    let listed = listed(&store, series(AUTHORITY)).await;
    let listed: Vec<_> = listed.iter().map(|e| (e.serial, e.reason)).collect();
    let abandoned = (serial(9), CessationOfOperation);
    assert_eq!(
        listed,
        [
            (serial(1), AffiliationChanged),
            (serial(3), Superseded),
            abandoned
        ]
    );
    assert_eq!(snapshot.reflects, 7);
    assert_eq!(snapshot.latest, Some(at("2008-03-01T10:00:00")));
    let other = series(Authority::Organization);
    assert_eq!(store.snapshot(other, now).await.unwrap().entries, 0);
    let known = store.expiries(vec![serial(9), serial(8)]).await.unwrap();
    assert_eq!(known, [Some(issued(9).not_after), None]);
}

pub(super) async fn a_long_list_is_told_in_stretches_and_without_what_came_later(
    store: impl LifecycleStore,
) {
    with(&store, 12).await;
    let now = at("2008-03-01T10:00:00");
    let orders = (0..10).map(|n| order(100 + n, n, Superseded)).collect();
    store.revoke(orders, now).await.unwrap();
    let snapshot = store.snapshot(series(AUTHORITY), now).await.unwrap();
    let first = store.listed(series(AUTHORITY), snapshot, None);
    let first = first.await.unwrap();
    assert!(first.len() < 10, "one look takes {}", first.len());
    let later = vec![order(110, 10, Superseded), order(111, 11, Superseded)];
    store.revoke(later, now).await.unwrap();
    let mut told: Vec<_> = first.iter().map(|e| e.serial).collect();
    loop {
        let after = told.last().copied();
        let look = store.listed(series(AUTHORITY), snapshot, after);
        let look = look.await.unwrap();
        if look.is_empty() {
            break;
        }
        told.extend(look.iter().map(|e| e.serial));
    }
    assert_eq!(told, (0..10).map(serial).collect::<Vec<_>>());
    assert_eq!(snapshot.entries, 10);
    assert_eq!(listed(&store, series(AUTHORITY)).await.len(), 12);
}

pub(super) async fn an_expired_entry_leaves_only_after_one_crl_past_its_expiry(
    store: impl LifecycleStore,
) {
    with(&store, 2).await; // valid until 2011-02-03
    store
        .revoke(vec![order(100, 0, Superseded)], at("2011-02-01T10:00:00"))
        .await
        .unwrap();
    let listed = async || listed(&store, series(AUTHORITY)).await.len();
    let record = async |publication| {
        let recording = store
            .record(publication, at("2011-02-03T09:15:00"))
            .await
            .unwrap();
        assert_eq!(recording, Recording::Recorded);
    };
    // Issued before it expired.
    record(publication(1, "2011-02-03T09:15:00", 3)).await;
    assert_eq!(listed().await, 1);
    // Issued in its very last second: still valid then.
    record(publication(2, "2011-02-03T23:59:59", 4)).await;
    assert_eq!(listed().await, 1);
    // Revoked after this one's snapshot was taken: it did not stand on it.
    store
        .revoke(vec![order(101, 1, Superseded)], at("2011-02-03T23:59:59"))
        .await
        .unwrap();
    record(publication(3, "2011-02-04T09:15:00", 5)).await;
    let entries = crate::testing::listed(&store, series(AUTHORITY)).await;
    assert_eq!(
        entries.iter().map(|e| e.serial).collect::<Vec<_>>(),
        [serial(1)]
    );
    record(publication(4, "2011-02-05T09:15:00", 7)).await;
    assert_eq!(listed().await, 0);
}

pub(super) async fn a_crl_made_under_a_clock_that_was_ahead_lets_nothing_go(
    store: impl LifecycleStore,
) {
    with(&store, 8).await; // valid until 2011-02-03
    let orders = (0..8).map(|n| order(100 + n, n, Superseded)).collect();
    store
        .revoke(orders, at("2008-03-01T10:00:00"))
        .await
        .unwrap();
    let series = series(AUTHORITY);
    for (number, ahead) in [(1, "2011-03-01T09:15:00"), (2, "2011-03-02T09:15:00")] {
        let recorded = store.record(publication(number, ahead, 16), at(ahead));
        assert_eq!(recorded.await.unwrap(), Recording::Recorded);
        for (now, left) in [
            ("2008-03-01T10:05:00", 8),
            ("2011-02-03T23:59:59", 8),
            ("2011-02-04T00:00:00", 0),
        ] {
            let now = at(now);
            let told = listed_at(&store, series, now).await;
            assert_eq!(told.len(), left, "{number} {now}");
        }
    }
}

pub(super) async fn a_publication_that_does_not_follow_is_not_recorded(store: impl LifecycleStore) {
    let now = at("2008-02-04T09:15:00");
    let first = publication(5, "2008-02-04T09:15:00", 0);
    assert_eq!(
        store.record(first.clone(), now).await.unwrap(),
        Recording::Recorded
    );
    for wrong in [
        first.clone(),
        publication(5, "2008-02-05T09:15:00", 1),
        publication(4, "2008-02-05T09:15:00", 1),
        publication(6, "2008-02-04T09:15:00", 1),
        publication(6, "2008-02-03T09:15:00", 1),
    ] {
        assert_eq!(
            store.record(wrong, now).await.unwrap(),
            Recording::OutOfOrder
        );
    }
    let standing = store.publication(series(AUTHORITY)).await.unwrap();
    assert_eq!(standing.newest, Some(first));
    let next = publication(6, "2008-02-04T09:15:01", 1);
    assert_eq!(store.record(next, now).await.unwrap(), Recording::Recorded);
}

pub(super) async fn a_key_compromise_is_urgent_until_it_is_published(store: impl LifecycleStore) {
    with(&store, 2).await;
    let urgent = async || store.publication(series(AUTHORITY)).await.unwrap().urgent;
    let now = at("2008-03-01T10:00:00");
    store
        .revoke(vec![order(100, 0, Superseded)], now)
        .await
        .unwrap();
    assert!(!urgent().await);
    store
        .revoke(vec![order(101, 1, KeyCompromise)], now)
        .await
        .unwrap();
    assert!(urgent().await);
    store
        .record(publication(1, "2008-03-01T10:00:00", 3), now)
        .await
        .unwrap();
    assert!(urgent().await, "the CRL was made before the compromise");
    store
        .record(publication(2, "2008-03-01T10:00:01", 4), now)
        .await
        .unwrap();
    assert!(!urgent().await);
}

pub(super) async fn standings_tell_everything_in_order(store: impl LifecycleStore) {
    with(&store, 2).await;
    store
        .revoke(vec![order(100, 0, Superseded)], at("2008-03-01T10:00:00"))
        .await
        .unwrap();
    store
        .follow(
            vec![abandoned_item(5), issued_item(6)],
            at("2008-03-02T10:00:00"),
        )
        .await
        .unwrap();
    let all = store.standings(0).await.unwrap();
    assert_eq!((all.next, all.issuance_position), (5, Some(61)));
    let told: Vec<_> = all
        .certificates
        .iter()
        .map(|c| (c.issued.serial, c.revocation.is_some()))
        .collect();
    let mut last = std::collections::BTreeMap::new();
    last.extend(told);
    assert_eq!(
        last.into_iter().collect::<Vec<_>>(),
        [(serial(0), true), (serial(1), false), (serial(6), false)]
    );
    let revoked = store.standings(2).await.unwrap();
    assert_eq!(
        revoked.certificates.last().unwrap().issued.subject,
        issued(0).subject
    );
    assert_eq!(
        store.standings(5).await.unwrap(),
        Standings {
            next: 5,
            ..Standings::default()
        }
    );
}
