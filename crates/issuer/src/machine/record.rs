//! How the state stands in the tables.
//!
//! Fixed-length bytes for what there is one of per certificate, JSON for what there are few of. The
//! tables follow from the log: another form needs another `STATE_VERSION` and nothing else.

use lgpki_domain::{ApplicationId, Authority, CrlNumber, Digest, Serial};
use serde::{Deserialize, Serialize};

use crate::{
    event::AuthorityCreated,
    ports::{Epoch, SignedCrl},
};

pub(super) const EPOCH: &[u8] = b"epoch";

pub(super) fn authority_key(authority: Authority) -> Vec<u8> {
    format!("authority/{authority}").into_bytes()
}

pub(super) fn open_authority_key(authority: Authority) -> Vec<u8> {
    format!("authority-open/{authority}").into_bytes()
}

pub(super) fn crl_key(authority: Authority) -> Vec<u8> {
    format!("crl/{authority}").into_bytes()
}

pub(super) fn read_epoch(bytes: &[u8]) -> Option<Epoch> {
    Some(Epoch(u64::from_be_bytes(bytes.try_into().ok()?)))
}

pub(super) fn read_application(bytes: &[u8]) -> Option<ApplicationId> {
    Some(ApplicationId::from_bytes(bytes.try_into().ok()?))
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
    pub(crate) serial: Serial,
    /// Index of `certificate.issued` or `certificate.abandoned`.
    pub(crate) index: u64,
}

impl ApplicationRecord {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(61);
        out.push(match self.settled {
            Settled::Issued => 1,
            Settled::Abandoned => 2,
        });
        out.extend_from_slice(&self.attempt.to_be_bytes());
        out.extend_from_slice(&self.content_digest.0);
        out.extend_from_slice(self.serial.as_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let record = Self {
            settled: match reader.take::<1>()? {
                [1] => Settled::Issued,
                [2] => Settled::Abandoned,
                _ => return None,
            },
            attempt: u32::from_be_bytes(reader.take()?),
            content_digest: Digest(reader.take()?),
            serial: Serial::from_bytes(&reader.take::<16>()?)?,
            index: u64::from_be_bytes(reader.take()?),
        };
        reader.end(record)
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
    pub(crate) crl: CrlState,
}

impl AuthorityState {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        json(&self.created)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            created: serde_json::from_slice(bytes).ok()?,
            crl: CrlState::default(),
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

/// A CA's CRL numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CrlState {
    /// The highest number ever intended; never used for other bytes.
    pub(crate) highest: CrlNumber,
    /// The open intent, which bears `highest`.
    pub(crate) open: Option<OpenCrl>,
    /// The last CRL signed.
    pub(crate) signed: Option<LastCrl>,
}

/// An open intent to sign a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenCrl {
    pub(crate) number: CrlNumber,
    pub(crate) tbs_digest: Digest,
    /// Index of `crl.intent`.
    pub(crate) index: u64,
}

/// The last CRL that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastCrl {
    pub(crate) number: CrlNumber,
    pub(crate) tbs_digest: Digest,
    pub(crate) crl: SignedCrl,
}

#[derive(Serialize, Deserialize)]
struct CrlText {
    highest: u64,
    open: Option<(u64, String, u64)>,
    signed: Option<(u64, String, u64, String, Vec<u8>)>,
}

impl CrlState {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        json(&CrlText {
            highest: self.highest.0,
            open: self
                .open
                .map(|o| (o.number.0, o.tbs_digest.to_string(), o.index)),
            signed: self.signed.as_ref().map(|s| {
                let SignedCrl {
                    signature,
                    algorithm,
                    index,
                } = s.crl.clone();
                let digest = s.tbs_digest.to_string();
                (s.number.0, digest, index, algorithm, signature)
            }),
        })
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text: CrlText = serde_json::from_slice(bytes).ok()?;
        let open = match text.open {
            None => None,
            Some((number, digest, index)) => Some(OpenCrl {
                number: CrlNumber(number),
                tbs_digest: digest.parse().ok()?,
                index,
            }),
        };
        let signed = match text.signed {
            None => None,
            Some((number, digest, index, algorithm, signature)) => Some(LastCrl {
                number: CrlNumber(number),
                tbs_digest: digest.parse().ok()?,
                crl: SignedCrl {
                    signature,
                    algorithm,
                    index,
                },
            }),
        };
        Some(Self {
            highest: CrlNumber(text.highest),
            open,
            signed,
        })
    }
}

/// JSON of a value that has only texts, numbers and lists, which cannot fail; were it to, the empty
/// value would be reported as damage on the next start and rebuilt from the log.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
