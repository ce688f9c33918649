//! When an application will be issued: what waits ahead, worked off at the examiners' and the issuer's capacity.
//!
//! Examiners work on business days at an even pace; the issuer signs day and night. Pure arithmetic: nothing is
//! measured here, and what may arrive later is the caller's forecast.

use crate::{
    calendar::BusinessCalendar,
    time::{JstDate, Timestamp},
};

/// How much is done in which time; at least one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    per_business_day: u32,
    signatures_per_second: u32,
}

impl Capacity {
    /// So many applications examined in a business day, and so many certificates signed in a second; `None` if either
    /// is 0, for then nothing is ever issued.
    #[must_use]
    pub const fn try_new(per_business_day: u32, signatures_per_second: u32) -> Option<Self> {
        if per_business_day == 0 || signatures_per_second == 0 {
            return None;
        }
        Some(Self {
            per_business_day,
            signatures_per_second,
        })
    }

    /// The same with so many signatures a second, at least one.
    #[must_use]
    pub const fn signing(self, per_second: u32) -> Self {
        Self {
            per_business_day: self.per_business_day,
            signatures_per_second: if per_second == 0 { 1 } else { per_second },
        }
    }

    /// Applications examined in a business day.
    #[must_use]
    pub const fn per_business_day(self) -> u32 {
        self.per_business_day
    }

    /// Certificates signed in a second.
    #[must_use]
    pub const fn signatures_per_second(self) -> u32 {
        self.signatures_per_second
    }
}

/// 240 a business day, as four examiners with two hours for fifteen each, and 100 signatures a second (X).
impl Default for Capacity {
    fn default() -> Self {
        Self {
            per_business_day: 240,
            signatures_per_second: 100,
        }
    }
}

/// When an application will be issued, if the order can still change: not before the one, not after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Not before.
    pub earliest: Timestamp,
    /// Not after.
    pub latest: Timestamp,
}

/// Estimates from a calendar and a capacity.
#[derive(Clone, Copy, Debug)]
pub struct Estimator<'a> {
    calendar: &'a BusinessCalendar,
    capacity: Capacity,
}

impl<'a> Estimator<'a> {
    /// With this calendar and capacity.
    #[must_use]
    pub const fn new(calendar: &'a BusinessCalendar, capacity: Capacity) -> Self {
        Self { calendar, capacity }
    }

    /// Business milliseconds in which `applications` are examined, rounded up.
    #[must_use]
    pub fn work(&self, applications: u64) -> i64 {
        let day = i128::from(self.calendar.hours().millis());
        let per_day = i128::from(self.capacity.per_business_day);
        let millis = (i128::from(applications) * day + per_day - 1) / per_day;
        i64::try_from(millis).unwrap_or(i64::MAX)
    }

    /// When the application after `ahead` others is issued: examined and signed, both at full capacity since `now`.
    #[must_use]
    pub fn issued(&self, now: Timestamp, ahead: u64) -> Timestamp {
        let all = ahead.saturating_add(1);
        let examined = self.calendar.after(now, self.work(all));
        let signed = now.plus_millis(self.signing(all));
        self.signed(examined).max(signed)
    }

    /// When so many that wait for nothing but the issuer have been signed.
    #[must_use]
    pub fn all_signed(&self, now: Timestamp, certificates: u64) -> Timestamp {
        now.plus_millis(self.signing(certificates))
    }

    /// When what was examined at this instant has been signed, if no other waits for that.
    fn signed(&self, examined: Timestamp) -> Timestamp {
        examined.plus_millis(self.signing(1))
    }

    /// Milliseconds in which so many are signed, rounded up.
    fn signing(&self, certificates: u64) -> i64 {
        let per_second = i128::from(self.capacity.signatures_per_second);
        let millis = (i128::from(certificates) * 1000 + per_second - 1) / per_second;
        i64::try_from(millis).unwrap_or(i64::MAX)
    }

    /// When an application is issued that stands after `ahead` others of `waiting`, where later `arrivals` may rightly
    /// overtake it: not before its turn as things stand, and not after the queue is clear.
    #[must_use]
    pub fn promise(
        &self,
        now: Timestamp,
        (ahead, waiting): (u64, u64),
        arrivals: impl IntoIterator<Item = (JstDate, u64)>,
    ) -> Promise {
        let earliest = self.issued(now, ahead);
        let clear = self.clears(now, waiting, arrivals);
        Promise {
            earliest,
            latest: self.signed(clear).max(earliest),
        }
    }

    /// When everything that waits, and what arrives until then, has been examined. `arrivals` are counted from the
    /// beginning of their day, in order; days before `now` count as today.
    #[must_use]
    pub fn clears(
        &self,
        now: Timestamp,
        waiting: u64,
        arrivals: impl IntoIterator<Item = (JstDate, u64)>,
    ) -> Timestamp {
        let mut work = waiting;
        let mut free = self.calendar.after(now, self.work(work));
        for (day, applications) in arrivals {
            if applications > 0 && day.start() > free {
                break;
            }
            work = work.saturating_add(applications);
            free = self.calendar.after(now, self.work(work));
        }
        free
    }

