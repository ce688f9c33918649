//! The fair order looked through from its head, without taking anything: what `take` would give, one after the
//! other, if nothing else arrived. It keeps beside the queue what taking would have changed in it, so that a look at
//! the first few costs a few steps however many wait.

use std::{
    collections::{BTreeMap, BTreeSet, btree_set},
    iter::Peekable,
    ops::Bound,
};

use super::{
    Claim, Waiting,
    fair::{Counters, FairOrder, Heads},
    standing::Class,
    turns::{Branch, Key, Turns, step},
};
use crate::{id::ApplicationId, time::Timestamp};

type Taken = BTreeSet<ApplicationId>;
type Keys<'a> = Peekable<btree_set::Iter<'a, Key>>;

/// A look through the fair order.
#[derive(Debug)]
pub struct Walk<'a> {
    order: &'a FairOrder,
    now: Timestamp,
    at_risk_until: Option<Timestamp>,
    taken: Taken,
    counters: Counters,
    emergency: Keys<'a>,
    overdue: Keys<'a>,
    oldest: Keys<'a>,
    renewals: Turning<'a>,
    undated: Turning<'a>,
    /// Of the expiries of which something was taken.
    savable: BTreeMap<Timestamp, Turning<'a>>,
    /// The earliest expiry of which something may be left.
    earliest: Option<Timestamp>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        order: &'a FairOrder,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
    ) -> Self {
        Self {
            order,
            now,
            at_risk_until,
            taken: Taken::new(),
            counters: order.counters,
            emergency: order.emergency.iter().peekable(),
            overdue: order.overdue.iter().peekable(),
            oldest: order.oldest.iter().peekable(),
            renewals: Turning::new(&order.renewals),
            undated: Turning::new(&order.undated),
            savable: BTreeMap::new(),
            earliest: after(order, now),
        }
    }

    /// The first of what would expire before its turn.
    fn at_risk(&mut self) -> Option<ApplicationId> {
        loop {
            let expires = self.earliest.filter(|e| Some(*e) <= self.at_risk_until)?;
            let next = match self.savable.get_mut(&expires) {
                Some(turning) => turning.next(),
                None => self.order.savable.get(&expires).and_then(Turns::next),
            };
            if next.is_some() {
                return next;
            }
            self.earliest = after(self.order, expires);
        }
    }

    fn leave(&mut self, waiting: &Waiting) {
        self.taken.insert(waiting.id);
        let weight = self.order.weight(waiting.branch);
        let branch = waiting.branch;
        match waiting.claim {
            Claim::EmergencyRevocation => {}
            Claim::Renewal { expires } => {
                self.renewals.serve(branch, weight, &self.taken);
                if expires > self.now
                    && let Some(turns) = self.order.savable.get(&expires)
                {
                    let turning = self.savable.entry(expires);
                    let turning = turning.or_insert_with(|| Turning::new(turns));
                    turning.serve(branch, weight, &self.taken);
                }
            }
            Claim::Revocation | Claim::New => self.undated.serve(branch, weight, &self.taken),
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = (Waiting, Class);

    fn next(&mut self) -> Option<Self::Item> {
        let now = self.now;
        let overdue = first(&mut self.overdue, &self.taken).filter(|(due, _)| *due <= now);
        let heads = Heads {
            emergency: first(&mut self.emergency, &self.taken).map(|(_, id)| id),
            overdue: overdue.map(|(_, id)| id),
            at_risk: self.at_risk(),
            oldest: first(&mut self.oldest, &self.taken).map(|(_, id)| id),
            share: self.renewals.next(),
            reserve: self.undated.next(),
        };
        let (id, class) = self.counters.choose(&heads, self.order.rules)?;
        let contested = self.renewals.len > 0 && self.undated.len > 0;
        self.counters.count(class, contested, self.order.rules);
        let waiting = *self.order.entries.get(&id)?;
        self.leave(&waiting);
        Some((waiting, class))
    }
}

/// The next expiry after this instant.
fn after(order: &FairOrder, at: Timestamp) -> Option<Timestamp> {
    let span = (Bound::Excluded(at), Bound::Unbounded);
    order
        .savable
        .range(span)
        .next()
        .map(|(expires, _)| *expires)
}

/// The first that was not taken.
fn first(keys: &mut Keys<'_>, taken: &Taken) -> Option<Key> {
    while keys.next_if(|(_, id)| taken.contains(id)).is_some() {}
    keys.peek().map(|key| **key)
}

/// Turns of branches, with the branches that had one put where they then belong.
#[derive(Debug)]
struct Turning<'a> {
    turns: &'a Turns,
    still: Peekable<btree_set::Iter<'a, (u128, Key, Branch)>>,
    moved: BTreeMap<Branch, Moved<'a>>,
    order: BTreeSet<(u128, Key, Branch)>,
    len: usize,
}

#[derive(Debug)]
struct Moved<'a> {
    mark: u128,
    keys: Keys<'a>,
}

impl<'a> Turning<'a> {
    fn new(turns: &'a Turns) -> Self {
        Self {
            turns,
            still: turns.order.iter().peekable(),
            moved: BTreeMap::new(),
            order: BTreeSet::new(),
            len: turns.len(),
        }
    }

    /// Who is next.
    fn next(&mut self) -> Option<ApplicationId> {
        let moved = &self.moved;
        while self
            .still
            .next_if(|(_, _, branch)| moved.contains_key(branch))
            .is_some()
        {}
        let still = self.still.peek().copied();
        let next = match (still, self.order.first()) {
            (Some(still), Some(moved)) => Some(still.min(moved)),
            (still, moved) => still.or(moved),
        };
        next.map(|(_, (_, id), _)| *id)
    }

    /// Counts a turn of the branch, of which one more is taken now.
    fn serve(&mut self, branch: Branch, weight: u32, taken: &Taken) {
        let Some(flow) = self.turns.flows.get(&branch) else {
            return;
        };
        self.len = self.len.saturating_sub(1);
        let moved = self.moved.entry(branch).or_insert_with(|| Moved {
            mark: flow.mark,
            keys: flow.keys.iter().peekable(),
        });
        // Its place is by the first that was there before this turn.
        if let Some(key) = moved.keys.peek() {
            self.order.remove(&(moved.mark, **key, branch));
        }
        moved.mark += step(weight);
        if let Some(key) = first(&mut moved.keys, taken) {
            self.order.insert((moved.mark, key, branch));
        }
    }
}
