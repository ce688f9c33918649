//! The fair order; the rules are told in the module above.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use super::{
    Claim, Waiting,
    ranked::Ranked,
    standing::{Class, Standing},
    turns::{Branch, Key, Turns},
    walk::Walk,
};
use crate::{
    id::{ApplicationId, BodyCode},
    time::Timestamp,
};

/// The numbers of the fair order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FairRules {
    /// Days after receipt, or after expiry for a renewal, when an application becomes overdue.
    pub patience_days: u16,
    /// The same for revocations that are no emergency.
    pub revocation_days: u16,
    /// Turns of a hundred that belong to applications without a date while nothing would expire.
    pub reserve_percent: u8,
    /// One turn in so many goes to the one that is longest overdue.
    pub overdue_every: u8,
    /// Of the turns of renewals that are not at risk, one in so many goes to the one that was received first.
    pub oldest_every: u8,
}

/// Eight weeks, one week, a fifth, a tenth, a half.
impl Default for FairRules {
    fn default() -> Self {
        Self {
            patience_days: 56,
            revocation_days: 7,
            reserve_percent: 20,
            overdue_every: 10,
            oldest_every: 2,
        }
    }
}

/// Who is first of each sort.
pub(super) struct Heads {
    pub(super) emergency: Option<ApplicationId>,
    pub(super) overdue: Option<ApplicationId>,
    pub(super) at_risk: Option<ApplicationId>,
    pub(super) oldest: Option<ApplicationId>,
    pub(super) share: Option<ApplicationId>,
    pub(super) reserve: Option<ApplicationId>,
}

/// What the turns taken so far owe to whom.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    /// Hundredths of a turn that the undated have saved up.
    credit: u8,
    /// Turns since one was owed to the overdue.
    turns: u8,
    /// Turns of renewals since one was owed to the oldest.
    shares: u8,
}

impl Counters {
    /// Who is next, and why.
    pub(super) fn choose(self, heads: &Heads, rules: FairRules) -> Option<(ApplicationId, Class)> {
        let of = |head: Option<ApplicationId>, class| head.map(|id| (id, class));
        let owed = self.turns.saturating_add(1) >= rules.overdue_every;
        let urgent = of(heads.emergency, Class::Emergency)
            .or_else(|| of(heads.overdue.filter(|_| owed), Class::Overdue))
            .or_else(|| of(heads.at_risk, Class::AtRisk));
        if urgent.is_some() {
            return urgent;
        }
        let share = if self.shares.saturating_add(1) >= rules.oldest_every {
            of(heads.oldest, Class::Oldest)
        } else {
            of(heads.share, Class::Share)
        };
        let reserve = of(heads.reserve, Class::Reserve);
        if self.credit.saturating_add(rules.reserve_percent) >= 100 {
            reserve.or(share)
        } else {
            share.or(reserve)
        }
    }

    /// Counts a turn towards what is owed; it was contested if renewals and others waited.
    pub(super) fn count(&mut self, class: Class, contested: bool, rules: FairRules) {
        let credit = self.credit.saturating_add(rules.reserve_percent);
        match class {
            Class::Share | Class::Oldest if contested => self.credit = credit,
            Class::Reserve if contested => self.credit = credit.saturating_sub(100),
            _ => {}
        }
        self.shares = match class {
            Class::Share => self.shares.saturating_add(1),
            Class::Oldest => 0,
            _ => self.shares,
        };
        self.turns = match class {
            Class::Emergency => self.turns,
            Class::Overdue => 0,
            _ => self.turns.saturating_add(1),
        };
    }
}

/// Waiting applications in the fair order.
#[derive(Clone, Debug)]
pub struct FairOrder {
    pub(super) rules: FairRules,
    weights: BTreeMap<Branch, u32>,
    pub(super) entries: BTreeMap<ApplicationId, Waiting>,
    pub(super) emergency: Ranked,
    /// By the end of patience, all but emergencies.
    pub(super) overdue: BTreeSet<Key>,
    /// Renewals of what has not expired, by expiry, with turns of branches among those of one instant.
    pub(super) savable: BTreeMap<Timestamp, Turns>,
    /// All renewals, by expiry within their branches.
    pub(super) renewals: Turns,
    /// All renewals, by receipt.
    pub(super) oldest: BTreeSet<Key>,
    /// What has no date.
    pub(super) undated: Turns,
    pub(super) counters: Counters,
}

impl FairOrder {
    /// An empty queue.
    #[must_use]
    pub fn new(rules: FairRules) -> Self {
        Self {
            rules,
            weights: BTreeMap::new(),
            entries: BTreeMap::new(),
            emergency: Ranked::new(),
            overdue: BTreeSet::new(),
            savable: BTreeMap::new(),
            renewals: Turns::default(),
            oldest: BTreeSet::new(),
            undated: Turns::default(),
            counters: Counters::default(),
        }
    }

