//! How the state stands in the tables.
//!
//! Fixed-length bytes for what there is one of per certificate, JSON for what there are few of. The
//! tables follow from the log: another form needs another `STATE_VERSION` and nothing else.

use std::collections::BTreeMap;

use lgpki_domain::{ApplicationId, Authority, AuthorityKey, CrlScope, Digest, Serial};
use lgpki_ledger::serial::{bytes, text};
use serde::{Deserialize, Serialize};

use crate::{
    event::AuthorityCreated,
    ports::{Epoch, SignedCrl},
};

pub(super) const EPOCH: &[u8] = b"epoch";

/// Before the key of every CA.
pub(super) const AUTHORITY: &[u8] = b"authority/";
/// Before the key of every CA that is intended.
pub(super) const AUTHORITY_OPEN: &[u8] = b"authority-open/";

pub(super) fn authority_key(key: AuthorityKey) -> Vec<u8> {
    format!("authority/{key}").into_bytes()
}

pub(super) fn open_authority_key(key: AuthorityKey) -> Vec<u8> {
    format!("authority-open/{key}").into_bytes()
}

pub(super) fn read_open_authority_key(bytes: &[u8]) -> Option<AuthorityKey> {
    let key = std::str::from_utf8(bytes.strip_prefix(AUTHORITY_OPEN)?).ok()?;
    let (authority, generation) = key.rsplit_once('-')?;
    let authority = Authority::parse(authority)?;
    Some(AuthorityKey::new(authority, generation.parse().ok()?))
}

/// Before the key of every scope of a CA key.
pub(super) fn crl_prefix(key: AuthorityKey) -> String {
    format!("crl/{key}/")
}

pub(super) fn crl_key(key: AuthorityKey, scope: CrlScope) -> Vec<u8> {
    format!("{}{scope}", crl_prefix(key)).into_bytes()
}

pub(super) fn read_scope(key: AuthorityKey, bytes: &[u8]) -> Option<CrlScope> {
    let scope = bytes.strip_prefix(crl_prefix(key).as_bytes())?;
    std::str::from_utf8(scope).ok()?.parse().ok()
}

pub(super) fn read_epoch(bytes: &[u8]) -> Option<Epoch> {
    Some(Epoch(u64::from_be_bytes(bytes.try_into().ok()?)))
}

/// How an application's last attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Issued,
    Abandoned,
}

/// What is kept of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ApplicationRecord {
    pub(crate) settled: Settled,
    pub(crate) attempt: u32,
    pub(crate) content_digest: Digest,
    pub(crate) key_digest: Digest,
    pub(crate) serial: Serial,
    /// Index of `certificate.issued` or `certificate.abandoned`.
    pub(crate) index: u64,
    /// The same of the attempt before.
    pub(crate) before: Option<u64>,
}

/// In the place of an index where there is none.
const NO_INDEX: u64 = u64::MAX;

impl ApplicationRecord {
    pub(crate) fn to_bytes(self, application: ApplicationId) -> Vec<u8> {
        let mut out = Vec::with_capacity(117);
        out.extend_from_slice(&application.to_bytes());
        out.push(match self.settled {
            Settled::Issued => 1,
            Settled::Abandoned => 2,
        });
        out.extend_from_slice(&self.attempt.to_be_bytes());
        out.extend_from_slice(&self.content_digest.0);
        out.extend_from_slice(&self.key_digest.0);
        out.extend_from_slice(self.serial.as_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
        out.extend_from_slice(&self.before.unwrap_or(NO_INDEX).to_be_bytes());
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<(ApplicationId, Self)> {
        let mut reader = Reader(bytes);
        let application = ApplicationId::from_bytes(reader.take()?);
        let record = Self {
            settled: match reader.take::<1>()? {
                [1] => Settled::Issued,
                [2] => Settled::Abandoned,
                _ => return None,
            },
            attempt: u32::from_be_bytes(reader.take()?),
            content_digest: Digest(reader.take()?),
            key_digest: Digest(reader.take()?),
            serial: Serial::from_bytes(&reader.take::<16>()?)?,
            index: u64::from_be_bytes(reader.take()?),
            before: Some(u64::from_be_bytes(reader.take()?)).filter(|before| *before != NO_INDEX),
        };
        reader.end((application, record))
    }
}

/// Takes fixed-length parts off the front of a record.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

/// A CA that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthorityState {
    pub(crate) created: AuthorityCreated,
    pub(crate) crls: BTreeMap<CrlScope, CrlState>,
}

impl AuthorityState {
    /// The CA's key.
    pub(crate) const fn key(&self) -> AuthorityKey {
        AuthorityKey::new(self.created.authority, self.created.generation)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        json(&self.created)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            created: serde_json::from_slice(bytes).ok()?,
            crls: BTreeMap::new(),
        })
    }
}

