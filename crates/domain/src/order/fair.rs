//! The fair order; the rules are told in the module above.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use super::{
    Claim, Waiting,
    turns::{Branch, Key, Turns},
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

/// Why an application is taken when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// An emergency revocation.
    Emergency,
    /// Its patience has ended.
    Overdue,
    /// The certificate would expire before its turn.
    AtRisk,
    /// Its branch's turn among renewals.
    Share,
    /// It was received first of all renewals.
    Oldest,
    /// Its branch's turn in the share reserved for applications without a date.
    Reserve,
}

impl Class {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Overdue => "overdue",
            Self::AtRisk => "at-risk",
            Self::Share => "share",
            Self::Oldest => "oldest",
            Self::Reserve => "reserve",
        }
    }
}

/// Why an application stands where it stands, if nothing else arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many are taken before it.
    pub ahead: usize,
    /// The same by the reason for which each is taken.
    pub ahead_by_class: BTreeMap<Class, usize>,
    /// For what reason it is taken itself.
    pub class: Class,
    /// When its patience ends: from then on, one turn in [`FairRules::overdue_every`] is owed to it and to those
    /// that were due before it.
    pub patience_ends: Timestamp,
    /// How many of its branch wait.
    pub of_branch: usize,
    /// Its branch's weight.
    pub weight: u32,
    /// The weights of all branches that wait in the same turns.
    pub weights: u64,
}

/// Such as `12 are taken before it (2 emergency, 10 at-risk); …`.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{} taken before it", self.ahead);
        for (i, (class, n)) in self.ahead_by_class.iter().enumerate() {
            text.push_str(if i == 0 { " (" } else { ", " });
            let _ = write!(text, "{n} {}", class.name());
        }
        if !self.ahead_by_class.is_empty() {
            text.push(')');
        }
        let why = match self.class {
            Class::Emergency => String::from("an emergency revocation comes first"),
            Class::Overdue => String::from("its patience has ended, so that a turn is owed to it"),
            Class::AtRisk => String::from("its certificate would expire before its turn"),
            Class::Share => String::from("it is its branch's turn among the renewals"),
            Class::Oldest => String::from("it is the renewal that was received first"),
            Class::Reserve => {
                String::from("it is its branch's turn in the share reserved for what has no date")
            }
        };
        write!(
            f,
            "{text}; then {why}. Its branch has {} waiting, and weight {} of {}. From {} on it is overdue and a turn is \
             owed to it after those that were due before it",
            self.of_branch,
            self.weight,
            self.weights,
            self.patience_ends.jst_date()
        )
    }
}

/// Waiting applications in the fair order.
#[derive(Clone, Debug)]
pub struct FairOrder {
    rules: FairRules,
    weights: BTreeMap<Branch, u32>,
    entries: BTreeMap<ApplicationId, Waiting>,
    emergency: BTreeSet<Key>,
    /// By the end of patience, all but emergencies.
    overdue: BTreeSet<Key>,
    /// Renewals of what has not expired, by expiry, with turns of branches among those of one instant.
    savable: BTreeMap<Timestamp, Turns>,
    /// All renewals, by expiry within their branches.
    renewals: Turns,
    /// All renewals, by receipt.
    oldest: BTreeSet<Key>,
    /// What has no date.
    undated: Turns,
    /// Hundredths of a turn that the undated have saved up.
    credit: u8,
    /// Turns since one was owed to the overdue.
    turns: u8,
    /// Turns of renewals since one was owed to the oldest.
    shares: u8,
}

impl FairOrder {
    /// An empty queue.
    #[must_use]
    pub fn new(rules: FairRules) -> Self {
        Self {
            rules,
            weights: BTreeMap::new(),
            entries: BTreeMap::new(),
            emergency: BTreeSet::new(),
            overdue: BTreeSet::new(),
            savable: BTreeMap::new(),
            renewals: Turns::default(),
            oldest: BTreeSet::new(),
            undated: Turns::default(),
            credit: 0,
            turns: 0,
            shares: 0,
        }
    }

    /// Says how many certificates a branch holds. Its turns are weighed by the square root, so that a city gets more
    /// of them than a village, but waits longer for its last; a branch that was never weighed has weight 1.
    pub fn weigh(&mut self, branch: Option<BodyCode>, certificates: u32) {
        self.weights.insert(branch, certificates.isqrt().max(1));
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
        self.count(class);
        let weight = self.weight(self.entries.get(&id)?.branch);
        let waiting = self.leave(id, |turns, branch, key| turns.serve(branch, key, weight))?;
        Some((waiting, class))
    }

    /// Why an application stands where it stands; `None` if it does not wait.
    #[must_use]
    pub fn explain(
        &self,
        id: ApplicationId,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
    ) -> Option<Standing> {
        let waiting = self.entries.get(&id)?;
        let turns = if waiting.expires().is_some() {
            &self.renewals
        } else {
            &self.undated
        };
        let mut walk = self.clone();
        let mut ahead_by_class = BTreeMap::new();
        loop {
            let (taken, class) = walk.take(now, at_risk_until)?;
            if taken.id == id {
                let weights = turns.branches().map(|b| u64::from(self.weight(b)));
                return Some(Standing {
                    ahead: ahead_by_class.values().sum(),
                    ahead_by_class,
                    class,
                    patience_ends: waiting.patience_ends(&self.rules),
                    of_branch: turns.len_of(waiting.branch),
                    weight: self.weight(waiting.branch),
                    weights: weights.sum(),
                });
            }
            *ahead_by_class.entry(class).or_default() += 1;
        }
    }

    fn weight(&self, branch: Branch) -> u32 {
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
        if let Some((_, id)) = self.emergency.first() {
            return Some((*id, Class::Emergency));
        }
        let overdue = self.overdue.first().filter(|(due, _)| *due <= now);
        if let Some((_, id)) =
            overdue.filter(|_| self.turns.saturating_add(1) >= self.rules.overdue_every)
        {
            return Some((*id, Class::Overdue));
        }
        let earliest = self.savable.first_key_value();
        let at_risk = earliest.filter(|(expires, _)| Some(**expires) <= at_risk_until);
        if let Some(id) = at_risk.and_then(|(_, turns)| turns.next()) {
            return Some((id, Class::AtRisk));
        }
        let share = if self.shares.saturating_add(1) >= self.rules.oldest_every {
            self.oldest.first().map(|(_, id)| (*id, Class::Oldest))
        } else {
            self.renewals.next().map(|id| (id, Class::Share))
        };
        let reserve = self.undated.next().map(|id| (id, Class::Reserve));
        if self.credit.saturating_add(self.rules.reserve_percent) >= 100 {
            reserve.or(share)
        } else {
            share.or(reserve)
        }
    }

    /// Counts a turn towards what is owed.
    fn count(&mut self, class: Class) {
        let contested = self.renewals.len() > 0 && self.undated.len() > 0;
        let credit = self.credit.saturating_add(self.rules.reserve_percent);
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
