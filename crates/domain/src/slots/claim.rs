//! What a slot token says, in bytes: whose slot it is and on which day. Signing and verifying is done elsewhere.
//!
//! A token is the key's name, the claim and an Ed25519 signature over [`SlotClaim::message`]. Whoever presents it for
//! the certificate and branch that it names, on the day that it names, comes in a slot; anything else is said to them.

use crate::{
    id::{BodyCode, Digest, Serial},
    time::{JstDate, Timestamp},
};

/// So that a signature made for anything else is none under a claim.
const CONTEXT: &[u8; 16] = b"LGPKI slot 1\0\0\0\0";
/// Bytes of a claim.
const CLAIM: usize = 32;

/// The name of a key that signs tokens: the first bytes of the SHA-256 of the public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotKeyId(pub [u8; 8]);

impl SlotKeyId {
    /// The name of the public key with this SHA-256.
    #[must_use]
    pub fn of(public_key: Digest) -> Self {
        let mut name = [0; 8];
        name.copy_from_slice(&public_key.0[..8]);
        Self(name)
    }
}

/// A certificate's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotClaim {
    /// The certificate.
    pub serial: Serial,
    /// The branch that may come.
    pub branch: BodyCode,
    /// The day on which it may.
    pub day: JstDate,
    /// After this instant the claim means nothing.
    pub until: Timestamp,
}

/// A claim with its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotToken {
    /// By which key.
    pub key: SlotKeyId,
    /// What is claimed.
    pub claim: SlotClaim,
    /// Ed25519 (RFC 8032) over the claim's message.
    pub signature: [u8; 64],
}

/// Why a token does not count. The application that brought it is treated as one without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotRefused {
    /// It is no token.
    #[error("the slot token cannot be read; ask for the renewal information again")]
    Malformed,
    /// It names another certificate or branch.
    #[error("the slot token is of another certificate or branch")]
    OfAnother,
    /// It is not its day.
    #[error("the slot is on {0}, not today")]
    NotToday(JstDate),
    /// Its signature is not ours.
    #[error("the slot token's signature is not valid; ask for the renewal information again")]
    Invalid,
    /// Whether it is good cannot be found out now.
    #[error("the slot token cannot be checked at the moment")]
    Unchecked,
    /// Applications came with it already.
    #[error("the slot was used already")]
    Used,
}

impl SlotRefused {
    /// The reason that programs decide on.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "SLOT_TOKEN_MALFORMED",
            Self::OfAnother => "SLOT_OF_ANOTHER",
            Self::NotToday(_) => "SLOT_NOT_TODAY",
            Self::Invalid => "SLOT_TOKEN_INVALID",
            Self::Unchecked => "SLOT_TOKEN_UNCHECKED",
            Self::Used => "SLOT_USED",
        }
    }
}

impl SlotClaim {
    /// What is signed.
    #[must_use]
    pub fn message(&self) -> [u8; CONTEXT.len() + CLAIM] {
        let mut message = [0; CONTEXT.len() + CLAIM];
        let (context, claim) = message.split_at_mut(CONTEXT.len());
        context.copy_from_slice(CONTEXT);
        claim.copy_from_slice(&self.to_bytes());
        message
    }

    /// Whether it lets this branch renew this certificate at `now`.
    pub fn admits(
        &self,
        serial: Serial,
        branch: Option<BodyCode>,
        now: Timestamp,
    ) -> Result<(), SlotRefused> {
        if self.serial != serial || Some(self.branch) != branch {
            return Err(SlotRefused::OfAnother);
        }
        if self.day != now.jst_date() || now > self.until {
            return Err(SlotRefused::NotToday(self.day));
        }
        Ok(())
    }

