//! Meters, bookings and their limits.

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_200_000_000_000 + millis)
}

fn officer(n: u8, body: u32) -> Caller {
    Caller::Officer {
        role: OfficerRole::BranchOfficer,
        body: Some(format!("{body:05}").parse().unwrap()),
        serial: lgpki_domain::Serial::from_bytes(&[0x40 | n; 16]).unwrap(),
    }
}

/// One branch may send four at once and ten a second, all together twenty at once and a hundred a
/// second.
fn tight() -> Limits {
    Limits {
        branch_per_hour: 36_000,
        branch_per_hour_per_certificate: 36_000,
        branch_burst: 4,
        branch_burst_per_certificate: 4,
        all_per_second: 100,
        all_burst: 20,
        booking_seconds: 10,
        ..Limits::default()
    }
}

struct Office {
    caller: Caller,
    held: u32,
}

impl Office {
    fn new(n: u8, body: u32) -> Self {
        Self {
            caller: officer(n, body),
            held: 0,
        }
    }

    fn send(&self, to: &Admission, request: &str, now: Timestamp) -> Result<(), TurnedAway> {
        let request_id = request.parse().unwrap();
        let entrant = Entrant {
            caller: &self.caller,
            branch: self.caller.body(),
            held: self.held,
            request_id: Some(&request_id),
        };
        to.admit(entrant, now)
    }
}

#[test]
fn over_quota_each_is_given_a_time_of_its_own_and_is_let_in_then() {
    let admission = Admission::new(tight(), 0);
    let office = Office::new(1, 1001);
    for n in 0..4 {
        office
            .send(&admission, &format!("request-{n}"), at(0))
            .unwrap();
    }
    let turned: Vec<_> = (4..8)
        .map(|n| office.send(&admission, &format!("request-{n}"), at(0)))
        .map(|sent| sent.unwrap_err())
        .collect();
    let waits: Vec<_> = turned
        .iter()
        .map(|one| one.retry_after.as_millis())
        .collect();
    assert_eq!(waits, [100, 200, 300, 400]);
    assert!(
        turned
            .iter()
            .all(|one| one.booked && one.limit == Limit::Branch)
    );
    // Asking again changes nothing, and too early is told the same time.
    let again = office.send(&admission, "request-5", at(150)).unwrap_err();
    assert_eq!(again.retry_after.as_millis(), 50);
    for (n, wait) in (4..8).zip(waits) {
        let wait = i64::try_from(wait).unwrap();
        office
            .send(&admission, &format!("request-{n}"), at(wait))
            .unwrap();
    }
    let counted = admission.take_turned();
    assert_eq!(counted.len(), 1);
    assert_eq!((counted[0].limit, counted[0].count), ("branch", 5));
    assert!(admission.take_turned().is_empty());
}

#[test]
fn a_flooding_branch_leaves_the_others_their_places() {
    let admission = Admission::new(tight(), 0);
    let flood = Office::new(1, 1001);
    for n in 0..10_000 {
        // The answer is not waited for.
        let _ = flood.send(&admission, &format!("flooding-{n}"), at(0));
    }
    for n in 2..6 {
        let office = Office::new(n, 1001 + u32::from(n));
        for m in 0..4 {
            office
                .send(&admission, &format!("request-{m}"), at(0))
                .unwrap();
        }
    }
}

#[test]
fn a_branchs_quota_grows_with_the_certificates_it_holds() {
    let admission = Admission::new(tight(), 0);
    let office = Office {
        held: 1,
        ..Office::new(1, 1001)
    };
    for n in 0..8 {
        office
            .send(&admission, &format!("request-{n}"), at(0))
            .unwrap();
    }
    let turned = office.send(&admission, "request-9", at(0)).unwrap_err();
    assert_eq!(turned.retry_after.as_millis(), 50);
}

#[test]
fn beyond_the_horizon_nothing_is_booked_and_the_waits_are_spread() {
    let admission = Admission::new(tight(), 0);
    let office = Office::new(1, 1001);
    let turned: Vec<_> = (0..300)
        .filter_map(|n| {
            office
                .send(&admission, &format!("request-{n}"), at(0))
                .err()
        })
        .collect();
    assert_eq!(turned.iter().filter(|one| one.booked).count(), 100);
    let waits: std::collections::HashSet<_> = turned
        .iter()
        .filter(|one| !one.booked)
        .map(|one| one.retry_after)
        .collect();
    assert!(waits.len() > 150, "{}", waits.len());
    assert!(waits.iter().all(|wait| wait.as_secs() >= 10));
}

#[test]
fn a_place_in_the_meter_of_all_uses_up_one_of_ones_own() {
    let limits = Limits {
        all_burst: 1,
        booking_seconds: 100,
        ..tight()
    };
    let admission = Admission::new(limits, 0);
    let first = Office::new(1, 1001);
    first.send(&admission, "request-0", at(0)).unwrap();
    let flood = Office::new(2, 1002);
    let turned: Vec<_> = (0..1_000)
        .map(|n| flood.send(&admission, &format!("flooding-{n}"), at(0)))
        .map(|sent| sent.unwrap_err().limit)
        .collect();
    let by_all = turned.iter().filter(|limit| **limit == Limit::All);
    assert_eq!(by_all.count(), 4, "as many as a branch may send at once");
    let other = Office::new(3, 1003);
    let turned = other.send(&admission, "request-0", at(0)).unwrap_err();
    assert!(
        turned.booked && turned.retry_after < Duration::from_secs(1),
        "{turned:?}"
    );
}

