//! The certification authorities that LGPKI runs.

use std::fmt;

/// A certification authority; each has its own key, name, profile set and CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Authority {
    /// Organization CA (組織認証局): official-duty, user and login certificates.
    Organization,
    /// Application CA (アプリケーション認証局): web-server, code-signing and mail certificates.
    Application,
}

impl Authority {
    /// Every authority.
    pub const ALL: [Self; 2] = [Self::Organization, Self::Application];

    /// The stable name used in files, addresses and the command line, such as `organization`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Application => "application",
        }
    }

    /// The OU of the CA's distinguished name: `C=JP, O=LGPKI, OU=Organization CA`.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Organization => "Organization CA",
            Self::Application => "Application CA",
        }
    }

    /// The name in Japanese, as it stands in the CA certificate's subjectAltName.
    #[must_use]
    pub const fn unit_ja(self) -> &'static str {
        match self {
            Self::Organization => "組織認証局",
            Self::Application => "アプリケーション認証局",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
