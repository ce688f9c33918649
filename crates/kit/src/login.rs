//! Logging in with a login card or with login data (ログイン用カード／データ).
//!
//! [`LoginMaterial`] is what TLS needs; the private key in it is wiped when it is dropped. Whether
//! the certificate may log in is for the service to judge.

use std::{fmt, path::Path};

use lgpki_domain::{BodyCode, CertificateKind, OfficerRole};
use lgpki_keys::{Passphrase, Signer, SoftwareKey};
use zeroize::Zeroizing;

use crate::{chain::Chain, error::KitError, medium::Medium, pin::Pin, record::Content};

/// A login certificate with its key, in the clear; keep it no longer than the connection lasts.
pub struct LoginMaterial {
    /// The login certificate in DER, and those above it as they were stored.
    pub chain: Vec<Vec<u8>>,
    /// The private key as PKCS#8 PrivateKeyInfo in DER.
    pub key: Zeroizing<Vec<u8>>,
    /// The officer's role.
    pub role: OfficerRole,
    /// The body the officer belongs to.
    pub body: Option<BodyCode>,
}

impl LoginMaterial {
    /// Unlocks the login medium at `path`.
    pub fn unlock(path: &Path, pin: &Pin) -> Result<Self, KitError> {
        let medium = Medium::open(path)?;
        let Content::Certified { key, chain, .. } = &medium.record.content else {
            return Err(no_login(&medium)?);
        };
        let chain = medium.chain_of(chain)?;
        if office(&chain).is_none() {
            return Err(no_login(&medium)?);
        }
        let stretched = medium.present(pin)?;
        let pair = medium.open_key(key, &stretched)?;
        Self::join(chain, &pair)
    }

    /// Opens login data: a certificate (PEM, those above it may follow) and its encrypted PKCS#8
    /// key.
    pub fn from_data(
        certificate: &[u8],
        encrypted_key: &[u8],
        passphrase: &Passphrase,
    ) -> Result<Self, KitError> {
        let chain = Chain::given(certificate)?;
        let pair = SoftwareKey::from_encrypted_pkcs8(encrypted_key, passphrase)?;
        Self::join(chain, &pair)
    }

    fn join(chain: Chain, pair: &SoftwareKey) -> Result<Self, KitError> {
        let Some((role, body)) = office(&chain) else {
            let kind = chain.first.kind();
            return Err(KitError::WrongCertificate {
                found: kind
                    .map_or_else(|| "none of LGPKI's".to_owned(), |k| format!("of kind {k}")),
                needed: "a login certificate",
            });
        };
        if pair.public_key().digest() != chain.first.key_digest() {
            return Err(KitError::NotAPair {
                what: "the login certificate",
            });
        }
        Ok(Self {
            key: pair.to_pkcs8_der()?,
            chain: chain.der,
            role,
            body,
        })
    }
}

/// Who logs in; nothing of the key.
impl fmt::Debug for LoginMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginMaterial")
            .field("role", &self.role)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

fn office(chain: &Chain) -> Option<(OfficerRole, Option<BodyCode>)> {
    match chain.first.kind() {
        Some(CertificateKind::Login) => chain.first.login(),
        _ => None,
    }
}

fn no_login(medium: &Medium) -> Result<KitError, KitError> {
    Ok(KitError::NoLogin {
        medium: medium.record.id.clone(),
        holds: medium.holds()?,
    })
}

#[cfg(test)]
mod tests;
