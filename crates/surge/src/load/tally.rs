//! What the system answered, counted as it comes.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{latency::Latencies, mix::Act};

/// How an application was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was acknowledged.
    Acknowledged,
    /// It was turned away because there was no room for it.
    Refused {
        /// The stable reason.
        reason: String,
        /// After which time it may come back.
        retry_after: Option<Duration>,
    },
    /// There was another answer, or none.
    Failed {
        /// The stable reason.
        reason: String,
    },
}

/// Who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Everybody else.
    Others,
    /// The office that floods.
    Flooding,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who sent it.
    pub side: Side,
    /// What was asked for.
    pub act: Act,
    /// Whether it came back at the time that a refusal had given.
    pub came_back: bool,
    /// When it was due, after the beginning.
    pub due: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// When it was answered.
    pub answered: Duration,
    /// What the answer was.
    pub answer: Reply,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Second {
    /// Applications that were due in it for the first time.
    pub due: u64,
    /// Acknowledgements in it.
    pub acknowledged: u64,
    /// Refusals in it.
    pub refused: u64,
    /// Other answers, and calls that were given up.
    pub failed: u64,
}

/// The answers to one side, or to all who asked for the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// From due to acknowledged.
    pub(super) acknowledged: Latencies,
    /// From due to refused.
    pub(super) refused: Latencies,
    /// From sent to acknowledged: what hides the wait of whoever could not be sent in time.
    pub(super) from_sent: Latencies,
    pub(super) failed: u64,
}

impl Group {
    fn note(&mut self, noted: &Heard) {
        let took = noted.answered.saturating_sub(noted.due);
        match &noted.answer {
            Reply::Acknowledged => {
                self.acknowledged.add(took);
                let took = noted.answered.saturating_sub(noted.sent);
                self.from_sent.add(took);
            }
            Reply::Refused { .. } => self.refused.add(took),
            Reply::Failed { .. } => self.failed += 1,
        }
    }
}

/// What came of the refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Back {
    pub(super) told_when: u64,
    pub(super) not_told_when: u64,
    pub(super) returned: u64,
    pub(super) let_in: u64,
    pub(super) refused_again: u64,
}

/// All answers so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub(super) others: Group,
    pub(super) flooding: Group,
    pub(super) acts: BTreeMap<Act, Group>,
    /// After which times those turned away were told to come back.
    pub(super) told_to_wait: Latencies,
    pub(super) refusals: BTreeMap<String, u64>,
    pub(super) failures: BTreeMap<String, u64>,
    pub(super) back: Back,
    pub(super) seconds: Vec<Second>,
    last: Duration,
}

impl Tally {
    /// Begins; so many are due in each second.
    #[must_use]
    pub fn new(due: &[u64]) -> Self {
        let second = |due: &u64| Second {
            due: *due,
            ..Second::default()
        };
        Self {
            seconds: due.iter().map(second).collect(),
            ..Self::default()
        }
    }

    /// Notes that one is due now, where it was not known before.
    pub fn due(&mut self, at: Duration) {
        self.second(at).due += 1;
    }

    /// Notes an answer.
    pub fn note(&mut self, noted: &Heard) {
        self.last = self.last.max(noted.answered);
        let side = match noted.side {
            Side::Others => &mut self.others,
            Side::Flooding => &mut self.flooding,
        };
        side.note(noted);
        self.acts.entry(noted.act).or_default().note(noted);
        self.back.returned += u64::from(noted.came_back);
        match &noted.answer {
            Reply::Acknowledged => {
                self.back.let_in += u64::from(noted.came_back);
                self.second(noted.answered).acknowledged += 1;
            }
            Reply::Refused {
                reason,
                retry_after,
            } => {
                *self.refusals.entry(reason.clone()).or_default() += 1;
                match retry_after {
                    Some(after) => {
                        self.back.told_when += 1;
                        self.told_to_wait.add(*after);
                    }
                    None => self.back.not_told_when += 1,
                }
                self.back.refused_again += u64::from(noted.came_back);
                self.second(noted.answered).refused += 1;
            }
            Reply::Failed { reason } => {
                *self.failures.entry(reason.clone()).or_default() += 1;
                self.second(noted.answered).failed += 1;
            }
        }
    }

