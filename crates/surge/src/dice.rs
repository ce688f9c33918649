//! Reproducible chance: SplitMix64, so that a seed means the same trace on every machine and in every later version.
//! For workloads only; nothing secret is ever drawn here.

/// A sequence of numbers that follows from its seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The sequence of `seed`, apart from that of other purposes.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed ^ purpose.wrapping_mul(0xd1b5_4a32_d192_ed03));
        dice.draw();
        dice
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, all equally likely; 0 for 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let product = u128::from(self.draw()) * (n as u128);
        usize::try_from(product >> 64).unwrap_or_default()
    }

    /// Whether something happens that does so `per_thousand` times in a thousand.
    pub(crate) fn chance(&mut self, per_thousand: usize) -> bool {
        self.below(1000) < per_thousand
    }

    /// Puts a list in an order of its own.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }
}
