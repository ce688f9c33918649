//! What the issuer's log holds, and so what the issuer is accountable for.
//!
//! Every use of a CA key stands between two entries: an intent that holds all that is signed, and
//! an end: issued, created, signed or abandoned. The bodies are final: a state can be rebuilt from
//! them alone, and an auditor reads them in ten years.

mod words;

use lgpki_domain::{
    ApplicationId, Authority, BodyCode, CertificateKind, Digest, KeyAlgorithm, Serial, Timestamp,
};
use lgpki_ledger::{
    About, Body, events,
    serial::{bytes, optional_text, text},
};
use serde::{Deserialize, Serialize};

pub use words::{NamesText, SubjectText};
use words::{algorithm_name, authority_name, kind_name};

/// An issuer process took over; everything older is fenced off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochOpened {
    /// Its epoch, one above the epoch before.
    pub epoch: u64,
    /// The program's version.
    pub program: String,
}

/// A CA certificate is about to be signed with its own key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityIntended {
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// The epoch in which it is intended.
    pub epoch: u64,
    /// The generation of its key, from 1.
    pub generation: u32,
    /// SHA-256 of its SubjectPublicKeyInfo.
    #[serde(with = "text")]
    pub key_digest: Digest,
    /// Its serial number.
    #[serde(with = "text")]
    pub serial: Serial,
    /// The whole tbsCertificate.
    #[serde(with = "bytes")]
    pub tbs: Vec<u8>,
}

/// A CA exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityCreated {
    /// Where its CRL is published: the distribution point of all its certificates.
    pub addresses: AddressesText,
    /// The key's algorithm.
    #[serde(with = "algorithm_name")]
    pub algorithm: KeyAlgorithm,
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// The CA certificate, DER.
    #[serde(with = "bytes")]
    pub certificate: Vec<u8>,
    /// The epoch in which it was created.
    pub epoch: u64,
    /// The generation of its key, from 1.
    pub generation: u32,
    /// SHA-256 of its SubjectPublicKeyInfo.
    #[serde(with = "text")]
    pub key_digest: Digest,
    /// Its serial number.
    #[serde(with = "text")]
    pub serial: Serial,
}

/// The addresses that stand in every certificate of a CA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressesText {
    /// Of the CA certificate.
    pub ca_certificate: Vec<String>,
    /// Of the certification practice statement.
    pub cps: String,
    /// Of the CRL.
    pub crl: Vec<String>,
}

/// A CA certificate was intended and will not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityAbandoned {
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// Why, as [`Cause::name`] spells it.
    pub cause: String,
    /// The epoch that closed it.
    pub epoch: u64,
    /// Index of the intent.
    pub intent: u64,
    /// The serial number that must never be trusted.
    #[serde(with = "text")]
    pub serial: Serial,
}

/// A certificate is about to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intended {
    /// The application.
    #[serde(with = "text")]
    pub application: ApplicationId,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// The branch applied for; none for operators and auditors.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub branch: Option<BodyCode>,
    /// SHA-256 of the application's content as intake recorded it.
    #[serde(with = "text")]
    pub content_digest: Digest,
    /// The epoch in which it is intended.
    pub epoch: u64,
    /// The generation of the CA's key.
    pub generation: u32,
    /// SHA-256 of the SubjectPublicKeyInfo.
    #[serde(with = "text")]
    pub key_digest: Digest,
    /// The kind.
    #[serde(with = "kind_name")]
    pub kind: CertificateKind,
    /// notAfter.
    #[serde(with = "text")]
    pub not_after: Timestamp,
    /// notBefore.
    #[serde(with = "text")]
    pub not_before: Timestamp,
    /// The version of the profile and of the lint that passed it.
    pub profile: u32,
    /// The serial number.
    #[serde(with = "text")]
    pub serial: Serial,
    /// The whole tbsCertificate, byte for byte what is signed.
    #[serde(with = "bytes")]
    pub tbs: Vec<u8>,
}

/// A certificate exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// The application.
    #[serde(with = "text")]
    pub application: ApplicationId,
    /// Which try it was.
    pub attempt: u32,
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// The branch applied for; none for operators and auditors.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub branch: Option<BodyCode>,
    /// The certificate, DER.
    #[serde(with = "bytes")]
    pub certificate: Vec<u8>,
    /// The epoch in which it was signed.
    pub epoch: u64,
    /// Index of the intent.
    pub intent: u64,
    /// SHA-256 of the SubjectPublicKeyInfo.
    #[serde(with = "text")]
    pub key_digest: Digest,
    /// The kind.
    #[serde(with = "kind_name")]
    pub kind: CertificateKind,
    /// notAfter.
    #[serde(with = "text")]
    pub not_after: Timestamp,
    /// notBefore.
    #[serde(with = "text")]
    pub not_before: Timestamp,
    /// The serial number.
    #[serde(with = "text")]
    pub serial: Serial,
    /// Whom it names.
    pub subject: SubjectText,
}

