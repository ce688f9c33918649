//! A certificate with its private key, held in memory only.

use std::{fmt, sync::Arc};

use rustls::{crypto::ring::sign::any_supported_type, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::error::RuntimeError;

/// Who a process is in TLS: a service, or an officer with a login certificate.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// From a chain in DER, the own certificate first, and its private key (PKCS #8 in DER); refuses
    /// a key that does not belong to the certificate.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "taking the key makes sure that it is wiped after this"
    )]
    pub fn try_new(
        chain: Vec<Vec<u8>>,
        pkcs8_key: Zeroizing<Vec<u8>>,
    ) -> Result<Self, RuntimeError> {
        let refused = |source| RuntimeError::Tls {
            what: "the certificate with its key",
            source,
        };
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8_key.as_slice()));
        let key = any_supported_type(&der).map_err(refused)?;
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(refused)?;
        Ok(Self(Arc::new(certified)))
    }

    /// The own certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.0.cert.first().map_or(&[], |der| der.as_ref())
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}

/// Never the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.0.cert.len())
            .finish_non_exhaustive()
    }
}