    /// Says how many certificates a branch holds. Its turns are weighed by the square root, so that a city gets more
    /// of them than a village, but waits longer for its last; a branch that was never weighed has weight 1.
    pub fn weigh(&mut self, branch: Option<BodyCode>, certificates: u32) {
        self.weights.insert(branch, certificates.isqrt().max(1));
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

    /// Puts an application in; `false` if its number is in already, which changes nothing.
    pub fn insert(&mut self, waiting: Waiting) -> bool {
        if self.entries.contains_key(&waiting.id) {
            return false;
        }
        let due = (waiting.patience_ends(&self.rules), waiting.id);
        match waiting.claim {
            Claim::EmergencyRevocation => {
                self.emergency.insert(due);
            }
            Claim::Renewal { expires } => {
                let key = (expires, waiting.id);
                self.renewals.insert(waiting.branch, key);
                self.oldest.insert((waiting.received, waiting.id));
                let turns = self.savable.entry(expires).or_default();
                turns.insert(waiting.branch, key);
            }
            Claim::Revocation | Claim::New => self.undated.insert(waiting.branch, due),
        }
        if waiting.claim != Claim::EmergencyRevocation {
            self.overdue.insert(due);
        }
        self.entries.insert(waiting.id, waiting);
        true
    }

    /// Takes out an application that has been withdrawn.
    pub fn remove(&mut self, id: ApplicationId) -> Option<Waiting> {
        self.leave(id, Turns::remove)
    }

    /// Takes the next application at `now`, and says why it is the next. Renewals of what expires by
    /// `at_risk_until` would expire before their turn.
    pub fn take(
        &mut self,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
    ) -> Option<(Waiting, Class)> {
        self.lapse(now);
        let (id, class) = self.next(now, at_risk_until)?;
        self.turn(id, class)
    }

    /// Takes this application, next or not, and counts the turn: it is what was worked on. Out of turn it
    /// counts as a turn of its branch.
    pub fn serve(
        &mut self,
        id: ApplicationId,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
    ) -> Option<(Waiting, Class)> {
        let claim = self.entries.get(&id)?.claim;
        self.lapse(now);
        let next = self.next(now, at_risk_until);
        let class = match (next, claim) {
            (Some((next, class)), _) if next == id => class,
            (_, Claim::EmergencyRevocation) => Class::Emergency,
            (_, Claim::Renewal { .. }) => Class::Share,
            (_, Claim::Revocation | Claim::New) => Class::Reserve,
        };
        self.turn(id, class)
    }

    fn turn(&mut self, id: ApplicationId, class: Class) -> Option<(Waiting, Class)> {
        let contested = self.renewals.len() > 0 && self.undated.len() > 0;
        self.counters.count(class, contested, self.rules);
        let weight = self.weight(self.entries.get(&id)?.branch);
        let waiting = self.leave(id, |turns, branch, key| turns.serve(branch, key, weight))?;
        Some((waiting, class))
    }

    /// All that wait, in the order in which they would be taken if nothing else arrived. Each step costs the
    /// logarithm of what waits.
    #[must_use]
    pub fn walk(&self, now: Timestamp, at_risk_until: Option<Timestamp>) -> Walk<'_> {
        Walk::new(self, now, at_risk_until)
    }

    /// About how many are taken before this application, which waits or is about to. Never walks; costs some
    /// hundred steps, and one for each day on which something at risk expires.
    #[must_use]
    pub fn glance(
        &self,
        waiting: &Waiting,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
    ) -> usize {
        let emergencies = self.emergency.len();
        let at_risk = |before: Timestamp| -> usize {
            let span = (Bound::Excluded(now), Bound::Excluded(before));
            let turns = if before > now {
                Some(self.savable.range(span))
            } else {
                None
            };
            turns.into_iter().flatten().map(|(_, t)| t.len()).sum()
        };
        let urgent =
            || emergencies + at_risk_until.map_or(0, |until| at_risk(until.plus_millis(1)));
        let due = (waiting.patience_ends(&self.rules), waiting.id);
        let ahead = match waiting.claim {
            Claim::EmergencyRevocation => self.emergency.before(&due),
            Claim::Renewal { expires } if expires > now && Some(expires) <= at_risk_until => {
                let same = self.savable.get(&expires).map_or(0, Turns::len);
                emergencies + at_risk(expires) + same / 2
            }
            Claim::Renewal { expires } => {
                let own = self.renewals.before(waiting.branch, (expires, waiting.id));
                let shared = 2 * own.saturating_mul(self.renewals.waiting_branches().max(1));
                urgent() + shared.min(self.renewals.len())
            }
            Claim::Revocation | Claim::New => {
                let own = self.undated.before(waiting.branch, due);
                let turns = own.saturating_mul(self.undated.waiting_branches().max(1));
                let share = usize::from(self.rules.reserve_percent.clamp(1, 100));
                let others = (turns * (100 - share) / share).min(self.renewals.len());
                urgent() + turns.min(self.undated.len()) + others
            }
        };
        ahead.min(self.len())
    }

