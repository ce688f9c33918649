//! Instants and Japanese calendar days.
//!
//! All dates of LGPKI are JST (R11), a fixed nine hours ahead of UTC without daylight saving.
//! Certificates are dated to the second, records to the millisecond.

use std::{fmt, str::FromStr};

use jiff::{civil, tz};

const JST: tz::Offset = tz::Offset::constant(9);
const JST_SECONDS: i64 = 9 * 3600;
const DAY_SECONDS: i64 = 86_400;

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds since the Unix epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded towards the past.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved by `millis`.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// This instant moved by `seconds`.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The number of the day in Japan at this instant, as [`JstDate::number`] counts.
    #[must_use]
    pub fn jst_day_number(self) -> i32 {
        let number = (self.as_seconds().saturating_add(JST_SECONDS)).div_euclid(DAY_SECONDS);
        i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
    }

    /// The day in Japan at this instant.
    #[must_use]
    pub fn jst_date(self) -> JstDate {
        JstDate(self.civil().date())
    }

    /// The wall clock in Japan at this instant.
    fn civil(self) -> civil::DateTime {
        let clamped = self.0.clamp(
            jiff::Timestamp::MIN.as_millisecond() + 86_400_000,
            jiff::Timestamp::MAX.as_millisecond() - 86_400_000,
        );
        // The clamp keeps the value within jiff's range; the epoch stands for the impossible rest.
        JST.to_datetime(jiff::Timestamp::from_millisecond(clamped).unwrap_or_default())
    }
}

/// `2008-02-04T09:15:00.123+09:00`
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        let fields = [
            (4, i32::from(c.year())),
            (7, i32::from(c.month())),
            (10, i32::from(c.day())),
            (13, i32::from(c.hour())),
            (16, i32::from(c.minute())),
            (19, i32::from(c.second())),
            (23, i32::from(c.millisecond())),
        ];
        // Digits from each field's end backwards; these texts are made by the thousand.
        let mut text = *b"0000-00-00T00:00:00.000+09:00";
        for (end, value) in fields {
            let mut rest = value.unsigned_abs();
            for digit in text[..end].iter_mut().rev() {
                if rest == 0 {
                    break;
                }
                *digit = b"0123456789"[(rest % 10) as usize];
                rest /= 10;
            }
        }
        if c.year() < 0 {
            f.write_str("-")?;
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// A text is not a date or an instant of the expected form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct NotATime {
    text: String,
    expected: &'static str,
}

/// Any RFC 3339 instant.
impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_millisecond()))
            .map_err(|_| NotATime {
                text: text.to_owned(),
                expected: "an RFC 3339 time such as 2008-02-04T09:15:00.000+09:00",
            })
    }
}

/// A calendar day in Japan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JstDate(civil::Date);

impl JstDate {
    /// The day `year`-`month`-`day`; `None` where there is none, such as 30 February.
    #[must_use]
    pub fn try_new(year: i16, month: i8, day: i8) -> Option<Self> {
        civil::Date::new(year, month, day)
            .ok()
            .filter(|d| (1970..=9000).contains(&d.year()))
            .map(Self)
    }

    /// The year, month and day.
    #[must_use]
    pub fn parts(self) -> (i16, i8, i8) {
        (self.0.year(), self.0.month(), self.0.day())
    }

    /// 00:00:00 JST of this day.
    #[must_use]
    pub fn start(self) -> Timestamp {
        // Within the range of years that `try_new` admits, an offset instant always exists.
        let instant = JST.to_timestamp(self.0.to_datetime(civil::Time::midnight()));
        Timestamp(
            instant
                .map(jiff::Timestamp::as_millisecond)
                .unwrap_or_default(),
        )
    }

    /// 23:59:59 JST of this day, the last second in which a certificate that ends today is valid.
    #[must_use]
    pub fn last_second(self) -> Timestamp {
        self.start().plus_seconds(86_399)
    }

