//! How long something may stay open, where one log tells of what another should tell, too.
//!
//! Logs are fetched at different moments, clocks differ, services stop and come back, and whatever
//! waits then is carried out late. None of that may accuse anybody. So nothing is held against the
//! time of a log's end but by an hour (`LAG`), and where a service waits for another one it is not
//! the hours that count but what it did in them: who recorded later things of that other service's
//! for half a day (`PATIENCE`) has passed over the earlier one.

use std::collections::BTreeSet;

use lgpki_domain::Timestamp;

const HOUR: i64 = 3_600_000;
/// What happened so long before a log's latest entry, and had to be recorded there first, is there.
pub(super) const LAG: i64 = HOUR;
/// Who recorded later things for so long passed over an earlier one.
pub(super) const PATIENCE: i64 = 12 * HOUR;

/// The hours in which a service recorded something.
#[derive(Debug, Default)]
pub(super) struct Hours(BTreeSet<i64>);

impl Hours {
    pub(super) fn add(&mut self, time: Timestamp) {
        self.0.insert(time.as_millis().div_euclid(HOUR));
    }

    /// Whether the service was at work between these times: it recorded things that lie an hour apart
    /// or more. One that stood still, or only came back at the end, was not.
    pub(super) fn at_work(&self, from: Timestamp, until: Timestamp) -> bool {
        let begin = from.as_millis().div_euclid(HOUR) + 1;
        let end = until.as_millis().div_euclid(HOUR);
        if begin >= end {
            return false;
        }
        let mut within = self.0.range(begin..end);
        let first = within.next();
        let last = within.next_back();
        first
            .zip(last)
            .is_some_and(|(first, last)| last - first >= 2)
    }
}

/// Which entries of another service's log a service recorded, and when.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// From the newest entry down, each with the first time at which it or a newer one was recorded.
    first: Vec<(u64, Timestamp)>,
    latest: Timestamp,
}

impl Heard {
    pub(super) fn new(all: impl Iterator<Item = (u64, Timestamp)>) -> Self {
        let mut first: Vec<_> = all.collect();
        first.sort_unstable_by_key(|(index, _)| std::cmp::Reverse(*index));
        let latest = first.iter().map(|(_, time)| *time).max();
        let mut earliest = None;
        for (_, time) in &mut first {
            *time = earliest.map_or(*time, |earliest: Timestamp| earliest.min(*time));
            earliest = Some(*time);
        }
        Self {
            first,
            latest: latest.unwrap_or_default(),
        }
    }

    /// Whether newer entries than this one were recorded for half a day.
    pub(super) fn passed_over(&self, index: u64) -> bool {
        let newer = self.first.partition_point(|(newer, _)| *newer > index);
        let since = newer.checked_sub(1).and_then(|at| self.first.get(at));
        since.is_some_and(|(_, since)| since.plus_millis(PATIENCE) <= self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * HOUR + 60_000)
    }

    #[test]
    fn a_service_that_stood_still_or_only_came_back_was_not_at_work() {
        let mut hours = Hours::default();
        for hour in [1, 2, 100, 101, 102] {
            hours.add(at(hour));
        }
        assert!(!hours.at_work(at(2), at(100)));
        assert!(!hours.at_work(at(2), at(102)));
        assert!(hours.at_work(at(2), at(103)));
        assert!(!hours.at_work(at(99), at(99)));
        assert!(!hours.at_work(at(103), at(4)));
    }

    #[test]
    fn who_recorded_newer_entries_for_half_a_day_passed_over_an_older_one() {
        let heard = Heard::new([(10, at(1)), (30, at(20)), (40, at(25)), (35, at(33))].into_iter());
        assert!(heard.passed_over(5));
        assert!(heard.passed_over(20));
        // Only since its thirteenth hour before the end.
        assert!(heard.passed_over(30 - 1));
        assert!(!heard.passed_over(32));
        assert!(!heard.passed_over(40));
        assert!(!Heard::new(std::iter::empty()).passed_over(0));
    }
}
