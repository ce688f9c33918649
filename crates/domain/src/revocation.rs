//! Why a certificate is revoked (失効) or abolished (廃止).

use std::fmt;

/// A reason code of RFC 5280 §5.3.1, as far as LGPKI uses them; certificateHold never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RevocationReason {
    /// The key is lost, stolen or disclosed; published at once.
    KeyCompromise,
    /// The post or the organization changed.
    AffiliationChanged,
    /// Replaced by renewal or reissue.
    Superseded,
    /// No longer used: the reason of every abolition (廃止).
    CessationOfOperation,
}

impl RevocationReason {
    /// Every reason in use.
    pub const ALL: [Self; 4] = [
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
    ];

    /// The stable name, such as `key-compromise`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }

    /// The CRLReason number of RFC 5280 §5.3.1.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
        }
    }

    /// Reads a [`code`](Self::code) back.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.code() == code)
    }

    /// Whether a CRL must be published at once.
    #[must_use]
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::KeyCompromise)
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
