//! The port through which everything that signs does so.

use std::{fmt, sync::Arc};

use lgpki_domain::{Digest, KeyAlgorithm};

use crate::error::KeyError;

/// A key that can sign; shared by all threads.
pub trait Signer: Send + Sync + fmt::Debug {
    /// The key's algorithm, which also settles [`KeyAlgorithm::signature`].
    fn algorithm(&self) -> KeyAlgorithm;

    /// The public half.
    fn public_key(&self) -> &SubjectPublicKey;

    /// Signs `message` (not a digest of it): the contents of the certificate's or CSR's signature
    /// BIT STRING, made with the algorithm's one [`signature`](KeyAlgorithm::signature).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Whether a message's SHA-256 is all that this key signs, so that nobody need keep a large one.
    fn signs_digests(&self) -> bool {
        false
    }

    /// As [`sign`](Self::sign), by the message's SHA-256 alone, where [`signs_digests`](Self::signs_digests);
    /// an error where not.
    fn sign_digest(&self, sha256: &Digest) -> Result<Vec<u8>, KeyError> {
        let _ = sha256;
        Err(KeyError::NotADigest {
            algorithm: self.algorithm(),
        })
    }
}

/// A public key as a SubjectPublicKeyInfo, with its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct SubjectPublicKey {
    der: Arc<[u8]>,
    digest: Digest,
}

impl SubjectPublicKey {
    /// Takes over a SubjectPublicKeyInfo in DER; its content is not examined.
    #[must_use]
    pub fn from_der(der: Vec<u8>) -> Self {
        let mut digest = [0; 32];
        digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, &der).as_ref());
        Self {
            der: der.into(),
            digest: Digest(digest),
        }
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of [`der`](Self::der).
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Debug for SubjectPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectPublicKey({})", self.digest)
    }
}
