//! How long to wait after attempts that failed.

use lgpki_domain::{Randomness, Timestamp};

use crate::worker::LONGEST_WAIT;

/// Failed attempts in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failures {
    count: u32,
    /// When to try again.
    pub(super) retry_at: Timestamp,
}

impl Failures {
    /// The wait doubles, and is cut short by chance, so that several processes do not ask the issuer
    /// at the same moment again and again.
    pub(super) fn after(before: Option<Self>, now: Timestamp, randomness: &dyn Randomness) -> Self {
        let count = before.map_or(0, |before| before.count);
        let wait = (1_i64 << count.min(6)).min(LONGEST_WAIT) * 1000;
        let mut dice = [0];
        // Without randomness the wait loses its jitter, not its meaning.
        let _ = randomness.fill(&mut dice);
        Self {
            count: count.saturating_add(1),
            retry_at: now.plus_millis(wait - wait / 4 * i64::from(dice[0]) / 255),
        }
    }
}
