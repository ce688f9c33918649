//! What every implementation of the store must do about renewals.

use lgpki_domain::{
    RenewalOutcome,
    RevocationReason::{KeyCompromise, Superseded},
    Timestamp,
};

use super::{AUTHORITY, with};
use crate::{
    ports::{CertificateState, Closed, Filter, LifecycleStore, RenewalEnd, RenewalOrder},
    testing::{abandoned_item, application, at, issued_item, issued_on, item, order, serial},
};

/// The order of the application `command`, received at `applied_at`, to renew the `n`th certificate.
pub(in super::super) fn renewal(command: u32, n: u32, applied_at: Timestamp) -> RenewalOrder {
    RenewalOrder {
        command: application(command),
        serial: serial(n),
        branch: "01001".parse().ok(),
        applied_at,
        actor: "branch-officer/01001/41".to_owned(),
        answers_index: u64::from(command),
    }
}

/// The end of it; `new` is the certificate that was delivered.
pub(in super::super) fn end(command: u32, n: u32, outcome: RenewalOutcome, new: u32) -> RenewalEnd {
    RenewalEnd {
        command: application(command),
        serial: serial(n),
        outcome,
        new_serial: Some(serial(new)).filter(|_| outcome == RenewalOutcome::Delivered),
        actor: "intake".to_owned(),
        answers_index: u64::from(command) + 1,
    }
}

fn delivered(command: u32, n: u32, new: u32) -> Vec<RenewalEnd> {
    vec![end(command, n, RenewalOutcome::Delivered, new)]
}

fn given_up(command: u32, n: u32) -> Vec<RenewalEnd> {
    vec![end(command, n, RenewalOutcome::GivenUp, 0)]
}

/// Within the window of the opening day's certificates.
fn within() -> Timestamp {
    at("2010-12-01T10:00:00")
}

async fn opening(
    store: &impl LifecycleStore,
    order: RenewalOrder,
    now: Timestamp,
) -> Result<Timestamp, &'static str> {
    let openings = store.open_renewals(vec![order], now).await.unwrap();
    let opening = openings.into_iter().next().unwrap();
    opening.map_err(|fault| fault.reason)
}

async fn closing(
    store: &impl LifecycleStore,
    ends: Vec<RenewalEnd>,
    now: Timestamp,
) -> Result<Closed, &'static str> {
    let closings = store.close_renewals(ends, now).await.unwrap();
    let closing = closings.into_iter().next().unwrap();
    closing.map_err(|fault| fault.reason)
}

pub(in super::super) async fn a_renewal_is_opened_within_the_window_and_only_once(
    store: impl LifecycleStore,
) {
    with(&store, 4).await;
    store
        .follow(vec![abandoned_item(8)], within())
        .await
        .unwrap();
    let revoked = vec![order(100, 2, Superseded)];
    store.revoke(revoked, within()).await.unwrap();
    let of_another = RenewalOrder {
        branch: "02001".parse().ok(),
        ..renewal(104, 0, within())
    };
    let received = |text: &str| at(text);
    for (order, expected) in [
        (
            renewal(101, 0, received("2010-08-02T23:59:59.999")),
            "RENEWAL_TOO_EARLY",
        ),
        (
            renewal(102, 0, received("2011-02-04T00:00:00")),
            "CERTIFICATE_EXPIRED",
        ),
        (renewal(103, 2, within()), "CERTIFICATE_REVOKED_BEFORE"),
        (of_another, "CERTIFICATE_OF_ANOTHER_BRANCH"),
        (renewal(105, 7, within()), "CERTIFICATE_UNKNOWN"),
        (renewal(106, 8, within()), "CERTIFICATE_UNKNOWN"),
    ] {
        assert_eq!(opening(&store, order, within()).await, Err(expected));
    }
    let first = received("2010-08-03T00:00:00");
    assert_eq!(
        opening(&store, renewal(107, 0, first), first).await,
        Ok(first)
    );
    let other = renewal(108, 0, within());
    assert_eq!(
        opening(&store, other, within()).await,
        Err("RENEWAL_IS_OPEN")
    );
    // What was received in the last second is in time, though the order comes a day late.
    let last = received("2011-02-03T23:59:59.999");
    let late = received("2011-02-05T09:00:00");
    assert_eq!(opening(&store, renewal(109, 1, last), late).await, Ok(late));
}

