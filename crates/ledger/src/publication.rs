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
    /// A witness says that the log was set back or forked.
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
        if let Some(witnessed) = &self.witnessed {
            let disputed = |one: &WitnessStanding| {
                let witness = one.name.clone();
                one.dispute
                    .clone()
                    .map(|what| Hold::Disputed { witness, what })
            };
            if let Some(hold) = witnessed.each.iter().find_map(disputed) {
                return Some(hold);
            }
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

/// How one witness stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessStanding {
    /// Its name.
    pub name: String,
    /// Why it did not cosign when it was last asked; none if it did.
    pub failing: Option<Arc<str>>,
    /// What it says of a log that contradicts what is published here.
    pub dispute: Option<Arc<str>>,
}
