//! Rates: how many may enter in how much time, with places booked ahead.
//!
//! The generic cell rate algorithm (GCRA, ITU-T I.371), which keeps one instant a meter: entries are
//! as even as the rate says, but for a burst that may come at once. Whoever must wait can be given
//! the next free instant for their own; the instants given are as far apart as the rate says, so that
//! those who were turned away do not come back together.

use crate::time::Timestamp;

const MICROS_PER_MILLI: i64 = 1_000;
const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;

/// So many in a while, and so many of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Microseconds between two entries at the even rate.
    interval: i64,
    /// How many may enter at once after a pause.
    burst: i64,
}

impl Quota {
    /// `rate` in an hour; of rate and burst, zero counts as one.
    #[must_use]
    pub fn per_hour(rate: u32, burst: u32) -> Self {
        Self::new(MICROS_PER_HOUR, rate, burst)
    }

    /// `rate` in a second; of rate and burst, zero counts as one.
    #[must_use]
    pub fn per_second(rate: u32, burst: u32) -> Self {
        Self::new(MICROS_PER_SECOND, rate, burst)
    }

    fn new(period: i64, rate: u32, burst: u32) -> Self {
        Self {
            interval: (period / i64::from(rate.max(1))).max(1),
            burst: i64::from(burst.max(1)),
        }
    }

    /// How far the even rate may be run ahead of.
    const fn tolerance(self) -> i64 {
        (self.burst - 1).saturating_mul(self.interval)
    }
}

/// What entered by one quota. The quota may be another each time: what entered then counts for as many
/// entries of the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// When the next would enter at the even rate; microseconds since 1970-01-01 UTC. Entries
    /// before it use up the burst.
    even: i64,
    /// The interval that this was counted by.
    interval: i64,
}

impl Meter {
    /// When the next may enter; `now` if it may at once.
    #[must_use]
    pub fn earliest(self, quota: Quota, now: Timestamp) -> Timestamp {
        let micros = now.as_millis().saturating_mul(MICROS_PER_MILLI);
        let free = self.even_by(quota, micros);
        let free = free.saturating_sub(quota.tolerance());
        if free <= micros {
            return now;
        }
        // Not a microsecond too early.
        let millis = free.saturating_add(MICROS_PER_MILLI - 1) / MICROS_PER_MILLI;
        Timestamp::from_millis(millis)
    }

    /// Counts one: that enters now, or that was given [`earliest`](Self::earliest) for its own.
    pub fn count(&mut self, quota: Quota, now: Timestamp) {
        self.count_many(quota, 1, now);
    }

    /// Counts so many that enter together. Whoever finds room for one may bring many: what they are too
    /// many holds up the next.
    pub fn count_many(&mut self, quota: Quota, many: u32, now: Timestamp) {
        let micros = now.as_millis().saturating_mul(MICROS_PER_MILLI);
        let even = self.even_by(quota, micros);
        let taken = quota.interval.saturating_mul(many.into());
        self.even = even.saturating_add(taken);
        self.interval = quota.interval;
    }

    /// When the next would enter at the even rate of this quota, with as many entries before it as were
    /// counted by the last.
    fn even_by(self, quota: Quota, micros: i64) -> i64 {
        let ahead = self.even.saturating_sub(micros);
        if ahead <= 0 {
            return micros;
        }
        if self.interval == quota.interval || self.interval == 0 {
            return self.even;
        }
        let scaled = i128::from(ahead) * i128::from(quota.interval);
        let scaled = (scaled - 1) / i128::from(self.interval) + 1;
        micros.saturating_add(i64::try_from(scaled).unwrap_or(i64::MAX))
    }

    /// What it is made of, to be written down: when the next would enter at the even rate, in microseconds since 1970-01-01
    /// UTC, and the interval that this was counted by, in microseconds.
    #[must_use]
    pub const fn parts(self) -> (i64, i64) {
        (self.even, self.interval)
    }

    /// The one that these [`parts`](Self::parts) were of; `None` if they were of none.
    #[must_use]
    pub fn from_parts(even: i64, interval: i64) -> Option<Self> {
        (even >= 0 && interval >= 0).then_some(Self { even, interval })
    }

