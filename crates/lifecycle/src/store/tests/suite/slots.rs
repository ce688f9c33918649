//! Renewal slots: booked from where they were, counted when let pass, gone with the certificate.

use lgpki_domain::{JstDate, RenewalOutcome, Timestamp, slots::Move};

use super::*;
use crate::ports::{RenewableQuery, SlotBooking, SlotOrder};

/// Within the window of what was issued on the opening day.
pub(in super::super) fn noon() -> Timestamp {
    at("2010-11-01T12:00:00")
}

pub(in super::super) fn day(text: &str) -> JstDate {
    text.parse().unwrap()
}

/// Takes the `n`th certificate from one slot to another.
pub(in super::super) fn moved(
    n: u32,
    from: Option<&str>,
    to: Option<&str>,
) -> Move<lgpki_domain::Serial> {
    Move {
        certificate: serial(n),
        from: from.map(day),
        to: to.map(day),
        missed: from.is_some_and(|from| day(from) < noon().jst_date()),
    }
}

pub(in super::super) fn slots(
    moves: impl IntoIterator<Item = Move<lgpki_domain::Serial>>,
) -> SlotOrder {
    SlotOrder {
        moves: moves.into_iter().collect(),
        per_business_day: None,
    }
}

async fn slot_of(store: &impl LifecycleStore, n: u32) -> (Option<JstDate>, u8) {
    let found = store.renewable(serial(n)).await.unwrap().unwrap();
    (found.slot, found.missed)
}

pub(in super::super) async fn a_slot_is_booked_from_where_it_was_and_only_for_what_stands(
    store: impl LifecycleStore,
) {
    with(&store, 5).await;
    let revoke = vec![order(100, 0, Superseded)];
    store.revoke(revoke, noon()).await.unwrap();
    let renew = vec![renewal(110, 1, noon())];
    store.open_renewals(renew, noon()).await.unwrap();
    let order = slots((0..7).map(|n| moved(n, None, Some("2010-11-04"))));
    let booking = store.book_slots(order, noon()).await.unwrap();
    assert_eq!((booking.booked, booking.missed), (3, 0));
    let booked = (Some(day("2010-11-04")), 0);
    assert_eq!(slot_of(&store, 0).await, (None, 0));
    assert_eq!(slot_of(&store, 1).await, (None, 0));
    assert_eq!(slot_of(&store, 2).await, booked);
    // Planned before the other booking was known, or twice.
    let late = slots([
        moved(2, None, Some("2010-11-05")),
        moved(3, Some("2010-11-04"), Some("2010-11-08")),
        moved(3, Some("2010-11-04"), Some("2010-11-09")),
    ]);
    let booking = store.book_slots(late, noon()).await.unwrap();
    assert_eq!((booking.booked, booking.missed), (1, 0));
    assert_eq!(slot_of(&store, 2).await, booked);
    assert_eq!(slot_of(&store, 3).await.0, Some(day("2010-11-08")));
    let load = store.slot_load().await.unwrap();
    let expected = [(day("2010-11-04"), 2), (day("2010-11-08"), 1)];
    assert_eq!(load.into_iter().collect::<Vec<_>>(), expected);
    // No slot after the certificate's end.
    let over = at("2011-02-04T00:05:00");
    let after = slots([moved(4, Some("2010-11-04"), Some("2011-02-07"))]);
    assert_eq!(
        store.book_slots(after, over).await.unwrap(),
        SlotBooking::default()
    );
}

