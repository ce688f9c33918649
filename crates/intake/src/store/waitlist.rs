//! The two queues with an order: what waits for an examiner, and what waits for the issuer.
//!
//! They follow from the records of the open applications, so that a restart finds them again; which turns
//! were taken before, and what branches hold, is memory and begins anew. Whatever leaves a queue because it
//! was worked on counts as a turn; what is withdrawn or fails does not.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use lgpki_domain::{
    ApplicationId, BodyCode, Timestamp,
    application::{Sort, State},
    order::{Claim, Class, FairRules, OrderName, Queue, Waiting},
};

use super::record::Record;
use crate::{
    pace::Pace,
    ports::{Explained, Lane, Place, QueueLook, Waits},
};

/// In a queue no longer than this, a place is looked for by walking.
const SHORT: usize = 64;
/// How many of a queue a look at it counts by class, and how far a place is looked for: nothing is decided meanwhile.
const LOOK: usize = 1_000;

/// The queues.
#[derive(Debug)]
pub(crate) struct Waitlist {
    pace: Arc<Pace>,
    examination: Queue,
    issue: Queue,
}

impl Default for Waitlist {
    fn default() -> Self {
        Self::new(Arc::new(Pace::default()))
    }
}

impl Waitlist {
    fn new(pace: Arc<Pace>) -> Self {
        let empty = || Queue::new(pace.order(), FairRules::default());
        Self {
            examination: empty(),
            issue: empty(),
            pace,
        }
    }

    /// Puts what waits into this order, to be worked off at this pace.
    pub(crate) fn arrange(&mut self, pace: Arc<Pace>) {
        let mut arranged = Self::new(pace);
        for (from, to) in [
            (&self.examination, &mut arranged.examination),
            (&self.issue, &mut arranged.issue),
        ] {
            for waiting in from.iter() {
                to.insert(*waiting);
            }
        }
        *self = arranged;
        self.note_lengths();
    }