    /// Whether it says no more than a new one: it may be forgotten.
    #[must_use]
    pub const fn is_idle(self, now: Timestamp) -> bool {
        self.even <= now.as_millis().saturating_mul(MICROS_PER_MILLI)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_200_000_000_000 + millis)
    }

    #[test]
    fn a_burst_enters_at_once_and_then_one_an_interval() {
        let quota = Quota::per_second(10, 3);
        let mut meter = Meter::default();
        let mut entered = Vec::new();
        for _ in 0..6 {
            let when = meter.earliest(quota, at(0));
            meter.count(quota, at(0));
            entered.push(when.as_millis() - at(0).as_millis());
        }
        assert_eq!(entered, [0, 0, 0, 100, 200, 300]);
        // After a pause the burst is there again.
        assert!(meter.is_idle(at(10_000)));
        assert_eq!(meter.earliest(quota, at(10_000)), at(10_000));
    }

    #[test]
    fn what_entered_counts_the_same_after_the_rate_has_changed() {
        let (slow, fast) = (Quota::per_second(1, 10), Quota::per_second(100, 10));
        for (first, then, interval) in [(slow, fast, 10), (fast, slow, 1_000)] {
            let mut meter = Meter::default();
            for _ in 0..6 {
                meter.count(first, at(0));
            }
            for _ in 0..4 {
                assert_eq!(meter.earliest(then, at(0)), at(0));
                meter.count(then, at(0));
            }
            assert_eq!(meter.earliest(then, at(0)), at(interval));
        }
    }

    #[test]
    fn many_that_enter_together_count_as_many_one_after_the_other() {
        let quota = Quota::per_second(10, 3);
        let (mut one, mut many) = (Meter::default(), Meter::default());
        for _ in 0..7 {
            one.count(quota, at(0));
        }
        many.count_many(quota, 7, at(0));
        assert_eq!(many, one);
        assert_eq!(many.earliest(quota, at(0)), at(500));
    }

    #[test]
    fn a_rate_of_nothing_is_one_and_no_rate_overflows() {
        let quota = Quota::per_hour(0, 0);
        let mut meter = Meter::default();
        meter.count(quota, at(0));
        assert_eq!(meter.earliest(quota, at(0)), at(3_600_000));
        let widest = Quota::per_hour(1, u32::MAX);
        for now in [Timestamp::from_millis(i64::MAX), Timestamp::from_millis(0)] {
            let mut meter = Meter::default();
            for _ in 0..3 {
                meter.count(widest, now);
            }
            assert!(meter.earliest(widest, now) >= now);
        }
    }

    proptest! {
        /// Whoever comes when: those who enter at once and those who come at the instant they were
        /// given are never more in any span than the burst and the even rate allow.
        #[test]
        fn entries_keep_the_rate_under_any_arrivals(
            rate in 1_u32..200,
            burst in 1_u32..20,
            gaps in prop::collection::vec(0_i64..400, 1..200),
            patient in prop::collection::vec(any::<bool>(), 200),
        ) {
            let quota = Quota::per_second(rate, burst);
            let mut meter = Meter::default();
            let mut now = 0;
            let mut entered = Vec::new();
            for (gap, patient) in gaps.iter().zip(patient) {
                now += gap;
                let when = meter.earliest(quota, at(now));
                if when == at(now) || patient {
                    meter.count(quota, at(now));
                    entered.push(when.as_millis());
                }
            }
            prop_assert!(entered.is_sorted());
            for (i, first) in entered.iter().enumerate() {
                for (j, last) in entered.iter().enumerate().skip(i) {
                    let count = i64::try_from(j - i + 1).unwrap();
                    // A millisecond for the rounding of the instants.
                    let span = last - first + 1;
                    let most = i64::from(burst) + span * i64::from(rate) / 1_000 + 1;
                    prop_assert!(count <= most, "{count} within {span} ms, at most {most}");
                }
            }
        }

        /// A meter at rest admits at once, and one that is pressed admits as much as the rate says.
        #[test]
        fn what_the_rate_allows_is_used(rate in 1_u32..200, burst in 1_u32..20) {
            let quota = Quota::per_second(rate, burst);
            let mut meter = Meter::default();
            let mut entered = 0_u32;
            for milli in 0..5_000 {
                while meter.earliest(quota, at(milli)) == at(milli) {
                    meter.count(quota, at(milli));
                    entered += 1;
                }
            }
            // Whoever looks each millisecond comes up to one late each time.
            prop_assert!(entered >= burst + 4_999 / (1_000 / rate + 2));
        }
    }
}