#[test]
fn what_the_branch_has_booked_is_not_held_up_by_it_again_but_by_all() {
    let limits = Limits {
        all_burst: 5,
        all_per_second: 1,
        ..tight()
    };
    let admission = Admission::new(limits, 0);
    let office = Office::new(1, 1001);
    for n in 0..4 {
        office
            .send(&admission, &format!("request-{n}"), at(0))
            .unwrap();
    }
    let turned = office.send(&admission, "request-4", at(0)).unwrap_err();
    assert_eq!(turned.limit, Limit::Branch);
    // Meanwhile others take what there is for all.
    let other = Office::new(2, 1002);
    other.send(&admission, "request-0", at(0)).unwrap();
    let turned = office.send(&admission, "request-4", at(100)).unwrap_err();
    assert_eq!((turned.limit, turned.booked), (Limit::All, true));
    let then = at(100 + i64::try_from(turned.retry_after.as_millis()).unwrap());
    office.send(&admission, "request-4", then).unwrap();
}

#[test]
fn new_limits_hold_at_once_and_bookings_stand() {
    let admission = Admission::new(tight(), 0);
    let office = Office::new(1, 1001);
    for n in 0..4 {
        office
            .send(&admission, &format!("request-{n}"), at(0))
            .unwrap();
    }
    let turned = office.send(&admission, "request-4", at(0)).unwrap_err();
    assert_eq!(turned.retry_after.as_millis(), 100);
    let wider = Limits {
        branch_burst: 100,
        ..tight()
    };
    admission.set_limits(wider, 2);
    // What was decided before but comes later changes nothing.
    admission.set_limits(tight(), 1);
    office.send(&admission, "request-5", at(0)).unwrap();
    office.send(&admission, "request-4", at(100)).unwrap();
}

#[test]
fn a_clock_set_back_holds_nobody_up() {
    let admission = Admission::new(tight(), 0);
    let office = Office::new(1, 1001);
    let hours = 6 * 3_600_000;
    for n in 0..6 {
        // Four are let in, two are given a time.
        let _ = office.send(&admission, &format!("request-{n}"), at(hours));
    }
    office.send(&admission, "request-5", at(0)).unwrap();
    office.send(&admission, "request-6", at(0)).unwrap();
}

#[test]
fn a_full_queue_takes_nothing_more() {
    let limits = Limits {
        queue: 10,
        ..tight()
    };
    let admission = Admission::new(limits, 0);
    let caller = officer(1, 1001);
    let entrant = Entrant {
        caller: &caller,
        branch: caller.body(),
        held: 0,
        request_id: None,
    };
    admission.set_under_way(9);
    admission.admit(entrant, at(0)).unwrap();
    let turned = admission.admit(entrant, at(0)).unwrap_err();
    assert_eq!((turned.limit, turned.booked), (Limit::Queue, false));
    admission.set_under_way(3);
    admission.admit(entrant, at(0)).unwrap();
}

proptest::proptest! {
    /// Under any arrivals, each who was given a time is let in at that time if no other limit has
    /// filled up, and what enters keeps the branch's rate.
    #[test]
    fn a_time_that_was_given_holds(gaps in proptest::collection::vec(0_i64..300, 1..60)) {
        let limits = Limits {
            all_burst: 1_000,
            ..tight()
        };
        let admission = Admission::new(limits, 0);
        let office = Office::new(1, 1001);
        let mut now = 0;
        let mut given = Vec::new();
        let mut entered = Vec::new();
        for (n, gap) in gaps.into_iter().enumerate() {
            now += gap;
            let name = format!("request-{n}");
            match office.send(&admission, &name, at(now)) {
                Ok(()) => entered.push(now),
                Err(turned) => {
                    proptest::prop_assert!(turned.booked);
                    given.push((now + i64::try_from(turned.retry_after.as_millis()).unwrap(), name));
                }
            }
        }
        given.sort();
        // All come back at their times; none is before the last arrival's booking was made.
        for (when, name) in given {
            let sent = office.send(&admission, &name, at(when));
            proptest::prop_assert!(sent.is_ok(), "{sent:?}");
            entered.push(when);
        }
        entered.sort_unstable();
        for (i, first) in entered.iter().enumerate() {
            for (j, last) in entered.iter().enumerate().skip(i) {
                let count = i64::try_from(j - i + 1).unwrap();
                proptest::prop_assert!(count <= 4 + (last - first + 1) / 100 + 1);
            }
        }
    }
}

#[test]
fn who_comes_in_a_slot_is_not_metered_and_waits_only_for_room_in_the_queue() {
    let admission = Admission::new(tight(), 0);
    let office = Office::new(1, 1001);
    let entrant = Entrant {
        caller: &office.caller,
        branch: office.caller.body(),
        held: 0,
        request_id: None,
    };
    for _ in 0..100 {
        admission.admit_in_slot(entrant, at(0)).unwrap();
    }
    for n in 0..4 {
        let sent = office.send(&admission, &format!("request-{n}"), at(0));
        sent.unwrap();
    }
    let turned = office.send(&admission, "request-4", at(0)).unwrap_err();
    assert_eq!(turned.limit, Limit::Branch);
    let told = turned.with_slot(SlotRefused::Invalid).to_string();
    assert!(told.contains("signature is not valid"), "{told}");
    admission.set_under_way(u64::from(Limits::default().queue));
    let full = admission.admit_in_slot(entrant, at(0)).unwrap_err();
    assert_eq!(full.limit, Limit::Queue);
}