    fn to_bytes(self) -> [u8; CLAIM] {
        let mut bytes = [0; CLAIM];
        bytes[..16].copy_from_slice(self.serial.as_bytes());
        bytes[16..20].copy_from_slice(&self.branch.number().to_be_bytes());
        bytes[20..24].copy_from_slice(&self.day.number().to_be_bytes());
        bytes[24..].copy_from_slice(&self.until.as_millis().to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; CLAIM]) -> Option<Self> {
        let mut rest = &bytes[..];
        let serial: [u8; 16] = take(&mut rest)?;
        let branch = u32::from_be_bytes(take(&mut rest)?);
        let day = i32::from_be_bytes(take(&mut rest)?);
        let until = i64::from_be_bytes(take(&mut rest)?);
        let (prefecture, number) = (branch / 1000, branch % 1000);
        Some(Self {
            serial: Serial::from_bytes(&serial)?,
            branch: BodyCode::try_new(u8::try_from(prefecture).ok()?, u16::try_from(number).ok()?)?,
            day: JstDate::from_number(day),
            until: Timestamp::from_millis(until),
        })
    }
}

impl SlotToken {
    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let claim = self.claim.to_bytes();
        [&self.key.0[..], &claim, &self.signature].concat()
    }

    /// Reads [`to_bytes`](Self::to_bytes) back.
    pub fn parse(bytes: &[u8]) -> Result<Self, SlotRefused> {
        let mut rest = bytes;
        let read = |rest: &mut &[u8]| {
            Some(Self {
                key: SlotKeyId(take(rest)?),
                claim: SlotClaim::from_bytes(take(rest)?)?,
                signature: take(rest)?,
            })
        };
        let token = read(&mut rest).filter(|_| rest.is_empty());
        token.ok_or(SlotRefused::Malformed)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> SlotToken {
        let day: JstDate = "2010-11-04".parse().unwrap();
        SlotToken {
            key: SlotKeyId([7; 8]),
            claim: SlotClaim {
                serial: Serial::from_bytes(&[0x41; 16]).unwrap(),
                branch: "01001".parse().unwrap(),
                day,
                until: day.last_second(),
            },
            signature: [9; 64],
        }
    }

    #[test]
    fn a_token_reads_back_and_a_damaged_one_is_refused() {
        let bytes = token().to_bytes();
        assert_eq!(SlotToken::parse(&bytes), Ok(token()));
        for length in 0..bytes.len() {
            let short = SlotToken::parse(&bytes[..length]);
            assert_eq!(short, Err(SlotRefused::Malformed), "{length}");
        }
        let long = [bytes.as_slice(), &[0]].concat();
        assert_eq!(SlotToken::parse(&long), Err(SlotRefused::Malformed));
        let mut nobodys = bytes;
        nobodys[24..28].copy_from_slice(&[0; 4]);
        assert_eq!(SlotToken::parse(&nobodys), Err(SlotRefused::Malformed));
    }

    #[test]
    fn a_slot_is_for_its_certificate_and_branch_on_its_day() {
        let claim = token().claim;
        let at = |text: &str| format!("{text}+09:00").parse::<Timestamp>().unwrap();
        let (serial, branch) = (claim.serial, Some(claim.branch));
        let noon = at("2010-11-04T12:00:00");
        assert_eq!(claim.admits(serial, branch, noon), Ok(()));
        let first = at("2010-11-04T00:00:00");
        assert_eq!(claim.admits(serial, branch, first), Ok(()));
        let stale = Err(SlotRefused::NotToday(claim.day));
        for other in ["2010-11-03T23:59:59.999", "2010-11-05T00:00:00"] {
            assert_eq!(claim.admits(serial, branch, at(other)), stale, "{other}");
        }
        let of_another = Err(SlotRefused::OfAnother);
        let other = Serial::from_bytes(&[0x42; 16]).unwrap();
        assert_eq!(claim.admits(other, branch, noon), of_another);
        assert_eq!(claim.admits(serial, "01002".parse().ok(), noon), of_another);
        assert_eq!(claim.admits(serial, None, noon), of_another);
    }

    #[test]
    fn what_is_signed_differs_with_every_part_of_the_claim() {
        let claim = token().claim;
        let others = [
            SlotClaim {
                serial: Serial::from_bytes(&[0x42; 16]).unwrap(),
                ..claim
            },
            SlotClaim {
                branch: "01002".parse().unwrap(),
                ..claim
            },
            SlotClaim {
                day: claim.day.plus_days(1),
                ..claim
            },
            SlotClaim {
                until: claim.until.plus_millis(1),
                ..claim
            },
        ];
        for other in others {
            assert_ne!(other.message(), claim.message());
        }
    }
}
