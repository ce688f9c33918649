//! The log of keys against the yearly logs: it must tell the very same entries in the same order.

use std::collections::VecDeque;

use lgpki_domain::Timestamp;
use lgpki_ledger::merkle::Hash;

use crate::finding::Place;

/// A log of keys may have been fetched so long before or after the yearly ones: a first copy of large
/// logs takes hours. What stands in one of them only, and a day later still does, is told.
pub(crate) const LAG: i64 = 24 * 3_600_000;

/// What the log of keys says of an entry of a yearly log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// It is there, or need not be.
    Yes,
    /// It is not there.
    No,
    /// It is later than all that is there: perhaps it was not published there yet.
    Later,
}

/// The entries of a log of keys that the yearly logs have not told yet.
#[derive(Debug, Default)]
pub(super) struct Keys {
    expected: VecDeque<(Hash, u64, Timestamp)>,
    latest: Timestamp,
    /// Entries of the yearly logs that are later than all of it.
    later: Vec<(Place, Timestamp)>,
    /// Whether there is such a log.
    pub(super) exists: bool,
}

impl Keys {
    /// Takes a leaf of the log of keys.
    pub(super) fn expect(&mut self, leaf: Hash, at: u64, time: Timestamp) {
        self.latest = self.latest.max(time);
        self.expected.push_back((leaf, at, time));
    }

    /// Takes an entry of a yearly log, which may have to stand in the log of keys for certain.
    pub(super) fn meet(&mut self, leaf: Hash, sure: bool, time: Timestamp) -> Met {
        if self
            .expected
            .front()
            .is_some_and(|(expected, ..)| *expected == leaf)
        {
            self.expected.pop_front();
            return Met::Yes;
        }
        if !sure || !self.exists {
            Met::Yes
        } else if self.expected.is_empty() && time >= self.latest {
            Met::Later
        } else {
            Met::No
        }
    }

    /// Puts an entry aside that is later than all of the log of keys.
    pub(super) fn put_aside(&mut self, place: Place, time: Timestamp) {
        self.later.push((place, time));
    }

    /// What was put aside, each with whether the log of keys lacks it though the yearly ones, which end
    /// at `latest`, go on for a day.
    pub(super) fn later(&mut self, latest: Timestamp) -> impl Iterator<Item = (Place, bool)> {
        let later = std::mem::take(&mut self.later).into_iter();
        later.map(move |(place, time)| (place, time.plus_millis(LAG) <= latest))
    }

    /// The leaves that no yearly log told, with their times.
    pub(super) fn untold(&self) -> impl Iterator<Item = (u64, Timestamp)> {
        self.expected.iter().map(|(_, at, time)| (*at, *time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(DAY + millis)
    }

    #[test]
    fn what_a_log_of_keys_lacks_at_its_end_is_missing_after_a_day() {
        let mut keys = Keys {
            exists: true,
            ..Keys::default()
        };
        keys.expect([1; 32], 1, at(5));
        assert_eq!(keys.meet([2; 32], true, at(6)), Met::No);
        assert_eq!(keys.meet([2; 32], false, at(6)), Met::Yes);
        assert_eq!(keys.meet([1; 32], true, at(5)), Met::Yes);
        assert_eq!(keys.meet([2; 32], true, at(4)), Met::No);
        assert_eq!(keys.meet([3; 32], true, at(7)), Met::Later);
        keys.put_aside(Place::default(), at(7));
        let lacks = |keys: &mut Keys, end| keys.later(end).map(|(_, lacks)| lacks).next();
        assert_eq!(lacks(&mut keys, at(6 + DAY)), Some(false));
        keys.put_aside(Place::default(), at(7));
        assert_eq!(lacks(&mut keys, at(7 + DAY)), Some(true));
    }
}
