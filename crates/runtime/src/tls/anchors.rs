//! The CAs that are trusted, replaceable while the process runs.

use std::{fmt, sync::Arc, time::Duration};

use lgpki_domain::Timestamp;
use parking_lot::RwLock;
use rustls::{
    RootCertStore,
    client::WebPkiServerVerifier,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::provider;
use crate::error::RuntimeError;

/// A set of trust anchors. Clones share it: what replaces it in one, replaces it in all, from the
/// next handshake and the next RPC on.
#[derive(Clone)]
pub struct TrustAnchors(Arc<RwLock<Arc<Anchors>>>);

/// The set at one moment.
pub(crate) struct Anchors {
    count: usize,
    clients: Arc<dyn ClientCertVerifier>,
    pub(super) servers: Arc<WebPkiServerVerifier>,
}

/// A chain does not lead to an anchor.
#[derive(Debug, thiserror::Error)]
#[error("the chain does not lead to a trusted CA: {0}")]
pub(crate) struct ChainRefused(rustls::Error);

impl TrustAnchors {
    /// Trusts these CA certificates (DER); at least one.
    pub fn try_new(certificates: &[impl AsRef<[u8]>]) -> Result<Self, RuntimeError> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(Anchors::try_new(
            certificates,
        )?)))))
    }

    /// Trusts these and no others from now on; on an error everything stays as it was.
    pub fn replace(&self, certificates: &[impl AsRef<[u8]>]) -> Result<(), RuntimeError> {
        let new = Arc::new(Anchors::try_new(certificates)?);
        *self.0.write() = new;
        Ok(())
    }

    /// The set as it stands now.
    pub(crate) fn current(&self) -> Arc<Anchors> {
        Arc::clone(&self.0.read())
    }
}

impl fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustAnchors({})", self.current().count)
    }
}

impl Anchors {
    fn try_new(certificates: &[impl AsRef<[u8]>]) -> Result<Self, RuntimeError> {
        if certificates.is_empty() {
            return Err(RuntimeError::NoAnchor);
        }
        let mut roots = RootCertStore::empty();
        for der in certificates {
            roots
                .add(CertificateDer::from(der.as_ref()))
                .map_err(|source| RuntimeError::Tls {
                    what: "a trust anchor",
                    source,
                })?;
        }
        let roots = Arc::new(roots);
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider()).build();
        let servers = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
        match (clients, servers) {
            (Ok(clients), Ok(servers)) => Ok(Self {
                count: certificates.len(),
                clients,
                servers,
            }),
            _ => Err(RuntimeError::NoAnchor),
        }
    }

    /// Verifies that a client's chain leads here at `at`.
    pub(crate) fn verify_client(
        &self,
        chain: &[CertificateDer<'static>],
        at: Timestamp,
    ) -> Result<(), ChainRefused> {
        let (leaf, others) = chain
            .split_first()
            .ok_or(ChainRefused(rustls::Error::NoCertificatesPresented))?;
        self.clients
            .verify_client_cert(leaf, others, unix_time(at))
            .map(|_| ())
            .map_err(ChainRefused)
    }
}

/// A timestamp as rustls has it; before 1970 it is 1970.
pub(crate) fn unix_time(at: Timestamp) -> UnixTime {
    let seconds = u64::try_from(at.as_seconds()).unwrap_or_default();
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
