//! OCSP (RFC 6960): requests read, responses written, and responses read back.
//!
//! A request is foreign bytes and read as strictly as a CSR; nothing of it is ever signed but the
//! CertIDs and the nonce, byte for byte as they came. A response is built here and signed by the
//! responder's own key, never by the CA's. Answers say what the caller says they say: that an
//! unknown serial number is never called good is the caller's affair.

mod answer;
mod identity;
mod request;
mod response;

use lgpki_domain::{Authority, Names, RevocationReason, Subject, Timestamp};

pub use answer::{AnsweredEntry, BasicResponse, ResponseError};
pub use identity::{CertId, HashAlgorithm, IssuerId};
pub use request::{LONGEST_NONCE, LONGEST_REQUEST, MOST_CERT_IDS, OcspRequest, write_request};
pub use response::{Responder, Single};

use crate::error::X509Error;

/// The media type of a request.
pub const REQUEST_TYPE: &str = "application/ocsp-request";
/// The media type of a response.
pub const RESPONSE_TYPE: &str = "application/ocsp-response";

/// The state of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Issued and not revoked.
    Good,
    /// Revoked, or a serial number that must never be trusted.
    Revoked {
        /// When; written to the second.
        at: Timestamp,
        /// Why.
        reason: RevocationReason,
    },
    /// The CA's key never issued it.
    Unknown,
}

/// An answer without content and without a signature (RFC 6960 §4.2.1, OCSPResponseStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request cannot be read.
    MalformedRequest,
    /// The responder cannot answer for a reason of its own.
    InternalError,
    /// Not now; ask again.
    TryLater,
    /// Not here: the responder does not speak for that CA's key.
    Unauthorized,
}

impl Failure {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformed-request",
            Self::InternalError => "internal-error",
            Self::TryLater => "try-later",
            Self::Unauthorized => "unauthorized",
        }
    }

    /// The whole response in DER.
    #[must_use]
    pub const fn to_der(self) -> [u8; 5] {
        let status = match self {
            Self::MalformedRequest => 1,
            Self::InternalError => 2,
            Self::TryLater => 3,
            Self::Unauthorized => 6,
        };
        [
            crate::encode::tag::SEQUENCE,
            3,
            crate::encode::tag::ENUMERATED,
            1,
            status,
        ]
    }
}

/// Whom the certificate of a CA's OCSP responder names.
pub fn responder_subject(authority: Authority) -> Result<Subject, X509Error> {
    let names = |en: &str, ja: &str| {
        Names::try_new("responder", en, ja)
            .map_err(|_| X509Error::unencodable("the responder's name", "it breaks the rules"))
    };
    Ok(Subject {
        body: names("LGWAN Operator", "LGWAN運営主体")?,
        unit: None,
        name: names(
            &format!("{} OCSP Responder", authority.unit()),
            &format!("{}OCSP応答者", authority.unit_ja()),
        )?,
    })
}

#[cfg(test)]
mod tests;
