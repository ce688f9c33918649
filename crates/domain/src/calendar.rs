//! The operator's business calendar (営業日): days on which people examine, and arithmetic in business time.
//!
//! A government office is closed on Saturdays, Sundays, national holidays and from 29 December to 3 January
//! (行政機関の休日に関する法律, 昭和63年法律第91号), and on days that the operator names. It is open for the same hours on
//! every other day; a break within them is not counted. Business time is a sum of open milliseconds, so that a wait
//! over a week-end is no longer than one over a night. It covers 2007 to 2099; outside, nothing is ever open.

use std::collections::BTreeSet;

use crate::{
    holiday::holiday,
    time::{JstDate, Timestamp},
};

const FIRST_YEAR: i16 = 2007;
const LAST_YEAR: i16 = 2099;
const DAY_MILLIS: i64 = 86_400_000;

/// From when to when an office is open on a business day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusinessHours {
    opens: i64,
    closes: i64,
}

impl BusinessHours {
    /// From `opens` to `closes`, in minutes after midnight; `None` unless the first is earlier and both lie
    /// within the day.
    #[must_use]
    pub fn try_new(opens: u16, closes: u16) -> Option<Self> {
        (opens < closes && closes <= 24 * 60).then_some(Self {
            opens: i64::from(opens) * 60_000,
            closes: i64::from(closes) * 60_000,
        })
    }

    /// Milliseconds in a business day.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.closes - self.opens
    }

    /// How much of the day lies before `at`, in milliseconds since midnight.
    fn elapsed(self, at: i64) -> i64 {
        at.clamp(self.opens, self.closes) - self.opens
    }
}

/// 09:00 to 17:00.
impl Default for BusinessHours {
    fn default() -> Self {
        Self {
            opens: 9 * 3_600_000,
            closes: 17 * 3_600_000,
        }
    }
}

/// Which days are business days, and from when to when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessCalendar {
    hours: BusinessHours,
    /// Number of the first day covered.
    first: i32,
    /// The numbers of all business days, in order.
    days: Vec<i32>,
    /// For each day covered, and the one after the last, the business days before it.
    before: Vec<u32>,
}

impl BusinessCalendar {
    /// The government offices' calendar with these hours, closed on `closed` as well.
    #[must_use]
    pub fn new(hours: BusinessHours, closed: &BTreeSet<JstDate>) -> Self {
        let edge = |year, month, day| JstDate::try_new(year, month, day).map_or(0, JstDate::number);
        let (first, last) = (edge(FIRST_YEAR, 1, 1), edge(LAST_YEAR, 12, 31));
        let mut days = Vec::new();
        let mut before = Vec::new();
        let mut open = 0;
        for number in first..=last {
            before.push(open);
            let day = JstDate::from_number(number);
            if !office_holiday(day) && !closed.contains(&day) {
                days.push(number);
                open += 1;
            }
        }
        before.push(open);
        Self {
            hours,
            first,
            days,
            before,
        }
    }

    /// The hours.
    #[must_use]
    pub const fn hours(&self) -> BusinessHours {
        self.hours
    }

    /// Whether the office is open on `day`.
    #[must_use]
    pub fn is_business_day(&self, day: JstDate) -> bool {
        self.days.binary_search(&day.number()).is_ok()
    }

    /// The first business day on or after `day`; `None` at the end of the calendar.
    #[must_use]
    pub fn on_or_after(&self, day: JstDate) -> Option<JstDate> {
        let index = self.days_before(day.number());
        self.days.get(index).copied().map(JstDate::from_number)
    }

    /// The last business day on or before `day`; `None` at the calendar's beginning.
    #[must_use]
    pub fn on_or_before(&self, day: JstDate) -> Option<JstDate> {
        let after = self.days_before(day.number().saturating_add(1));
        let index = after.checked_sub(1)?;
        self.days.get(index).copied().map(JstDate::from_number)
    }

    /// The business days from `first` to `last`, both included, in order.
    pub fn business_days(
        &self,
        first: JstDate,
        last: JstDate,
    ) -> impl ExactSizeIterator<Item = JstDate> + '_ {
        let from = self.days_before(first.number());
        let to = self.days_before(last.number().saturating_add(1)).max(from);
        let days = self.days.get(from..to).unwrap_or_default();
        days.iter().copied().map(JstDate::from_number)
    }

    /// Open milliseconds between the two instants; 0 if `to` is not later.
    #[must_use]
    pub fn millis_between(&self, from: Timestamp, to: Timestamp) -> i64 {
        (self.position(to) - self.position(from)).max(0)
    }

    /// The instant at which the office has been open for `millis` since `from`: `from` itself for none, and the
    /// closing rather than the next opening where a day is just used up. The calendar's end if it comes first.
    #[must_use]
    pub fn after(&self, from: Timestamp, millis: i64) -> Timestamp {
        if millis <= 0 {
            return from;
        }
        let length = self.hours.millis();
        let target = self.position(from).saturating_add(millis);
        // The day in which `target` is reached; a full day belongs to the day that ends.
        let index = usize::try_from((target - 1).div_euclid(length)).unwrap_or(usize::MAX);
        let index = index.min(self.days.len().saturating_sub(1));
        let Some(day) = self.days.get(index) else {
            return from;
        };
        let within = (target - i64::try_from(index).unwrap_or_default() * length).min(length);
        let opens = JstDate::from_number(*day)
            .start()
            .plus_millis(self.hours.opens);
        opens.plus_millis(within)
    }

    /// `at` itself while the office is open, and the next opening otherwise.
    #[must_use]
    pub fn opening(&self, at: Timestamp) -> Timestamp {
        self.after(at, 1).plus_millis(-1)
    }

    /// Open milliseconds from the calendar's beginning to `at`.
    fn position(&self, at: Timestamp) -> i64 {
        let day = at.jst_day_number();
        let before = i64::try_from(self.days_before(day)).unwrap_or_default();
        let open = self.days.binary_search(&day).is_ok();
        let local = at.as_millis().saturating_add(9 * 3_600_000);
        let midnight = local.saturating_sub(i64::from(day) * DAY_MILLIS);
        let today = if open {
            self.hours.elapsed(midnight)
        } else {
            0
        };
        before * self.hours.millis() + today
    }

    /// How many business days lie before the day of this number.
    fn days_before(&self, number: i32) -> usize {
        let last = self.before.len() - 1;
        let index = usize::try_from(number.saturating_sub(self.first)).unwrap_or_default();
        let days = self
            .before
            .get(index.min(last))
            .copied()
            .unwrap_or_default();
        usize::try_from(days).unwrap_or_default()
    }
}

/// 09:00 to 17:00, with no further days closed.
impl Default for BusinessCalendar {
    fn default() -> Self {
        Self::new(BusinessHours::default(), &BTreeSet::new())
    }
}

/// Whether government offices are closed on `day` (行政機関の休日).
#[must_use]
pub fn office_holiday(day: JstDate) -> bool {
    let (_, month, date) = day.parts();
    day.weekday() >= 6
        || matches!((month, date), (12, 29..=31) | (1, 1..=3))
        || holiday(day).is_some()
}

#[cfg(test)]
mod tests;
