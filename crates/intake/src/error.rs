//! What can go wrong in intake.

use lgpki_domain::ErrorClass;
use lgpki_ledger::EntryError;

/// Intake's store cannot do what it was asked. Refusals are answers, not errors.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] lgpki_store::StoreError),
    /// What was asked for does not fit into the log's entries.
    #[error("this cannot be recorded; send less at a time")]
    Unrecordable(#[source] EntryError),
    /// The index and the log contradict each other.
    #[error(
        "the index does not fit the log: {0}; stop the service, remove its index directory and start again"
    )]
    Inconsistent(String),
}

impl StoreError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Engine(e) => e.class(),
            Self::Unrecordable(e) => e.class(),
            Self::Inconsistent(_) => ErrorClass::Corrupt,
        }
    }
}