    /// Why an application stands where it stands; `None` if it does not wait. Walks to it if it is among the
    /// first `most`; of one that stands farther off it is told about so.
    #[must_use]
    pub fn explain(
        &self,
        id: ApplicationId,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
        most: usize,
    ) -> Option<Standing> {
        let waiting = self.entries.get(&id)?;
        let turns = if waiting.expires().is_some() {
            &self.renewals
        } else {
            &self.undated
        };
        let weights = turns.branches().map(|b| u64::from(self.weight(b)));
        let mut standing = Standing {
            ahead: 0,
            about: false,
            ahead_by_class: BTreeMap::new(),
            class: self.likely(waiting, now, at_risk_until),
            patience_ends: waiting.patience_ends(&self.rules),
            of_branch: turns.len_of(waiting.branch),
            weight: self.weight(waiting.branch),
            weights: weights.sum(),
        };
        for (taken, class) in self.walk(now, at_risk_until).take(most) {
            if taken.id == id {
                standing.class = class;
                return Some(standing);
            }
            standing.ahead += 1;
            *standing.ahead_by_class.entry(class).or_default() += 1;
        }
        standing.about = true;
        standing.ahead_by_class.clear();
        let glanced = self.glance(waiting, now, at_risk_until);
        standing.ahead = glanced.clamp(standing.ahead, self.len() - 1);
        Some(standing)
    }

    /// For which class it would be taken as things stand.
    fn likely(&self, waiting: &Waiting, now: Timestamp, at_risk_until: Option<Timestamp>) -> Class {
        match waiting.claim {
            Claim::EmergencyRevocation => Class::Emergency,
            Claim::Renewal { expires } if expires > now && Some(expires) <= at_risk_until => {
                Class::AtRisk
            }
            _ if waiting.patience_ends(&self.rules) <= now => Class::Overdue,
            Claim::Renewal { .. } => Class::Share,
            Claim::Revocation | Claim::New => Class::Reserve,
        }
    }

    pub(super) fn weight(&self, branch: Branch) -> u32 {
        self.weights.get(&branch).copied().unwrap_or(1)
    }

    /// What has expired cannot be saved any more and waits for its branch's turn.
    fn lapse(&mut self, now: Timestamp) {
        while let Some(first) = self.savable.first_entry().filter(|e| *e.key() <= now) {
            first.remove();
        }
    }

    fn next(
        &self,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
    ) -> Option<(ApplicationId, Class)> {
        let first = |keys: &BTreeSet<Key>| keys.first().map(|(_, id)| *id);
        let overdue = self.overdue.first().filter(|(due, _)| *due <= now);
        let earliest = self.savable.first_key_value();
        let at_risk = earliest.filter(|(expires, _)| Some(**expires) <= at_risk_until);
        let heads = Heads {
            emergency: self.emergency.first().map(|(_, id)| *id),
            overdue: overdue.map(|(_, id)| *id),
            at_risk: at_risk.and_then(|(_, turns)| turns.next()),
            oldest: first(&self.oldest),
            share: self.renewals.next(),
            reserve: self.undated.next(),
        };
        self.counters.choose(&heads, self.rules)
    }

    /// Takes an application out of every place that it stands in.
    fn leave(
        &mut self,
        id: ApplicationId,
        mut leave: impl FnMut(&mut Turns, Branch, Key),
    ) -> Option<Waiting> {
        let waiting = self.entries.remove(&id)?;
        let due = (waiting.patience_ends(&self.rules), id);
        self.overdue.remove(&due);
        match waiting.claim {
            Claim::EmergencyRevocation => {
                self.emergency.remove(&due);
            }
            Claim::Renewal { expires } => {
                leave(&mut self.renewals, waiting.branch, (expires, id));
                self.oldest.remove(&(waiting.received, id));
                if let Some(turns) = self.savable.get_mut(&expires) {
                    leave(turns, waiting.branch, (expires, id));
                    if turns.len() == 0 {
                        self.savable.remove(&expires);
                    }
                }
            }
            Claim::Revocation | Claim::New => leave(&mut self.undated, waiting.branch, due),
        }
        Some(waiting)
    }
}
