//! Slots on known days, and what holds whatever is booked.

use std::{collections::BTreeSet, sync::LazyLock};

use proptest::prelude::*;

use super::*;

static CALENDAR: LazyLock<BusinessCalendar> = LazyLock::new(BusinessCalendar::default);

fn day(text: &str) -> JstDate {
    text.parse().unwrap()
}

fn rules(per_business_day: u32) -> SlotRules {
    SlotRules {
        per_business_day,
        ignoring_percent: 0,
        margin_days: 5,
        trip: 30,
    }
}

fn candidate(n: u32, branch: u16, last_day: JstDate) -> Candidate<u32> {
    Candidate {
        branch: BodyCode::try_new(1, branch),
        opens: last_day.plus_months(-6),
        last_day,
        certificate: n,
    }
}

fn heaviest(book: &SlotBook<u32>) -> u32 {
    book.booked.values().copied().max().unwrap_or_default()
}

#[test]
fn certificates_that_expire_together_are_not_renewed_together() {
    let mut book = SlotBook::new(CALENDAR.clone(), rules(234));
    // Fifteen certificates for each of 1,600 branches, all expiring in February 2011.
    let all: Vec<_> = (0..24_000)
        .map(|n| {
            let branch = u16::try_from(n / 15 % 999 + 1).unwrap();
            candidate(
                n,
                branch,
                day("2011-02-03").plus_days(i32::try_from(n / 1000).unwrap()),
            )
        })
        .collect();
    book.book(day("2010-08-01"), &all);
    assert_eq!(book.slots().count(), 24_000);
    assert!(heaviest(&book) <= 234, "{}", heaviest(&book));
}

#[test]
fn a_branch_makes_one_trip_and_a_large_one_a_run_of_days() {
    let mut book = SlotBook::new(CALENDAR.clone(), rules(200));
    let village = (0..14).map(|n| candidate(n, 1, day("2011-02-10")));
    let city = (14..114).map(|n| candidate(n, 2, day("2011-02-20")));
    book.book(day("2010-08-01"), &village.chain(city).collect::<Vec<_>>());
    let days =
        |range: std::ops::Range<u32>| range.filter_map(|n| book.slot(n)).collect::<BTreeSet<_>>();
    assert_eq!(days(0..14).len(), 1);
    let run = days(14..114);
    let (first, last) = (*run.first().unwrap(), *run.last().unwrap());
    assert_eq!(run.len(), 4);
    assert_eq!(
        CALENDAR.business_days(first, last).len(),
        4,
        "a gap in {run:?}"
    );
}

#[test]
fn booking_keeps_off_the_days_that_others_will_crowd() {
    let mut book = SlotBook::new(CALENDAR.clone(), rules(10));
    for day in CALENDAR.business_days(day("2010-12-01"), day("2011-02-28")) {
        book.expect(day, 9 * APPLICATION);
    }
    let all: Vec<_> = (0..500)
        .map(|n| candidate(n, 1 + u16::try_from(n).unwrap(), day("2011-02-14")))
        .collect();
    book.book(day("2010-08-14"), &all);
    let late = book
        .slots()
        .filter(|(_, slot)| *slot >= day("2010-12-01"))
        .count();
    assert!(late <= 45, "{late} on crowded days");
}

#[test]
fn a_missed_slot_is_booked_again_before_the_certificate_expires() {
    let mut book = SlotBook::new(CALENDAR.clone(), rules(10));
    book.book(day("2010-08-01"), &[candidate(1, 1, day("2011-02-10"))]);
    book.missed(day("2011-01-28"), &[1, 2]);
    assert_eq!(book.slot(1), Some(day("2011-01-28")));
    // Within the margin there is still a day, and after the last none.
    book.missed(day("2011-02-09"), &[1]);
    assert_eq!(book.slot(1), Some(day("2011-02-09")));
    book.missed(day("2011-02-11"), &[1]);
    assert_eq!((book.slot(1), book.slots().count()), (None, 0));
    assert_eq!(heaviest(&book), 0);
}

