//! Orders to compare the fair one with: first come first served, and earliest expiry first.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claim, OrderName, Waiting, ranked::Ranked, standing::Class};
use crate::{id::ApplicationId, time::Timestamp};

/// A queue ordered by one date, with those that have lapsed at its end where the order passes over them.
#[derive(Clone, Debug)]
pub struct PlainOrder {
    order: OrderName,
    entries: BTreeMap<ApplicationId, Waiting>,
    ready: Ranked,
    lapsed: Ranked,
    /// Of those that are ready: when each lapses.
    expiring: BTreeSet<(Timestamp, ApplicationId)>,
}

impl PlainOrder {
    /// An empty queue; [`OrderName::Fair`] is taken for first come, first served.
    #[must_use]
    pub const fn new(order: OrderName) -> Self {
        Self {
            order,
            entries: BTreeMap::new(),
            ready: Ranked::new(),
            lapsed: Ranked::new(),
            expiring: BTreeSet::new(),
        }
    }

    fn key(&self, waiting: &Waiting) -> (Timestamp, ApplicationId) {
        let date = match (self.order, waiting.claim) {
            (OrderName::EarliestExpiry, Claim::Renewal { expires }) => expires,
            (OrderName::EarliestExpiry, Claim::New | Claim::Revocation) => {
                Timestamp::from_millis(i64::MAX)
            }
            _ => waiting.received,
        };
        (date, waiting.id)
    }

    const fn passes_over(&self) -> bool {
        matches!(
            self.order,
            OrderName::FifoPassing | OrderName::EarliestExpiry
        )
    }

    /// Puts an application in; `false` if its number is in already.
    pub fn insert(&mut self, waiting: Waiting) -> bool {
        if self.entries.contains_key(&waiting.id) {
            return false;
        }
        self.ready.insert(self.key(&waiting));
        if let Some(expires) = waiting.expires().filter(|_| self.passes_over()) {
            self.expiring.insert((expires, waiting.id));
        }
        self.entries.insert(waiting.id, waiting);
        true
    }

    /// Takes out an application that has been withdrawn.
    pub fn remove(&mut self, id: ApplicationId) -> Option<Waiting> {
        let waiting = self.entries.remove(&id)?;
        let key = self.key(&waiting);
        self.ready.remove(&key);
        self.lapsed.remove(&key);
        if let Some(expires) = waiting.expires() {
            self.expiring.remove(&(expires, id));
        }
        Some(waiting)
    }

    /// Takes the next application at `now`.
    pub fn take(&mut self, now: Timestamp) -> Option<Waiting> {
        self.lapse(now);
        let (_, id) = *self.ready.first().or_else(|| self.lapsed.first())?;
        self.remove(id)
    }

    /// Takes this application, next or not, because it was worked on.
    pub fn serve(&mut self, id: ApplicationId, now: Timestamp) -> Option<Waiting> {
        self.lapse(now);
        self.remove(id)
    }

    /// What has expired stands behind the others from now on.
    fn lapse(&mut self, now: Timestamp) {
        while let Some((_, id)) = self.expiring.first().copied().filter(|(at, _)| *at <= now) {
            self.expiring.pop_first();
            if let Some(key) = self.entries.get(&id).map(|waiting| self.key(waiting)) {
                self.ready.remove(&key);
                self.lapsed.insert(key);
            }
        }
    }

    /// All that wait, in the order in which they would be taken at `now`.
    pub fn walk(&self, now: Timestamp) -> impl Iterator<Item = (Waiting, Class)> + '_ {
        let of = |(_, id): &(Timestamp, ApplicationId)| self.entries.get(id).copied();
        let passed = move |waiting: &Waiting| self.passes_over() && waiting.has_lapsed(now);
        let ready = self.ready.iter().filter_map(of);
        let ready = ready.filter(move |waiting| !passed(waiting));
        // What has expired since something was taken last stands among the others still.
        let end = (now.plus_millis(1), ApplicationId::from_bytes([0; 16]));
        let since = self.expiring.range(..end);
        let since = since.filter_map(|(_, id)| self.entries.get(id));
        let mut since: Vec<_> = since.map(|waiting| self.key(waiting)).collect();
        since.sort_unstable();
        let mut since = since.into_iter().peekable();
        let mut lapsed = self.lapsed.iter().copied().peekable();
        let late = std::iter::from_fn(move || match (lapsed.peek(), since.peek()) {
            (Some(before), Some(late)) if before < late => lapsed.next(),
            (_, Some(_)) => since.next(),
            _ => lapsed.next(),
        });
        let late = late.filter_map(move |key| of(&key));
        ready
            .map(|waiting| (waiting, Class::InTurn))
            .chain(late.map(|waiting| (waiting, Class::Lapsed)))
    }

    /// How many are taken before this application, which waits or is about to, if those that lapse later are not
    /// counted. Never walks; costs some hundred steps.
    #[must_use]
    pub fn glance(&self, waiting: &Waiting, now: Timestamp) -> usize {
        let key = self.key(waiting);
        if self.passes_over() && waiting.has_lapsed(now) {
            return self.ready.len() + self.lapsed.before(&key);
        }
        self.ready.before(&key)
    }

    /// All that wait, by number.
    pub(super) const fn entries(&self) -> &BTreeMap<ApplicationId, Waiting> {
        &self.entries
    }

    /// An application that waits.
    #[must_use]
    pub fn get(&self, id: ApplicationId) -> Option<&Waiting> {
        self.entries.get(&id)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_is_put_behind_the_others_whoever_is_served() {
        let at = |day| Timestamp::from_millis(day * 86_400_000);
        let id = |n| ApplicationId::from_bytes([n; 16]);
        let renewal = |n, expires| Waiting {
            id: id(n),
            branch: None,
            received: at(1),
            claim: Claim::Renewal { expires },
        };
        let mut queue = PlainOrder::new(OrderName::EarliestExpiry);
        for n in 1..=4 {
            queue.insert(renewal(n, at(i64::from(n) * 10)));
        }
        assert_eq!(queue.serve(id(4), at(25)).map(|w| w.id), Some(id(4)));
        // Else each look would have to pass over them again.
        assert_eq!((queue.ready.len(), queue.lapsed.len()), (1, 2));
        assert_eq!(queue.expiring.len(), 1);
        let walked: Vec<_> = queue.walk(at(35)).map(|(w, _)| w.id).collect();
        assert_eq!(walked, [id(1), id(2), id(3)]);
    }
}
