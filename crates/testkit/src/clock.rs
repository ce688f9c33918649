//! A clock that stands until it is moved.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use lgpki_domain::{Clock, Timestamp};

/// A clock under the test's control. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    now: Timestamp,
    /// How often it was set back.
    set_back: u64,
    sleepers: Vec<(Timestamp, Waker)>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            now,
            set_back: 0,
            sleepers: Vec::new(),
        })))
    }

    /// Moves the clock to `now` and wakes the sleepers whose time has come; all of them if it goes
    /// backwards.
    pub fn set(&self, now: Timestamp) {
        let mut inner = self.inner();
        let back = now < inner.now;
        inner.set_back += u64::from(back);
        inner.now = now;
        let (due, waiting) = std::mem::take(&mut inner.sleepers)
            .into_iter()
            .partition(|(deadline, _)| back || *deadline <= now);
        inner.sleepers = waiting;
        drop(inner);
        let due: Vec<(Timestamp, Waker)> = due;
        for (_, waker) in due {
            waker.wake();
        }
    }

    /// Moves the clock by `millis`.
    pub fn advance_millis(&self, millis: i64) {
        self.set(self.now().plus_millis(millis));
    }

    /// Moves the clock by `seconds`.
    pub fn advance_seconds(&self, seconds: i64) {
        self.set(self.now().plus_seconds(seconds));
    }

    /// The earliest time that somebody sleeps until.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.inner().sleepers.iter().map(|(at, _)| *at).min()
    }

    /// Whether somebody sleeps until this very time.
    #[must_use]
    pub fn has_sleeper(&self, until: Timestamp) -> bool {
        self.inner().sleepers.iter().any(|(at, _)| *at == until)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.inner().now
    }

    fn sleep_until(&self, deadline: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let set_back = self.inner().set_back;
        Box::pin(poll_fn(move |context| {
            let mut inner = self.inner();
            if inner.now >= deadline || inner.set_back != set_back {
                return Poll::Ready(());
            }
            let waker = context.waker();
            let known = |(at, w): &(Timestamp, Waker)| *at == deadline && w.will_wake(waker);
            if !inner.sleepers.iter().any(known) {
                inner.sleepers.push((deadline, waker.clone()));
            }
            Poll::Pending
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;

    #[test]
    fn a_sleeper_wakes_when_the_clock_is_moved_past_its_time() {
        let clock = ManualClock::new(Timestamp::from_seconds(100));
        let mut context = Context::from_waker(Waker::noop());
        let mut sleep = clock.sleep_until(Timestamp::from_seconds(160));
        assert_eq!(sleep.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(clock.next_deadline(), Some(Timestamp::from_seconds(160)));
        clock.advance_seconds(59);
        assert_eq!(sleep.as_mut().poll(&mut context), Poll::Pending);
        clock.advance_millis(1000);
        assert_eq!(clock.next_deadline(), None);
        assert_eq!(sleep.as_mut().poll(&mut context), Poll::Ready(()));
    }

    #[test]
    fn a_sleeper_wakes_when_the_clock_is_set_back() {
        let clock = ManualClock::new(Timestamp::from_seconds(100));
        let mut context = Context::from_waker(Waker::noop());
        let until = Timestamp::from_seconds(160);
        let mut sleep = clock.sleep_until(until);
        assert_eq!(sleep.as_mut().poll(&mut context), Poll::Pending);
        assert!(clock.has_sleeper(until));
        clock.set(Timestamp::from_seconds(99));
        assert!(!clock.has_sleeper(until));
        assert_eq!(sleep.as_mut().poll(&mut context), Poll::Ready(()));
        // Whoever begins to sleep afterwards sleeps.
        let mut next = clock.sleep_until(until);
        assert_eq!(next.as_mut().poll(&mut context), Poll::Pending);
    }
}
