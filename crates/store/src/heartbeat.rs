//! Heartbeats: at regular times the state tells, as an entry of the log, what it has counted.
//!
//! Whoever reads the log counts the entries for themselves: a log from which an entry was taken, or
//! into which one was put, and a state that has drifted from its log, then show. And a service in
//! which nothing happens is told from one that does not run. The worker here goes by the service's
//! clock, holds nobody up, and decides nothing: a heartbeat is a submission like any other.

use std::sync::Arc;

use lgpki_domain::{Clock, Timestamp};
use lgpki_ledger::{Body, Stamp};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{
    counts::Counts,
    engine::{Engine, Request, Submission, Work},
    error::StoreError,
    machine::Machine,
};

const MINUTE: i64 = 60;
/// A day, the longest interval.
const MOST_MINUTES: u16 = 1440;

/// What a service's state has counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The entries of the service's log before this one, of all years.
    pub entries: u64,
    /// Within so many seconds the next one is due.
    pub every_seconds: u64,
    /// How many of them are of each kind; by kind, without those of which there is none.
    pub kinds: Vec<Counted>,
}

/// How many entries of a kind there are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// The kind. It has another name than an entry's own, so that whoever looks for entries of a kind by
    /// their text alone does not find heartbeats.
    pub of: String,
}

impl Body for Heartbeat {
    const KIND: &'static str = "log.heartbeat";
}

impl Heartbeat {
    fn new(counts: &Counts, entries: u64, rhythm: Rhythm) -> Self {
        let each = counts.each();
        let mut kinds: Vec<_> = each
            .map(|(kind, count)| Counted {
                count,
                of: kind.to_owned(),
            })
            .collect();
        kinds.sort_unstable_by(|a, b| a.of.cmp(&b.of));
        Self {
            entries,
            every_seconds: rhythm.seconds(),
            kinds,
        }
    }
}

/// How often heartbeats come: at whole multiples of an interval, counted from each midnight in Japan,
/// so that a restart shifts nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    minutes: u16,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { minutes: 60 }
    }
}

impl Rhythm {
    /// Every so many minutes, from one to those of a day.
    #[must_use]
    pub fn try_minutes(minutes: u16) -> Option<Self> {
        (1..=MOST_MINUTES)
            .contains(&minutes)
            .then_some(Self { minutes })
    }

    /// The interval.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::from(self.minutes) * MINUTE.unsigned_abs()
    }

    /// The first time after `now` at which one is due.
    #[must_use]
    pub fn next_after(self, now: Timestamp) -> Timestamp {
        let today = now.jst_date();
        let midnight = today.start();
        let every = i64::from(self.minutes) * MINUTE * 1000;
        let passed = now.as_millis() - midnight.as_millis();
        let next = midnight.plus_millis((passed / every + 1) * every);
        next.min(today.plus_days(1).start())
    }
}

/// When the next heartbeat is due.
#[derive(Clone, Copy, Debug)]
struct Due {
    rhythm: Rhythm,
    at: Timestamp,
}

impl Due {
    /// The next one after `now`. However much time has passed since the last, one is due, not many.
    fn after(now: Timestamp, rhythm: Rhythm) -> Self {
        let at = rhythm.next_after(now);
        Self { rhythm, at }
    }

    /// Whether it has come. A clock that was set back has another multiple before this one.
    fn has_come(&mut self, now: Timestamp) -> bool {
        if self.at <= now {
            return true;
        }
        self.at = self.at.min(self.rhythm.next_after(now));
        false
    }
}

