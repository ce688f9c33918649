//! The CAs that the issuer's log tells of, every generation of their keys.

use std::collections::BTreeMap;

use lgpki_domain::{Authority, AuthorityKey, CrlOptions, Digest};
use lgpki_x509::{Addresses, Issuer, SubjectPublicKey, key::sha256};

use crate::{certificate::issuer_name, profile, view::AuthorityCreated};

/// The CAs.
#[derive(Debug, Default)]
pub struct Authorities(BTreeMap<AuthorityKey, Issuer>);

impl Authorities {
    /// Takes note of a CA; the error says why its certificate is not one, or that it is known.
    pub(crate) fn add(&mut self, created: &AuthorityCreated) -> Result<(), String> {
        let key = created.of.key();
        let addresses = Addresses {
            ca_certificate: created.addresses.ca_certificate.clone(),
            cps: created.addresses.cps.clone(),
            crl: created.addresses.crl.clone(),
            ocsp: created.addresses.ocsp.clone(),
        };
        let options = CrlOptions {
            partitions: created.crl_partitions,
            delta: created.crl_delta,
        };
        let issuer = Issuer::try_new(
            key.authority,
            key.generation,
            &created.certificate,
            addresses,
        )
        .and_then(|issuer| issuer.with_crl_options(options))
        .map_err(|error| error.to_string())?;
        let unfit = profile::authority(&issuer);
        if let Some(why) = unfit.first() {
            return Err(format!("of the certificate of {key}: {why}"));
        }
        match self.0.insert(key, issuer) {
            Some(_) => Err(format!("{key} was made before")),
            None => Ok(()),
        }
    }

    /// A CA's public key.
    #[must_use]
    pub fn key(&self, key: AuthorityKey) -> Option<&SubjectPublicKey> {
        self.0.get(&key).map(Issuer::public_key)
    }

    pub(crate) fn issuer(&self, key: AuthorityKey) -> Option<&Issuer> {
        self.0.get(&key)
    }

    /// The generation of a CA that has this key, a SubjectPublicKeyInfo.
    pub(crate) fn with_key(&self, authority: Authority, key: &[u8]) -> Option<&Issuer> {
        let mut of = self.0.values().filter(|ca| ca.authority() == authority);
        of.find(|ca| ca.public_key().der() == key)
    }

    /// Every CA with the digest of its certificate, by which it is known outside.
    pub fn digests(&self) -> impl Iterator<Item = (AuthorityKey, Digest)> {
        self.0
            .iter()
            .map(|(key, issuer)| (*key, sha256(issuer.certificate())))
    }

    /// The CA that a certificate or CRL names, whoever signed it: by the identifier of its key, or by its
    /// name as the issuer's.
    pub(crate) fn named_by(&self, der: &[u8]) -> Option<AuthorityKey> {
        let by_key = |(_, issuer): &(&AuthorityKey, &Issuer)| {
            let id = issuer.key_id();
            der.windows(20).any(|part| part == id.as_bytes())
        };
        let name = issuer_name(der);
        // A CA certificate is issued by the CA itself.
        let by_name = |(_, issuer): &(&AuthorityKey, &Issuer)| {
            name.is_some() && name == issuer_name(issuer.certificate())
        };
        let mut found = self.0.iter().find(by_key);
        found = found.or_else(|| self.0.iter().find(by_name));
        found.map(|(key, _)| *key)
    }

    /// The CA whose key signed this certificate or CRL, DER.
    pub(crate) fn signer_of(&self, der: &[u8]) -> Option<AuthorityKey> {
        let signed = |(_, issuer): &(&AuthorityKey, &Issuer)| {
            crate::certificate::is_signed_by(der, issuer.public_key())
        };
        self.0.iter().find(signed).map(|(key, _)| *key)
    }
}
