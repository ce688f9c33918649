//! When to try again: a pure plan, jittered, that listens to what the server said.

use std::time::Duration;

use lgpki_domain::Randomness;
use lgpki_proto::RemoteError;

/// Delays that double from `first` to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first delay, before jitter.
    pub first: Duration,
    /// The longest delay, before jitter.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            most: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// The delay after `attempt` failed attempts, the first being 0; never less than `hint`, which is
    /// what the server asked for.
    #[must_use]
    pub fn delay(
        &self,
        attempt: u32,
        randomness: &dyn Randomness,
        hint: Option<Duration>,
    ) -> Duration {
        let mut byte = [0];
        // Without randomness the delay loses its jitter, not its meaning.
        let _ = randomness.fill(&mut byte);
        self.plan(attempt, byte[0], hint)
    }

    /// The delay for a given throw of the dice: between half and all of the doubled delay.
    fn plan(&self, attempt: u32, dice: u8, hint: Option<Duration>) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(attempt.min(20)))
            .min(self.most);
        let jittered = doubled / 2 + doubled * u32::from(dice) / 510;
        jittered.max(hint.unwrap_or_default())
    }
}

/// How often to try a call, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The delays.
    pub backoff: Backoff,
    /// How many attempts there are in all.
    pub attempts: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            attempts: 5,
        }
    }
}

impl Retry {
    /// When to try again after attempt number `attempt` (from 0) ended in `error`; none to give up,
    /// because it would not help or was tried often enough.
    #[must_use]
    pub fn after(
        &self,
        error: &RemoteError,
        attempt: u32,
        randomness: &dyn Randomness,
    ) -> Option<Duration> {
        let again = error.may_be_tried_again() && attempt + 1 < self.attempts;
        again.then(|| self.backoff.delay(attempt, randomness, error.retry_after))
    }
}

#[cfg(test)]
mod tests {
    use lgpki_proto::Failure;

    use super::*;
    use crate::random::SystemRandomness;

    #[test]
    fn delays_double_up_to_the_most_and_keep_half_for_chance() {
        let backoff = Backoff::default();
        for (attempt, millis) in [(0, 100), (1, 200), (3, 800), (7, 10_000), (400, 10_000)] {
            let whole = Duration::from_millis(millis);
            assert_eq!(backoff.plan(attempt, 255, None), whole, "{attempt}");
            assert_eq!(backoff.plan(attempt, 0, None), whole / 2, "{attempt}");
        }
    }

    #[test]
    fn what_the_server_asks_for_is_kept() {
        let hint = Some(Duration::from_secs(40));
        assert_eq!(Backoff::default().plan(0, 9, hint), Duration::from_secs(40));
        let short = Some(Duration::from_millis(1));
        assert!(Backoff::default().plan(3, 0, short) >= Duration::from_millis(400));
    }

    #[test]
    fn only_what_may_succeed_is_tried_again_and_not_for_ever() {
        let retry = Retry::default();
        let random = SystemRandomness::new();
        let away = RemoteError::from(tonic::Status::unavailable("away"));
        assert!(retry.after(&away, 0, &random).is_some());
        assert!(retry.after(&away, 3, &random).is_some());
        assert!(retry.after(&away, 4, &random).is_none());
        let wrong = RemoteError::from(Failure::not_found("X", "x").into_status());
        assert!(retry.after(&wrong, 0, &random).is_none());
    }
}
