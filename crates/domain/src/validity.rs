//! How long a certificate is valid, and when it may be renewed.

use crate::time::{JstDate, Timestamp};

/// Years a subscriber's certificate is valid (R1).
pub const SUBSCRIBER_YEARS: i32 = 3;
/// Calendar months before expiry from which renewal may be applied for (R2).
pub const RENEWAL_WINDOW_MONTHS: i32 = 6;
/// Years a CA certificate is valid.
pub const CA_YEARS: i32 = 10;
/// Years for which a CA key issues, so that no certificate outlives its CA.
pub const CA_ISSUING_YEARS: i32 = 7;

/// Days an OCSP responder's certificate is valid: short, because nobody asks for its own status
/// (RFC 6960 §4.2.2.2.1).
pub const RESPONDER_DAYS: i32 = 30;

/// A validity period: from 00:00:00 JST of its first day to 23:59:59 JST of its last (R11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Validity {
    first_day: JstDate,
    last_day: JstDate,
}

impl Validity {
    /// The period of a subscriber's certificate issued on `day`: three years (R1), the last day
    /// being the day before the third anniversary, as 2008-02-04 to 2011-02-03.
    #[must_use]
    pub fn for_subscriber(day: JstDate) -> Self {
        Self::years(day, SUBSCRIBER_YEARS)
    }

    /// The period of a CA certificate made on `day`.
    #[must_use]
    pub fn for_ca(day: JstDate) -> Self {
        Self::years(day, CA_YEARS)
    }

    /// The period of an OCSP responder's certificate issued on `day`: 30 days, cut off where its CA
    /// ends; `None` outside the CA's validity.
    #[must_use]
    pub fn for_responder(day: JstDate, ca: Self) -> Option<Self> {
        if day < ca.first_day {
            return None;
        }
        Self::try_new(day, day.plus_days(RESPONDER_DAYS - 1).min(ca.last_day))
    }

    fn years(day: JstDate, years: i32) -> Self {
        Self {
            first_day: day,
            last_day: day.plus_months(12 * years).plus_days(-1),
        }
    }

    /// The period between the two days, both included; `None` if it would end before it begins.
    #[must_use]
    pub fn try_new(first_day: JstDate, last_day: JstDate) -> Option<Self> {
        (first_day <= last_day).then_some(Self {
            first_day,
            last_day,
        })
    }

    /// The first day.
    #[must_use]
    pub const fn first_day(self) -> JstDate {
        self.first_day
    }

    /// The last day, the day of expiry.
    #[must_use]
    pub const fn last_day(self) -> JstDate {
        self.last_day
    }

    /// notBefore: 00:00:00 JST of the first day.
    #[must_use]
    pub fn not_before(self) -> Timestamp {
        self.first_day.start()
    }

    /// notAfter: 23:59:59 JST of the last day; RFC 5280 counts that second as valid.
    #[must_use]
    pub fn not_after(self) -> Timestamp {
        self.last_day.last_second()
    }

    /// The last day on which a subscriber's certificate still ends within this period, a CA's; none
    /// if there is no such day.
    #[must_use]
    pub fn last_issuing_day(self) -> Option<JstDate> {
        let ends_within = |day: &JstDate| Self::for_subscriber(*day).last_day <= self.last_day;
        // Months are clamped at their ends, so the day sought lies a few days around this one.
        let about = self.last_day.plus_months(-12 * SUBSCRIBER_YEARS);
        let days = (-3..=3).rev().map(|days| about.plus_days(days));
        let mut days = days.filter(ends_within);
        days.next().filter(|day| *day >= self.first_day)
    }

    /// Whether `at` lies within the period, the whole last second included.
    #[must_use]
    pub fn contains(self, at: Timestamp) -> bool {
        self.not_before() <= at && !self.is_over(at)
    }

    /// Whether the period has ended at `at`.
    #[must_use]
    pub fn is_over(self, at: Timestamp) -> bool {
        at >= self.last_day.plus_days(1).start()
    }

    /// The first day on which renewal may be applied for: expiry minus six calendar months (R2).
    #[must_use]
    pub fn renewal_opens(self) -> JstDate {
        self.last_day.plus_months(-RENEWAL_WINDOW_MONTHS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_days_certificate_ends_three_years_later() {
        let v = Validity::for_subscriber("2008-02-04".parse().unwrap());
        assert_eq!(v.last_day().to_string(), "2011-02-03");
        assert_eq!(v.renewal_opens().to_string(), "2010-08-03");
        assert!(v.contains(v.not_after().plus_millis(999)));
        assert!(!v.contains(v.not_after().plus_millis(1000)));
        assert!(!v.contains(v.not_before().plus_millis(-1)));
    }

    #[test]
    fn a_responders_certificate_ends_with_its_ca() {
        let day = |text: &str| text.parse::<JstDate>().unwrap();
        let ca = Validity::for_ca(day("2008-02-04"));
        let on = |text| Validity::for_responder(day(text), ca);
        assert_eq!(on("2008-02-04").unwrap().last_day(), day("2008-03-04"));
        assert_eq!(on("2018-02-01").unwrap().last_day(), day("2018-02-03"));
        assert_eq!(on("2018-02-04"), None);
        assert_eq!(on("2008-02-03"), None);
    }

    #[test]
    fn a_ca_issues_for_seven_years() {
        for (first, last) in [
            ("2008-02-04", "2015-02-04"),
            ("2008-02-29", "2015-02-28"),
            ("2008-03-01", "2015-03-01"),
            ("2013-03-01", "2020-03-01"),
        ] {
            let ca = Validity::for_ca(first.parse().unwrap());
            let day = ca.last_issuing_day().unwrap();
            assert_eq!(day.to_string(), last, "{first}");
            let next = Validity::for_subscriber(day.plus_days(1));
            assert!(Validity::for_subscriber(day).last_day() <= ca.last_day());
            assert!(next.last_day() > ca.last_day());
        }
        let short = Validity::for_subscriber("2008-02-04".parse().unwrap());
        let shorter = Validity::try_new(short.first_day(), short.last_day().plus_days(-1));
        assert_eq!(short.last_issuing_day(), Some(short.first_day()));
        assert_eq!(shorter.unwrap().last_issuing_day(), None);
    }

    #[test]
    fn a_leap_days_certificate_is_not_longer_than_three_years() {
        let v = Validity::for_subscriber("2008-02-29".parse().unwrap());
        assert_eq!(v.last_day().to_string(), "2011-02-27");
    }
}