impl<M: Machine<Event: From<Heartbeat>>> Engine<M> {
    /// Records a heartbeat; returns when it is durable. Its time is read when it is decided, so that it
    /// is never older than what stands before it.
    pub async fn heartbeat(
        &self,
        clock: Arc<dyn Clock>,
        rhythm: Rhythm,
        actor: &'static str,
    ) -> Result<(), StoreError> {
        self.core.check()?;
        let (answer, answered) = oneshot::channel();
        let make = move |counts: &Counts, entries: u64| {
            let heartbeat = Heartbeat::new(counts, entries, rhythm);
            (Stamp::new(clock.now(), actor), heartbeat.into())
        };
        let work = Work::Counted(Box::new(make));
        let request = Request::Submit(Submission { work, answer });
        if self.queue.send(request).await.is_err() {
            return Err(self.ended().await);
        }
        self.answer(answered).await.map(|_| ())
    }

    /// Records a heartbeat whenever one is due; none without a rhythm. Returns only when the engine has
    /// ended, and says why.
    pub async fn keep_heartbeats(
        &self,
        clock: Arc<dyn Clock>,
        rhythm: Option<Rhythm>,
        actor: &'static str,
    ) -> StoreError {
        let Some(rhythm) = rhythm else {
            return self.ended().await;
        };
        let mut due = Due::after(clock.now(), rhythm);
        loop {
            // A wait may end early.
            while !due.has_come(clock.now()) {
                tokio::select! {
                    () = clock.sleep_until(due.at) => {}
                    error = self.ended() => return error,
                }
            }
            if let Err(error) = self.heartbeat(Arc::clone(&clock), rhythm, actor).await {
                return error;
            }
            due = Due::after(clock.now(), rhythm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("{time}+09:00").parse().unwrap()
    }

    fn every(minutes: u16) -> Rhythm {
        Rhythm::try_minutes(minutes).unwrap()
    }

    #[test]
    fn heartbeats_come_at_multiples_counted_from_midnight_in_japan() {
        for (minutes, now, next) in [
            (60, "2008-02-04T09:15:00", "2008-02-04T10:00:00"),
            (60, "2008-02-04T10:00:00", "2008-02-04T11:00:00"),
            (60, "2008-02-04T23:59:59.999", "2008-02-05T00:00:00"),
            (1440, "2008-12-31T00:00:00", "2009-01-01T00:00:00"),
            (1, "2008-02-04T09:15:00.001", "2008-02-04T09:16:00"),
            // What does not divide the day begins anew at midnight.
            (1000, "2008-02-04T16:39:59", "2008-02-04T16:40:00"),
            (1000, "2008-02-04T16:40:00", "2008-02-05T00:00:00"),
        ] {
            assert_eq!(every(minutes).next_after(at(now)), at(next), "{now}");
        }
        assert_eq!(Rhythm::try_minutes(0), None);
        assert_eq!(Rhythm::try_minutes(1441), None);
        assert_eq!(Rhythm::default(), every(60));
        assert_eq!(every(60).seconds(), 3600);
    }

    #[test]
    fn a_restart_shifts_nothing_and_a_jump_of_the_clock_makes_one_due() {
        let mut due = Due::after(at("2008-02-04T09:15:00"), every(60));
        assert!(!due.has_come(at("2008-02-04T09:59:59.999")));
        assert!(due.has_come(at("2008-02-04T10:00:00")));
        // Begun anew a moment later, or hours too late.
        for now in ["2008-02-04T10:00:01", "2008-02-04T15:20:00"] {
            let mut due = Due::after(at(now), every(60));
            assert!(!due.has_come(at(now)), "{now}");
            assert_eq!(due.at, every(60).next_after(at(now)));
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_silence_the_log_until_it_comes_round_again() {
        let mut due = Due::after(at("2008-02-04T09:15:00"), every(60));
        assert!(!due.has_come(at("2008-01-31T22:30:00")));
        assert_eq!(due.at, at("2008-01-31T23:00:00"));
        assert!(due.has_come(at("2008-01-31T23:00:00")));
        // A little back, within the same hour, changes nothing.
        let mut due = Due::after(at("2008-02-04T09:15:00"), every(60));
        assert!(!due.has_come(at("2008-02-04T09:14:00")));
        assert_eq!(due.at, at("2008-02-04T10:00:00"));
    }
}
