//! What can go wrong with an entry and with the log's files.
//!
//! The messages of [`LogError`] are read by whoever runs the service, at start-up or when a disk
//! fills; each says what to do.

use std::{io, path::PathBuf};

use lgpki_domain::ErrorClass;

use crate::entry::MAX_ENTRY_BYTES;

/// An entry cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Longer than an entry may be.
    #[error("an entry {kind} of {size} bytes is over the limit of {MAX_ENTRY_BYTES}")]
    TooLarge {
        /// The entry's kind.
        kind: &'static str,
        /// Its size in bytes.
        size: usize,
    },
    /// The entry's JSON could not be made or read.
    #[error(
        "an entry is not of the form that this program writes: it was written by another version of this \
         program, which can still read it, or is damaged"
    )]
    Form(#[from] serde_json::Error),
    /// The bytes are JSON, but not in canonical form.
    #[error("an entry is not canonical JSON: {0}")]
    NotCanonical(String),
    /// A kind this program does not know.
    #[error(
        "the log holds an entry of the unknown kind {0:?}: it was written by another version of this \
         program; start that one, or a newer one"
    )]
    UnknownKind(String),
    /// A version of a kind that this program does not know.
    #[error(
        "the log holds {kind} in version {version}: it was written by another version of this program; \
         start that one, or a newer one"
    )]
    UnknownVersion {
        /// The entry's kind.
        kind: &'static str,
        /// Its version.
        version: u32,
    },
}

impl EntryError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::TooLarge { .. } => ErrorClass::InvalidInput,
            Self::Form(_) | Self::NotCanonical(_) => ErrorClass::Corrupt,
            Self::UnknownKind(_) | Self::UnknownVersion { .. } => ErrorClass::Internal,
        }
    }
}

/// The log cannot be opened, read or appended to.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another process holds the directory.
    #[error(
        "the data directory {0} is in use by another process; it belongs to one service process \
         at a time: stop the other one or give this one a directory of its own"
    )]
    InUse(PathBuf),
    /// The disk is full.
    #[error(
        "no space is left for {path}; nothing unacknowledged was kept: free space on that file \
         system and start the service again"
    )]
    DiskFull {
        /// The file that was being written.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Any other input or output error.
    #[error("cannot {doing} {path}; check the disk and the permissions, then start again")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Committed data is damaged.
    #[error(
        "the log file {path} is damaged at byte {offset}: {what}; do not remove it: restore the \
         whole data directory from a copy or from a replica"
    )]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// The files were written before there were signed heads.
    #[error(
        "the log file {0} is of a form that this program no longer reads (it has no signed heads): run the \
         program that wrote it, or begin anew with `lgpki init` in an empty directory"
    )]
    OldForm(PathBuf),
    /// The newest head was signed with another key, or under another name.
    #[error(
        "the newest head of the log in {dir} does not verify with this service's log key as {origin}: give \
         the service the log_key and the log_origin that it has always had; if they are, the log was \
         altered: restore the whole data directory from a copy"
    )]
    Unsigned {
        /// The log's directory.
        dir: PathBuf,
        /// The name under which it was verified.
        origin: String,
    },
    /// An earlier error stopped the log; only opening it anew can show what was kept.
    #[error("the log stopped after an earlier error: {0}")]
    Poisoned(String),
    /// An index at or past the durable end.
    #[error("entry {index} is not in the log, which holds {size}")]
    Beyond {
        /// The index that was asked for.
        index: u64,
        /// Durable entries.
        size: u64,
    },
}

impl LogError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::InUse(_) | Self::DiskFull { .. } | Self::Io { .. } | Self::Poisoned(_) => {
                ErrorClass::Unavailable
            }
            Self::Corrupt { .. } | Self::Unsigned { .. } => ErrorClass::Corrupt,
            Self::OldForm(_) => ErrorClass::Internal,
            Self::Beyond { .. } => ErrorClass::NotFound,
        }
    }

    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source }
            }
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }
}
