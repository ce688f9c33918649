//! What can go wrong with a key, told without any part of it.

use std::{io, path::PathBuf};

use lgpki_domain::{ErrorClass, KeyAlgorithm};
use openssl::error::ErrorStack;

/// A key or passphrase could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A passphrase of no characters.
    #[error("{origin} holds an empty passphrase; put at least one character into it")]
    EmptyPassphrase {
        /// Where it came from.
        origin: String,
    },
    /// A passphrase that OpenSSL could not take.
    #[error("{origin} holds {what}; a passphrase has 1 to {max} bytes, none of them NUL", max = crate::passphrase::LONGEST)]
    BadPassphrase {
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A passphrase file that others may read.
    #[error(
        "the passphrase file {path} may be read or written by others than its owner (mode {mode:03o}); \
         run `chmod 600 {path}`", path = .path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}", path = .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A key file stands where a new one was to be written.
    #[error(
        "{path} exists already and is not overwritten, for a key in it would be lost; move it away first",
        path = .path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The terminal could not be asked.
    #[error("cannot ask for the passphrase at the terminal; give it in a file instead")]
    Prompt(#[source] io::Error),
    /// The bytes are no encrypted private key.
    #[error(
        "this is not an encrypted PKCS#8 private key (PEM label ENCRYPTED PRIVATE KEY); encrypt a plain \
         one with `openssl pkcs8 -topk8 -v2 aes-256-cbc`"
    )]
    NotEncrypted,
    /// The passphrase does not open the key, or the key is damaged.
    #[error("the private key cannot be opened: the passphrase is wrong or the key is damaged")]
    WrongPassphrase,
    /// The key is none of the allowed algorithms.
    #[error(
        "the key is {found}; allowed are RSA of 2048, 3072 or 4096 bits with e = 65537, P-256, P-384 and \
         Ed25519"
    )]
    NotAllowed {
        /// What it is.
        found: String,
    },
    /// The algorithm does not sign SHA-256 digests.
    #[error("a key of {algorithm} does not sign SHA-256 digests")]
    NotADigest {
        /// The algorithm.
        algorithm: KeyAlgorithm,
    },
    /// OpenSSL failed at something that should succeed.
    #[error("OpenSSL failed to {doing}")]
    OpenSsl {
        /// What it was asked to do.
        doing: &'static str,
        /// Its own account.
        source: ErrorStack,
    },
}

impl KeyError {
    /// What kind of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::EmptyPassphrase { .. }
            | Self::BadPassphrase { .. }
            | Self::OpenToOthers { .. }
            | Self::NotEncrypted
            | Self::WrongPassphrase
            | Self::NotAllowed { .. }
            | Self::Prompt(_) => ErrorClass::InvalidInput,
            Self::Exists { .. } => ErrorClass::AlreadyExists,
            Self::File { .. } => ErrorClass::Unavailable,
            Self::OpenSsl { .. } | Self::NotADigest { .. } => ErrorClass::Internal,
        }
    }

    /// Names what OpenSSL was asked to do.
    pub(crate) fn openssl(doing: &'static str) -> impl FnOnce(ErrorStack) -> Self {
        move |source| Self::OpenSsl { doing, source }
    }

    /// Names the file that something was tried on.
    pub(crate) fn file(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
