//! Why a CA's key is not rolled over.

use lgpki_domain::{Authority, JstDate};

/// Why a CA's key is not rolled over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollOverRefused {
    /// Another generation is asked for than can be made.
    #[error("generation {wanted} of the {authority} CA's key cannot be made now; {possible} can")]
    OtherGeneration {
        /// The CA.
        authority: Authority,
        /// What was asked for.
        wanted: u32,
        /// What can be made, or finished.
        possible: u32,
    },
    /// The newest generation is less than a year old.
    #[error(
        "generation {newest} of the {authority} CA's key, the newest, begins on {begins}, less than a \
         year before; to have its files written again, name that day or its number, {newest}; a further \
         key, should one be meant so soon, has the number {}", .newest + 1
    )]
    Lately {
        /// The CA.
        authority: Authority,
        /// The newest generation.
        newest: u32,
        /// Its first day.
        begins: JstDate,
    },
    /// The new certificate would not overlap with the one before.
    #[error(
        "a new generation of the {authority} CA's key cannot begin on {day}; its first day lies \
         after {after} and no later than {until}, so that the two can vouch for one another"
    )]
    Day {
        /// The CA.
        authority: Authority,
        /// The day asked for.
        day: JstDate,
        /// The first day of the generation before.
        after: JstDate,
        /// Its last.
        until: JstDate,
    },
    /// The addresses of the generation before are not of the usual form.
    #[error("the publication addresses of the {0} CA do not end as addresses of its key do")]
    Addresses(Authority),
}

impl RollOverRefused {
    /// The stable reason for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::OtherGeneration { .. } => "ROLLOVER_OTHER_GENERATION",
            Self::Lately { .. } => "ROLLOVER_LATELY",
            Self::Day { .. } => "ROLLOVER_DAY",
            Self::Addresses(_) => "ROLLOVER_ADDRESSES",
        }
    }
}
