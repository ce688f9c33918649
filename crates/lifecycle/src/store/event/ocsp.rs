//! OCSP answers that were signed, many to an entry.

use lgpki_domain::{Authority, Digest, Serial};
use lgpki_ledger::{About, Body, serial::text};
use serde::{Deserialize, Serialize};

use super::authority;
use crate::ports::OcspBatch;

/// An OCSP responder has signed answers. Those of one responder and second are one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OcspSigned {
    /// The CA whose certificates' states were told.
    #[serde(with = "authority")]
    pub authority: Authority,
    /// How many answers.
    pub count: u64,
    /// From 32 zero octets, for each answer the SHA-256 of the digest so far and of the SHA-256 of
    /// its tbsResponseData.
    #[serde(with = "text")]
    pub digest: Digest,
    /// The generation of the CA's key.
    pub generation: u32,
    /// The serial number of the responder's certificate.
    #[serde(with = "text")]
    pub responder: Serial,
}

impl Body for OcspSigned {
    const KIND: &'static str = "ocsp.signed";

    fn about(&self) -> About {
        About {
            digest: Some(self.digest),
            ..About::certificate(self.responder)
        }
    }
}

impl From<OcspBatch> for OcspSigned {
    fn from(batch: OcspBatch) -> Self {
        Self {
            authority: batch.ca_key.authority,
            count: batch.count,
            digest: batch.digest,
            generation: batch.ca_key.generation,
            responder: batch.responder,
        }
    }
}
