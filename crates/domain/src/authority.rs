//! The certification authorities that LGPKI runs.

use std::fmt;

use crate::{time::JstDate, validity::Validity};

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

/// A key of a CA that issues, or will once its first day has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuingKey {
    /// Whose.
    pub authority: Authority,
    /// Its generation, from 1.
    pub generation: u32,
    /// From its certificate.
    pub validity: Validity,
}

/// The last day on which a CA issued, where it issues nothing any more on `day`, since no certificate
/// outlives its CA. None where it issues, and where nothing is known of it.
#[must_use]
pub fn issuing_ended(keys: &[IssuingKey], of: Authority, day: JstDate) -> Option<JstDate> {
    let come = |key: &&IssuingKey| key.authority == of && key.validity.first_day() <= day;
    let issuing = keys.iter().filter(come).max_by_key(|key| key.generation)?;
    let last = issuing.validity.last_issuing_day()?;
    (last < day).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_has_ended_when_the_key_of_the_day_issues_no_more() {
        let key = |authority, generation, first: &str| IssuingKey {
            authority,
            generation,
            validity: Validity::for_ca(first.parse().unwrap()),
        };
        let of = Authority::Organization;
        let mut keys = vec![
            key(of, 1, "2008-02-04"),
            key(Authority::Application, 1, "2012-01-01"),
        ];
        let ended = |keys: &[IssuingKey], day: &str| {
            issuing_ended(keys, of, day.parse().unwrap()).map(|last| last.to_string())
        };
        let last = || Some("2015-02-04".to_owned());
        assert_eq!(ended(&keys, "2015-02-04"), None);
        assert_eq!(ended(&keys, "2015-02-05"), last());
        // The next key counts from its first day on.
        keys.push(key(of, 2, "2015-03-01"));
        assert_eq!(ended(&keys, "2015-02-28"), last());
        assert_eq!(ended(&keys, "2015-03-01"), None);
        assert_eq!(ended(&keys[1..2], "2030-01-01"), None, "nothing is known");
    }
}