pub(in super::super) async fn a_renewal_is_idempotent_by_its_command(store: impl LifecycleStore) {
    with(&store, 3).await;
    let (now, later) = (within(), within().plus_seconds(60));
    for when in [now, later] {
        assert_eq!(opening(&store, renewal(101, 0, now), when).await, Ok(now));
    }
    assert_eq!(*store.durable().borrow(), 4);
    let other = renewal(101, 1, now);
    let other_content = Err("COMMAND_OF_OTHER_CONTENT");
    assert_eq!(opening(&store, other, later).await, other_content);
    assert_eq!(
        closing(&store, delivered(101, 1, 2), later).await,
        Err("COMMAND_OF_OTHER_CONTENT")
    );
    let closed = Ok(Closed {
        at: later,
        superseded_at: Some(later),
    });
    for when in [later, later.plus_seconds(60)] {
        assert_eq!(closing(&store, delivered(101, 0, 2), when).await, closed);
    }
    assert_eq!(*store.durable().borrow(), 6);
    assert_eq!(
        closing(&store, given_up(101, 0), later).await,
        Err("COMMAND_OF_OTHER_CONTENT")
    );
    assert_eq!(
        opening(&store, renewal(101, 0, now), later).await,
        Err("RENEWAL_CLOSED")
    );
}

pub(in super::super) async fn a_delivered_renewal_supersedes_what_still_stands(
    store: impl LifecycleStore,
) {
    with(&store, 4).await;
    let new = item(issued_on(9, "2010-12-01"), 9);
    store.follow(vec![new], within()).await.unwrap();
    let orders = (0..4).map(|n| renewal(100 + n, n, within())).collect();
    store.open_renewals(orders, within()).await.unwrap();
    let closed = |at, superseded_at| Ok(Closed { at, superseded_at });
    let now = within().plus_seconds(60);

    // Whoever was never opened is not delivered, nor with a certificate that is not here yet.
    assert_eq!(
        closing(&store, delivered(150, 0, 9), now).await,
        Err("RENEWAL_UNKNOWN")
    );
    assert_eq!(
        closing(&store, delivered(100, 0, 77), now).await,
        Err("CERTIFICATE_UNKNOWN")
    );
    assert_eq!(
        closing(&store, delivered(100, 0, 9), now).await,
        closed(now, Some(now))
    );
    let found = store.certificate(serial(0)).await.unwrap().unwrap();
    let revocation = found.revocation.unwrap();
    assert_eq!((revocation.at, revocation.reason), (now, Superseded));
    assert_eq!(found.renewal, None);

    // Revoked meanwhile: that stands.
    let revoked = vec![order(110, 1, Superseded)];
    store.revoke(revoked, within()).await.unwrap();
    assert_eq!(
        closing(&store, delivered(101, 1, 9), now).await,
        closed(now, None)
    );
    let found = store.certificate(serial(1)).await.unwrap().unwrap();
    assert_eq!(found.revocation.unwrap().at, within());

    // Expired meanwhile: an expired certificate needs no revocation.
    let late = at("2011-02-04T00:00:00");
    assert_eq!(
        closing(&store, delivered(102, 2, 9), late).await,
        closed(late, None)
    );

    // The new one was revoked before it was delivered: the old one is all that is left.
    let mut revoked = order(111, 9, Superseded);
    revoked.branch = None;
    store.revoke(vec![revoked], now).await.unwrap();
    assert_eq!(
        closing(&store, delivered(103, 3, 9), now).await,
        closed(now, None)
    );
    let found = store.certificate(serial(3)).await.unwrap().unwrap();
    assert_eq!((found.revocation, found.renewal), (None, None));
}

