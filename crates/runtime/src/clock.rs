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
        Box::pin(async move {
            while let Some(sleep) = next_sleep(self.now(), deadline) {
                tokio::time::sleep(sleep).await;
            }
        })
    }
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

    #[tokio::test]
    async fn a_deadline_in_the_past_does_not_sleep() {
        let past = SystemClock.now().plus_seconds(-10);
        SystemClock.sleep_until(past).await;
        assert!(SystemClock.now() > past);
    }
}
