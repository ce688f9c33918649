//! What the services' states have counted, against the entries that were read.
//!
//! A service's state counts what it records and tells so in heartbeats. Whoever takes an entry out of
//! its log, or puts one in, and makes the tree anew with the log's key has to forge every later
//! heartbeat too. Where the beginning of a log is not there, heartbeats are held against each other.
//! That nothing was recorded for longer than heartbeats promise breaks no rule, for a machine may be
//! down; it is told.

use std::collections::{BTreeMap, BTreeSet};

use lgpki_domain::Timestamp;
use serde::Serialize;

use super::{At, Rules};
use crate::{fact::Service, finding::Rule, view};

/// Silences that are kept word for word; the others are counted.
const KEPT: usize = 100;
/// How many intervals may pass before a log was silent.
const ALLOWED: u64 = 2;
/// Kinds that a finding names.
const NAMED: usize = 4;

/// What the heartbeats of the logs tell.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Heartbeats {
    /// Those whose every counter was held against the entries.
    pub checked: u64,
    /// Those of which that was not possible, because entries before them are not there.
    pub unchecked: u64,
    /// How many times a log was silent for longer than its heartbeats promise.
    pub silences: u64,
    /// The first hundred of these times.
    pub silent: Vec<Silent>,
}

/// A time for which nothing was recorded, not even the heartbeats that were due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silent {
    /// The service.
    pub service: &'static str,
    /// The last entry before.
    pub from: String,
    /// The first entry after.
    pub to: String,
    /// Its index.
    pub index: u64,
    /// How often heartbeats were due.
    pub every_seconds: u64,
}

/// How much more of each kind a heartbeat counts than was read.
type Ahead<'k> = BTreeMap<&'k str, i128>;

/// What stands for the number of all entries among those by kind.
const ENTRIES: &str = "";

/// A service's log as far as it was read.
#[derive(Debug, Default)]
struct Pulse {
    /// Entries by their kinds' places in the schema.
    counts: Vec<u64>,
    /// The index of the next entry.
    next: u64,
    /// Entries are missing before the first heartbeat that follows, so that nothing can be held against it.
    unknown: bool,
    /// How far the first heartbeat was ahead after entries were missing; nothing is, in a whole log.
    missing: BTreeMap<String, i128>,
    /// How far the last one was: one that was forged or follows a gap is found once, not with each after it.
    last: BTreeMap<String, i128>,
    every: Option<u64>,
    latest: Option<Timestamp>,
}

/// The rule, and what it has seen.
#[derive(Debug, Default)]
pub(super) struct HeartbeatRules {
    kinds: Vec<String>,
    pulses: BTreeMap<Service, Pulse>,
    told: Heartbeats,
}

impl HeartbeatRules {
    pub(super) fn new(kinds: Vec<String>) -> Self {
        Self {
            kinds,
            ..Self::default()
        }
    }

    /// Takes note of where and when the next entry stands.
    pub(super) fn meet(&mut self, at: At<'_>) {
        let pulse = self.pulses.entry(at.service).or_default();
        if at.index != pulse.next {
            pulse.unknown = true;
        }
        pulse.next = at.index + 1;
        if at.time == Timestamp::default() {
            return;
        }
        let latest = *pulse.latest.get_or_insert(at.time);
        pulse.latest = Some(latest.max(at.time));
        let Some(every) = pulse.every else { return };
        let passed = at.time.as_seconds() - latest.as_seconds();
        if u64::try_from(passed).is_ok_and(|passed| passed > every.saturating_mul(ALLOWED)) {
            self.told.silences += 1;
            if self.told.silent.len() < KEPT {
                self.told.silent.push(Silent {
                    service: at.service.name(),
                    from: latest.to_string(),
                    to: at.time.to_string(),
                    index: at.index,
                    every_seconds: every,
                });
            }
        }
    }

    /// Counts an entry of this kind.
    pub(super) fn count(&mut self, at: At<'_>, kind: Option<usize>) {
        let Some(kind) = kind.filter(|kind| *kind < self.kinds.len()) else {
            return;
        };
        let pulse = self.pulses.entry(at.service).or_default();
        pulse.counts.resize(self.kinds.len(), 0);
        if let Some(count) = pulse.counts.get_mut(kind) {
            *count += 1;
        }
    }

