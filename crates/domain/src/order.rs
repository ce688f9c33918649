//! In which order waiting applications are taken: the fair order, and plain ones to compare it with.
//!
//! The fair order takes emergency revocations first; then renewals whose certificate would expire before their
//! turn, the earliest expiry first; then, in weighted turns of the branches, the earliest expiry of each, while
//! applications without a date keep a reserved share of the turns. Every second turn of the branches goes to the
//! renewal that was received first, so that as long as nothing is at risk nobody waits more than twice as long as in
//! the order of receipt. What would expire may borrow from all of them, but not for ever: who has waited past the end of its patience ([`Waiting::patience_ends`]) is owed one turn in
//! [`FairRules::overdue_every`], so that it is taken within that many turns for itself and for each that was due
//! before it, whatever arrives meanwhile (only emergency revocations are not counted). Nothing here depends on the
//! order in which applications were put in: ties are broken by expiry, then by application number. No operation
//! costs more than the logarithm of what waits, except [`FairOrder::explain`], which walks to a near place without
//! changing anything on its way, and [`FairOrder::glance`], which counts some hundreds.

mod fair;
mod plain;
mod ranked;
mod standing;
mod turns;
mod walk;

use crate::{
    id::{ApplicationId, BodyCode},
    time::Timestamp,
};

pub use fair::{FairOrder, FairRules};
pub use plain::PlainOrder;
pub use standing::{Class, Standing};
pub use walk::Walk;

const DAY_MILLIS: i64 = 86_400_000;

/// What an application waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// A key is lost or disclosed.
    EmergencyRevocation,
    /// Any other revocation (失効) or abolition (廃止).
    Revocation,
    /// The renewal of a certificate that has expired at this instant.
    Renewal {
        /// The first instant at which the certificate is no longer valid.
        expires: Timestamp,
    },
    /// A new certificate; nothing expires if it waits.
    New,
}

/// An application in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// Its number.
    pub id: ApplicationId,
    /// Whose it is; none for operators and auditors, who together count as one branch.
    pub branch: Option<BodyCode>,
    /// When it was received.
    pub received: Timestamp,
    /// What it waits for.
    pub claim: Claim,
}

impl Waiting {
    /// When the certificate that it renews has expired.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        match self.claim {
            Claim::Renewal { expires } => Some(expires),
            _ => None,
        }
    }

    /// Whether the certificate that it renews has expired at `now`.
    #[must_use]
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.expires().is_some_and(|expires| expires <= now)
    }

    /// Until when others may be preferred without limit: for a renewal, so many days after expiry; for
    /// everything else, after receipt.
    #[must_use]
    pub fn patience_ends(&self, rules: &FairRules) -> Timestamp {
        let days = |days: u16| i64::from(days) * DAY_MILLIS;
        match self.claim {
            Claim::EmergencyRevocation => self.received,
            Claim::Revocation => self.received.plus_millis(days(rules.revocation_days)),
            Claim::New => self.received.plus_millis(days(rules.patience_days)),
            Claim::Renewal { expires } => {
                let from = expires.max(self.received);
                from.plus_millis(days(rules.patience_days))
            }
        }
    }
}

/// The orders by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OrderName {
    /// The fair order.
    Fair,
    /// First come, first served.
    Fifo,
    /// First come, first served, but those whose certificate has expired come last.
    FifoPassing,
    /// Earliest expiry first, but those whose certificate has expired come last: with equal work for each, no order
    /// lets fewer expire.
    EarliestExpiry,
}

impl OrderName {
    /// Every order.
    pub const ALL: [Self; 4] = [
        Self::Fair,
        Self::Fifo,
        Self::FifoPassing,
        Self::EarliestExpiry,
    ];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fair => "fair",
            Self::Fifo => "fifo",
            Self::FifoPassing => "fifo-passing",
            Self::EarliestExpiry => "earliest-expiry",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.name() == name)
    }
}

/// A queue in one of the orders.
#[derive(Clone, Debug)]
pub enum Queue {
    /// In the fair order.
    Fair(Box<FairOrder>),
    /// In a plain one.
    Plain(PlainOrder),
}

