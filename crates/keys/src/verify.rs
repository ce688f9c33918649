//! Checks a signature by the digest of what was signed, where hashing a large message once more would
//! only cost time.
//!
//! For RSA alone: its signatures are bare octets, and nothing foreign is parsed. The public key has to
//! be one that passed the allow-list.

use lgpki_domain::Digest;
use openssl::{error::ErrorStack, md::Md, pkey::PKey, pkey_ctx::PkeyCtx, rsa::Padding};

use crate::error::KeyError;

/// Whether `signature` is that of RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2) over the message of
/// this digest, by the RSA key of this SubjectPublicKeyInfo.
pub fn is_rsa_signature_of_digest(
    key_info: &[u8],
    sha256: &Digest,
    signature: &[u8],
) -> Result<bool, KeyError> {
    let verify = || {
        let key = PKey::public_key_from_der(key_info)?;
        key.rsa()?;
        let mut context = PkeyCtx::new(&key)?;
        context.verify_init()?;
        context.set_rsa_padding(Padding::PKCS1)?;
        context.set_signature_md(Md::sha256())?;
        // OpenSSL calls a signature that does not open an error like any other.
        let right = context.verify(&sha256.0, signature).unwrap_or(false);
        // What it left in its queue must not be taken for the account of a later failure.
        let _ = ErrorStack::get();
        Ok(right)
    };
    verify().map_err(KeyError::openssl("check a signature"))
}

#[cfg(test)]
mod tests {
    use lgpki_domain::KeyAlgorithm;
    use ring::digest::{SHA256, digest};

    use super::*;
    use crate::{Signer as _, SoftwareKey};

    fn sha256(message: &[u8]) -> Digest {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, message).as_ref());
        Digest(out)
    }

    #[test]
    fn a_signature_is_that_of_its_key_and_message_alone() {
        let key = SoftwareKey::generate(KeyAlgorithm::Rsa2048).unwrap();
        let other = SoftwareKey::generate(KeyAlgorithm::Rsa2048).unwrap();
        let signature = key.sign(b"tbsCertList").unwrap();
        let check = |key: &SoftwareKey, message: &[u8], signature: &[u8]| {
            let key_info = key.public_key().der();
            is_rsa_signature_of_digest(key_info, &sha256(message), signature).unwrap()
        };
        assert!(check(&key, b"tbsCertList", &signature));
        assert!(!check(&other, b"tbsCertList", &signature));
        assert!(!check(&key, b"tbsCertLisu", &signature));
        assert!(!check(&key, b"tbsCertList", &signature[1..]));
        assert!(!check(&key, b"tbsCertList", &[]));
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert!(!check(&key, b"tbsCertList", &changed), "octet {at}");
        }
    }

    #[test]
    fn only_rsa_keys_are_asked() {
        for algorithm in [KeyAlgorithm::P256, KeyAlgorithm::Ed25519] {
            let key = SoftwareKey::generate(algorithm).unwrap();
            let signature = key.sign(b"tbsCertList").unwrap();
            let key_info = key.public_key().der();
            let checked = is_rsa_signature_of_digest(key_info, &sha256(b"tbsCertList"), &signature);
            assert!(checked.is_err(), "{algorithm}");
        }
        assert!(is_rsa_signature_of_digest(b"no key", &sha256(b""), &[1]).is_err());
    }
}