pub(in super::super) async fn an_open_renewal_does_not_outlive_the_revocation_of_its_certificate(
    store: impl LifecycleStore,
) {
    with(&store, 2).await;
    let (now, later) = (within(), within().plus_seconds(60));
    for (command, n) in [(101, 0), (102, 1)] {
        let opened = opening(&store, renewal(command, n, now), now).await;
        assert_eq!(opened, Ok(now));
    }
    let revoked = vec![order(110, 0, KeyCompromise)];
    store.revoke(revoked, later).await.unwrap();
    let again = store.open_renewals(vec![renewal(101, 0, now)], later);
    let refused = again.await.unwrap().remove(0).unwrap_err();
    assert_eq!(refused.reason, "CERTIFICATE_REVOKED_BEFORE");
    assert!(refused.message.contains(&later.to_string()), "{refused}");
    // The other one goes on, and the end of this one is taken as ever.
    let other = opening(&store, renewal(102, 1, now), later).await;
    assert_eq!(other, Ok(now));
    let closed = closing(&store, given_up(101, 0), later).await.unwrap();
    assert_eq!(closed.superseded_at, None);
    let found = store.certificate(serial(0)).await.unwrap().unwrap();
    assert_eq!((found.revocation.unwrap().at, found.renewal), (later, None));
}

pub(in super::super) async fn a_renewal_given_up_leaves_the_certificate_as_it_was(
    store: impl LifecycleStore,
) {
    with(&store, 1).await;
    let now = within();
    for command in [101, 102, 103] {
        assert_eq!(
            opening(&store, renewal(command, 0, now), now).await,
            Ok(now)
        );
        let closed = closing(&store, given_up(command, 0), now).await.unwrap();
        assert_eq!(closed.superseded_at, None);
        let found = store.certificate(serial(0)).await.unwrap().unwrap();
        assert_eq!((found.revocation, found.renewal), (None, None));
    }
    // The end of one renewal, given again, does not end the next.
    opening(&store, renewal(104, 0, now), now).await.unwrap();
    closing(&store, given_up(101, 0), now).await.unwrap();
    let found = store.certificate(serial(0)).await.unwrap().unwrap();
    assert_eq!(found.renewal, Some(application(104)));
}

pub(in super::super) async fn a_renewal_given_up_before_it_was_opened_is_never_opened(
    store: impl LifecycleStore,
) {
    with(&store, 1).await;
    let now = within();
    let closed = closing(&store, given_up(101, 0), now).await.unwrap();
    assert_eq!((closed.at, closed.superseded_at), (now, None));
    assert_eq!(
        opening(&store, renewal(101, 0, now), now).await,
        Err("RENEWAL_CLOSED")
    );
    let found = store.certificate(serial(0)).await.unwrap().unwrap();
    assert_eq!(found.renewal, None);
    // Even of a serial number that nobody knows; its end must come to an end.
    assert!(closing(&store, given_up(102, 77), now).await.is_ok());
    assert!(store.standings(0).await.is_ok());
}

pub(in super::super) async fn what_is_renewing_is_told_and_listed_but_on_no_crl(
    store: impl LifecycleStore,
) {
    with(&store, 2).await;
    let now = within();
    opening(&store, renewal(101, 0, now), now).await.unwrap();
    let told = store.standings(2).await.unwrap();
    assert_eq!(told.certificates[0].renewal, Some(application(101)));
    let state = async |state, now| {
        let filter = Filter {
            state: Some((state, now)),
            ..Filter::default()
        };
        let (page, _) = store.page(filter, None, 10).await.unwrap();
        page.iter()
            .map(|c| (c.issued.serial, c.renewal.is_some()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        state(CertificateState::Renewing, now).await,
        [(serial(0), true)]
    );
    assert_eq!(
        state(CertificateState::Valid, now).await,
        [(serial(1), false)]
    );
    // Past its day it is expired, whatever becomes of the renewal.
    let late = at("2011-02-04T00:00:00");
    assert_eq!(state(CertificateState::Renewing, late).await, []);
    assert_eq!(state(CertificateState::Expired, late).await.len(), 2);
    let series = crate::testing::series(AUTHORITY);
    assert_eq!(crate::testing::listed(&store, series).await, []);
    store.follow(vec![issued_item(5)], now).await.unwrap();
    closing(&store, delivered(101, 0, 5), now).await.unwrap();
    let told = store.standings(4).await.unwrap();
    let last = told.certificates.last().unwrap();
    assert_eq!((last.issued.serial, last.renewal), (serial(0), None));
    assert!(last.revocation.is_some());
    let series = crate::testing::series(AUTHORITY);
    assert_eq!(crate::testing::listed(&store, series).await.len(), 1);
}
