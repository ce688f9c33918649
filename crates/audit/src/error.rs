//! What keeps an audit from being made at all; what is wrong with a log is a finding, not an error.

use std::path::PathBuf;

use lgpki_domain::ErrorClass;

/// An audit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The schema cannot be read.
    #[error("the schema of entries cannot be used: {0}")]
    Schema(String),
    /// A file cannot be read or written.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was to be done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What was seen of a log before cannot be relied on.
    #[error("what is remembered in {} cannot be relied on: {why}", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// There is nothing to audit.
    #[error("there is no log in {}", .0.display())]
    NoLog(PathBuf),
    /// A file is not what it should be.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What was asked for is not in the logs.
    #[error("{0}")]
    NotFound(String),
}

impl AuditError {
    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Schema(_) | Self::File { .. } => ErrorClass::Internal,
            Self::NoLog(_) | Self::NotFound(_) => ErrorClass::NotFound,
            Self::Memory { .. } | Self::Unreadable { .. } => ErrorClass::Corrupt,
        }
    }
}
