//! A private key in this process's memory, held and used by OpenSSL.
//!
//! The key is read once and shared by all threads. OpenSSL wipes it when the last reference goes.
//! It leaves only encrypted ([`SoftwareKey::to_encrypted_pkcs8_pem`]) or, for TLS within the same
//! process, as wiped-on-drop PKCS#8 ([`SoftwareKey::to_pkcs8_der`]).

use std::{fmt, fs, path::Path};

use lgpki_domain::{Digest, KeyAlgorithm};
use openssl::{
    hash::MessageDigest,
    md::Md,
    nid::Nid,
    pkey::{Id, PKey, Private},
    pkey_ctx::PkeyCtx,
    rsa::Padding,
    sign,
};
use zeroize::Zeroizing;

use crate::{
    error::KeyError,
    passphrase::Passphrase,
    pkcs8,
    signer::{Signer, SubjectPublicKey},
};

/// The one public exponent that is made and accepted.
const EXPONENT: &str = "65537";

/// An OpenSSL private key of an allowed algorithm.
pub struct SoftwareKey {
    key: PKey<Private>,
    algorithm: KeyAlgorithm,
    public: SubjectPublicKey,
}

impl SoftwareKey {
    /// Makes a new key pair with OpenSSL's generator.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let key = match algorithm {
            KeyAlgorithm::Rsa2048 => generate_rsa(2048),
            KeyAlgorithm::Rsa3072 => generate_rsa(3072),
            KeyAlgorithm::Rsa4096 => generate_rsa(4096),
            KeyAlgorithm::P256 => PKey::ec_gen("P-256"),
            KeyAlgorithm::P384 => PKey::ec_gen("P-384"),
            KeyAlgorithm::Ed25519 => PKey::generate_ed25519(),
        };
        Self::from_openssl(key.map_err(KeyError::openssl("make a key pair"))?)
    }

    /// Reads an EncryptedPrivateKeyInfo, DER or one PEM block; a plain key is refused.
    pub fn from_encrypted_pkcs8(bytes: &[u8], passphrase: &Passphrase) -> Result<Self, KeyError> {
        let answer = |buffer: &mut [u8]| {
            let secret = passphrase.expose();
            // OpenSSL's buffer is longer than the longest passphrase; a shorter one would only
            // make the key not open.
            let length = secret.len().min(buffer.len());
            buffer[..length].copy_from_slice(&secret[..length]);
            Ok(length)
        };
        let key = if pkcs8::is_encrypted_pem(bytes) {
            PKey::private_key_from_pem_callback(bytes, answer)
        } else if pkcs8::is_encrypted_der(bytes) {
            PKey::private_key_from_pkcs8_callback(bytes, answer)
        } else {
            return Err(KeyError::NotEncrypted);
        };
        // OpenSSL's account of a failed decryption is a guess at padding errors, of no use to anybody.
        Self::from_openssl(key.map_err(|_| KeyError::WrongPassphrase)?)
    }

    /// Reads the file `path` as [`from_encrypted_pkcs8`](Self::from_encrypted_pkcs8) does.
    pub fn load(path: &Path, passphrase: &Passphrase) -> Result<Self, KeyError> {
        let bytes = fs::read(path).map_err(KeyError::file("read", path))?;
        Self::from_encrypted_pkcs8(&bytes, passphrase)
    }

    /// The key as a PEM block ENCRYPTED PRIVATE KEY: AES-256-CBC under
    /// PBKDF2-HMAC-SHA256 with [`pkcs8::ITERATIONS`].
    pub fn to_encrypted_pkcs8_pem(&self, passphrase: &Passphrase) -> Result<String, KeyError> {
        self.to_encrypted_pkcs8_pem_with(passphrase, pkcs8::ITERATIONS)
    }

    /// As [`to_encrypted_pkcs8_pem`](Self::to_encrypted_pkcs8_pem) with fewer iterations, for a
    /// passphrase that a slow derivation made already.
    pub fn to_encrypted_pkcs8_pem_with(
        &self,
        passphrase: &Passphrase,
        iterations: u32,
    ) -> Result<String, KeyError> {
        let plain = self.to_pkcs8_der()?;
        pkcs8::encrypt(&plain, passphrase, iterations.max(1)).map(|der| pkcs8::to_pem(&der))
    }

    /// The unencrypted PrivateKeyInfo, for handing to TLS within this process; never for a file.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.key
            .private_key_to_pkcs8()
            .map(Zeroizing::new)
            .map_err(KeyError::openssl("encode the private key"))
    }

    fn from_openssl(key: PKey<Private>) -> Result<Self, KeyError> {
        let algorithm = recognise(&key)?;
        let public = key
            .public_key_to_der()
            .map_err(KeyError::openssl("encode the public key"))?;
        Ok(Self {
            key,
            algorithm,
            public: SubjectPublicKey::from_der(public),
        })
    }
}