    /// Acknowledged, refused and failed so far.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let both = [&self.others, &self.flooding];
        let sum = |of: fn(&Group) -> u64| both.iter().map(|group| of(group)).sum();
        (
            sum(|group| group.acknowledged.len()),
            sum(|group| group.refused.len()),
            sum(|group| group.failed),
        )
    }

    /// Milliseconds within which all but one of a hundred of the others were acknowledged so far.
    #[must_use]
    pub fn p99(&self) -> f64 {
        self.others.acknowledged.at_millionths(990_000)
    }

    /// When the last answer came, after the beginning.
    pub(super) const fn last(&self) -> Duration {
        self.last
    }

    fn second(&mut self, at: Duration) -> &mut Second {
        let place = usize::try_from(at.as_secs()).unwrap_or_default();
        if self.seconds.len() <= place {
            self.seconds.resize(place + 1, Second::default());
        }
        &mut self.seconds[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(came_back: bool, answer: Reply) -> Heard {
        Heard {
            side: Side::Others,
            act: Act::Issue,
            came_back,
            due: Duration::from_millis(500),
            sent: Duration::from_millis(2_400),
            answered: Duration::from_millis(2_500),
            answer,
        }
    }

    #[test]
    fn what_was_sent_late_took_as_long_as_whoever_was_due_had_to_wait() {
        let mut tally = Tally::new(&[1]);
        tally.note(&noted(false, Reply::Acknowledged));
        assert!((tally.p99() - 2_000.0).abs() < 4.0);
        assert!((tally.others.from_sent.quantiles().max - 100.0).abs() < 1.0);
        assert_eq!((tally.seconds.len(), tally.seconds[0].due), (3, 1));
        assert_eq!(tally.seconds[2].acknowledged, 1);
    }

    #[test]
    fn refusals_failures_and_those_who_come_back_are_counted_apart() {
        let mut tally = Tally::default();
        let refused = |retry_after| Reply::Refused {
            reason: String::from("QUEUE_FULL"),
            retry_after,
        };
        tally.note(&noted(false, refused(Some(Duration::from_secs(1)))));
        tally.note(&noted(true, refused(None)));
        tally.note(&noted(true, Reply::Acknowledged));
        let reason = String::from("TRANSPORT");
        tally.note(&noted(false, Reply::Failed { reason }));
        assert_eq!(tally.counts(), (1, 2, 1));
        let back = Back {
            told_when: 1,
            not_told_when: 1,
            returned: 2,
            let_in: 1,
            refused_again: 1,
        };
        assert_eq!(tally.back, back);
        assert_eq!(
            (tally.refusals["QUEUE_FULL"], tally.failures["TRANSPORT"]),
            (2, 1)
        );
        assert_eq!(tally.told_to_wait.len(), 1);
    }

    #[test]
    fn what_was_asked_for_is_counted_apart_whoever_asked() {
        let mut tally = Tally::default();
        let heard = |side, act, answer| Heard {
            side,
            act,
            ..noted(false, answer)
        };
        tally.note(&heard(Side::Others, Act::Issue, Reply::Acknowledged));
        tally.note(&heard(Side::Flooding, Act::Issue, Reply::Acknowledged));
        let reason = String::from("TRANSPORT");
        tally.note(&heard(Side::Others, Act::Renew, Reply::Failed { reason }));
        let count = |act| {
            let group = &tally.acts[&act];
            (group.acknowledged.len(), group.failed)
        };
        assert_eq!((count(Act::Issue), count(Act::Renew)), ((2, 0), (0, 1)));
        assert_eq!(tally.counts(), (2, 0, 1));
    }
}