    /// Holds a heartbeat against what was counted; says what does not fit.
    fn check(&mut self, at: At<'_>, beat: &view::Heartbeat) -> Option<String> {
        let pulse = self.pulses.entry(at.service).or_default();
        pulse.every = Some(beat.every_seconds);
        let sum: u128 = beat.kinds.iter().map(|one| u128::from(one.count)).sum();
        let names: BTreeSet<&str> = beat.kinds.iter().map(|one| one.of.as_str()).collect();
        let whole = sum == u128::from(beat.entries) && names.len() == beat.kinds.len();
        // What was read before this one of each kind; versions of a kind count together.
        let mut read: BTreeMap<&str, u64> = BTreeMap::new();
        for (kind, count) in self.kinds.iter().zip(&pulse.counts) {
            *read.entry(kind).or_default() += count;
        }
        let mut ahead = Ahead::new();
        for one in &beat.kinds {
            *ahead.entry(&one.of).or_default() += i128::from(one.count);
        }
        for (kind, count) in &read {
            *ahead.entry(*kind).or_default() -= i128::from(*count);
        }
        ahead.insert(ENTRIES, i128::from(beat.entries) - i128::from(at.index));
        ahead.retain(|_, more| *more != 0);
        let same = |known: &BTreeMap<String, i128>| {
            let known = known.iter().map(|(kind, more)| (kind.as_str(), *more));
            known.eq(ahead.iter().map(|(kind, more)| (*kind, *more)))
        };
        let found = if !whole {
            Some("its counters do not add up to the entries that it counts".to_owned())
        } else if pulse.unknown {
            // Indexes are counted from the very first entry, whatever is missing.
            let more = ahead.get(ENTRIES);
            more.map(|more| told(beat, &[(ENTRIES, *more)]))
        } else if same(&pulse.missing) || same(&pulse.last) {
            None
        } else {
            let other = |kind: &str, more: i128| more - pulse.missing.get(kind).unwrap_or(&0);
            let known = pulse.missing.keys().map(String::as_str);
            let kinds: BTreeSet<&str> = ahead.keys().copied().chain(known).collect();
            let each = kinds.into_iter();
            let each = each.map(|kind| (kind, other(kind, *ahead.get(kind).unwrap_or(&0))));
            let differing: Vec<_> = each.filter(|(_, more)| *more != 0).collect();
            Some(told(beat, &differing))
        };
        let ahead = ahead
            .into_iter()
            .map(|(kind, more)| (kind.to_owned(), more));
        pulse.last = ahead.collect();
        if pulse.unknown {
            pulse.missing.clone_from(&pulse.last);
            pulse.unknown = false;
            self.told.unchecked += 1;
        } else {
            self.told.checked += 1;
        }
        found
    }
}

/// What a heartbeat counts otherwise than it should, in words.
fn told(beat: &view::Heartbeat, differing: &[(&str, i128)]) -> String {
    let mut each: Vec<String> = Vec::new();
    for (kind, more) in differing.iter().take(NAMED) {
        let (counted, of) = if *kind == ENTRIES {
            (beat.entries, "all entries".to_owned())
        } else {
            let one = beat.kinds.iter().find(|one| one.of == *kind);
            (one.map_or(0, |one| one.count), (*kind).to_owned())
        };
        let there = i128::from(counted) - more;
        each.push(format!("{of}: {counted} counted, {there} there"));
    }
    if differing.len() > NAMED {
        each.push(format!("and {} kinds more", differing.len() - NAMED));
    }
    format!(
        "it does not count what stands before it: {}",
        each.join("; ")
    )
}

impl Rules {
    pub(super) fn heartbeat(&mut self, at: At<'_>, beat: &view::Heartbeat) {
        if let Some(what) = self.heartbeats.check(at, beat) {
            self.find(Rule::Heartbeat, at, what);
        }
    }

    /// What the heartbeats tell.
    pub(crate) fn heartbeats(&self) -> Heartbeats {
        self.heartbeats.told.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [&str; 3] = ["a.b", "c.d", "log.heartbeat"];

    /// A service's log, entry for entry.
    struct Reading {
        rules: HeartbeatRules,
        index: u64,
        seconds: i64,
    }

    impl Reading {
        fn from(index: u64) -> Self {
            Self {
                rules: HeartbeatRules::new(KINDS.map(str::to_owned).into()),
                index,
                seconds: 1_300_000_000,
            }
        }

        fn at(&self) -> At<'static> {
            At {
                service: Service::Intake,
                log: "2011",
                index: self.index,
                leaf: None,
                time: Timestamp::from_seconds(self.seconds),
            }
        }

        fn entries(&mut self, kinds: &[usize]) {
            for kind in kinds {
                self.rules.meet(self.at());
                self.rules.count(self.at(), Some(*kind));
                self.index += 1;
            }
        }

        fn beat(&mut self, entries: u64, kinds: &[(&str, u64)]) -> Option<String> {
            self.rules.meet(self.at());
            let beat = view::Heartbeat {
                entries,
                every_seconds: 3600,
                kinds: kinds
                    .iter()
                    .map(|(kind, count)| view::Counted {
                        count: *count,
                        of: (*kind).to_owned(),
                    })
                    .collect(),
            };
            let found = self.rules.check(self.at(), &beat);
            self.rules.count(self.at(), Some(2));
            self.index += 1;
            found
        }

        fn told(&self) -> (u64, u64) {
            (self.rules.told.checked, self.rules.told.unchecked)
        }
    }

