//! What can go wrong in a store.

use std::{path::PathBuf, sync::Arc};

use lgpki_domain::{ErrorClass, random::RandomnessFailed};
use lgpki_ledger::{EntryError, LogError, PublishError};

/// A store cannot be opened, or cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An entry of the log could not be read by this program.
    #[error("entry {index} of the log cannot be read")]
    Entry {
        /// The entry's index.
        index: u64,
        /// Why.
        source: EntryError,
    },
    /// What is published does not fit the log, or cannot be read or written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The log was set back behind a point that others have seen.
    #[error(
        "the log in {dir} {what}: it was set back, or restored from an old copy; others have seen \
         entries it no longer holds, so the service does not start: restore the newest copy, or take \
         back what is missing with `lgpki restore heal --mirror {dir}/audit`"
    )]
    SetBack {
        /// The service's data directory.
        dir: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The directory is sealed.
    #[error("the data directory {dir} is sealed: {why}")]
    Sealed {
        /// The service's data directory.
        dir: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// The index failed, and could not be rebuilt.
    #[error("the index of the log failed: {0}; free space if there is none, then start again")]
    Index(String),
    /// What a machine found in its tables does not make sense.
    #[error("the index of the log holds what was never written: {0}")]
    Corrupt(String),
    /// The openings file failed.
    #[error("cannot {doing} {path}; check the disk and the permissions, then start again")]
    Openings {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// No random bytes for a salt.
    #[error(transparent)]
    Randomness(#[from] RandomnessFailed),
    /// The engine stopped after an error; the process should end and be started anew.
    #[error("the store stopped: {0}")]
    Stopped(Arc<str>),
    /// The engine was closed.
    #[error("the store is closed")]
    Closed,
    /// The queue of submissions is full.
    #[error("the store's queue is full; try again shortly")]
    Overloaded,
}

impl StoreError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Log(e) => e.class(),
            Self::Publish(e) => e.class(),
            Self::Entry { source, .. } => source.class(),
            Self::SetBack { .. } | Self::Corrupt(_) => ErrorClass::Corrupt,
            Self::Sealed { .. } => ErrorClass::WrongState,
            Self::Randomness(_) => ErrorClass::Internal,
            Self::Index(_)
            | Self::Openings { .. }
            | Self::Stopped(_)
            | Self::Closed
            | Self::Overloaded => ErrorClass::Unavailable,
        }
    }
}

/// An error's message with those of its sources, for a log line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(e) = source {
        text.push_str(": ");
        text.push_str(&e.to_string());
        source = e.source();
    }
    text
}
