//! The log of keys against the yearly logs: it must tell the very same entries in the same order.

use std::collections::VecDeque;

use lgpki_domain::Timestamp;
use lgpki_ledger::merkle::Hash;

/// The entries of a log of keys that the yearly logs have not told yet.
#[derive(Debug, Default)]
pub(super) struct Keys {
    expected: VecDeque<(Hash, u64, Timestamp)>,
    latest: Timestamp,
    /// Whether there is such a log.
    pub(super) exists: bool,
}

impl Keys {
    /// Takes a leaf of the log of keys.
    pub(super) fn expect(&mut self, leaf: Hash, at: u64, time: Timestamp) {
        self.latest = self.latest.max(time);
        self.expected.push_back((leaf, at, time));
    }

    /// Takes an entry of a yearly log; false if it should stand in the log of keys and does not. What
    /// is later than all of that log was not published there yet.
    pub(super) fn meet(&mut self, leaf: Hash, sure: bool, time: Timestamp) -> bool {
        if self
            .expected
            .front()
            .is_some_and(|(expected, ..)| *expected == leaf)
        {
            self.expected.pop_front();
            return true;
        }
        !sure || !self.exists || (self.expected.is_empty() && time >= self.latest)
    }

    /// The leaves that no yearly log told, though these go on later.
    pub(super) fn untold(&self, latest: Timestamp) -> impl Iterator<Item = u64> {
        let untold = self
            .expected
            .iter()
            .filter(move |(.., time)| *time < latest);
        untold.map(|(_, at, _)| *at)
    }
}
