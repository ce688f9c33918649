//! What lies on a medium and on the PC, as JSON of version 1.
//!
//! A medium is one file that is replaced as a whole, so that key, request and certificate can never
//! be out of step. Nothing here is secret but the keys, which are encrypted.

use std::path::Path;

use lgpki_domain::{
    BodyCode, CertificateKind, Digest, Faults, KeyAlgorithm, KeyMedium, Names, OfficerRole,
    Subject, Timestamp,
};
use lgpki_x509::particulars::{self, Particulars};
use serde::{Deserialize, Serialize};

use crate::error::KitError;

/// The version that is written, and the only one read.
pub(crate) const VERSION: u32 = 1;

/// `medium.json`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MediumRecord {
    pub(crate) version: u32,
    /// Always true: no real card is driven.
    pub(crate) simulated: bool,
    pub(crate) id: String,
    pub(crate) medium: String,
    pub(crate) formatted_at: String,
    pub(crate) pin: PinRecord,
    pub(crate) content: Content,
}

/// How the PIN is recognised.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinRecord {
    pub(crate) iterations: u32,
    pub(crate) salt: String,
    pub(crate) verifier: String,
}

/// `tries.json`: PINs tried since the last right one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriesRecord {
    pub(crate) wrong: u32,
}

/// What the medium holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Content {
    /// Formatted, no key.
    Empty,
    /// A key whose certificate has not come yet.
    Pending { key: String, request: RequestRecord },
    /// A key and its certificate.
    Certified {
        key: String,
        /// Absent where the medium came ready-made from the key ceremony.
        request: Option<RequestRecord>,
        /// The certificate in PEM, and what certifies it in the order given.
        chain: Vec<String>,
        stored_at: String,
    },
}

/// A request as the medium and the PC remember it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestRecord {
    pub(crate) version: u32,
    pub(crate) medium: String,
    pub(crate) pc: String,
    pub(crate) os_login: String,
    pub(crate) requested_at: String,
    pub(crate) kind: String,
    pub(crate) body: NamesRecord,
    pub(crate) unit: Option<NamesRecord>,
    pub(crate) name: NamesRecord,
    pub(crate) mail: Option<String>,
    pub(crate) login: Option<LoginRecord>,
    pub(crate) algorithm: String,
    pub(crate) key_digest: String,
    pub(crate) csr: String,
}

/// A name in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamesRecord {
    pub(crate) en: String,
    pub(crate) ja: String,
}

/// What a login certificate stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRecord {
    pub(crate) role: String,
    pub(crate) body: Option<String>,
}

/// `settings.json` of the PC.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsRecord {
    pub(crate) version: u32,
    pub(crate) body_code: String,
    pub(crate) body: NamesRecord,
    /// The login that vouched, with its serial number; absent where only logins are requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<LoginRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login_serial: Option<String>,
    pub(crate) set_up_at: String,
}

impl NamesRecord {
    pub(crate) fn of(names: &Names) -> Self {
        Self {
            en: names.en().to_owned(),
            ja: names.ja().to_owned(),
        }
    }

    pub(crate) fn read(&self, path: &Path) -> Result<Names, KitError> {
        Names::try_new("name", &self.en, &self.ja).map_err(|faults| {
            let first = faults.first().map(ToString::to_string);
            KitError::damaged(path, &first.unwrap_or_default())
        })
    }
}

impl LoginRecord {
    pub(crate) fn of(role: OfficerRole, body: Option<BodyCode>) -> Self {
        Self {
            role: role.name().to_owned(),
            body: body.map(|b| b.to_string()),
        }
    }

    pub(crate) fn read(&self, path: &Path) -> Result<(OfficerRole, Option<BodyCode>), KitError> {
        let role = known("officer's role", &self.role, path, OfficerRole::parse)?;
        let body = match &self.body {
            Some(code) => Some(code.parse().map_err(|why| KitError::damaged(path, &why))?),
            None => None,
        };
        Ok((role, body))
    }
}

impl RequestRecord {
    pub(crate) fn kind(&self, path: &Path) -> Result<CertificateKind, KitError> {
        known("kind", &self.kind, path, CertificateKind::parse)
    }

    pub(crate) fn algorithm(&self, path: &Path) -> Result<KeyAlgorithm, KitError> {
        known("key algorithm", &self.algorithm, path, KeyAlgorithm::parse)
    }

    pub(crate) fn key_digest(&self, path: &Path) -> Result<Digest, KitError> {
        self.key_digest
            .parse()
            .map_err(|why| KitError::damaged(path, &why))
    }

    pub(crate) fn requested_at(&self, path: &Path) -> Result<Timestamp, KitError> {
        time(&self.requested_at, path)
    }

    pub(crate) fn subject(&self, path: &Path) -> Result<Subject, KitError> {
        Ok(Subject {
            body: self.body.read(path)?,
            unit: self.unit.as_ref().map(|u| u.read(path)).transpose()?,
            name: self.name.read(path)?,
        })
    }

    pub(crate) fn particulars(&self, path: &Path) -> Result<Particulars, KitError> {
        let requested = particulars::Requested {
            dns_names: &[],
            mail: self.mail.as_deref(),
            login: self.login.as_ref().map(|l| l.read(path)).transpose()?,
        };
        Particulars::try_new("request", self.kind(path)?, &requested)
            .map_err(|faults: Faults| KitError::damaged(path, &faults))
    }
}

impl MediumRecord {
    pub(crate) fn medium(&self, path: &Path) -> Result<KeyMedium, KitError> {
        known("medium", &self.medium, path, KeyMedium::parse)
    }
}

/// Reads an instant that was written with `Display`.
pub(crate) fn time(text: &str, path: &Path) -> Result<Timestamp, KitError> {
    text.parse().map_err(|why| KitError::damaged(path, &why))
}

fn known<T>(
    what: &str,
    name: &str,
    path: &Path,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, KitError> {
    parse(name).ok_or_else(|| KitError::damaged(path, &format!("{name:?} is no known {what}")))
}
