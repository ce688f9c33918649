//! Weighted turns: who is next among branches that all wait.
//!
//! Start-time fair queueing. Each branch has a mark that moves on by 1/weight with each of its turns; the lowest mark
//! is next, and within a branch the earliest date. A branch that comes back begins at the mark reached meanwhile, so
//! that it can neither save turns up nor be punished for having been away. While two branches wait, the turns they
//! get per weight never differ by more than one turn of each.

use std::collections::{BTreeMap, BTreeSet};

use super::ranked::Ranked;
use crate::{
    id::{ApplicationId, BodyCode},
    time::Timestamp,
};

/// Whose turn.
pub(super) type Branch = Option<BodyCode>;
/// By what a branch's applications are ordered: a date, then the number.
pub(super) type Key = (Timestamp, ApplicationId);

/// One turn of weight 1.
const TURN: u128 = 1 << 40;

/// Applications of many branches.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    pub(super) flows: BTreeMap<Branch, Flow>,
    /// Of each branch that waits: its mark, its earliest application.
    pub(super) order: BTreeSet<(u128, Key, Branch)>,
    reached: u128,
    len: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub(super) mark: u128,
    pub(super) keys: Ranked,
}

/// What a turn of a branch of this weight adds to its mark.
pub(super) fn step(weight: u32) -> u128 {
    TURN / u128::from(weight.max(1))
}

impl Turns {
    /// How many wait.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How many of one branch wait.
    pub(super) fn len_of(&self, branch: Branch) -> usize {
        self.flows.get(&branch).map_or(0, |flow| flow.keys.len())
    }

    /// How many of one branch wait before this place among its own.
    pub(super) fn before(&self, branch: Branch, key: Key) -> usize {
        let flow = self.flows.get(&branch);
        flow.map_or(0, |flow| flow.keys.before(&key))
    }

    /// How many branches wait.
    pub(super) fn waiting_branches(&self) -> usize {
        self.order.len()
    }

    /// The branches that wait.
    pub(super) fn branches(&self) -> impl Iterator<Item = Branch> + '_ {
        self.order.iter().map(|(_, _, branch)| *branch)
    }

    /// Puts one in.
    pub(super) fn insert(&mut self, branch: Branch, key: Key) {
        let reached = self.reached;
        self.change(branch, |flow| {
            if flow.keys.is_empty() {
                flow.mark = flow.mark.max(reached);
            }
            flow.keys.insert(key);
        });
    }

    /// Takes one out without counting a turn.
    pub(super) fn remove(&mut self, branch: Branch, key: Key) {
        self.change(branch, |flow| {
            flow.keys.remove(&key);
        });
    }

    /// Who is next.
    pub(super) fn next(&self) -> Option<ApplicationId> {
        self.order.first().map(|(_, (_, id), _)| *id)
    }

    /// Takes one out, next or not, and counts a turn of its branch.
    pub(super) fn serve(&mut self, branch: Branch, key: Key, weight: u32) {
        if let Some((mark, _, _)) = self.order.first().filter(|first| first.2 == branch) {
            self.reached = *mark;
        }
        self.change(branch, |flow| {
            flow.keys.remove(&key);
            flow.mark += step(weight);
        });
    }

    /// Changes a branch and puts it where it then belongs.
    fn change(&mut self, branch: Branch, change: impl FnOnce(&mut Flow)) {
        let flow = self.flows.entry(branch).or_default();
        if let Some(first) = flow.keys.first() {
            self.order.remove(&(flow.mark, *first, branch));
        }
        let before = flow.keys.len();
        change(flow);
        self.len = self.len - before + flow.keys.len();
        if let Some(first) = flow.keys.first() {
            self.order.insert((flow.mark, *first, branch));
        }
        if self.order.is_empty() {
            // Nobody was kept waiting by anybody: there is nothing to remember.
            self.flows.clear();
            self.reached = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u128) -> Key {
        (
            Timestamp::from_millis(0),
            ApplicationId::from_bytes(n.to_be_bytes()),
        )
    }

    fn branch(number: u16) -> Branch {
        BodyCode::try_new(1, number)
    }

    /// Serves `turns` turns and counts those of each branch.
    fn served(
        turns: &mut Turns,
        weights: &BTreeMap<Branch, u32>,
        n: usize,
    ) -> BTreeMap<Branch, u32> {
        let mut counts = BTreeMap::new();
        for _ in 0..n {
            let Some((_, key, branch)) = turns.order.first().copied() else {
                break;
            };
            turns.serve(branch, key, weights[&branch]);
            *counts.entry(branch).or_default() += 1;
        }
        counts
    }

    #[test]
    fn turns_follow_the_weights() {
        let weights = BTreeMap::from([(branch(1), 1), (branch(2), 3), (branch(3), 6)]);
        let mut turns = Turns::default();
        for n in 0..3000 {
            turns.insert(branch(u16::try_from(n % 3).unwrap() + 1), key(n));
        }
        let mut total = BTreeMap::new();
        for _ in 0..10 {
            for (branch, n) in served(&mut turns, &weights, 100) {
                *total.entry(branch).or_insert(0) += n;
            }
            let per_weight: Vec<_> = total
                .iter()
                .map(|(b, n)| f64::from(*n) / f64::from(weights[b]))
                .collect();
            for (a, b) in [(0, 1), (1, 2), (0, 2)] {
                assert!(
                    (per_weight[a] - per_weight[b]).abs() <= 2.0,
                    "{per_weight:?}"
                );
            }
        }
    }

    #[test]
    fn who_comes_back_has_saved_nothing_up() {
        let weights = BTreeMap::from([(branch(1), 1), (branch(2), 1)]);
        let mut turns = Turns::default();
        for n in 0..100 {
            turns.insert(branch(1), key(n));
        }
        served(&mut turns, &weights, 50);
        for n in 100..200 {
            turns.insert(branch(2), key(n));
        }
        let counts = served(&mut turns, &weights, 20);
        assert_eq!(counts, BTreeMap::from([(branch(1), 10), (branch(2), 10)]));
    }
}