    #[test]
    fn a_forged_heartbeat_is_found_once_and_those_after_it_hold() {
        let mut log = Reading::from(0);
        assert_eq!(log.beat(0, &[]), None);
        log.entries(&[0, 0, 1]);
        let twice = [("a.b", 1), ("c.d", 2), ("log.heartbeat", 1)];
        let found = log.beat(4, &twice).unwrap();
        assert!(
            found.contains("a.b: 1 counted, 2 there; c.d: 2 counted, 1 there"),
            "{found}"
        );
        let sum = log.beat(5, &[("a.b", 2)]).unwrap();
        assert!(sum.contains("do not add up"), "{sum}");
        let right = [("a.b", 2), ("c.d", 1), ("log.heartbeat", 3)];
        assert_eq!(log.beat(6, &right), None);
        assert_eq!(log.told(), (4, 0));
    }

    #[test]
    fn an_entry_taken_out_or_put_in_is_found_once_by_the_heartbeat_after_it() {
        let mut log = Reading::from(0);
        log.entries(&[0]);
        assert_eq!(log.beat(1, &[("a.b", 1)]), None);
        // Its state had seen one of the other kind too.
        log.entries(&[0]);
        let one = [("a.b", 2), ("c.d", 1), ("log.heartbeat", 1)];
        let found = log.beat(4, &one).unwrap();
        assert!(
            found.contains("all entries: 4 counted, 3 there; c.d: 1 counted, 0 there"),
            "{found}"
        );
        let two = [("a.b", 2), ("c.d", 1), ("log.heartbeat", 2)];
        assert_eq!(log.beat(5, &two), None);
        // And nothing of one that somebody put in.
        log.entries(&[0, 0]);
        let three = [("a.b", 3), ("c.d", 1), ("log.heartbeat", 3)];
        let found = log.beat(7, &three).unwrap();
        assert!(found.contains("a.b: 3 counted, 4 there"), "{found}");
    }

    #[test]
    fn without_its_beginning_a_log_is_held_against_its_first_heartbeat() {
        let mut log = Reading::from(1000);
        log.entries(&[0]);
        let first = [("a.b", 900), ("c.d", 90), ("log.heartbeat", 11)];
        assert_eq!(log.beat(1001, &first), None);
        log.entries(&[0, 1]);
        let second = [("a.b", 901), ("c.d", 91), ("log.heartbeat", 12)];
        assert_eq!(log.beat(1004, &second), None);
        assert_eq!(log.told(), (1, 1));
        log.entries(&[1]);
        let third = [("a.b", 902), ("c.d", 91), ("log.heartbeat", 13)];
        let found = log.beat(1006, &third).unwrap();
        assert!(found.contains("a.b: 902 counted, 901 there"), "{found}");
        let right = [("a.b", 901), ("c.d", 92), ("log.heartbeat", 14)];
        assert_eq!(log.beat(1007, &right), None);
        // Entries that are not there: only their number is known.
        log.index += 50;
        assert!(log.beat(1057, &right).is_some());
        assert_eq!(log.told(), (3, 2));
    }

    #[test]
    fn a_silence_that_is_longer_than_two_intervals_is_told() {
        let mut log = Reading::from(0);
        log.entries(&[0]);
        log.seconds += 1_000_000;
        assert_eq!(log.beat(1, &[("a.b", 1)]), None);
        log.seconds += 7200;
        log.entries(&[0]);
        assert_eq!(log.rules.told.silences, 0);
        // Set back and forward again, it was not silent.
        log.seconds -= 90_000;
        log.entries(&[0]);
        log.seconds += 90_000;
        log.entries(&[0]);
        assert_eq!(log.rules.told.silences, 0);
        log.seconds += 7201;
        log.entries(&[0]);
        let told = &log.rules.told.silent[0];
        assert_eq!(
            (told.service, told.index, told.every_seconds),
            ("intake", 5, 3600)
        );
        let from: Timestamp = told.from.parse().unwrap();
        assert_eq!(from.plus_seconds(7201), log.at().time);
        for _ in 0..2 * KEPT {
            log.seconds += 7201;
            log.entries(&[0]);
        }
        assert_eq!(log.rules.told.silences, 1 + 2 * KEPT as u64);
        assert_eq!(log.rules.told.silent.len(), KEPT);
    }
}
