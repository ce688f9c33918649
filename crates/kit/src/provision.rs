//! Ready-made login media from the key ceremony.
//!
//! The first officers and operators cannot request their login with a login they do not have yet.
//! Their key pairs and certificates are made at `init`; this writes such a pair onto a medium in
//! one step. Everybody else makes the key on the medium itself.

use std::path::Path;

use lgpki_domain::{Clock, KeyMedium, Randomness};
use lgpki_keys::{Signer, SoftwareKey};

use crate::{
    chain::Chain,
    error::KitError,
    medium::{self, Format},
    pin::Pin,
    record::Content,
};

/// What goes onto the medium.
#[derive(Clone, Copy, Debug)]
pub struct Provision<'a> {
    /// IC card or USB token.
    pub medium: KeyMedium,
    /// Its PIN.
    pub pin: &'a Pin,
    /// The key pair.
    pub key: &'a SoftwareKey,
    /// Its certificate in PEM; those above it may follow.
    pub certificate: &'a [u8],
}

impl Provision<'_> {
    /// Formats the new medium at `path` and writes key and certificate onto it; a medium with a key
    /// in use is refused. Returns the medium's id.
    pub fn write(
        &self,
        path: &Path,
        clock: &dyn Clock,
        random: &dyn Randomness,
    ) -> Result<String, KitError> {
        let chain = Chain::given(self.certificate)?;
        if self.key.public_key().digest() != chain.first.key_digest() {
            return Err(KitError::NotAPair {
                what: "the certificate",
            });
        }
        let format = Format {
            medium: self.medium,
            pin: self.pin,
            destroy_key: false,
        };
        let now = clock.now();
        let mut prepared = medium::prepare(path, &format, now, random)?;
        let stretched = self.pin.stretch(&prepared.record.pin)?;
        prepared.record.content = Content::Certified {
            key: self
                .key
                .to_encrypted_pkcs8_pem_with(&stretched.passphrase(), 1)?,
            request: None,
            chain: chain.to_pem()?,
            stored_at: now.to_string(),
        };
        let id = prepared.record.id.clone();
        prepared.lay_out(path)?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests;
