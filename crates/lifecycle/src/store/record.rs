//! What the index keeps of a certificate: a record of some 100 bytes that points into the log.
//!
//! Names and DER stand in the log only. The order of the fields and their widths are version 1 of
//! the record; a change raises the machine's state version, and the index is rebuilt.

mod marks;

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, BodyCode, CertificateKind, CrlScope, CrlSeries,
    JstDate, RevocationReason, Timestamp,
};
use lgpki_x509::ocsp::Status;

pub(crate) use self::marks::{Marks, key_bits, words};
use crate::ports::Revocation;

/// What memory and index hold of one serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The CA.
    pub(crate) authority: Authority,
    /// The generation of the CA's key.
    pub(crate) generation: u16,
    /// Which CRL would list it.
    pub(crate) scope: CrlScope,
    /// The kind; none for an abandoned serial number, of which no certificate is known.
    pub(crate) kind: Option<CertificateKind>,
    /// The branch.
    pub(crate) branch: Option<BodyCode>,
    /// notAfter.
    pub(crate) not_after: Timestamp,
    /// Index of the entry that brought it here.
    pub(crate) index: u64,
    /// Index in the issuer's log of what that entry answers.
    pub(crate) issuer_index: u64,
    /// By what it may be found.
    pub(crate) marks: Marks,
    /// Its revocation.
    pub(crate) revoked: Option<Revoked>,
}

/// What is held of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Revoked {
    /// When and why.
    pub(crate) revocation: Revocation,
    /// The order; none for an abandoned serial number.
    pub(crate) command: Option<ApplicationId>,
    /// Index of the entry that revoked it.
    pub(crate) index: u64,
}

const NONE: u8 = u8::MAX;

impl Held {
    /// What OCSP says of it at the place of a CA's key: what is not that key's is unknown there.
    pub(crate) fn ocsp_status(&self, ca_key: AuthorityKey) -> Status {
        if ca_key != AuthorityKey::new(self.authority, self.generation.into()) {
            return Status::Unknown;
        }
        match self.revoked {
            None => Status::Good,
            Some(Revoked { revocation, .. }) => Status::Revoked {
                at: revocation.at,
                reason: revocation.reason,
            },
        }
    }

    /// The day of its renewal slot.
    pub(crate) fn slot(&self) -> Option<JstDate> {
        let day = i32::from(self.marks.slot);
        (day > 0).then(|| JstDate::from_number(day))
    }

    /// With another slot, or with none. Days that no calendar covers are none.
    pub(crate) fn with_slot(mut self, day: Option<JstDate>) -> Self {
        let number = day.and_then(|day| u16::try_from(day.number()).ok());
        self.marks.slot = number.unwrap_or_default();
        self
    }

    /// With one more slot that was let pass.
    pub(crate) fn with_slot_missed(mut self) -> Self {
        self.marks.missed = self.marks.missed.saturating_add(1);
        self.with_slot(None)
    }

