//! Certificates: intended, issued, given up.

use lgpki_domain::{
    ApplicationId, Authority, BodyCode, CertificateKind, CrlScope, Digest, Serial, Timestamp,
};
use lgpki_ledger::{
    About, Body,
    serial::{bytes, optional_text, text},
};
use serde::{Deserialize, Serialize};

use super::words::{SubjectText, authority_name, first, is_first, kind_name};

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
    /// Which CRL would list it; left out for that of all user certificates.
    #[serde(with = "text", default, skip_serializing_if = "CrlScope::is_user")]
    pub scope: CrlScope,
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
    /// The generation of the CA's key; left out for the first.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub generation: u32,
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
    /// Which CRL would list it; left out for that of all user certificates.
    #[serde(with = "text", default, skip_serializing_if = "CrlScope::is_user")]
    pub scope: CrlScope,
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
    /// Why, as [`Cause::name`](super::Cause::name) spells it.
    pub cause: String,
    /// The epoch that closed it.
    pub epoch: u64,
    /// The generation of the CA's key; left out for the first.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub generation: u32,
    /// Index of the intent.
    pub intent: u64,
    /// notAfter of the tbsCertificate, until when it must be listed.
    #[serde(with = "text")]
    pub not_after: Timestamp,
    /// Which CRL would list it; left out for that of all user certificates.
    #[serde(with = "text", default, skip_serializing_if = "CrlScope::is_user")]
    pub scope: CrlScope,
    /// The serial number that must never be trusted.
    #[serde(with = "text")]
    pub serial: Serial,
}

impl Body for Intended {
    const KIND: &'static str = "certificate.intent";

    fn ceremony(&self) -> bool {
        self.kind.concerns_keys()
    }

    fn about(&self) -> About {
        About {
            certificate: Some(self.serial),
            ..About::application(self.application)
        }
    }
}

impl Body for Issued {
    const KIND: &'static str = "certificate.issued";

    fn ceremony(&self) -> bool {
        self.kind.concerns_keys()
    }

    fn about(&self) -> About {
        About {
            certificate: Some(self.serial),
            ..About::application(self.application)
        }
    }
}

impl Body for Abandoned {
    const KIND: &'static str = "certificate.abandoned";

    fn ceremony(&self) -> bool {
        self.scope == CrlScope::CaCertificates
    }

    fn about(&self) -> About {
        About {
            certificate: Some(self.serial),
            ..About::application(self.application)
        }
    }
}
