//! Places in the queues: how far is looked for them, and that looking changes nothing.

use std::cell::Cell;

use lgpki_domain::{CertificateKind, Digest, Serial, estimate::Capacity};

use super::*;
use crate::store::{
    record::{Claim as Laid, RenewalOf},
    trail::Trail,
};

const DAY: i64 = 86_400_000;

fn id(n: usize) -> ApplicationId {
    ApplicationId::from_bytes((n as u128).to_be_bytes())
}

fn now() -> Timestamp {
    "2011-02-01T10:00:00+09:00".parse().unwrap()
}

/// What one branch sent, one after the other; a renewal expires in so many days.
fn record(n: usize, expires: Option<i32>) -> Record {
    let received_at = now().plus_millis(i64::try_from(n).unwrap() - DAY);
    let last_day = expires.map(|days| now().jst_date().plus_days(days));
    Record {
        branch: BodyCode::try_new(1, 100),
        sort: last_day.map_or(Sort::Issue, |_| Sort::Renew),
        kind: CertificateKind::User,
        urgent: false,
        by_operator: false,
        received: 0,
        received_at,
        changed: 0,
        trail: Trail::default(),
        claim: Laid::Subject(Digest([0; 32])),
        certificate: None,
        renewal: last_day.map(|day| RenewalOf {
            serial: Serial::from_bytes(&[0x41; 16]).unwrap(),
            last_day: Some(day),
            needed: 1,
            closed: false,
        }),
        state: State::Examining {
            at: received_at,
            approved_by: Vec::new(),
            needed: 1,
        },
    }
}

fn list(order: OrderName, waiting: usize, expires: Option<i32>) -> Waitlist {
    let mut list = Waitlist::default();
    list.arrange(Arc::new(Pace::usual(order, Capacity::default())));
    for n in 0..waiting {
        list.follow(id(n), &record(n, expires), None, None);
    }
    list
}

/// A renewal that lifecycle has not opened yet.
fn coming(n: usize, needed: u32) -> Record {
    let mut record = record(n, Some(40));
    record.state = State::Received {
        at: record.received_at,
    };
    record.renewal = record
        .renewal
        .map(|renewal| RenewalOf { needed, ..renewal });
    record
}

#[test]
fn a_near_place_is_walked_to_and_a_far_one_is_told_about() {
    for order in [OrderName::Fair, OrderName::Fifo] {
        let list = list(order, 5_000, None);
        let near = list.explain(id(LOOK - 1), now()).unwrap();
        assert_eq!((near.ahead, near.about), (LOOK - 1, false));
        assert_eq!(near.ahead_by_class.values().sum::<usize>(), near.ahead);
        let far = list.explain(id(4_321), now()).unwrap();
        assert_eq!((far.ahead, far.about), (4_321, true), "{}", order.name());
        assert_eq!(far.class, near.class);
        assert!(far.ahead_by_class.is_empty());
        assert_eq!(far.standing.is_some(), order == OrderName::Fair);
    }
    // By the forecast nothing is at risk, but by the length of the queue itself.
    let list = list(OrderName::Fair, 5_000, Some(2));
    let far = list.explain(id(4_999), now()).unwrap();
    assert_eq!((far.class, far.about), (Class::AtRisk, true));
    assert!((LOOK..5_000).contains(&far.ahead));
}

#[test]
fn a_walk_for_places_ends_with_the_last_of_them() {
    let steps = Cell::new(0);
    let in_order = (0..1_000).map(id).inspect(|_| steps.set(steps.get() + 1));
    let wanted = HashSet::from([id(3), id(9)]);
    let found = ranks(in_order, &wanted);
    assert_eq!(found, HashMap::from([(id(3), 3), (id(9), 9)]));
    assert_eq!(steps.get(), 10);
    // What nobody examines is not looked for.
    let mut list = list(OrderName::Fair, 9, None);
    let automatic = coming(9, 0);
    let asked = [Some((id(9), &automatic)), None];
    assert_eq!(list.places(&asked, now()), [None, None]);
}

#[test]
fn to_look_where_one_will_stand_changes_nothing_for_anybody() {
    for order in OrderName::ALL {
        let mut list = list(order, 20, Some(30));
        let undated = record(20, None);
        list.follow(id(20), &undated, None, None);
        // Some turns were taken before.
        for n in [3, 20] {
            let mut done = record(n, (n != 20).then_some(30));
            done.state = State::Issuing {
                at: now(),
                attempt: 1,
            };
            list.follow(id(n), &done, Some(Waits::Examination), Some(now()));
        }
        let walked = |list: &Waitlist| list.to_examine(None, 100, now()).1;
        let before = walked(&list);
        let new = [coming(30, 1), coming(31, 1)];
        let asked = [Some((id(30), &new[0])), Some((id(31), &new[1]))];
        let told = list.places(&asked, now());
        assert_eq!(walked(&list), before);
        assert_eq!(list.examinations(), 19);
        // And they come to stand there.
        for (n, record) in (30..).zip(new) {
            let mut record = record;
            record.state = State::Examining {
                at: now(),
                approved_by: Vec::new(),
                needed: 1,
            };
            list.follow(id(n), &record, None, None);
        }
        let after = walked(&list);
        for (n, place) in (30..).zip(told) {
            let stands = after.iter().position(|one| *one == id(n)).unwrap() as u64;
            let expected = Place {
                ahead: stands,
                waiting: 21,
            };
            assert_eq!(place, Some(expected), "{}", order.name());
        }
    }
}
