//! Mail addresses of LGWAN participants: under `lg.jp`, in one spelling.
//!
//! Certificates carry them, and addressees of the document exchange are reached by them. Whether a
//! domain serves the public (行政サービス用ドメイン) is for the operator's settings to say.

use std::{fmt, str::FromStr};

use crate::fault::Fault;

/// The longest address, in characters.
const LONGEST: usize = 128;

/// A mail address under `lg.jp`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailAddress(String);

impl MailAddress {
    /// Checks an address.
    pub fn try_new(field: &str, address: &str) -> Result<Self, Fault> {
        if address.is_empty() {
            let message = "a mail address under lg.jp is needed; fill it in";
            return Err(Fault::new(field, "MAIL_MISSING", message));
        }
        let fits = address.len() <= LONGEST
            && address.split_once('@').is_some_and(|(local, domain)| {
                is_local_part(local)
                    && domain.split('.').all(is_label)
                    && domain.ends_with(".lg.jp")
            });
        if fits {
            return Ok(Self(address.to_owned()));
        }
        Err(Fault::new(
            field,
            "MAIL_ADDRESS",
            format!(
                "{address:?} is not a mail address under lg.jp of plain letters, digits and . _ + -, \
                 with the domain in lower case"
            ),
        ))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MailAddress {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::try_new("mail", text)
    }
}

/// Whether `label` is one of letters, digits and hyphens (RFC 1123 §2.1), lower case.
#[must_use]
pub fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_local_part(local: &str) -> bool {
    (1..=64).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
}
