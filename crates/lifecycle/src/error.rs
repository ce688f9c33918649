//! What can go wrong in lifecycle.
//!
//! [`StoreError`] is the store's; [`LifecycleError`] is what the service stops with or answers.
//! Texts of both are for the log and for whoever starts the service; clients get a `Failure`.

use std::{io, path::PathBuf, time::Duration};

use lgpki_domain::{Authority, ErrorClass};
use lgpki_ledger::EntryError;
use lgpki_proto::{Failure, RemoteError};
use lgpki_x509::error::X509Error;

use crate::{gate::Rule, ports::CrlList};

/// The inventory cannot be opened, read or added to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] lgpki_store::StoreError),
    /// The log does not hold what the index says.
    #[error("entry {index} of the log is not the certificate that the index takes it for")]
    Misplaced {
        /// The entry's index.
        index: u64,
    },
    /// An event does not fit into an entry.
    #[error("an event cannot be recorded")]
    Unrecordable(#[source] EntryError),
    /// The issuer's feed broke off before all of it was compared.
    #[error("the issuer's feed broke off at {at} of {until}")]
    FeedBrokeOff {
        /// How far it came.
        at: u64,
        /// How far the inventory has come.
        until: u64,
    },
    /// The store answered something else than was asked, or not at all.
    #[error("the store did not answer as it should")]
    NoAnswer,
}

impl StoreError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Engine(e) => e.class(),
            Self::Misplaced { .. } => ErrorClass::Corrupt,
            Self::Unrecordable(e) => e.class(),
            Self::FeedBrokeOff { .. } => ErrorClass::Unavailable,
            Self::NoAnswer => ErrorClass::Internal,
        }
    }
}

/// Why lifecycle cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The settings make no sense.
    #[error("[lifecycle] {0}")]
    Settings(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The issuer refused, or is away.
    #[error("the issuer answered: {0}")]
    Issuer(#[source] RemoteError),
    /// The issuer has not told of its CAs yet.
    #[error("the issuer has not been reached yet")]
    NoIssuer,
    /// The issuer does not run this CA.
    #[error("there is no {0} CA")]
    NoAuthority(Authority),
    /// A CRL cannot be written or read.
    #[error("a CRL of the {authority} CA cannot be made")]
    Crl {
        /// The CA.
        authority: Authority,
        /// Why.
        source: X509Error,
    },
    /// A CRL was made that must not be published.
    #[error("CRL {number} of {list} is held back: {why}")]
    HeldBack {
        /// Which list.
        list: CrlList,
        /// Its number.
        number: u64,
        /// The rule that it breaks.
        rule: Rule,
        /// What is wrong with it.
        why: String,
    },
    /// A published file cannot be written or read.
    #[error("cannot {doing} {path}; check the disk and the permissions")]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Serving failed.
    #[error("{what} failed: {why}")]
    Serving {
        /// What was being served.
        what: &'static str,
        /// Why it ended.
        why: String,
    },
    /// An OCSP responder is not certified.
    #[error("the OCSP responder of the {authority} CA is not certified: {why}")]
    Responder {
        /// The CA.
        authority: Authority,
        /// Why not.
        why: String,
    },
    /// The service is shutting down.
    #[error("the service is shutting down")]
    ShuttingDown,
}

impl LifecycleError {
    /// The class of the failure.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Settings(_) => ErrorClass::InvalidInput,
            Self::Store(e) => e.class(),
            Self::Issuer(e) => match e.class() {
                // What the issuer holds against our call is no fault of our caller.
                ErrorClass::Unavailable | ErrorClass::RateLimited | ErrorClass::LostRace => {
                    ErrorClass::Unavailable
                }
                _ => ErrorClass::Internal,
            },
            Self::NoIssuer | Self::ShuttingDown | Self::File { .. } => ErrorClass::Unavailable,
            Self::NoAuthority(_) => ErrorClass::NotFound,
            Self::Crl { .. }
            | Self::HeldBack { .. }
            | Self::Serving { .. }
            | Self::Responder { .. } => ErrorClass::Internal,
        }
    }

    const fn reason(&self) -> &'static str {
        match self {
            Self::Settings(_) => "SETTINGS_INVALID",
            Self::Store(_) => "STORE_UNAVAILABLE",
            Self::Issuer(_) | Self::NoIssuer => "ISSUER_UNAVAILABLE",
            Self::NoAuthority(_) => "AUTHORITY_UNKNOWN",
            Self::Crl { .. } | Self::HeldBack { .. } | Self::File { .. } => "CRL_NOT_PUBLISHED",
            Self::Serving { .. } | Self::Responder { .. } => "INTERNAL",
            Self::ShuttingDown => "SHUTTING_DOWN",
        }
    }
}

/// An error's message with those of its sources.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(e) = source {
        let more = e.to_string();
        // A transparent error shows its source's message as its own.
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = e.source();
    }
    text
}

impl From<LifecycleError> for Failure {
    fn from(error: LifecycleError) -> Self {
        let class = error.class();
        let failure = Self::new(
            class,
            error.reason(),
            match class {
                // The path of a file is nothing for a client.
                ErrorClass::Unavailable => "lifecycle cannot do this now; try again".to_owned(),
                _ => chain(&error),
            },
        );
        if class == ErrorClass::Unavailable {
            failure.retry_after(Duration::from_secs(2))
        } else {
            failure
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        LifecycleError::from(error).into()
    }
}