    /// Empty queues of the same order and pace.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(self.pace.clone())
    }

    /// Says what branches hold.
    pub(crate) fn weigh(&mut self, branches: &[(BodyCode, u32)]) {
        for (branch, certificates) in branches {
            self.examination.weigh(Some(*branch), *certificates);
            self.issue.weigh(Some(*branch), *certificates);
        }
    }

    /// What an application waits for, if for one of these.
    pub(crate) fn awaited(record: &Record) -> Option<Waits> {
        match record.state {
            State::Examining { .. } => Some(Waits::Examination),
            State::Queued { .. } if Lane::of(record.sort) == Lane::Certificates => {
                Some(Waits::Issue)
            }
            _ => None,
        }
    }

    /// An application was received, or changed from waiting for `before`; `worked` is when it was worked on,
    /// if that is why.
    pub(crate) fn follow(
        &mut self,
        id: ApplicationId,
        record: &Record,
        before: Option<Waits>,
        worked: Option<Timestamp>,
    ) {
        let after = Self::awaited(record);
        if before == after {
            return;
        }
        if let Some(queue) = before {
            let at_risk = worked.and_then(|at| self.at_risk(queue, at));
            let queue = self.queue_mut(queue);
            match worked {
                Some(at) => queue.serve(id, at, at_risk),
                None => queue.remove(id),
            };
        }
        if let Some(queue) = after {
            self.queue_mut(queue).insert(waiting(id, record));
        }
        self.note_lengths();
    }

    /// Whether nothing waits for the issuer.
    pub(crate) fn nothing_to_issue(&self) -> bool {
        self.issue.is_empty()
    }

    /// The first of what waits for the issuer, of those that are `free`.
    pub(crate) fn to_issue(
        &self,
        most: usize,
        at: Timestamp,
        free: impl Fn(ApplicationId) -> bool,
    ) -> Vec<ApplicationId> {
        let in_order = self.issue.walk(at, self.at_risk(Waits::Issue, at));
        let ids = in_order.map(|(waiting, _)| waiting.id);
        ids.filter(|id| free(*id)).take(most).collect()
    }

    /// The next of what waits for an examiner, after `after`, and how many stand before them. From the head if
    /// `after` waits no more: who passed over as many as before would miss what has moved up.
    pub(crate) fn to_examine(
        &self,
        after: Option<ApplicationId>,
        most: usize,
        at: Timestamp,
    ) -> (usize, Vec<ApplicationId>) {
        let at_risk = self.at_risk(Waits::Examination, at);
        let mut in_order = self.examination.walk(at, at_risk);
        let before = match after.filter(|last| self.examination.get(*last).is_some()) {
            None => 0,
            Some(last) => {
                let place = in_order
                    .by_ref()
                    .position(|(waiting, _)| waiting.id == last);
                place.map_or(0, |place| place + 1)
            }
        };
        let ids = in_order.take(most).map(|(waiting, _)| waiting.id);
        (before, ids.collect())
    }

    /// How many wait for an examiner.
    pub(crate) fn examinations(&self) -> usize {
        self.examination.len()
    }

    /// The places of these among what waits for an examiner, in the order asked for.
    pub(crate) fn places(
        &mut self,
        asked: &[Option<(ApplicationId, &Record)>],
        at: Timestamp,
    ) -> Vec<Option<Place>> {
        let asked: Vec<_> = asked
            .iter()
            .map(|one| one.filter(|(_, record)| is_before_examination(record)))
            .map(|one| one.map(|(id, record)| waiting(id, record)))
            .collect();
        if asked.iter().all(Option::is_none) {
            return vec![None; asked.len()];
        }
        let mut coming: Vec<Waiting> = asked
            .iter()
            .flatten()
            .filter(|one| self.examination.get(one.id).is_none())
            .copied()
            .collect();
        coming.sort_unstable_by_key(|one| (one.received, one.id));
        let length = self.examination.len() + coming.len();
        let at_risk = self.at_risk(Waits::Examination, at);
        let ranks: HashMap<ApplicationId, usize> = if length <= SHORT {
            // In and out again, which counts no turn: the order is as before.
            for one in &coming {
                self.examination.insert(*one);
            }
            let wanted = asked.iter().flatten().map(|one| one.id).collect();
            let in_order = self.examination.walk(at, at_risk);
            let ranks = ranks(in_order.map(|(one, _)| one.id), &wanted);
            for one in &coming {
                self.examination.remove(one.id);
            }
            ranks
        } else {
            let rank = |one: &Waiting| {
                // Of those that come together, each stands behind the one before it.
                let together = coming
                    .partition_point(|other| (other.received, other.id) < (one.received, one.id));
                (one.id, self.examination.glance(one, at, at_risk) + together)
            };
            asked.iter().flatten().map(rank).collect()
        };
        let place = |one: Option<Waiting>| {
            Some(Place {
                ahead: u64::try_from(*ranks.get(&one?.id)?).unwrap_or(u64::MAX),
                waiting: u64::try_from(length).unwrap_or(u64::MAX),
            })
        };
        asked.into_iter().map(place).collect()
    }

    /// Why an application stands where it stands; of what is not among the first, about so.
    pub(crate) fn explain(&self, id: ApplicationId, at: Timestamp) -> Option<Explained> {
        let waits = if self.examination.get(id).is_some() {
            Waits::Examination
        } else {
            Waits::Issue
        };
        let queue = self.queue(waits);
        let one = queue.get(id)?;
        let at_risk = self.at_risk(waits, at);
        let mut explained = Explained {
            queue: waits,
            waiting: queue.len(),
            ahead: 0,
            about: false,
            ahead_by_class: BTreeMap::new(),
            class: Class::InTurn,
            expires: one.expires(),
            standing: None,
        };
        if let Some(standing) = queue.explain(id, at, at_risk, LOOK) {
            explained.ahead = standing.ahead;
            explained.about = standing.about;
            explained
                .ahead_by_class
                .clone_from(&standing.ahead_by_class);
            explained.class = standing.class;
            explained.standing = Some(standing);
            return Some(explained);
        }
        for (waiting, class) in queue.walk(at, at_risk).take(LOOK) {
            if waiting.id == id {
                explained.class = class;
                return Some(explained);
            }
            explained.ahead += 1;
            *explained.ahead_by_class.entry(class).or_default() += 1;
        }
        explained.about = true;
        explained.ahead_by_class.clear();
        explained.ahead = queue.glance(one, at, at_risk).max(explained.ahead);
        if self.pace.order() != OrderName::Fifo && one.has_lapsed(at) {
            explained.class = Class::Lapsed;
        }
        Some(explained)
    }

    /// A queue at one look.
    pub(crate) fn look(&self, waits: Waits, at: Timestamp) -> QueueLook {
        let queue = self.queue(waits);
        let at_risk_until = self.at_risk(waits, at);
        let mut by_class = BTreeMap::new();
        for (_, class) in queue.walk(at, at_risk_until).take(LOOK) {
            *by_class.entry(class).or_default() += 1;
        }
        QueueLook {
            waiting: queue.len(),
            by_class,
            oldest: queue.iter().map(|waiting| waiting.received).min(),
            at_risk_until,
        }
    }

    fn at_risk(&self, waits: Waits, at: Timestamp) -> Option<Timestamp> {
        let length = self.queue(waits).len();
        self.pace.at_risk_until(waits, length, at)
    }

    const fn queue(&self, waits: Waits) -> &Queue {
        match waits {
            Waits::Examination => &self.examination,
            Waits::Issue => &self.issue,
        }
    }

    const fn queue_mut(&mut self, waits: Waits) -> &mut Queue {
        match waits {
            Waits::Examination => &mut self.examination,
            Waits::Issue => &mut self.issue,
        }
    }

    fn note_lengths(&self) {
        for waits in [Waits::Examination, Waits::Issue] {
            self.pace.note_length(waits, self.queue(waits).len());
        }
    }
}

/// Which place of the order each of these has; looks no further than to the last of them.
fn ranks(
    in_order: impl Iterator<Item = ApplicationId>,
    wanted: &HashSet<ApplicationId>,
) -> HashMap<ApplicationId, usize> {
    let found = in_order.enumerate().filter(|(_, id)| wanted.contains(id));
    found
        .map(|(rank, id)| (id, rank))
        .take(wanted.len())
        .collect()
}

/// Whether it waits for an examiner, or will once lifecycle has opened it.
fn is_before_examination(record: &Record) -> bool {
    match record.state {
        State::Examining { .. } => true,
        State::Received { .. } => record.renewal.is_some_and(|renewal| renewal.needed > 0),
        _ => false,
    }
}

/// An application as the orders see it.
fn waiting(id: ApplicationId, record: &Record) -> Waiting {
    let expires = record.renewal.and_then(|renewal| renewal.last_day);
    let claim = match (record.sort, expires) {
        (Sort::Abolish | Sort::Revoke, _) if record.urgent => Claim::EmergencyRevocation,
        (Sort::Abolish | Sort::Revoke, _) => Claim::Revocation,
        (Sort::Renew, Some(last_day)) => Claim::Renewal {
            expires: last_day.plus_days(1).start(),
        },
        (Sort::Issue | Sort::Renew, _) => Claim::New,
    };
    let received = match record.state {
        // An attempt that came to nothing does not go before everybody again.
        State::Queued { at, attempt } if attempt > 1 => at,
        _ => record.received_at,
    };
    Waiting {
        id,
        branch: record.branch,
        received,
        claim,
    }
}

#[cfg(test)]
mod tests;
