//! What the issuer's log holds, and so what the issuer is accountable for.
//!
//! Every use of a CA key stands between two entries: an intent that holds all that is signed, and
//! an end: issued, created, signed or abandoned. The bodies are final: a state can be rebuilt from
//! them alone, and an auditor reads them in ten years.

mod authority;
mod certificate;
mod crl;
mod words;

use lgpki_ledger::{Body, Restored, events};
use lgpki_store::Heartbeat;
use serde::{Deserialize, Serialize};

pub use authority::{AddressesText, AuthorityAbandoned, AuthorityCreated, AuthorityIntended};
pub use certificate::{Abandoned, Intended, Issued};
pub use crl::{CrlAbandoned, CrlIntended, CrlSigned};
pub use words::{NamesText, SubjectText};

/// An issuer process took over; everything older is fenced off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochOpened {
    /// Its epoch, one above the epoch before.
    pub epoch: u64,
    /// The program's version.
    pub program: String,
}

/// Why an intent was closed without its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process that intended it is gone; whether it signed is unknown.
    EpochClosed,
    /// The key refused to sign.
    SigningFailed,
}

impl Cause {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EpochClosed => "epoch-closed",
            Self::SigningFailed => "signing-failed",
        }
    }
}

impl Body for EpochOpened {
    const KIND: &'static str = "epoch.opened";

    fn ceremony(&self) -> bool {
        true
    }
}

events! {
    /// An entry of the issuer's log.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum IssuerEvent {
        /// `epoch.opened`
        EpochOpened(EpochOpened),
        /// `authority.intent`
        AuthorityIntended(AuthorityIntended),
        /// `authority.created`
        AuthorityCreated(AuthorityCreated),
        /// `authority.abandoned`
        AuthorityAbandoned(AuthorityAbandoned),
        /// `certificate.intent`
        Intended(Intended),
        /// `certificate.issued`
        Issued(Issued),
        /// `certificate.abandoned`
        Abandoned(Abandoned),
        /// `crl.intent`
        CrlIntended(CrlIntended),
        /// `crl.signed`
        CrlSigned(CrlSigned),
        /// `crl.abandoned`
        CrlAbandoned(CrlAbandoned),
        /// `log.restored`
        Restored(Restored),
        /// `log.heartbeat`
        Heartbeat(Heartbeat),
    }
}
