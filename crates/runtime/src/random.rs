//! The machine's random number generator, by ring.

use std::fmt;

use lgpki_domain::{Randomness, random::RandomnessFailed};
use ring::rand::{SecureRandom, SystemRandom};

/// Cryptographically strong random bytes of the operating system.
#[derive(Clone)]
pub struct SystemRandomness(SystemRandom);

impl SystemRandomness {
    /// The system's generator.
    #[must_use]
    pub fn new() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the randomness that others take"
        )]
        Self(SystemRandom::new())
    }
}

impl Default for SystemRandomness {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SystemRandomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemRandomness")
    }
}

impl Randomness for SystemRandomness {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomnessFailed> {
        self.0.fill(out).map_err(|_| RandomnessFailed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        SystemRandomness::new().fill(&mut a).unwrap();
        SystemRandomness::new().fill(&mut b).unwrap();
        assert_ne!(a, b);
    }
}