    /// The record's bytes.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(120);
        out.push(position(&Authority::ALL, &self.authority));
        out.extend(self.generation.to_be_bytes());
        out.extend(self.scope.code().to_be_bytes());
        out.push(
            self.kind
                .map_or(NONE, |kind| position(&CertificateKind::ALL, &kind)),
        );
        out.extend(self.branch.map_or(0, BodyCode::number).to_be_bytes());
        out.extend(self.not_after.as_millis().to_be_bytes());
        out.extend(self.index.to_be_bytes());
        out.extend(self.issuer_index.to_be_bytes());
        self.marks.write(&mut out);
        if let Some(revoked) = self.revoked {
            out.push(revoked.revocation.reason.code());
            out.extend(revoked.revocation.at.as_millis().to_be_bytes());
            out.extend(revoked.index.to_be_bytes());
            if let Some(command) = revoked.command {
                out.extend(command.to_bytes());
            }
        }
        out
    }

    /// Reads [`to_bytes`](Self::to_bytes) back.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let authority = *Authority::ALL.get(usize::from(byte(&mut rest)?))?;
        let generation = u16::from_be_bytes(take(&mut rest)?);
        let scope = CrlScope::from_code(u16::from_be_bytes(take(&mut rest)?))?;
        let kind = match byte(&mut rest)? {
            NONE => None,
            at => Some(*CertificateKind::ALL.get(usize::from(at))?),
        };
        let branch = match u32::from_be_bytes(take(&mut rest)?) {
            0 => None,
            number => Some(BodyCode::try_new(
                u8::try_from(number / 1000).ok()?,
                u16::try_from(number % 1000).ok()?,
            )?),
        };
        let not_after = Timestamp::from_millis(i64::from_be_bytes(take(&mut rest)?));
        let index = u64::from_be_bytes(take(&mut rest)?);
        let issuer_index = u64::from_be_bytes(take(&mut rest)?);
        let marks = Marks::read(take(&mut rest)?)?;
        let revoked = if rest.is_empty() {
            None
        } else {
            Some(Revoked::read(&mut rest)?)
        };
        rest.is_empty().then_some(Self {
            authority,
            generation,
            scope,
            kind,
            branch,
            not_after,
            index,
            issuer_index,
            marks,
            revoked,
        })
    }

    /// The series of the CRL that would list it.
    pub(crate) fn series(&self) -> CrlSeries {
        CrlSeries {
            key: AuthorityKey::new(self.authority, self.generation.into()),
            scope: self.scope,
        }
    }
}

impl Revoked {
    fn read(rest: &mut &[u8]) -> Option<Self> {
        let reason = RevocationReason::from_code(byte(rest)?)?;
        let at = Timestamp::from_millis(i64::from_be_bytes(take(rest)?));
        let index = u64::from_be_bytes(take(rest)?);
        let command = if rest.is_empty() {
            None
        } else {
            Some(ApplicationId::from_bytes(take(rest)?))
        };
        Some(Self {
            revocation: Revocation { at, reason },
            command,
            index,
        })
    }
}

/// The place of a value in its type's list, which only ever grows at its end.
fn position<T: PartialEq>(all: &[T], value: &T) -> u8 {
    let at = all.iter().position(|v| v == value);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(NONE)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    take::<1>(rest).map(|[b]| b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Held {
        Held {
            authority: Authority::Application,
            generation: 3,
            scope: CrlScope::Partition(17),
            kind: Some(CertificateKind::Mail),
            branch: "47001".parse().ok(),
            not_after: Timestamp::from_seconds(1_296_745_199),
            index: 70_000,
            issuer_index: u64::MAX,
            marks: Marks::default(),
            revoked: None,
        }
    }

    #[test]
    fn a_record_reads_back_what_it_wrote() {
        let revoked = Revoked {
            revocation: Revocation {
                at: Timestamp::from_millis(1_202_084_100_123),
                reason: RevocationReason::Superseded,
            },
            command: Some(ApplicationId::from_bytes([9; 16])),
            index: 71_000,
        };
        let without_command = Revoked {
            command: None,
            ..revoked
        };
        for held in [
            held(),
            Held {
                kind: None,
                branch: None,
                ..held()
            },
            Held {
                revoked: Some(revoked),
                ..held()
            },
            Held {
                revoked: Some(without_command),
                ..held()
            },
        ] {
            assert_eq!(Held::from_bytes(&held.to_bytes()), Some(held));
        }
    }

    #[test]
    fn a_damaged_record_is_not_read() {
        let bytes = held().to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(Held::from_bytes(&bytes[..length]), None, "{length}");
        }
        let mut longer = bytes.clone();
        longer.push(5);
        assert_eq!(Held::from_bytes(&longer), None);
        let mut unknown = bytes;
        unknown[5] = 200;
        assert_eq!(Held::from_bytes(&unknown), None);
    }
}