impl SoftwareKey {
    fn sign_sha256(&self, digest: &Digest) -> Result<Vec<u8>, KeyError> {
        let sign = || {
            let mut context = PkeyCtx::new(&self.key)?;
            context.sign_init()?;
            if self.algorithm != KeyAlgorithm::P256 {
                context.set_rsa_padding(Padding::PKCS1)?;
            }
            context.set_signature_md(Md::sha256())?;
            let mut signature = Vec::new();
            context.sign_to_vec(&digest.0, &mut signature)?;
            Ok(signature)
        };
        sign().map_err(KeyError::openssl("sign"))
    }
}

impl Signer for SoftwareKey {
    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    fn public_key(&self) -> &SubjectPublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signer = match self.algorithm {
            KeyAlgorithm::Rsa2048
            | KeyAlgorithm::Rsa3072
            | KeyAlgorithm::Rsa4096
            | KeyAlgorithm::P256 => sign::Signer::new(MessageDigest::sha256(), &self.key),
            KeyAlgorithm::P384 => sign::Signer::new(MessageDigest::sha384(), &self.key),
            KeyAlgorithm::Ed25519 => sign::Signer::new_without_digest(&self.key),
        };
        signer
            .and_then(|mut s| s.sign_oneshot_to_vec(message))
            .map_err(KeyError::openssl("sign"))
    }

    fn signs_digests(&self) -> bool {
        match self.algorithm {
            KeyAlgorithm::Rsa2048
            | KeyAlgorithm::Rsa3072
            | KeyAlgorithm::Rsa4096
            | KeyAlgorithm::P256 => true,
            // SHA-384, and the whole message.
            KeyAlgorithm::P384 | KeyAlgorithm::Ed25519 => false,
        }
    }

    fn sign_digest(&self, sha256: &Digest) -> Result<Vec<u8>, KeyError> {
        if self.signs_digests() {
            self.sign_sha256(sha256)
        } else {
            Err(KeyError::NotADigest {
                algorithm: self.algorithm,
            })
        }
    }
}

/// The algorithm and the public key's digest, nothing of the private key.
impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareKey")
            .field("algorithm", &self.algorithm)
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

fn generate_rsa(bits: u32) -> Result<PKey<Private>, openssl::error::ErrorStack> {
    let mut context = PkeyCtx::new_id(Id::RSA)?;
    context.keygen_init()?;
    context.set_rsa_keygen_bits(bits)?;
    // 65537 is what OpenSSL takes unless told otherwise; `recognise` sees that it did.
    context.keygen()
}

fn recognise(key: &PKey<Private>) -> Result<KeyAlgorithm, KeyError> {
    let failed = KeyError::openssl("read the key's parameters");
    let refuse = |found: String| Err(KeyError::NotAllowed { found });
    match key.id() {
        Id::RSA => {
            let rsa = key.rsa().map_err(failed)?;
            let exponent = rsa
                .e()
                .to_dec_str()
                .map_err(KeyError::openssl("read the public exponent"))?;
            match (key.bits(), &*exponent) {
                (2048, e) if &**e == EXPONENT => Ok(KeyAlgorithm::Rsa2048),
                (3072, e) if &**e == EXPONENT => Ok(KeyAlgorithm::Rsa3072),
                (4096, e) if &**e == EXPONENT => Ok(KeyAlgorithm::Rsa4096),
                (bits, e) => refuse(format!("RSA of {bits} bits with e = {}", &**e)),
            }
        }
        Id::EC => match key.ec_key().map_err(failed)?.group().curve_name() {
            Some(Nid::X9_62_PRIME256V1) => Ok(KeyAlgorithm::P256),
            Some(Nid::SECP384R1) => Ok(KeyAlgorithm::P384),
            other => refuse(format!(
                "an EC key on {}",
                other
                    .and_then(|nid| nid.short_name().ok())
                    .unwrap_or("an unnamed curve")
            )),
        },
        Id::ED25519 => Ok(KeyAlgorithm::Ed25519),
        _ => refuse("of another algorithm".to_owned()),
    }
}

#[cfg(test)]
mod tests;
