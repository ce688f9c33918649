//! Applications by a date, of which the place of any one is known without walking to it.
//!
//! Beside the set stand the sizes of consecutive blocks of it, so that a place is the sum of the blocks before it and
//! what is counted within one block. Exact; never counts more of the set than a block.

use std::collections::{BTreeMap, BTreeSet, btree_set};

use super::turns::Key;
use crate::{id::ApplicationId, time::Timestamp};

/// A block of more than this is divided.
const FULL: usize = 256;
/// Where the first block begins.
const LEAST: Key = (
    Timestamp::from_millis(i64::MIN),
    ApplicationId::from_bytes([0; 16]),
);

/// Keys in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranked {
    keys: BTreeSet<Key>,
    /// How many keys stand in each block, by where it begins.
    blocks: BTreeMap<Key, usize>,
}

impl Ranked {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            keys: BTreeSet::new(),
            blocks: BTreeMap::new(),
        }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The first.
    pub(super) fn first(&self) -> Option<&Key> {
        self.keys.first()
    }

    /// All in order.
    pub(super) fn iter(&self) -> btree_set::Iter<'_, Key> {
        self.keys.iter()
    }

    /// Puts one in.
    pub(super) fn insert(&mut self, key: Key) {
        if !self.keys.insert(key) {
            return;
        }
        let Some((from, count)) = self.blocks.range_mut(..=key).next_back() else {
            self.blocks.insert(LEAST, 1);
            return;
        };
        *count += 1;
        if *count > FULL {
            let (from, all) = (*from, *count);
            if let Some(middle) = self.keys.range(from..).nth(all / 2) {
                *count = all / 2;
                self.blocks.insert(*middle, all - all / 2);
            }
        }
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, key: &Key) {
        if !self.keys.remove(key) {
            return;
        }
        let Some((from, count)) = self.blocks.range_mut(..=*key).next_back() else {
            return;
        };
        *count -= 1;
        let (from, left) = (*from, *count);
        // A block of few joins the one before it, if that has room.
        if left < FULL / 4
            && let Some((_, before)) = self.blocks.range_mut(..from).next_back()
            && *before + left <= FULL / 2
        {
            *before += left;
            self.blocks.remove(&from);
        }
        if self.keys.is_empty() {
            self.blocks.clear();
        }
    }

    /// How many stand before this key, whether it is in or not.
    pub(super) fn before(&self, key: &Key) -> usize {
        self.counted(key).0
    }

    /// The same, and in how many steps that was found.
    fn counted(&self, key: &Key) -> (usize, usize) {
        let mut upto = self.blocks.range(..=*key);
        let Some((from, _)) = upto.next_back() else {
            return (0, 0);
        };
        let mut steps = 0;
        let before: usize = upto.inspect(|_| steps += 1).map(|(_, count)| count).sum();
        let within = self.keys.range(*from..*key).count();
        (before + within, steps + within)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(date: i64, n: u128) -> Key {
        (
            Timestamp::from_millis(date),
            ApplicationId::from_bytes(n.to_be_bytes()),
        )
    }

    #[test]
    fn a_place_among_many_is_found_in_few_steps() {
        let mut ranked = Ranked::new();
        // Half of them in order, the others between them.
        for n in (0..20_000_u128).chain(30_000..30_001) {
            ranked.insert(key(i64::try_from(n).unwrap() / 7_000, n * 2));
            ranked.insert(key(i64::try_from(n).unwrap() / 7_000, n * 2 + 1));
        }
        let steps = |ranked: &Ranked| {
            let each = ranked.iter().enumerate().step_by(17);
            let found = each.map(|(place, key)| {
                let (before, steps) = ranked.counted(key);
                assert_eq!(before, place);
                steps
            });
            found.max().unwrap()
        };
        assert!(steps(&ranked) <= 2 * FULL + 40_000 / (FULL / 2));
        // Few are left of most blocks, and none of the first.
        let all: Vec<_> = ranked.iter().copied().collect();
        for (n, key) in all.iter().enumerate() {
            if n < 10_000 || n % 50 > 0 {
                ranked.remove(key);
            }
        }
        assert!(steps(&ranked) <= 2 * FULL);
        for key in &all {
            ranked.remove(key);
        }
        assert!(ranked.is_empty() && ranked.blocks.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn places_are_those_of_a_set(changes in prop::collection::vec((any::<bool>(), 0..9_i64, 0..600_u128), 1..3_000)) {
            let (mut ranked, mut set) = (Ranked::new(), BTreeSet::new());
            for (step, (put_in, date, n)) in changes.into_iter().enumerate() {
                let key = key(date, n);
                if put_in {
                    ranked.insert(key);
                    set.insert(key);
                } else {
                    ranked.remove(&key);
                    set.remove(&key);
                }
                if step % 16 == 0 {
                    prop_assert_eq!(ranked.before(&key), set.range(..key).count());
                }
            }
            prop_assert!(ranked.iter().eq(&set));
            prop_assert_eq!(ranked.blocks.values().sum::<usize>(), set.len());
        }
    }
}
