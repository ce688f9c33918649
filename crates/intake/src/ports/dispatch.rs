//! What goes to the issuer and lifecycle, and what comes back.

use lgpki_domain::{ApplicationId, Serial, Timestamp, application::Sort};

use super::Application;

/// The two queues. They are claimed apart, for what ends a certificate must not wait for an issuer that
/// hangs, nor new certificates for a lifecycle that does; renewals wait for its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What yields a certificate: for the issuer.
    Certificates,
    /// What ends one: for lifecycle.
    Revocations,
}

impl Lane {
    /// The queue of applications of a sort.
    #[must_use]
    pub const fn of(sort: Sort) -> Self {
        if sort.yields_certificate() {
            Self::Certificates
        } else {
            Self::Revocations
        }
    }
}

/// A claimed application, as it goes to the issuer or lifecycle.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The application, with its content; the CSR is left out, the public key is there.
    pub application: Application,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Whether it was claimed by an earlier call, so that its order may have left.
    pub again: bool,
}

/// What the issuer or lifecycle answered.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The application.
    pub id: ApplicationId,
    /// The answer.
    pub outcome: Settled,
    /// When.
    pub at: Timestamp,
}

/// The answer to a claimed application.
#[derive(Clone, Debug)]
pub enum Settled {
    /// The certificate exists.
    Issued {
        /// Its serial number.
        serial: Serial,
        /// DER.
        certificate: Vec<u8>,
        /// Index in the issuer's log.
        issuer_index: u64,
    },
    /// The revocation is durable.
    Completed,
    /// The attempt was closed without a certificate; it is queued again with the next one.
    Abandoned {
        /// The attempt.
        attempt: u32,
    },
    /// It can never be carried out.
    Failed {
        /// Why, and what to do next.
        reason: String,
    },
}
