//! The business calendar on known days, and the laws of its arithmetic.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static CALENDAR: LazyLock<BusinessCalendar> = LazyLock::new(BusinessCalendar::default);

fn day(text: &str) -> JstDate {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    format!("{text}:00+09:00").parse().unwrap()
}

const HOUR: i64 = 3_600_000;

#[test]
fn the_renewal_window_has_the_business_days_that_a_wall_calendar_shows() {
    // August 2010 to February 2011, counted by hand.
    for (month, days) in [
        ("2010-08-01", 22),
        ("2010-09-01", 20),
        ("2010-10-01", 20),
        ("2010-11-01", 20),
        ("2010-12-01", 19),
        ("2011-01-01", 19),
        ("2011-02-01", 19),
    ] {
        let first = day(month);
        let last = first.plus_months(1).plus_days(-1);
        assert_eq!(CALENDAR.business_days(first, last).len(), days, "{month}");
    }
}

#[test]
fn offices_are_closed_over_the_new_year_and_on_days_that_are_named() {
    assert_eq!(
        CALENDAR.on_or_after(day("2010-12-29")),
        Some(day("2011-01-04"))
    );
    assert_eq!(
        CALENDAR.on_or_before(day("2011-01-03")),
        Some(day("2010-12-28"))
    );
    assert_eq!(
        CALENDAR.on_or_after(day("2019-04-27")),
        Some(day("2019-05-07"))
    );
    let closed = BTreeSet::from([day("2011-01-04")]);
    let calendar = BusinessCalendar::new(BusinessHours::default(), &closed);
    assert!(!calendar.is_business_day(day("2011-01-04")));
    assert_eq!(
        calendar.on_or_after(day("2010-12-29")),
        Some(day("2011-01-05"))
    );
}

#[test]
fn business_time_stands_still_outside_the_hours() {
    let friday = at("2011-02-04T16:00");
    assert_eq!(
        CALENDAR.millis_between(friday, at("2011-02-07T10:00")),
        2 * HOUR
    );
    assert_eq!(CALENDAR.after(friday, HOUR), at("2011-02-04T17:00"));
    assert_eq!(
        CALENDAR.after(friday, HOUR + 1),
        at("2011-02-07T09:00").plus_millis(1)
    );
    assert_eq!(
        CALENDAR.after(at("2011-02-05T12:00"), 8 * HOUR),
        at("2011-02-07T17:00")
    );
    assert_eq!(CALENDAR.millis_between(at("2011-02-07T10:00"), friday), 0);
    assert_eq!(CALENDAR.opening(friday), friday);
    assert_eq!(
        CALENDAR.opening(at("2011-02-04T17:00")),
        at("2011-02-07T09:00")
    );
    // Ten days of 2019 in a row were none.
    assert_eq!(
        CALENDAR.after(at("2019-04-26T17:00"), 1),
        at("2019-05-07T09:00").plus_millis(1)
    );
}

#[test]
fn outside_the_calendar_nothing_is_open() {
    let (early, late) = (day("1999-06-01"), day("2105-06-01"));
    assert_eq!(CALENDAR.on_or_before(early), None);
    assert_eq!(CALENDAR.on_or_after(late), None);
    let end = CALENDAR.after(day("2099-12-01").start(), i64::MAX);
    assert_eq!(end.jst_date(), day("2099-12-28"));
    assert!(BusinessHours::try_new(1020, 540).is_none());
    assert!(BusinessHours::try_new(0, 24 * 60).is_some());
}

prop_compose! {
    /// An instant between 2008 and 2033.
    fn instant()(millis in 1_199_113_200_000_i64..1_988_118_000_000) -> Timestamp {
        Timestamp::from_millis(millis)
    }
}

/// Up to some three months of business time.
fn spell() -> impl Strategy<Value = i64> {
    0..500 * HOUR
}

proptest! {
    #[test]
    fn so_much_later_is_so_much_between(from in instant(), millis in spell()) {
        let to = CALENDAR.after(from, millis);
        prop_assert!(to >= from);
        prop_assert_eq!(CALENDAR.millis_between(from, to), millis);
    }

    #[test]
    fn waits_add_up(from in instant(), first in spell(), second in spell()) {
        let twice = CALENDAR.after(CALENDAR.after(from, first), second);
        prop_assert_eq!(twice, CALENDAR.after(from, first + second));
    }

    #[test]
    fn an_instant_between_divides_the_time(a in instant(), b in instant(), c in instant()) {
        let mut order = [a, b, c];
        order.sort();
        let [a, b, c] = order;
        prop_assert_eq!(
            CALENDAR.millis_between(a, c),
            CALENDAR.millis_between(a, b) + CALENDAR.millis_between(b, c)
        );
    }

    #[test]
    fn whoever_comes_later_is_done_later(a in instant(), b in instant(), millis in spell()) {
        let (first, second) = (a.min(b), a.max(b));
        prop_assert!(CALENDAR.after(first, millis) <= CALENDAR.after(second, millis));
    }

    #[test]
    fn the_nearest_business_days_enclose_a_day(at in instant()) {
        let day = at.jst_date();
        let (before, after) = (CALENDAR.on_or_before(day).unwrap(), CALENDAR.on_or_after(day).unwrap());
        prop_assert!(before <= day && day <= after);
        prop_assert!(CALENDAR.is_business_day(before) && CALENDAR.is_business_day(after));
        prop_assert_eq!(CALENDAR.is_business_day(day), before == after);
        prop_assert_eq!(CALENDAR.is_business_day(day), !office_holiday(day));
    }
}
