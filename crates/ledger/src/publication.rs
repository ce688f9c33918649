//! How far a service's logs are published and cosigned, for whoever waits by it or tells of it.

use std::{sync::Arc, time::Duration};

/// How far publication has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The index after the newest entry that a published checkpoint speaks of.
    pub end: u64,
    /// For how long the oldest entry after that has been durable.
    pub lag: Duration,
    /// How long that may be.
    pub limit: Duration,
    /// Whether it is longer.
    pub late: bool,
    /// Why the last round failed, if it did.
    pub failing: Option<Arc<str>>,
    /// How far the witnesses have come, if there are any.
    pub witnessed: Option<Witnessed>,
}

/// How far the witnesses have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnessed {
    /// The index after the newest entry that enough of them have cosigned.
    pub end: u64,
    /// For how long the oldest entry after that has been durable.
    pub lag: Duration,
    /// How long that may be.
    pub limit: Duration,
    /// Whether it is longer.
    pub late: bool,
    /// Whether it is so long that certificates wait.
    pub stops: bool,
    /// Whether so many dispute a log that certificates wait, proved or not.
    pub outvoted: bool,
    /// How each stands.
    pub each: Vec<WitnessStanding>,
}

/// Why certificates wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The log has not been published for so long.
    Unpublished(Duration),
    /// The log has not been cosigned by enough witnesses for so long.
    Unwitnessed(Duration),
    /// A witness says that the log was set back or forked, and proves it; or too many say so.
    Disputed {
        /// Which.
        witness: String,
        /// What it says.
        what: Arc<str>,
    },
}

impl Publication {
    /// Why certificates wait, if they do.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        let dispute = self.witnessed.as_ref().and_then(Witnessed::dispute);
        if let Some((witness, dispute)) = dispute {
            let (witness, what) = (witness.to_owned(), Arc::clone(&dispute.what));
            return Some(Hold::Disputed { witness, what });
        }
        if self.late {
            return Some(Hold::Unpublished(self.lag));
        }
        let witnessed = self
            .witnessed
            .as_ref()
            .filter(|witnessed| witnessed.stops)?;
        Some(Hold::Unwitnessed(witnessed.lag))
    }
}

impl Witnessed {
    /// The dispute for which certificates wait, and whose it is: a proved one, or any where too many dispute.
    /// What is not proved is no witness's word: whoever stands on the way to it may have said so.
    #[must_use]
    pub fn dispute(&self) -> Option<(&str, &WitnessDispute)> {
        let of = |one: &'_ WitnessStanding| one.dispute.as_ref().map(|of| of.proved);
        let proved = self.each.iter().find(|one| of(one) == Some(true));
        let any = || {
            let mut each = self.each.iter();
            each.find(|one| self.outvoted && one.dispute.is_some())
        };
        let one = proved.or_else(any)?;
        Some((one.name.as_str(), one.dispute.as_ref()?))
    }
}

/// What a witness says of a log that contradicts what is published here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessDispute {
    /// Its words, or what it showed.
    pub what: Arc<str>,
    /// Whether it showed a checkpoint that the log's own key signed and the log does not hold.
    pub proved: bool,
}

/// How one witness stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessStanding {
    /// Its name.
    pub name: String,
    /// Why it did not cosign when it was last asked; none if it did.
    pub failing: Option<Arc<str>>,
    /// What it says of a log that contradicts what is published here.
    pub dispute: Option<WitnessDispute>,
}