/// A CA certificate that was intended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenAuthority {
    pub(crate) serial: Serial,
    pub(crate) key_digest: Digest,
    /// Index of `authority.intent`.
    pub(crate) index: u64,
}

impl OpenAuthority {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(56);
        out.extend_from_slice(self.serial.as_bytes());
        out.extend_from_slice(&self.key_digest.0);
        out.extend_from_slice(&self.index.to_be_bytes());
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let open = Self {
            serial: Serial::from_bytes(&reader.take::<16>()?)?,
            key_digest: Digest(reader.take()?),
            index: u64::from_be_bytes(reader.take()?),
        };
        reader.end(open)
    }
}

/// The CRL numbers of a CA key's scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CrlState {
    /// The highest number ever intended; never used for other bytes.
    pub(crate) highest: u64,
    /// The highest number ever intended for a delta CRL.
    pub(crate) highest_delta: u64,
    /// thisUpdate of the complete CRL intended last, in milliseconds.
    pub(crate) this_update: i64,
    /// The open intent.
    pub(crate) open: Option<OpenCrl>,
    /// The last complete CRL signed.
    pub(crate) signed: Option<LastCrl>,
    /// The last delta CRL signed.
    pub(crate) signed_delta: Option<LastCrl>,
}

/// An open intent to sign a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenCrl {
    pub(crate) number: u64,
    pub(crate) delta: bool,
    #[serde(with = "text")]
    pub(crate) tbs_digest: Digest,
    /// Index of `crl.intent`.
    pub(crate) index: u64,
}

/// The last CRL that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastCrl {
    pub(crate) number: u64,
    #[serde(with = "text")]
    pub(crate) tbs_digest: Digest,
    pub(crate) algorithm: String,
    #[serde(with = "bytes")]
    pub(crate) signature: Vec<u8>,
    /// Index of `crl.signed`.
    pub(crate) index: u64,
}

impl LastCrl {
    /// As the port has it.
    pub(crate) fn signed(&self) -> SignedCrl {
        SignedCrl {
            signature: self.signature.clone(),
            algorithm: self.algorithm.clone(),
            index: self.index,
        }
    }
}

impl CrlState {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        json(self)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// JSON of a value that has only texts, numbers and lists, which cannot fail; were it to, the empty
/// value would be reported as damage on the next start and rebuilt from the log.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crls_of_the_largest_ca_key_fit_a_record() {
        let last = LastCrl {
            number: u64::MAX,
            tbs_digest: Digest([255; 32]),
            algorithm: "1.2.840.113549.1.1.11".to_owned(),
            signature: vec![255; 512],
            index: u64::MAX,
        };
        let state = CrlState {
            highest: u64::MAX,
            highest_delta: u64::MAX,
            this_update: i64::MIN,
            open: Some(OpenCrl {
                number: u64::MAX,
                delta: true,
                tbs_digest: Digest([255; 32]),
                index: u64::MAX,
            }),
            signed: Some(last.clone()),
            signed_delta: Some(last),
        };
        let bytes = state.to_bytes();
        assert!(bytes.len() < 4096 / 2, "{}", bytes.len());
        assert_eq!(CrlState::from_bytes(&bytes), Some(state));
    }
}