    /// The day `days` later, or earlier where negative.
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        Self(
            self.0
                .saturating_add(jiff::Span::new().days(days.clamp(-1_000_000, 1_000_000))),
        )
    }

    /// The same day of the month `months` later (earlier where negative), clamped to the month's
    /// end: 31 August minus six months is 28 or 29 February.
    #[must_use]
    pub fn plus_months(self, months: i32) -> Self {
        Self(
            self.0
                .saturating_add(jiff::Span::new().months(months.clamp(-60_000, 60_000))),
        )
    }

    /// Days since 1970-01-01, the same day being 0.
    #[must_use]
    pub fn number(self) -> i32 {
        // Within the range of years that `try_new` admits the quotient is small.
        i32::try_from((self.start().as_seconds() + JST_SECONDS).div_euclid(DAY_SECONDS))
            .unwrap_or_default()
    }

    /// Reads a [`number`](Self::number) back.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        Timestamp::from_seconds(i64::from(number) * DAY_SECONDS - JST_SECONDS).jst_date()
    }

    /// The first day of the month.
    #[must_use]
    pub fn month_start(self) -> Self {
        Self(self.0.first_of_month())
    }

    /// The Monday of the week.
    #[must_use]
    pub fn week_start(self) -> Self {
        self.plus_days(1 - i32::from(self.weekday()))
    }

    /// The week of ISO 8601 that the day lies in, and the year which that week counts to: 2011-01-01 lies in
    /// (2010, 52).
    #[must_use]
    pub fn iso_week(self) -> (i16, u8) {
        let week = self.0.iso_week_date();
        (week.year(), week.week().unsigned_abs())
    }

    /// The day of the week, Monday = 1 to Sunday = 7.
    #[must_use]
    pub fn weekday(self) -> u8 {
        self.0.weekday().to_monday_one_offset().unsigned_abs()
    }
}

/// `2008-02-04`
impl fmt::Display for JstDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}",
            self.0.year(),
            self.0.month(),
            self.0.day()
        )
    }
}

impl FromStr for JstDate {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let wrong = || NotATime {
            text: text.to_owned(),
            expected: "a date such as 2008-02-04",
        };
        let part = |range: std::ops::Range<usize>| text.get(range).ok_or_else(wrong);
        if text.len() != 10 || part(4..5)? != "-" || part(7..8)? != "-" {
            return Err(wrong());
        }
        let year = part(0..4)?.parse().map_err(|_| wrong())?;
        let month = part(5..7)?.parse().map_err(|_| wrong())?;
        let day = part(8..10)?.parse().map_err(|_| wrong())?;
        Self::try_new(year, month, day).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_back_what_it_prints() {
        let t = Timestamp::from_millis(1_202_084_100_123);
        assert_eq!(t.to_string(), "2008-02-04T09:15:00.123+09:00");
        assert_eq!(t.to_string().parse(), Ok(t));
    }

    #[test]
    fn no_number_of_seconds_is_too_large_to_be_told() {
        for seconds in [i64::MIN, i64::MAX] {
            assert!(!Timestamp::from_seconds(seconds).to_string().is_empty());
        }
    }

    #[test]
    fn a_day_starts_and_ends_in_japan() {
        let day: JstDate = "2008-02-04".parse().unwrap();
        assert_eq!(day.start().to_string(), "2008-02-04T00:00:00.000+09:00");
        assert_eq!(
            day.last_second().to_string(),
            "2008-02-04T23:59:59.000+09:00"
        );
        assert_eq!(
            day.start().plus_millis(-1).jst_date().to_string(),
            "2008-02-03"
        );
        assert_eq!(day.weekday(), 1);
    }

    #[test]
    fn months_clamp_to_the_months_end() {
        let day: JstDate = "2011-08-31".parse().unwrap();
        assert_eq!(day.plus_months(-6).to_string(), "2011-02-28");
        assert_eq!(day.plus_months(6).to_string(), "2012-02-29");
    }

    #[test]
    fn a_day_is_found_again_by_its_number() {
        for text in ["1970-01-01", "2008-02-29", "2011-02-03", "8999-12-31"] {
            let day: JstDate = text.parse().unwrap();
            assert_eq!(JstDate::from_number(day.number()), day);
            assert_eq!(day.start().jst_day_number(), day.number());
            assert_eq!(day.last_second().jst_day_number(), day.number());
            assert_eq!(day.plus_days(1).number(), day.number() + 1);
        }
        assert_eq!(JstDate::from_number(0).to_string(), "1970-01-01");
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_their_first() {
        let day: JstDate = "2011-02-03".parse().unwrap();
        assert_eq!(day.week_start().to_string(), "2011-01-31");
        assert_eq!(day.week_start().week_start(), day.week_start());
        assert_eq!(day.month_start().to_string(), "2011-02-01");
        assert_eq!(day.iso_week(), (2011, 5));
        let new_year: JstDate = "2011-01-01".parse().unwrap();
        assert_eq!(new_year.iso_week(), (2010, 52));
    }

    #[test]
    fn what_is_not_a_date_is_refused() {
        for text in [
            "2008-2-4",
            "2008-02-30",
            "2008/02/04",
            "",
            "２００８-02-04",
            "9999-01-01",
        ] {
            assert!(text.parse::<JstDate>().is_err(), "{text}");
        }
    }
}
