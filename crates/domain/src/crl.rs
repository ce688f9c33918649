//! Which certificates a CRL covers.
//!
//! A CA key publishes either one CRL for all user certificates or one per partition, and beside it
//! the list of revoked CA certificates (ARL). Which partition a certificate belongs to follows from
//! its serial number alone, so that it never changes while the certificate lives. Numbers count up
//! within one key and scope; a complete CRL and the delta issued with it share one.

use std::{fmt, str::FromStr};

use crate::{
    authority::Authority,
    id::{BadId, Serial},
};

/// The most partitions that a CA's CRL may be divided into.
pub const MOST_PARTITIONS: u16 = 256;

/// A key of a CA: the authority and the key's generation, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuthorityKey {
    /// The CA.
    pub authority: Authority,
    /// The generation of its key, from 1.
    pub generation: u32,
}

impl AuthorityKey {
    /// The key of this generation.
    #[must_use]
    pub const fn new(authority: Authority, generation: u32) -> Self {
        Self {
            authority,
            generation,
        }
    }
}

/// Such as `organization-1`.
impl fmt::Display for AuthorityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.authority, self.generation)
    }
}

/// What CRL numbers count within: a key of a CA, and which of its certificates are covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CrlSeries {
    /// The CA's key.
    pub key: AuthorityKey,
    /// Which certificates are covered.
    pub scope: CrlScope,
}

/// Such as `organization-1 user`.
impl fmt::Display for CrlSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.scope)
    }
}

/// Which certificates of a CA key a CRL covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CrlScope {
    /// All user certificates.
    #[default]
    User,
    /// The user certificates of one partition, from 1.
    Partition(u16),
    /// The CA certificates: cross and link certificates, and the CA's own.
    CaCertificates,
}

impl CrlScope {
    /// Two octets for fixed-length records.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::User => 0,
            Self::Partition(number) => number,
            Self::CaCertificates => u16::MAX,
        }
    }

    /// Reads a [`code`](Self::code) back.
    #[must_use]
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            0 => Some(Self::User),
            1..=MOST_PARTITIONS => Some(Self::Partition(code)),
            u16::MAX => Some(Self::CaCertificates),
            _ => None,
        }
    }

    /// Whether it is [`User`](Self::User), which is left out where a record may leave it out.
    #[must_use]
    pub const fn is_user(&self) -> bool {
        matches!(self, Self::User)
    }
}

/// `user`, `p03` or `ca`; a partition and `ca` stand so in file names.
impl fmt::Display for CrlScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("user"),
            Self::Partition(number) => write!(f, "p{number:02}"),
            Self::CaCertificates => f.write_str("ca"),
        }
    }
}

impl FromStr for CrlScope {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let scope = match text {
            "user" => Some(Self::User),
            "ca" => Some(Self::CaCertificates),
            _ => text
                .strip_prefix('p')
                .and_then(|number| number.parse().ok())
                .filter(|number| (1..=MOST_PARTITIONS).contains(number))
                .map(Self::Partition),
        };
        // One spelling only.
        scope
            .filter(|scope| scope.to_string() == text)
            .ok_or_else(|| BadId::new(text, "a CRL's scope: user, p01 to p256 or ca"))
    }
}

/// How a CA key publishes its revocations; fixed when the key is made, for it stands in every
/// certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CrlOptions {
    /// Into how many partitions the CRL of user certificates is divided; 0 means that there is one
    /// for all.
    pub partitions: u16,
    /// Whether delta CRLs are published, and certificates and complete CRLs point to them.
    pub delta: bool,
}

impl CrlOptions {
    /// Whether the number of partitions is possible: none, or 2 to 256.
    #[must_use]
    pub const fn are_possible(self) -> bool {
        self.partitions != 1 && self.partitions <= MOST_PARTITIONS
    }

    /// The scope of the user certificate with this serial number.
    #[must_use]
    pub fn scope_of(self, serial: Serial) -> CrlScope {
        if self.partitions < 2 {
            return CrlScope::User;
        }
        let [.., high, low] = *serial.as_bytes();
        CrlScope::Partition(u16::from_be_bytes([high, low]) % self.partitions + 1)
    }

    /// Every scope of which CRLs are published.
    pub fn scopes(self) -> impl Iterator<Item = CrlScope> {
        let whole = (self.partitions < 2).then_some(CrlScope::User);
        let parts = if self.partitions < 2 {
            0
        } else {
            self.partitions
        };
        whole
            .into_iter()
            .chain((1..=parts).map(CrlScope::Partition))
            .chain([CrlScope::CaCertificates])
    }

    /// Whether delta CRLs of this scope are published. The list of CA certificates is too short for
    /// them.
    #[must_use]
    pub fn has_delta(self, scope: CrlScope) -> bool {
        self.delta && scope != CrlScope::CaCertificates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_from_its_own_spelling_only() {
        let options = CrlOptions {
            partitions: MOST_PARTITIONS,
            delta: true,
        };
        for scope in options.scopes().chain([CrlScope::User]) {
            assert_eq!(scope.to_string().parse(), Ok(scope));
            assert_eq!(CrlScope::from_code(scope.code()), Some(scope));
        }
        for text in ["", "p", "p0", "p00", "p1", "p001", "p257", "User", "p-1"] {
            assert!(text.parse::<CrlScope>().is_err(), "{text}");
        }
        assert_eq!(CrlScope::from_code(257), None);
    }

    #[test]
    fn every_serial_number_has_one_partition_and_all_partitions_are_used() {
        let options = CrlOptions {
            partitions: 7,
            delta: false,
        };
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..=255_u8 {
            let mut bytes = [0x41; 16];
            bytes[15] = n;
            seen.insert(options.scope_of(Serial::from_bytes(&bytes).unwrap()));
        }
        let expected: Vec<_> = (1..=7).map(CrlScope::Partition).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(options.scopes().count(), 8);
        let whole: Vec<_> = CrlOptions::default().scopes().collect();
        assert_eq!(whole, [CrlScope::User, CrlScope::CaCertificates]);
    }

    #[test]
    fn only_two_to_256_partitions_are_possible() {
        let possible = |partitions| {
            CrlOptions {
                partitions,
                delta: false,
            }
            .are_possible()
        };
        assert!(possible(0) && possible(2) && possible(256));
        assert!(!possible(1) && !possible(257));
    }
}
