//! Where a service's TLS material lies, and reading it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    error::RuntimeError,
    tls::{Identity, TrustAnchors},
};

/// Files of TLS material in PEM form.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsPaths {
    /// The certificate, and after it the CA certificates up to the anchor, if any.
    pub certificate: PathBuf,
    /// Its private key (PKCS #8), readable by its owner alone.
    pub key: PathBuf,
    /// The CA certificates that are trusted.
    pub anchors: PathBuf,
}

impl TlsPaths {
    /// Reads the identity.
    pub fn identity(&self) -> Result<Identity, RuntimeError> {
        let chain = certificates(&self.certificate)?;
        Identity::try_new(chain, private_key(&self.key)?)
    }

    /// Reads the trust anchors.
    pub fn trust_anchors(&self) -> Result<TrustAnchors, RuntimeError> {
        TrustAnchors::try_new(&certificates(&self.anchors)?)
    }
}

/// Every certificate of a PEM file; at least one.
pub fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, RuntimeError> {
    let what = "certificate";
    let text = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text)
        .map(|one| one.map(|der| der.as_ref().to_vec()))
        .collect();
    found
        .ok()
        .filter(|all| !all.is_empty())
        .ok_or_else(|| RuntimeError::NotPem {
            what,
            path: path.to_owned(),
        })
}

fn private_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, RuntimeError> {
    let what = "private key (PKCS #8)";
    let text = Zeroizing::new(read(what, path)?);
    let mode = fs::metadata(path)
        .map_err(|source| unreadable(what, path, source))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(RuntimeError::OpenKey {
            path: path.to_owned(),
        });
    }
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(PrivateKeyDer::Pkcs8(key)) => Ok(Zeroizing::new(key.secret_pkcs8_der().to_vec())),
        _ => Err(RuntimeError::NotPem {
            what,
            path: path.to_owned(),
        }),
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, RuntimeError> {
    fs::read(path).map_err(|source| unreadable(what, path, source))
}

fn unreadable(what: &'static str, path: &Path, source: std::io::Error) -> RuntimeError {
    RuntimeError::Unreadable {
        what,
        path: path.to_owned(),
        source,
    }
}
