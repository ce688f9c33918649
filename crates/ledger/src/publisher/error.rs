//! Why a log could not be published. The messages are read by whoever runs the service.

use std::{
    io,
    path::{Path, PathBuf},
};

use lgpki_domain::ErrorClass;

use crate::{error::LogError, note::NoteError, published::TreeError};

/// A log could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// No space is left.
    #[error(
        "no space is left for the published log at {path}; nothing recorded is lost: free space on \
         that file system"
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Any other input or output error.
    #[error("cannot {doing} {path} of the published log; check the disk and the permissions")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What is published already cannot be read.
    #[error("the published logs cannot be read")]
    Published(#[from] TreeError),
    /// The log itself cannot be read.
    #[error("the log that is to be published cannot be read")]
    Log(#[from] LogError),
    /// The published checkpoint is none of this log's key.
    #[error(
        "the published checkpoint {path} is not one that this log's key signed; the directory \
         belongs to another log, or the checkpoint was changed"
    )]
    Foreign {
        /// The checkpoint's file.
        path: PathBuf,
        /// What is wrong with it.
        source: NoteError,
    },
    /// More was published than the log holds.
    #[error(
        "the published checkpoint {path} speaks of {size} entries with a root that the log does not \
         have: the log was set back behind what it has published, or was changed; restore the log, \
         not the published files"
    )]
    SetBack {
        /// The checkpoint's file.
        path: PathBuf,
        /// The entries that the checkpoint speaks of.
        size: u64,
    },
    /// The log's entries do not have the root that was signed for them.
    #[error(
        "the log's entries do not have the root that its checkpoint of {size} entries says: the log was altered where \
         it lies; nothing of it was published: restore the whole data directory from a copy"
    )]
    Altered {
        /// The entries that the checkpoint speaks of.
        size: u64,
    },
    /// The note that is to be published does not follow from the log.
    #[error("a checkpoint of {size} entries does not follow from the log; nothing was published")]
    Unfit {
        /// The entries that the note speaks of.
        size: u64,
    },
}

impl PublishError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::DiskFull { .. } | Self::Io { .. } => ErrorClass::Unavailable,
            Self::Published(error) => error.class(),
            Self::Log(error) => error.class(),
            Self::Foreign { .. } | Self::SetBack { .. } | Self::Altered { .. } => {
                ErrorClass::Corrupt
            }
            Self::Unfit { .. } => ErrorClass::Internal,
        }
    }

    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
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
