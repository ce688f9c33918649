//! CRLs: intended, signed, given up.

use lgpki_domain::{Authority, CrlScope, Digest, Timestamp};
use lgpki_ledger::{
    About, Body,
    serial::{bytes, text},
};
use serde::{Deserialize, Serialize};

use super::words::{authority_name, first, is_first};

/// A CRL is about to be signed. Its bytes are lifecycle's; here stands what identifies them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlIntended {
    /// The CA.
    #[serde(with = "authority_name")]
    pub authority: Authority,
    /// Delta only: its BaseCRLNumber; left out for a complete CRL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
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
    /// Which certificates it covers; left out for all user certificates.
    #[serde(with = "text", default, skip_serializing_if = "CrlScope::is_user")]
    pub scope: CrlScope,
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
    /// Whether it is a delta CRL; left out for a complete one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delta: bool,
    /// The epoch in which it was signed.
    pub epoch: u64,
    /// The generation of the CA's key; left out for the first.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub generation: u32,
    /// Index of the intent.
    pub intent: u64,
    /// CRLNumber.
    pub number: u64,
    /// Which certificates it covers; left out for all user certificates.
    #[serde(with = "text", default, skip_serializing_if = "CrlScope::is_user")]
    pub scope: CrlScope,
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
    /// Why, as [`Cause::name`](super::Cause::name) spells it.
    pub cause: String,
    /// Whether it is a delta CRL; left out for a complete one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delta: bool,
    /// The epoch that closed it.
    pub epoch: u64,
    /// The generation of the CA's key; left out for the first.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub generation: u32,
    /// Index of the intent.
    pub intent: u64,
    /// CRLNumber.
    pub number: u64,
    /// Which certificates it covers; left out for all user certificates.
    #[serde(with = "text", default, skip_serializing_if = "CrlScope::is_user")]
    pub scope: CrlScope,
    /// SHA-256 of the tbsCertList.
    #[serde(with = "text")]
    pub tbs_digest: Digest,
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
