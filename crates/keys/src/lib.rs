//! CA and subscriber keys: the [`Signer`] port and OpenSSL software keys in encrypted PKCS#8.
//!
//! A key is made or read once and then only signs; the services see a [`Signer`] and never the
//! private key. On disk a key is an EncryptedPrivateKeyInfo ([`pkcs8`]), its passphrase comes from
//! a file, a file descriptor or a prompt ([`passphrase`]), never from an argument or the
//! environment. [`weak`] recognises public keys whose private half could be found. OpenSSL's own
//! generator makes keys, salts and nonces: it cannot be given another source.

pub mod error;
pub mod file;
pub mod passphrase;
pub mod pkcs8;
pub mod signer;
pub mod software;
pub mod verify;
pub mod weak;

pub use error::KeyError;
pub use file::write_private;
pub use passphrase::{Passphrase, PassphraseSource, Stretched};
pub use signer::{Signer, SubjectPublicKey};
pub use software::SoftwareKey;
pub use verify::is_rsa_signature_of_digest;
