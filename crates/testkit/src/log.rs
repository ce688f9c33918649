//! The identity of a log in tests: a key that everybody knows.

use std::sync::Arc;

use lgpki_ledger::{Identity, KeyName, LogSigner};

/// The PKCS#8 of an Ed25519 private key up to the key itself (RFC 8410 §7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];

/// The identity of the logs of `node`, whose service's name stands before its hyphen: `issuer-1` is
/// a node of `issuer`. Always the same key.
#[must_use]
pub fn log_identity(node: &str) -> Identity {
    log_identity_with(node, 7)
}

/// Like [`log_identity`], with the key that follows from `seed`.
///
/// # Panics
/// If the node's name cannot stand in a log's name.
#[must_use]
#[expect(clippy::expect_used, reason = "a test gives it what it must have")]
pub fn log_identity_with(node: &str, seed: u8) -> Identity {
    let service = node.split('-').next().unwrap_or(node);
    let base: KeyName = "lgpki.example/audit".parse().expect("a name");
    Identity::try_new(&base, service, node, Arc::new(log_signer(seed))).expect("a name")
}

/// The log key that follows from `seed`.
///
/// # Panics
/// Never: the key is of the form that is read.
#[must_use]
#[expect(clippy::expect_used, reason = "the key is of the form that is read")]
pub fn log_signer(seed: u8) -> LogSigner {
    let der = [PKCS8.as_slice(), &[seed; 32]].concat();
    LogSigner::from_pkcs8(&der).expect("a key")
}
