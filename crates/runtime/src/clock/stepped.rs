//! A clock that stands until it is set: for rehearsals, in which time passes only when nothing is left to do.
//!
//! It remembers who sleeps until when, so that whoever moves it can wait for a worker to have gone back to sleep
//! instead of asking again and again. A sleep that is given up is forgotten at once.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use lgpki_domain::{Clock, Timestamp};
use tokio::sync::watch;

/// A clock that is set by hand. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct SteppedClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// Counts who went to sleep.
    asleep: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    now: Timestamp,
    next: u64,
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
}

impl SteppedClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let inner = Inner {
            now,
            next: 0,
            sleepers: BTreeMap::new(),
        };
        Self(Arc::new(Shared {
            inner: Mutex::new(inner),
            asleep: watch::Sender::new(0),
        }))
    }

    /// Moves the clock to `now`, and wakes whose time has come.
    pub fn set(&self, now: Timestamp) {
        let mut inner = self.inner();
        inner.now = now;
        let later = inner.sleepers.split_off(&(now.plus_millis(1), 0));
        let due = std::mem::replace(&mut inner.sleepers, later);
        drop(inner);
        for (_, waker) in due {
            waker.wake();
        }
    }

    /// Returns once somebody sleeps until exactly `deadline`, or it has come.
    pub async fn someone_sleeps_until(&self, deadline: Timestamp) {
        let mut asleep = self.0.asleep.subscribe();
        loop {
            asleep.mark_unchanged();
            if self.is_waited_for(deadline) {
                return;
            }
            // The sender lives in `self`, so this cannot fail.
            let _ = asleep.changed().await;
        }
    }

    fn is_waited_for(&self, deadline: Timestamp) -> bool {
        let inner = self.inner();
        let mut there = inner.sleepers.range((deadline, 0)..=(deadline, u64::MAX));
        inner.now >= deadline || there.next().is_some()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        self.inner().now
    }

    fn sleep_until(&self, deadline: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(Sleep {
            clock: self,
            deadline,
            place: None,
        })
    }
}

/// One sleep.
struct Sleep<'c> {
    clock: &'c SteppedClock,
    deadline: Timestamp,
    place: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.clock.inner();
        if inner.now >= self.deadline {
            return Poll::Ready(());
        }
        let known = self.place;
        let place = known.unwrap_or_else(|| {
            inner.next += 1;
            inner.next
        });
        let key = (self.deadline, place);
        inner.sleepers.insert(key, context.waker().clone());
        drop(inner);
        self.place = Some(place);
        if known.is_none() {
            self.clock.0.asleep.send_modify(|count| *count += 1);
        }
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.inner().sleepers.remove(&(self.deadline, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let clock = SteppedClock::new(at(100));
        clock.sleep_until(at(100)).await;
        let sleeping = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(at(160)).await;
                clock.now()
            }
        });
        clock.someone_sleeps_until(at(160)).await;
        clock.set(at(159));
        assert!(clock.is_waited_for(at(160)) && !clock.is_waited_for(at(161)));
        assert!(!sleeping.is_finished());
        clock.set(at(170));
        assert_eq!(sleeping.await.unwrap(), at(170));
        assert_eq!(clock.now(), at(170));
    }

    #[tokio::test]
    async fn a_sleep_that_is_given_up_is_forgotten() {
        let clock = SteppedClock::new(at(0));
        tokio::select! {
            biased;
            () = clock.sleep_until(at(9)) => unreachable!("the clock stands"),
            () = std::future::ready(()) => {}
        }
        assert!(!clock.is_waited_for(at(9)));
        assert!(clock.inner().sleepers.is_empty());
    }
}
