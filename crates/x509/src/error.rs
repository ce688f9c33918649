//! The crate's one error, for everything that is not a fault of an applicant's request.
//!
//! Faults of a request are `lgpki_domain::Faults`, findings of the lint are `LintRefused`.

use std::fmt;

use lgpki_domain::{Authority, CertificateKind, ErrorClass};

/// Bytes could not be read, or data could not be written as X.509.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum X509Error {
    /// Bytes are not what they should be.
    #[error("this is not {what}: {why}")]
    NotReadable {
        /// What was expected, with its article, such as `a certificate`.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A PEM text is not a single block of the expected label.
    #[error("this is not a PEM block {label}: {why}")]
    NotPem {
        /// The label that was expected, such as `CERTIFICATE`.
        label: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A CA certificate does not fit the authority it was given for.
    #[error("the certificate given for the {authority} CA cannot serve as such: {why}")]
    NotThisAuthority {
        /// The authority.
        authority: Authority,
        /// What is wrong.
        why: String,
    },
    /// The authority does not issue certificates of this kind.
    #[error("the {authority} CA does not issue {kind} certificates")]
    KindNotIssued {
        /// The authority that was asked.
        authority: Authority,
        /// The kind that was asked for.
        kind: CertificateKind,
    },
    /// A value does not fit into the structure it is for.
    #[error("{field} cannot be encoded: {why}")]
    NotEncodable {
        /// The field of the structure.
        field: &'static str,
        /// What is wrong.
        why: String,
    },
    /// CRL entries came out of order or twice.
    #[error(
        "CRL entries must come in ascending order of serial number, each once; {serial} did not"
    )]
    EntryOutOfOrder {
        /// The serial number that came too late.
        serial: lgpki_domain::Serial,
    },
    /// CRL entries take more or fewer bytes than were announced.
    #[error("{announced} bytes of CRL entries were announced, and {written} came")]
    EntriesMiscounted {
        /// How many were announced.
        announced: usize,
        /// How many were written by then.
        written: usize,
    },
}

impl X509Error {
    /// What the failure means to the caller.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::NotReadable { .. } | Self::NotPem { .. } => ErrorClass::InvalidInput,
            Self::NotThisAuthority { .. }
            | Self::KindNotIssued { .. }
            | Self::NotEncodable { .. }
            | Self::EntryOutOfOrder { .. }
            | Self::EntriesMiscounted { .. } => ErrorClass::Internal,
        }
    }

    pub(crate) fn unreadable<W: fmt::Display + ?Sized>(what: &'static str, why: &W) -> Self {
        Self::NotReadable {
            what,
            why: why.to_string(),
        }
    }

    pub(crate) fn unencodable(field: &'static str, why: impl Into<String>) -> Self {
        Self::NotEncodable {
            field,
            why: why.into(),
        }
    }
}
