//! The CA keys: encrypted files on disk, signers in memory.
//!
//! A key file is named after its CA and generation, written once, and never replaced. A key serves
//! only beside the certificate that the log records for it; one that does not fit is an error at the
//! start and not at the first signature.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::{Authority, KeyAlgorithm};
use lgpki_keys::{KeyError, Passphrase, Signer, SoftwareKey, write_private};
use lgpki_x509::Issuer;

use crate::{error::IssuerError, ports::AuthorityRecord, turnstile::Permit};

/// A CA that can sign: its certificate and its key.
#[derive(Debug)]
pub(crate) struct Ca {
    pub(crate) issuer: Issuer,
    signer: Arc<dyn Signer>,
}

impl Ca {
    /// Signs what the intent of which was redeemed.
    pub(crate) fn sign(&self, permit: Permit<'_>) -> Result<Vec<u8>, KeyError> {
        permit.sign(self.signer.as_ref())
    }

    /// Whether its key signs what only the digest is left of.
    pub(crate) fn signs_digests(&self) -> bool {
        self.signer.signs_digests()
    }

    /// The same CA with another signer around its own.
    #[cfg(test)]
    pub(crate) fn wrapped<T: Signer + 'static>(
        &self,
        wrap: impl FnOnce(Arc<dyn Signer>) -> T,
    ) -> Self {
        Self {
            issuer: self.issuer.clone(),
            signer: Arc::new(wrap(Arc::clone(&self.signer))),
        }
    }
}

/// Where the key files lie.
#[derive(Debug)]
pub(crate) struct Vault {
    dir: PathBuf,
    passphrase: Passphrase,
}

impl Vault {
    /// The key files of the data directory `data`.
    pub(crate) fn new(data: &Path, passphrase: Passphrase) -> Self {
        Self {
            dir: data.join("keys"),
            passphrase,
        }
    }

    fn path(&self, authority: Authority, generation: u32) -> PathBuf {
        self.dir.join(format!("{authority}-{generation}.key.pem"))
    }

    /// The CA of `record` with its key. Slow: the passphrase's derivation is meant to be.
    pub(crate) fn open(&self, record: &AuthorityRecord) -> Result<Ca, IssuerError> {
        let AuthorityRecord {
            authority,
            generation,
            ..
        } = *record;
        let path = self.path(authority, generation);
        if !path.exists() {
            return Err(IssuerError::KeyMissing { authority, path });
        }
        let key = self.load(authority, &path)?;
        fitting(record, Arc::new(key), path)
    }

    /// The key for a CA about to be created: a new one, durable on return, or the one that an
    /// unfinished ceremony left.
    pub(crate) fn prepare(
        &self,
        authority: Authority,
        generation: u32,
        algorithm: KeyAlgorithm,
    ) -> Result<SoftwareKey, IssuerError> {
        let failed = |source| IssuerError::Key { authority, source };
        fs::create_dir_all(&self.dir).map_err(|source| IssuerError::KeyDirectory {
            path: self.dir.clone(),
            source,
        })?;
        sync_parent(&self.dir)?;
        let path = self.path(authority, generation);
        if path.exists() {
            let key = self.load(authority, &path)?;
            if key.algorithm() != algorithm {
                return Err(IssuerError::OtherKeyWaiting { path });
            }
            return Ok(key);
        }
        let key = SoftwareKey::generate(algorithm).map_err(failed)?;
        let pem = key
            .to_encrypted_pkcs8_pem(&self.passphrase)
            .map_err(failed)?;
        write_private(&path, pem.as_bytes()).map_err(failed)?;
        Ok(key)
    }

    fn load(&self, authority: Authority, path: &Path) -> Result<SoftwareKey, IssuerError> {
        SoftwareKey::load(path, &self.passphrase)
            .map_err(|source| IssuerError::Key { authority, source })
    }

    /// The CA of `record` with a key that [`prepare`](Self::prepare) made.
    pub(crate) fn unite(
        &self,
        record: &AuthorityRecord,
        key: SoftwareKey,
    ) -> Result<Ca, IssuerError> {
        let path = self.path(record.authority, record.generation);
        fitting(record, Arc::new(key), path)
    }
}

fn fitting(
    record: &AuthorityRecord,
    signer: Arc<dyn Signer>,
    path: PathBuf,
) -> Result<Ca, IssuerError> {
    let issuer = Issuer::try_new(
        record.authority,
        record.generation,
        &record.certificate,
        record.addresses.clone(),
    )?;
    if issuer.public_key().der() != signer.public_key().der() {
        return Err(IssuerError::KeyDoesNotFit {
            authority: record.authority,
            path,
        });
    }
    let issuer = issuer.with_crl_options(record.crl_options)?;
    Ok(Ca { issuer, signer })
}

fn sync_parent(dir: &Path) -> Result<(), IssuerError> {
    let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) else {
        return Ok(());
    };
    fs::File::open(parent)
        .and_then(|parent| parent.sync_all())
        .map_err(|source| IssuerError::KeyDirectory {
            path: dir.to_owned(),
            source,
        })
}
