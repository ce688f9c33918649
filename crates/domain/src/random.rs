//! Randomness as a port.

use std::fmt;

/// The system could not supply random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the random number generator failed")]
pub struct RandomnessFailed;

/// Where random bytes come from; cryptographically strong except in tests and replays.
pub trait Randomness: Send + Sync + fmt::Debug + 'static {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomnessFailed>;
}
