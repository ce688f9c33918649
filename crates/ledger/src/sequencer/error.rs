//! Why nothing can be sequenced. Each engine says where its log lies, and what to do.

use lgpki_domain::ErrorClass;

use crate::{entry::MAX_ENTRY_BYTES, error::EntryError};

/// Entries cannot be sequenced, or a log cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    /// An entry is longer than it may be.
    #[error("an entry of {size} bytes is over the limit of {MAX_ENTRY_BYTES}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// No opening entry can be written.
    #[error("the entry that opens a log cannot be written")]
    Opening(#[source] EntryError),
    /// A log that was set back does not go on with this year.
    #[error("the log of {year} does not go on where this one ends")]
    Elsewhere {
        /// The year.
        year: i16,
    },
    /// The newest head was signed with another key, or under another name.
    #[error("the newest head does not verify with this service's log key as {origin}")]
    Unsigned {
        /// The name under which it was verified.
        origin: String,
    },
    /// The heads are of other trees.
    #[error("the newest heads do not follow from the trees")]
    Disagree,
    /// The bytes are no state, or were damaged.
    #[error("the state of the log is damaged, or was written by another version of this program")]
    Form,
    /// Another batch was committed since this one was planned.
    #[error("a batch was committed that another one had overtaken")]
    Stale,
}

impl SequenceError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::TooLarge { .. } => ErrorClass::InvalidInput,
            Self::Opening(error) => error.class(),
            Self::Elsewhere { .. } | Self::Unsigned { .. } | Self::Disagree | Self::Form => {
                ErrorClass::Corrupt
            }
            Self::Stale => ErrorClass::Internal,
        }
    }
}

impl From<EntryError> for SequenceError {
    fn from(error: EntryError) -> Self {
        Self::Opening(error)
    }
}