impl Queue {
    /// An empty queue in the order of this name.
    #[must_use]
    pub fn new(order: OrderName, rules: FairRules) -> Self {
        match order {
            OrderName::Fair => Self::Fair(Box::new(FairOrder::new(rules))),
            plain => Self::Plain(PlainOrder::new(plain)),
        }
    }

    /// Says how many certificates a branch holds; the fair order weighs its turns by the square root.
    pub fn weigh(&mut self, branch: Option<BodyCode>, certificates: u32) {
        if let Self::Fair(fair) = self {
            fair.weigh(branch, certificates);
        }
    }

    /// Puts an application in; `false` if its number is in already, which changes nothing.
    pub fn insert(&mut self, waiting: Waiting) -> bool {
        match self {
            Self::Fair(fair) => fair.insert(waiting),
            Self::Plain(plain) => plain.insert(waiting),
        }
    }

    /// Takes out an application that has been withdrawn.
    pub fn remove(&mut self, id: ApplicationId) -> Option<Waiting> {
        match self {
            Self::Fair(fair) => fair.remove(id),
            Self::Plain(plain) => plain.remove(id),
        }
    }

    /// Takes the next application at `now`. Renewals of what expires by `at_risk_until` would expire before their
    /// turn; see [`crate::estimate::Estimator::at_risk_until`]. Only the fair order cares.
    pub fn take(&mut self, now: Timestamp, at_risk_until: Option<Timestamp>) -> Option<Waiting> {
        match self {
            Self::Fair(fair) => fair.take(now, at_risk_until).map(|(waiting, _)| waiting),
            Self::Plain(plain) => plain.take(now),
        }
    }

    /// Takes this application, next or not, because it was worked on; the fair order counts the turn.
    pub fn serve(
        &mut self,
        id: ApplicationId,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
    ) -> Option<Waiting> {
        match self {
            Self::Fair(fair) => fair
                .serve(id, now, at_risk_until)
                .map(|(waiting, _)| waiting),
            Self::Plain(plain) => plain.serve(id, now),
        }
    }

    /// All that wait, in the order in which they would be taken if nothing else arrived, and why each. Nothing is
    /// taken; each step costs the logarithm of what waits.
    pub fn walk(
        &self,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
    ) -> impl Iterator<Item = (Waiting, Class)> + '_ {
        let (fair, plain) = match self {
            Self::Fair(fair) => (Some(fair.walk(now, at_risk_until)), None),
            Self::Plain(plain) => (None, Some(plain.walk(now))),
        };
        let fair = fair.into_iter().flatten();
        fair.chain(plain.into_iter().flatten())
    }

    /// About how many are taken before this application, which waits or is about to: exact in a plain order, rough
    /// in the fair one. Never walks through the queue; costs some hundred steps.
    #[must_use]
    pub fn glance(
        &self,
        waiting: &Waiting,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
    ) -> usize {
        match self {
            Self::Fair(fair) => fair.glance(waiting, now, at_risk_until),
            Self::Plain(plain) => plain.glance(waiting, now),
        }
    }

    /// All that wait, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> + '_ {
        match self {
            Self::Fair(fair) => fair.entries().values(),
            Self::Plain(plain) => plain.entries().values(),
        }
    }

    /// An application that waits.
    #[must_use]
    pub fn get(&self, id: ApplicationId) -> Option<&Waiting> {
        match self {
            Self::Fair(fair) => fair.get(id),
            Self::Plain(plain) => plain.get(id),
        }
    }

    /// Of the fair order: why an application stands where it stands, about so if it is not among the first `most`.
    #[must_use]
    pub fn explain(
        &self,
        id: ApplicationId,
        now: Timestamp,
        at_risk_until: Option<Timestamp>,
        most: usize,
    ) -> Option<Standing> {
        match self {
            Self::Fair(fair) => fair.explain(id, now, at_risk_until, most),
            Self::Plain(_) => None,
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Fair(fair) => fair.len(),
            Self::Plain(plain) => plain.len(),
        }
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
