//! Why a log was not pulled: the source is away, or what it says is refused.

use std::{
    io,
    path::{Path, PathBuf},
};

use lgpki_domain::ErrorClass;
use lgpki_ledger::{PublishError, Tile, TreeError};

use super::source::SourceError;

/// What a source said and is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its checkpoint is not one that the log's key signed.
    #[error("its checkpoint is not accepted: {0}")]
    Checkpoint(String),
    /// No key is known for it.
    #[error("no verifier key of the log {0} is known: give it with --key")]
    UnknownKey(String),
    /// Its checkpoint is of another log than was asked for, or than was kept.
    #[error("its checkpoint is of another log, {0}")]
    AnotherLog(String),
    /// It has fewer entries than it had.
    #[error("the log was set back: it had {had} entries, and its checkpoint speaks of {has}")]
    SetBack {
        /// The entries kept.
        had: u64,
        /// The entries that its checkpoint speaks of.
        has: u64,
    },
    /// It is not the log that it was.
    #[error(
        "the log does not continue what was kept: {has} entries that are not those {had} and more; the log \
         was rewritten"
    )]
    Forked {
        /// The entries kept.
        had: u64,
        /// The entries that its checkpoint speaks of.
        has: u64,
        /// Where its checkpoint lies, which proves it together with the kept one.
        evidence: Option<PathBuf>,
    },
    /// A file is not there.
    #[error("{0} is not there")]
    Missing(Tile),
    /// A file is not what the log's entries make it.
    #[error("{tile} is not believed: {what}")]
    Tile {
        /// The file.
        tile: Tile,
        /// What is wrong with it.
        what: String,
    },
    /// The entries are not those of the checkpoint.
    #[error("its entries do not have the root that its checkpoint signs for")]
    Entries,
}

impl Refusal {
    /// A stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Checkpoint(_) => "checkpoint",
            Self::UnknownKey(_) => "unknown-key",
            Self::AnotherLog(_) => "another-log",
            Self::SetBack { .. } => "set-back",
            Self::Forked { .. } => "forked",
            Self::Missing(_) => "missing",
            Self::Tile { .. } => "tile",
            Self::Entries => "entries",
        }
    }
}

/// A log was not pulled; what was kept of it stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The source is away or talks nonsense.
    #[error("the logs cannot be fetched")]
    Source(#[from] SourceError),
    /// What the source says is not believed.
    #[error("{log} is refused: {why}")]
    Refused {
        /// The log.
        log: String,
        /// Why.
        why: Refusal,
    },
    /// What is kept cannot be used.
    #[error("what is kept in {} cannot be used: {why}", path.display())]
    Kept {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Somebody else pulls.
    #[error("another process pulls into {}", .0.display())]
    Busy(PathBuf),
    /// A file or directory cannot be read or written.
    #[error("cannot {doing} {}", path.display())]
    Disk {
        /// What was to be done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The copy cannot be written.
    #[error("the copy of the log cannot be written")]
    Write(#[from] PublishError),
    /// The copy cannot be read.
    #[error("the copy of the log cannot be read")]
    Read(#[from] TreeError),
}

impl PullError {
    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Source(error) => error.class(),
            Self::Refused { .. } | Self::Kept { .. } => ErrorClass::Corrupt,
            Self::Busy(_) => ErrorClass::Unavailable,
            Self::Disk { .. } => ErrorClass::Internal,
            Self::Write(error) => error.class(),
            Self::Read(error) => error.class(),
        }
    }

    /// Why it was refused, if it was.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { why, .. } => Some(why),
            _ => None,
        }
    }

    pub(super) fn refused(log: &str, why: Refusal) -> Self {
        let log = log.to_owned();
        Self::Refused { log, why }
    }

    /// The same of a log by its full name.
    pub(super) fn of(self, log: &str) -> Self {
        match self {
            Self::Refused { why, .. } => Self::refused(log, why),
            other => other,
        }
    }

    pub(super) fn kept(path: &Path, why: &str) -> Self {
        let (path, why) = (path.to_owned(), why.to_owned());
        Self::Kept { path, why }
    }

    pub(super) fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Disk {
            doing,
            path,
            source,
        }
    }
}