    /// Until which expiry renewals would expire before their turn: the last instant until which more certificates
    /// expire than can be renewed by then, while `others_percent` of the capacity goes to other applications. `expiring`
    /// are the certificates still to be renewed, in order of expiry: those whose application waits and those for which
    /// none has come yet. `None` if there is time for all.
    #[must_use]
    pub fn at_risk_until(
        &self,
        now: Timestamp,
        expiring: impl IntoIterator<Item = (Timestamp, u64)>,
        others_percent: u8,
    ) -> Option<Timestamp> {
        let share = i128::from(100_u8.saturating_sub(others_percent));
        let mut demand: u64 = 0;
        let mut until = None;
        for (expires, certificates) in expiring {
            if expires <= now {
                continue;
            }
            demand = demand.saturating_add(certificates);
            let time = self.calendar.millis_between(now, expires);
            if i128::from(self.work(demand)) * 100 > i128::from(time) * share {
                until = Some(expires);
            }
        }
        until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("{text}:00+09:00").parse().unwrap()
    }

    fn day(text: &str) -> JstDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_queue_is_worked_off_on_business_days() {
        let calendar = BusinessCalendar::default();
        let estimator = Estimator::new(&calendar, Capacity::try_new(80, 100).unwrap());
        // Ten an hour; Friday 11 February is a holiday.
        let thursday = at("2011-02-10T16:00");
        assert_eq!(
            estimator.issued(thursday, 9),
            at("2011-02-10T17:00").plus_millis(10)
        );
        assert_eq!(
            estimator.issued(thursday, 19),
            at("2011-02-14T10:00").plus_millis(10)
        );
        assert_eq!(estimator.work(0), 0);
        // A slow issuer holds everything up, day and night.
        let slow = Estimator::new(&calendar, Capacity::try_new(u32::MAX, 1).unwrap());
        assert_eq!(slow.issued(thursday, 3599), at("2011-02-10T17:00"));
        assert!(Capacity::try_new(0, 1).is_none() && Capacity::try_new(1, 0).is_none());
    }

    #[test]
    fn a_queue_clears_once_what_arrives_is_less_than_what_is_done() {
        let calendar = BusinessCalendar::default();
        let estimator = Estimator::new(&calendar, Capacity::try_new(80, 100).unwrap());
        let monday = at("2010-10-04T09:00");
        assert_eq!(estimator.clears(monday, 0, []), monday);
        assert_eq!(estimator.clears(monday, 40, []), at("2010-10-04T13:00"));
        let arrivals = [
            (day("2010-10-04"), 50),
            (day("2010-10-05"), 120),
            (day("2010-10-07"), 80),
        ];
        // 90 by Monday, 120 more on Tuesday: clear on Wednesday, before Thursday's come.
        assert_eq!(
            estimator.clears(monday, 40, arrivals),
            at("2010-10-06T14:00")
        );
    }

    #[test]
    fn what_would_expire_is_seen_before_the_queue_is_long() {
        let calendar = BusinessCalendar::default();
        let estimator = Estimator::new(&calendar, Capacity::try_new(100, 100).unwrap());
        let now = at("2011-02-01T09:00");
        let expiring = |last| {
            [
                (day("2011-02-03").start(), 100),
                (day("2011-02-05").start(), last),
            ]
        };
        // Two days and four days of work, of which four fifths are free for renewals: 160 and 320.
        assert_eq!(estimator.at_risk_until(now, expiring(220), 20), None);
        assert_eq!(
            estimator.at_risk_until(now, expiring(221), 20),
            Some(day("2011-02-05").start())
        );
        assert_eq!(estimator.at_risk_until(now, expiring(300), 0), None);
        assert_eq!(estimator.at_risk_until(now, [(now, 1_000)], 20), None);
    }

    proptest! {
        #[test]
        fn more_ahead_or_less_capacity_is_never_sooner(
            hours in 0..20_000_i64,
            ahead in 0..100_000_u64,
            more in 0..1_000_u64,
            per_day in 1..5_000_u32,
            faster in 0..1_000_u32,
        ) {
            let calendar = &*CALENDAR;
            let now = at("2009-01-01T00:00").plus_seconds(hours * 3600);
            let with = |per_day| Estimator::new(calendar, Capacity::try_new(per_day, 1000).unwrap());
            let base = with(per_day).issued(now, ahead);
            prop_assert!(with(per_day).issued(now, ahead + more) >= base);
            prop_assert!(with(per_day + faster).issued(now, ahead) <= base);
            // The whole queue takes no longer than its parts one after the other.
            let first = calendar.after(now, with(per_day).work(ahead));
            prop_assert!(with(per_day).issued(now, ahead + more) <= with(per_day).issued(first, more).plus_millis(1));
        }
    }

    static CALENDAR: std::sync::LazyLock<BusinessCalendar> =
        std::sync::LazyLock::new(BusinessCalendar::default);
}