pub(in super::super) async fn a_slot_let_pass_is_counted_and_may_leave_none(
    store: impl LifecycleStore,
) {
    with(&store, 3).await;
    let first = slots((0..3).map(|n| moved(n, None, Some("2010-10-29"))));
    store
        .book_slots(first, at("2010-10-01T00:05:00"))
        .await
        .unwrap();
    let passed = store.slots_before(day("2010-11-01")).await.unwrap();
    assert_eq!(passed.len(), 3);
    let again = slots([
        moved(0, Some("2010-10-29"), Some("2010-11-15")),
        moved(1, Some("2010-10-29"), None),
    ]);
    let booking = store.book_slots(again, noon()).await.unwrap();
    assert_eq!((booking.booked, booking.missed), (1, 2));
    assert_eq!(slot_of(&store, 0).await, (Some(day("2010-11-15")), 1));
    assert_eq!(slot_of(&store, 1).await, (None, 1));
    let passed = store.slots_before(day("2010-11-01")).await.unwrap();
    assert_eq!(passed.len(), 1);
}

pub(in super::super) async fn a_slot_ends_with_the_certificate_or_its_renewal(
    store: impl LifecycleStore,
) {
    with(&store, 4).await;
    let all = slots((0..3).map(|n| moved(n, None, Some("2010-11-04"))));
    store.book_slots(all, noon()).await.unwrap();
    store
        .revoke(vec![order(100, 0, Superseded)], noon())
        .await
        .unwrap();
    let renewals = vec![renewal(110, 1, noon()), renewal(111, 2, noon())];
    store.open_renewals(renewals, noon()).await.unwrap();
    // The old certificate expired while the application waited, so that nothing is superseded.
    let over = at("2011-02-10T10:00:00");
    let ends = vec![
        end(110, 1, RenewalOutcome::Delivered, 3),
        end(111, 2, RenewalOutcome::GivenUp, 3),
    ];
    store.close_renewals(ends, over).await.unwrap();
    let passed = store.slots_before(over.jst_date()).await.unwrap();
    let left: Vec<_> = passed.iter().map(|one| one.serial).collect();
    assert_eq!(left, [serial(2)]);
}

pub(in super::super) async fn many_slots_of_a_day_are_a_few_entries_and_found_by_page(
    store: impl LifecycleStore,
) {
    with(&store, 2_300).await;
    let size = *store.durable().borrow();
    let all = slots((0..2_300).map(|n| moved(n, None, Some("2010-11-04"))));
    let booking = store.book_slots(all, noon()).await.unwrap();
    assert_eq!(booking.booked, 2_300);
    assert_eq!(*store.durable().borrow(), size + 3);
    for slot_day in [None, Some(day("2010-11-04"))] {
        let query = RenewableQuery {
            branch: "01001".parse().ok(),
            slot_day,
            opens_by: noon().jst_date(),
            now: noon(),
        };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = store.renewables(query, after, 999).await.unwrap();
            found.extend(page.into_iter().map(|one| one.serial));
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, (0..2_300).map(serial).collect::<Vec<_>>());
        let elsewhere = RenewableQuery {
            branch: "01002".parse().ok(),
            ..query
        };
        let (page, next) = store.renewables(elsewhere, None, 10).await.unwrap();
        assert_eq!((page, next), (Vec::new(), None));
    }
}

pub(in super::super) async fn keys_are_kept_while_their_tokens_may_hold(
    store: impl LifecycleStore,
) {
    let at_year = |year: i32| at(&format!("{year}-01-01T00:00:00"));
    for year in [2008, 2009, 2010, 2011] {
        let key = [u8::try_from(year - 2000).unwrap(); 32];
        store.add_slot_key(key, at_year(year)).await.unwrap();
    }
    // The first was followed more than 400 days before the last; of the second that is not so.
    let keys = store.slot_keys().await.unwrap();
    assert_eq!(keys, [[9; 32], [10; 32], [11; 32]]);
    let capacity = SlotOrder {
        moves: Vec::new(),
        per_business_day: Some(120),
    };
    assert_eq!(store.slot_capacity().await.unwrap(), None);
    store.book_slots(capacity.clone(), noon()).await.unwrap();
    assert_eq!(store.slot_capacity().await.unwrap(), Some(120));
    // Said again, it is no news.
    let size = *store.durable().borrow();
    store.book_slots(capacity, noon()).await.unwrap();
    assert_eq!(*store.durable().borrow(), size);
}
