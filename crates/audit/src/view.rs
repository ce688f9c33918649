//! What the auditor reads of an entry's body: views of its own, independent of the services' types.
//!
//! Members that no rule needs are left out here; the schema has looked at them already.

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, BodyCode, CertificateKind, CrlScope, CrlSeries, Digest,
    RevocationReason, Serial, Timestamp,
};
use lgpki_ledger::serial::{bytes, optional_text, text};
use serde::Deserialize;

/// `#[serde(with = "…")]` for a closed list by its names.
macro_rules! by_name {
    ($module:ident, $type:ty) => {
        mod $module {
            use std::borrow::Cow;

            use serde::{Deserialize, Deserializer, de::Error};

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<$type, D::Error> {
                let name = Cow::<'de, str>::deserialize(d)?;
                <$type>::parse(&name).ok_or_else(|| D::Error::custom("an unknown name"))
            }
        }
    };
}

by_name!(authority, lgpki_domain::Authority);
by_name!(kind, lgpki_domain::CertificateKind);
by_name!(reason, lgpki_domain::RevocationReason);
by_name!(sort, lgpki_domain::application::Sort);

const fn first() -> u32 {
    1
}

/// A name in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Names {
    pub(crate) en: String,
    pub(crate) ja: String,
}

/// Whom a certificate names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Subject {
    pub(crate) body: Names,
    pub(crate) name: Names,
    pub(crate) unit: Option<Names>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Opened {
    pub(crate) first: u64,
    pub(crate) log: String,
    pub(crate) previous: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Answers {
    pub(crate) index: u64,
    pub(crate) log: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Restored {
    #[serde(default)]
    pub(crate) crl_numbers_used: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Heartbeat {
    pub(crate) entries: u64,
    pub(crate) every_seconds: u64,
    pub(crate) kinds: Vec<Counted>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Counted {
    pub(crate) count: u64,
    /// The kind.
    pub(crate) of: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Epoch {
    pub(crate) epoch: u64,
}

/// The CA key that an entry is about.
#[derive(Debug, Deserialize)]
pub(crate) struct OfKey {
    #[serde(with = "authority")]
    authority: Authority,
    #[serde(default = "first")]
    generation: u32,
    #[serde(with = "text", default)]
    scope: CrlScope,
}

impl OfKey {
    pub(crate) const fn key(&self) -> AuthorityKey {
        AuthorityKey::new(self.authority, self.generation)
    }

    pub(crate) const fn series(&self) -> CrlSeries {
        CrlSeries {
            key: self.key(),
            scope: self.scope,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct AuthorityIntent {
    pub(crate) epoch: u64,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
    #[serde(with = "bytes")]
    pub(crate) tbs: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Addresses {
    pub(crate) ca_certificate: Vec<String>,
    pub(crate) cps: String,
    pub(crate) crl: Vec<String>,
    #[serde(default)]
    pub(crate) ocsp: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AuthorityCreated {
    #[serde(flatten)]
    pub(crate) of: OfKey,
    pub(crate) addresses: Addresses,
    #[serde(with = "bytes")]
    pub(crate) certificate: Vec<u8>,
    #[serde(default)]
    pub(crate) crl_delta: bool,
    #[serde(default)]
    pub(crate) crl_partitions: u16,
    pub(crate) epoch: u64,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
}

/// An intent that ended without what was intended.
#[derive(Debug, Deserialize)]
pub(crate) struct GivenUp {
    pub(crate) epoch: u64,
    pub(crate) intent: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Intent {
    #[serde(flatten)]
    pub(crate) of: OfKey,
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    pub(crate) attempt: u32,
    #[serde(with = "text")]
    pub(crate) content_digest: Digest,
    pub(crate) epoch: u64,
    #[serde(with = "text")]
    pub(crate) key_digest: Digest,
    #[serde(with = "kind")]
    pub(crate) kind: CertificateKind,
    #[serde(with = "text")]
    pub(crate) not_after: Timestamp,
    #[serde(with = "text")]
    pub(crate) not_before: Timestamp,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
    #[serde(with = "bytes")]
    pub(crate) tbs: Vec<u8>,
}

/// `certificate.issued` of the issuer, and `certificate.registered` of lifecycle.
#[derive(Debug, Deserialize)]
pub(crate) struct Issued {
    #[serde(flatten)]
    pub(crate) of: OfKey,
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    #[serde(default)]
    pub(crate) attempt: u32,
    #[serde(with = "bytes", alias = "der")]
    pub(crate) certificate: Vec<u8>,
    #[serde(default)]
    pub(crate) epoch: u64,
    #[serde(default)]
    pub(crate) intent: u64,
    #[serde(with = "text")]
    pub(crate) key_digest: Digest,
    #[serde(with = "kind")]
    pub(crate) kind: CertificateKind,
    #[serde(with = "text")]
    pub(crate) not_after: Timestamp,
    #[serde(with = "text")]
    pub(crate) not_before: Timestamp,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
    pub(crate) subject: Subject,
}

/// `certificate.abandoned` of both services.
#[derive(Debug, Deserialize)]
pub(crate) struct Abandoned {
    #[serde(flatten)]
    pub(crate) of: OfKey,
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    #[serde(with = "optional_text", default, rename = "abandoned_at")]
    pub(crate) when: Option<Timestamp>,
    #[serde(default)]
    pub(crate) epoch: u64,
    #[serde(default)]
    pub(crate) intent: u64,
    #[serde(with = "text")]
    pub(crate) not_after: Timestamp,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CrlIntent {
    #[serde(flatten)]
    pub(crate) of: OfKey,
    pub(crate) base: Option<u64>,
    pub(crate) epoch: u64,
    #[serde(with = "text")]
    pub(crate) next_update: Timestamp,
    pub(crate) number: u64,
    #[serde(with = "text")]
    pub(crate) tbs_digest: Digest,
    #[serde(with = "text")]
    pub(crate) this_update: Timestamp,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CrlSigned {
    #[serde(flatten)]
    pub(crate) of: OfKey,
    pub(crate) algorithm: String,
    pub(crate) epoch: u64,
    pub(crate) intent: u64,
    pub(crate) number: u64,
    #[serde(with = "bytes")]
    pub(crate) signature: Vec<u8>,
    #[serde(with = "text")]
    pub(crate) tbs_digest: Digest,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CrlPublished {
    #[serde(flatten)]
    pub(crate) of: OfKey,
    pub(crate) base: Option<u64>,
    #[serde(with = "text")]
    pub(crate) digest: Digest,
    pub(crate) entries: u64,
    #[serde(with = "text")]
    pub(crate) next_update: Timestamp,
    pub(crate) number: u64,
    pub(crate) reflects: u64,
    #[serde(with = "text")]
    pub(crate) this_update: Timestamp,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Received {
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    pub(crate) approvals_needed: u32,
    #[serde(with = "optional_text", default)]
    pub(crate) branch: Option<BodyCode>,
    pub(crate) content: Content,
    #[serde(with = "text")]
    pub(crate) content_digest: Digest,
    pub(crate) examination: Examination,
    #[serde(with = "sort")]
    pub(crate) sort: lgpki_domain::application::Sort,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Examination {
    pub(crate) office: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    Issue(Box<Issue>),
    Revoke(Revoke),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Issue {
    #[serde(with = "bytes")]
    pub(crate) csr: Vec<u8>,
    #[serde(default)]
    pub(crate) dns_names: Vec<String>,
    #[serde(with = "text")]
    pub(crate) key_digest: Digest,
    #[serde(with = "kind")]
    pub(crate) kind: CertificateKind,
    pub(crate) login_role: Option<String>,
    pub(crate) mail_address: Option<String>,
    #[serde(with = "bytes")]
    pub(crate) public_key: Vec<u8>,
    #[serde(with = "optional_text", default)]
    pub(crate) renews: Option<Serial>,
    pub(crate) subject: Subject,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Revoke {
    #[serde(with = "kind")]
    pub(crate) kind: CertificateKind,
    #[serde(with = "reason")]
    pub(crate) reason: RevocationReason,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
}

/// A step of one application.
#[derive(Debug, Deserialize)]
pub(crate) struct One {
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    pub(crate) operator: Option<Operator>,
    #[serde(default)]
    pub(crate) attempt: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Operator {
    #[serde(with = "text")]
    pub(crate) subject: Digest,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Several {
    pub(crate) applications: Vec<Named>,
}

/// An application's number as a text of its own.
#[derive(Debug, Deserialize)]
pub(crate) struct Named(#[serde(with = "text")] pub(crate) ApplicationId);

#[derive(Debug, Deserialize)]
pub(crate) struct Claimed {
    pub(crate) applications: Vec<One>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ApplicationIssued {
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    #[serde(with = "bytes")]
    pub(crate) certificate: Vec<u8>,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Revoked {
    #[serde(with = "text")]
    pub(crate) command: ApplicationId,
    #[serde(with = "reason")]
    pub(crate) reason: RevocationReason,
    #[serde(with = "text", rename = "revoked_at")]
    pub(crate) when: Timestamp,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Renewal {
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    pub(crate) outcome: Option<String>,
    #[serde(with = "optional_text", default)]
    pub(crate) replaced_by: Option<Serial>,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Ocsp {
    #[serde(flatten)]
    pub(crate) of: OfKey,
    pub(crate) count: u64,
    #[serde(with = "text")]
    pub(crate) responder: Serial,
}
