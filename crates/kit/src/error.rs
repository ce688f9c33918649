//! Why the standard system refuses: what, with what, and what to do.

use std::{io, path::PathBuf};

use lgpki_domain::{ErrorClass, Faults, random::RandomnessFailed};
use lgpki_keys::KeyError;
use lgpki_x509::X509Error;

/// The standard system did not do what was asked; nothing was changed unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// No settings yet.
    #[error(
        "the standard system is not set up on this PC ({directory} holds no settings); run `setup` with \
         the body's names, its code and, if it has one, its login certificate first", directory = .directory.display()
    )]
    NotSetUp {
        /// The PC's directory.
        directory: PathBuf,
    },
    /// What was given to `setup` does not fit the login certificate.
    #[error("the settings were not made: {0}")]
    SetUpRefused(Faults),
    /// What was ordered cannot be requested.
    #[error("no key pair was made: {0}")]
    OrderRefused(Faults),
    /// The certificate may not be stored on this medium from here.
    #[error("the certificate was not stored: {0}")]
    StoreRefused(Faults),
    /// The PIN breaks the rules.
    #[error("the PIN {why}; a PIN has 4 to 16 characters of A-Z a-z 0-9")]
    PinRule {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another PIN.
    #[error("the PIN is wrong; {left} more wrong PINs lock the medium {medium}")]
    WrongPin {
        /// The medium's id.
        medium: String,
        /// How often may still be tried.
        left: u32,
    },
    /// Too many wrong PINs.
    #[error(
        "the medium {medium} is locked after {tries} wrong PINs and its key can no longer be used; have \
         its certificate, if it has one, revoked (失効申請), then format the medium with --destroy-key \
         and apply anew"
    )]
    Locked {
        /// The medium's id.
        medium: String,
        /// How many PINs were tried.
        tries: u32,
    },
    /// No formatted medium stands there.
    #[error(
        "{path} is not a formatted key medium; every medium, a new one too, is formatted before it is \
         used (R4): run `format`", path = .path.display()
    )]
    NotFormatted {
        /// The place.
        path: PathBuf,
    },
    /// Formatting would overwrite what is no medium.
    #[error(
        "{path} holds other files and is not formatted; give a new or empty directory for the simulated \
         medium", path = .path.display()
    )]
    NotEmpty {
        /// The place.
        path: PathBuf,
    },
    /// A web server's own key store is no medium of this system.
    #[error(
        "a web server's key is made on the server itself (R6); media for formatting are ic-card and \
         usb-token"
    )]
    NoSuchMedium,
    /// Formatting would destroy a key that is in use.
    #[error(
        "the medium {medium} {holds}; formatting it would destroy the key for good (R4). {advice} To \
         destroy the key nevertheless, repeat with --destroy-key"
    )]
    KeyWouldBeDestroyed {
        /// The medium's id.
        medium: String,
        /// What it holds.
        holds: String,
        /// What to do first.
        advice: &'static str,
    },
    /// The medium holds a key already.
    #[error("the medium {medium} {holds}, and a medium holds one key; {advice}")]
    MediumInUse {
        /// The medium's id.
        medium: String,
        /// What it holds.
        holds: String,
        /// What to do.
        advice: &'static str,
    },
    /// There is no request that a certificate could answer.
    #[error(
        "the medium {medium} {holds}, so there is no request that this certificate could answer; run \
         `request` and apply first"
    )]
    NoRequest {
        /// The medium's id.
        medium: String,
        /// What it holds instead.
        holds: String,
    },
    /// Nobody can log in with this medium.
    #[error("the medium {medium} {holds}; log in with a login card or login data")]
    NoLogin {
        /// The medium's id.
        medium: String,
        /// What it holds instead.
        holds: String,
    },
    /// A certificate and a key that are not a pair.
    #[error(
        "{what} is not for the private key that came with it; give the two that belong together"
    )]
    NotAPair {
        /// The certificate in question.
        what: &'static str,
    },
    /// Not a certificate of the kind that is needed.
    #[error("the certificate given is {found}, not {needed}")]
    WrongCertificate {
        /// What it is.
        found: String,
        /// What it should be.
        needed: &'static str,
    },
    /// A stored record cannot be understood.
    #[error(
        "{path} is damaged or of a newer version ({why}); restore it, or give the medium up: have its \
         certificate revoked and format it with --destroy-key", path = .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
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
    /// The name of the PC or of the login is not to be found.
    #[error("the {what} cannot be told; give it explicitly")]
    NoIdentity {
        /// What is missing.
        what: &'static str,
    },
    /// A key could not be made, opened or used.
    #[error("the key cannot be used")]
    Key(#[from] KeyError),
    /// A certificate or CSR could not be read or written.
    #[error("{what} cannot be used")]
    X509 {
        /// Which.
        what: &'static str,
        /// Why not.
        source: X509Error,
    },
    /// No random bytes.
    #[error("no identifier could be drawn for the medium")]
    Random(#[from] RandomnessFailed),
}

impl KitError {
    /// What kind of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::SetUpRefused(_)
            | Self::OrderRefused(_)
            | Self::StoreRefused(_)
            | Self::PinRule { .. }
            | Self::NoSuchMedium
            | Self::NotAPair { .. }
            | Self::WrongCertificate { .. }
            | Self::NoIdentity { .. } => ErrorClass::InvalidInput,
            Self::WrongPin { .. } => ErrorClass::Unauthenticated,
            Self::Locked { .. } => ErrorClass::Forbidden,
            Self::NotFormatted { .. } => ErrorClass::NotFound,
            Self::NotSetUp { .. }
            | Self::NotEmpty { .. }
            | Self::KeyWouldBeDestroyed { .. }
            | Self::MediumInUse { .. }
            | Self::NoRequest { .. }
            | Self::NoLogin { .. } => ErrorClass::WrongState,
            Self::Damaged { .. } => ErrorClass::Corrupt,
            Self::File { .. } => ErrorClass::Unavailable,
            Self::Random(_) => ErrorClass::Internal,
            Self::Key(source) => source.class(),
            Self::X509 { source, .. } => source.class(),
        }
    }

    /// A stable upper-case reason, for programs; of a refusal with several faults, that they are
    /// listed.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotSetUp { .. } => "KIT_NOT_SET_UP",
            Self::SetUpRefused(_) => "KIT_SETUP_REFUSED",
            Self::OrderRefused(_) => "KIT_ORDER_REFUSED",
            Self::StoreRefused(_) => "KIT_STORE_REFUSED",
            Self::PinRule { .. } => "PIN_RULE",
            Self::WrongPin { .. } => "PIN_WRONG",
            Self::Locked { .. } => "MEDIUM_LOCKED",
            Self::NotFormatted { .. } => "MEDIUM_NOT_FORMATTED",
            Self::NotEmpty { .. } => "MEDIUM_NOT_EMPTY",
            Self::NoSuchMedium => "MEDIUM_UNKNOWN",
            Self::KeyWouldBeDestroyed { .. } => "MEDIUM_KEY_WOULD_BE_DESTROYED",
            Self::MediumInUse { .. } => "MEDIUM_IN_USE",
            Self::NoRequest { .. } => "MEDIUM_WITHOUT_REQUEST",
            Self::NoLogin { .. } => "MEDIUM_WITHOUT_LOGIN",
            Self::NotAPair { .. } => "KEY_NOT_THE_CERTIFICATES",
            Self::WrongCertificate { .. } => "CERTIFICATE_OF_OTHER_KIND",
            Self::Damaged { .. } => "RECORD_DAMAGED",
            Self::File { .. } => "FILE_UNUSABLE",
            Self::NoIdentity { .. } => "PC_UNKNOWN",
            Self::Key(_) => "KEY_UNUSABLE",
            Self::X509 { .. } => "X509_UNUSABLE",
            Self::Random(_) => "RANDOMNESS_FAILED",
        }
    }

    /// The faults of a refusal that lists several.
    #[must_use]
    pub const fn faults(&self) -> Option<&Faults> {
        match self {
            Self::SetUpRefused(faults)
            | Self::OrderRefused(faults)
            | Self::StoreRefused(faults) => Some(faults),
            _ => None,
        }
    }

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

    pub(crate) fn x509(what: &'static str) -> impl FnOnce(X509Error) -> Self {
        move |source| Self::X509 { what, source }
    }

    pub(crate) fn damaged(path: &std::path::Path, why: &impl std::fmt::Display) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }
}
