//! The estimates given on receipt, kept until it is known how right they were.
//!
//! In memory only: what was promised before a restart is not measured. Estimates for what an examiner must
//! see are measured in business time, the others by the clock.

use std::collections::{BTreeMap, VecDeque};

use lgpki_domain::{ApplicationId, BusinessCalendar, Timestamp, estimate::Promise};
use parking_lot::Mutex;

use crate::ports::{Settled, Settlement, Waits};

/// Promises remembered at most; beyond, the oldest is forgotten for each new one. One that is made after its
/// application was settled is never asked for.
const MOST: usize = 1_000_000;
/// Of each queue, the last errors from which quantiles are told.
const WINDOW: usize = 4_096;

/// What was promised, and what became of it.
#[derive(Debug)]
pub struct Promises(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    most: usize,
    /// By number, which is by receipt.
    given: BTreeMap<ApplicationId, (Waits, Promise)>,
    examination: Tally,
    issue: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    held: u64,
    missed: u64,
    errors: VecDeque<i64>,
}

/// How far the estimates of one queue were wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errors {
    /// What was waited for first.
    pub queue: Waits,
    /// Issued or carried out by their `latest`.
    pub held: u64,
    /// Issued or carried out after it.
    pub missed: u64,
    /// Half of the last came true before `earliest` or after `latest` by no more, in milliseconds.
    pub p50: i64,
    /// The same of 95 in 100.
    pub p95: i64,
}

impl Default for Promises {
    fn default() -> Self {
        Self::remembering(MOST)
    }
}

impl Promises {
    fn remembering(most: usize) -> Self {
        Self(Mutex::new(Kept {
            most,
            given: BTreeMap::new(),
            examination: Tally::default(),
            issue: Tally::default(),
        }))
    }

    /// Remembers what was promised on receipt.
    pub fn make(&self, given: impl IntoIterator<Item = (ApplicationId, Waits, Promise)>) {
        let mut kept = self.0.lock();
        for (id, waits, promise) in given {
            kept.given.insert(id, (waits, promise));
            if kept.given.len() > kept.most {
                kept.given.pop_first();
            }
        }
    }

    /// Nothing will come of an application.
    pub fn forget(&self, id: ApplicationId) {
        self.0.lock().given.remove(&id);
    }

    /// Measures the promises of what was settled.
    pub(crate) fn settle(&self, settled: &[Settlement], calendar: &BusinessCalendar) {
        let mut kept = self.0.lock();
        for one in settled {
            match one.outcome {
                Settled::Issued { .. } | Settled::Completed => kept.keep(one.id, one.at, calendar),
                Settled::Failed { .. } => {
                    kept.given.remove(&one.id);
                }
                Settled::Abandoned { .. } => {}
            }
        }
    }

    /// How far the estimates were wrong: those for the examiners, those for the issuer.
    #[must_use]
    pub fn errors(&self) -> [Errors; 2] {
        let kept = self.0.lock();
        [
            kept.examination.told(Waits::Examination),
            kept.issue.told(Waits::Issue),
        ]
    }
}

impl Kept {
    fn keep(&mut self, id: ApplicationId, at: Timestamp, calendar: &BusinessCalendar) {
        let Some((waits, promise)) = self.given.remove(&id) else {
            return;
        };
        let Promise { earliest, latest } = promise;
        // Before it, or after it; at most one of them is more than nothing.
        let (tally, error) = match waits {
            Waits::Examination => {
                let off = |from, to| calendar.millis_between(from, to);
                (&mut self.examination, off(at, earliest) + off(latest, at))
            }
            Waits::Issue => {
                let off =
                    |from: Timestamp, to: Timestamp| (to.as_millis() - from.as_millis()).max(0);
                (&mut self.issue, off(at, earliest) + off(latest, at))
            }
        };
        if at <= promise.latest {
            tally.held += 1;
        } else {
            tally.missed += 1;
        }
        if tally.errors.len() == WINDOW {
            tally.errors.pop_front();
        }
        tally.errors.push_back(error);
    }
}

impl Tally {
    fn told(&self, queue: Waits) -> Errors {
        let mut errors: Vec<_> = self.errors.iter().copied().collect();
        errors.sort_unstable();
        let quantile = |percent: usize| {
            let place = (errors.len() * percent).div_ceil(100).saturating_sub(1);
            errors.get(place).copied().unwrap_or_default()
        };
        Errors {
            queue,
            held: self.held,
            missed: self.missed,
            p50: quantile(50),
            p95: quantile(95),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("{text}:00+09:00").parse().unwrap()
    }

    fn id(n: u8) -> ApplicationId {
        ApplicationId::from_bytes([n; 16])
    }

    fn completed(n: u8, when: &str) -> Settlement {
        Settlement {
            id: id(n),
            outcome: Settled::Completed,
            at: at(when),
        }
    }

    #[test]
    fn an_error_is_measured_once_and_in_the_time_of_its_queue() {
        let (promises, calendar) = (Promises::default(), BusinessCalendar::default());
        let promise = Promise {
            earliest: at("2011-02-10T16:00"),
            latest: at("2011-02-14T10:00"),
        };
        promises.make((1..=3).map(|n| (id(n), Waits::Examination, promise)));
        promises.make([(id(4), Waits::Issue, promise)]);
        promises.forget(id(3));
        // Friday the 11th is a holiday, and a week-end follows.
        let settled = [
            completed(1, "2011-02-10T15:30"),
            completed(2, "2011-02-14T10:30"),
            completed(2, "2011-02-14T12:30"),
            completed(3, "2011-02-14T10:30"),
            completed(4, "2011-02-14T11:00"),
        ];
        promises.settle(&settled, &calendar);
        let minute = 60_000;
        let [examination, issue] = promises.errors();
        let expected = Errors {
            queue: Waits::Examination,
            held: 1,
            missed: 1,
            p50: 30 * minute,
            p95: 30 * minute,
        };
        assert_eq!(examination, expected);
        assert_eq!((issue.held, issue.missed, issue.p95), (0, 1, 60 * minute));
    }

    #[test]
    fn new_promises_are_measured_however_many_old_ones_came_to_nothing() {
        let (promises, calendar) = (Promises::remembering(3), BusinessCalendar::default());
        let at = at("2011-02-10T16:00");
        let promise = Promise {
            earliest: at,
            latest: at,
        };
        // Nobody ever asks for the first three, which were settled before they were made.
        promises.make((1..=6).map(|n| (id(n), Waits::Issue, promise)));
        promises.settle(
            &[4, 5, 6].map(|n| completed(n, "2011-02-10T16:00")),
            &calendar,
        );
        assert_eq!(promises.errors()[1].held, 3);
    }

    #[test]
    fn what_failed_is_no_promise_that_was_missed() {
        let promises = Promises::default();
        let at = at("2011-02-10T16:00");
        let promise = Promise {
            earliest: at,
            latest: at,
        };
        promises.make([(id(1), Waits::Issue, promise)]);
        let outcome = Settled::Failed {
            reason: String::new(),
        };
        let failed = Settlement {
            id: id(1),
            outcome,
            at: at.plus_seconds(9),
        };
        promises.settle(&[failed], &BusinessCalendar::default());
        promises.settle(
            &[completed(1, "2011-02-11T10:00")],
            &BusinessCalendar::default(),
        );
        let [_, issue] = promises.errors();
        assert_eq!((issue.held, issue.missed, issue.p50), (0, 0, 0));
    }
}