#[test]
fn a_smaller_capacity_moves_no_more_than_it_must() {
    let mut book = SlotBook::new(CALENDAR.clone(), rules(20));
    // Forty branches of fourteen, each on a day of its own.
    let all: Vec<_> = (0..560)
        .map(|n| candidate(n, 1 + u16::try_from(n / 14).unwrap(), day("2011-02-14")))
        .collect();
    book.book(day("2010-08-14"), &all);
    let before: BTreeMap<_, _> = book.slots().collect();
    assert_eq!(heaviest(&book), 14);
    book.change_capacity(day("2010-08-14"), 14);
    assert_eq!(book.slots().collect::<BTreeMap<_, _>>(), before);
    book.change_capacity(day("2010-08-14"), 10);
    assert!(heaviest(&book) <= 10);
    let moved = book.slots().filter(|(n, slot)| before[n] != *slot).count();
    assert_eq!(moved, 40 * 4);
}

/// Whether each certificate could get a day with no day over capacity: for every span of days, what must fall within
/// fits.
fn feasible(book: &SlotBook<u32>, from: JstDate, all: &[Candidate<u32>], room: u32) -> bool {
    let spans: Vec<_> = all
        .iter()
        .filter_map(|c| {
            let days = book.days(from, c.opens, c.last_day);
            Some((*days.first()?, *days.last()?))
        })
        .collect();
    let ends: BTreeSet<_> = spans.iter().map(|s| s.1).collect();
    let starts: BTreeSet<_> = spans.iter().map(|s| s.0).collect();
    starts.iter().all(|start| {
        ends.range(*start..).all(|end| {
            let within = spans
                .iter()
                .filter(|s| s.0 >= *start && s.1 <= *end)
                .count();
            let days = CALENDAR.business_days(*start, *end).len();
            within <= days * usize::try_from(room).unwrap()
        })
    })
}

prop_compose! {
    /// Few branches, windows that crowd each other.
    fn certificates()(raw in prop::collection::vec((1..8_u16, 0..60_i32, 0..30_i32), 1..100)) -> Vec<Candidate<u32>> {
        let first = day("2010-10-01");
        let each = raw.into_iter().zip(0..).map(|((branch, opens, length), n)| Candidate {
            branch: BodyCode::try_new(1, branch),
            opens: first.plus_days(opens),
            last_day: first.plus_days(opens + length),
            certificate: n,
        });
        each.collect()
    }
}

proptest! {
    #[test]
    fn slots_lie_on_business_days_within_the_window(all in certificates(), room in 1..12_u32) {
        let mut book = SlotBook::new(CALENDAR.clone(), rules(room));
        let from = day("2010-10-05");
        book.book(from, &all);
        for candidate in &all {
            let possible = CALENDAR.business_days(from.max(candidate.opens), candidate.last_day).len();
            match book.slot(candidate.certificate) {
                None => prop_assert_eq!(possible, 0),
                Some(slot) => {
                    prop_assert!(CALENDAR.is_business_day(slot));
                    prop_assert!(slot >= from && slot >= candidate.opens && slot <= candidate.last_day);
                }
            }
        }
        let booked: u32 = book.booked.values().sum();
        prop_assert_eq!(usize::try_from(booked).unwrap(), book.slots().count());
    }

    #[test]
    fn no_day_is_over_capacity_where_that_can_be(all in certificates(), room in 1..12_u32) {
        let mut book = SlotBook::new(CALENDAR.clone(), rules(room));
        let from = day("2010-10-05");
        let feasible = feasible(&book, from, &all, room);
        book.book(from, &all);
        if feasible {
            prop_assert!(heaviest(&book) <= room, "{} of {room}", heaviest(&book));
        }
    }

    #[test]
    fn the_order_of_asking_changes_nothing(all in certificates(), room in 1..12_u32, turn in any::<prop::sample::Index>()) {
        let slots = |all: &[Candidate<u32>]| {
            let mut book = SlotBook::new(CALENDAR.clone(), rules(room));
            book.book(day("2010-10-05"), all);
            book.slots().collect::<Vec<_>>()
        };
        let mut turned = all.clone();
        turned.rotate_left(turn.index(all.len()));
        turned.reverse();
        prop_assert_eq!(slots(&all), slots(&turned));
    }
}
