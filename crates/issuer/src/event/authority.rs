//! The CAs: intended, created, given up.

use lgpki_domain::{Authority, Digest, KeyAlgorithm, Serial};
use lgpki_ledger::{
    About, Body,
    serial::{bytes, text},
};
use serde::{Deserialize, Serialize};

use super::words::{algorithm_name, authority_name, first, is_first};

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
    /// Whether it publishes delta CRLs; left out if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub crl_delta: bool,
    /// Into how many partitions its CRL is divided; left out if it is not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub crl_partitions: u16,
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
    /// Of the OCSP responder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ocsp: Vec<String>,
}

/// A CA certificate was intended and will not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityAbandoned {
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
    /// The serial number that must never be trusted.
    #[serde(with = "text")]
    pub serial: Serial,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_zero(number: &u16) -> bool {
    *number == 0
}

impl Body for AuthorityIntended {
    const KIND: &'static str = "authority.intent";

    fn ceremony(&self) -> bool {
        true
    }

    fn about(&self) -> About {
        About {
            digest: Some(self.key_digest),
            ..About::certificate(self.serial)
        }
    }
}

impl Body for AuthorityCreated {
    const KIND: &'static str = "authority.created";

    fn ceremony(&self) -> bool {
        true
    }

    fn about(&self) -> About {
        About {
            digest: Some(self.key_digest),
            ..About::certificate(self.serial)
        }
    }
}

impl Body for AuthorityAbandoned {
    const KIND: &'static str = "authority.abandoned";

    fn ceremony(&self) -> bool {
        true
    }

    fn about(&self) -> About {
        About::certificate(self.serial)
    }
}
