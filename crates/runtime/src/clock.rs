//! The machine's clock: the one place of the product that asks the operating system for the time. And one that is
//! set by hand.

mod stepped;

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime},
};

use lgpki_domain::{Clock, Timestamp};

pub use stepped::SteppedClock;

/// How long to sleep before the wall clock is looked at again, for it may have been set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How far a wall clock may fall behind a sleep without having been set back: it may be slewed.
const SLEW_MILLIS: i64 = 1_000;
/// How long a wait lasts at most. Between the look at the time that gave a deadline and the sleep the
/// clock may have been set back unseen.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The wall clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that others take"
        )]
        let now = SystemTime::now();
        // A clock set before 1970 reads as 1970: every certificate is then not yet valid.
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, deadline: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(wait(|| self.now(), deadline))
    }
}

/// Waits by a wall clock, until the deadline has come or the clock was set back.
async fn wait(clock: impl Fn() -> Timestamp, deadline: Timestamp) {
    let mut slept = Duration::ZERO;
    let mut now = clock();
    while let Some(sleep) = next_sleep(now, deadline).filter(|_| slept < LONGEST_WAIT) {
        tokio::time::sleep(sleep).await;
        let woken = clock();
        if is_set_back(now, sleep, woken) {
            return;
        }
        slept += sleep;
        now = woken;
    }
}

/// Whether the wall clock went back during a sleep, which is measured by another clock.
fn is_set_back(before: Timestamp, sleep: Duration, after: Timestamp) -> bool {
    let slept = i64::try_from(sleep.as_millis()).unwrap_or(i64::MAX);
    after.plus_millis(SLEW_MILLIS) < before.plus_millis(slept)
}

/// How long to sleep at `now` before looking again; none once the deadline is reached.
fn next_sleep(now: Timestamp, deadline: Timestamp) -> Option<Duration> {
    let left = deadline.as_millis().saturating_sub(now.as_millis());
    let left = u64::try_from(left).ok().filter(|ms| *ms > 0)?;
    Some(Duration::from_millis(left).min(LONGEST_SLEEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_never_longer_than_a_step_of_the_clock_may_be_missed() {
        let now = Timestamp::from_seconds(1000);
        assert_eq!(
            next_sleep(now, now.plus_millis(250)),
            Some(Duration::from_millis(250))
        );
        assert_eq!(
            next_sleep(now, now.plus_seconds(86_400)),
            Some(LONGEST_SLEEP)
        );
        assert_eq!(next_sleep(now, now), None);
        assert_eq!(next_sleep(now, now.plus_seconds(-5)), None);
    }

    /// A wall clock that goes with the sleeps of the test but for one step.
    async fn waited(deadline_in: i64, (step_at, step): (i64, i64)) -> i64 {
        let began = tokio::time::Instant::now();
        let passed = || i64::try_from(began.elapsed().as_secs()).unwrap();
        let start = Timestamp::from_seconds(1_000_000);
        let clock = || {
            let passed = passed();
            start.plus_seconds(passed + if passed >= step_at { step } else { 0 })
        };
        wait(clock, start.plus_seconds(deadline_in)).await;
        passed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_soon_after_the_clock_is_set_back() {
        let month = 30 * 86_400;
        assert_eq!(waited(month, (60, -month)).await, 60);
        assert_eq!(waited(month, (61, -month)).await, 90);
        // Even if it is a short one.
        assert_eq!(waited(10, (10, -3_600)).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_no_longer_than_an_hour_and_a_step_forward_ends_it() {
        assert_eq!(waited(600, (1_000, 0)).await, 600);
        assert_eq!(waited(86_400, (100_000, 0)).await, 3_600);
        assert_eq!(waited(3_000, (100, 86_400)).await, 120);
        // A clock that is slewed was not set back.
        assert_eq!(waited(600, (45, -1)).await, 601);
    }

    #[tokio::test]
    async fn a_deadline_in_the_past_does_not_sleep() {
        let past = SystemClock.now().plus_seconds(-10);
        SystemClock.sleep_until(past).await;
        assert!(SystemClock.now() > past);
    }
}
