//! Chance that comes again, as a port: for application numbers, on which the order of what is received at one moment
//! depends. Keys, signatures and serial numbers never come from here.

use std::sync::{Mutex, PoisonError};

use lgpki_domain::{Randomness, random::RandomnessFailed};

use crate::dice::Dice;

/// Bytes that follow from a seed.
#[derive(Debug)]
pub struct Chance(Mutex<Dice>);

impl Chance {
    /// Those of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Dice::new(seed, 4)))
    }
}

impl Randomness for Chance {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomnessFailed> {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in out.chunks_mut(8) {
            let bytes = dice.draw().to_be_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_another_gives_others() {
        let draw = |seed| {
            let mut bytes = [0; 21];
            Chance::new(seed).fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(draw(1)[..8], draw(1)[8..16]);
    }
}