/// A certificate was intended and will not be; its serial number must be listed as revoked, for a
/// signature may have been made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abandoned {
    /// The application.
    #[serde(with = "text")]
    pub application: ApplicationId,
    /// Which try it was.
    pub attempt: u32,
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// Why, as [`Cause::name`] spells it.
    pub cause: String,
    /// The epoch that closed it.
    pub epoch: u64,
    /// Index of the intent.
    pub intent: u64,
    /// notAfter of the tbsCertificate, until when it must be listed.
    #[serde(with = "text")]
    pub not_after: Timestamp,
    /// The serial number that must never be trusted.
    #[serde(with = "text")]
    pub serial: Serial,
}

/// A CRL is about to be signed. Its bytes are lifecycle's; here stands what identifies them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlIntended {
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// How many certificates it lists.
    pub entries: u64,
    /// The epoch in which it is intended.
    pub epoch: u64,
    /// The generation of the CA's key.
    pub generation: u32,
    /// nextUpdate.
    #[serde(with = "text")]
    pub next_update: Timestamp,
    /// CRLNumber.
    pub number: u64,
    /// SHA-256 of the tbsCertList.
    #[serde(with = "text")]
    pub tbs_digest: Digest,
    /// thisUpdate.
    #[serde(with = "text")]
    pub this_update: Timestamp,
}

/// A CRL was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlSigned {
    /// The signature algorithm's OID, dotted.
    pub algorithm: String,
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// The epoch in which it was signed.
    pub epoch: u64,
    /// Index of the intent.
    pub intent: u64,
    /// CRLNumber.
    pub number: u64,
    /// The signature.
    #[serde(with = "bytes")]
    pub signature: Vec<u8>,
    /// SHA-256 of the tbsCertList.
    #[serde(with = "text")]
    pub tbs_digest: Digest,
}

/// A CRL was intended and will not be; its number stays used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlAbandoned {
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// Why, as [`Cause::name`] spells it.
    pub cause: String,
    /// The epoch that closed it.
    pub epoch: u64,
    /// Index of the intent.
    pub intent: u64,
    /// CRLNumber.
    pub number: u64,
    /// SHA-256 of the tbsCertList.
    #[serde(with = "text")]
    pub tbs_digest: Digest,
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
}

impl Body for AuthorityIntended {
    const KIND: &'static str = "authority.intent";

    fn about(&self) -> About {
        About {
            digest: Some(self.key_digest),
            ..About::certificate(self.serial)
        }
    }
}

impl Body for AuthorityCreated {
    const KIND: &'static str = "authority.created";

    fn about(&self) -> About {
        About {
            digest: Some(self.key_digest),
            ..About::certificate(self.serial)
        }
    }
}

impl Body for AuthorityAbandoned {
    const KIND: &'static str = "authority.abandoned";

    fn about(&self) -> About {
        About::certificate(self.serial)
    }
}

impl Body for Intended {
    const KIND: &'static str = "certificate.intent";

    fn about(&self) -> About {
        About {
            certificate: Some(self.serial),
            ..About::application(self.application)
        }
    }
}

impl Body for Issued {
    const KIND: &'static str = "certificate.issued";

    fn about(&self) -> About {
        About {
            certificate: Some(self.serial),
            ..About::application(self.application)
        }
    }
}

impl Body for Abandoned {
    const KIND: &'static str = "certificate.abandoned";

    fn about(&self) -> About {
        About {
            certificate: Some(self.serial),
            ..About::application(self.application)
        }
    }
}

impl Body for CrlIntended {
    const KIND: &'static str = "crl.intent";

    fn about(&self) -> About {
        digest(self.tbs_digest)
    }
}

impl Body for CrlSigned {
    const KIND: &'static str = "crl.signed";

    fn about(&self) -> About {
        digest(self.tbs_digest)
    }
}

impl Body for CrlAbandoned {
    const KIND: &'static str = "crl.abandoned";

    fn about(&self) -> About {
        digest(self.tbs_digest)
    }
}

fn digest(digest: Digest) -> About {
    About {
        digest: Some(digest),
        ..About::default()
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
    }
}
