//! A certificate with its private key, held in memory only.

use std::{fmt, sync::Arc};

use lgpki_x509::certificate::Certificate;
use rustls::{Error, InconsistentKeys, crypto::ring::sign::any_supported_type, sign::CertifiedKey};
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
        check_key(&certified).map_err(refused)?;
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

/// Whether the key belongs to the certificate. rustls' own check goes through webpki, which does not
/// parse every certificate that a holder may try to log in with.
fn check_key(certified: &CertifiedKey) -> Result<(), Error> {
    let certificate = certified.end_entity_cert()?;
    let parsed = Certificate::parse(certificate).ok();
    let named = parsed.as_ref().and_then(Certificate::public_key);
    match (named, certified.key.public_key()) {
        (Some(named), Some(held)) if named.der() == held.as_ref() => Ok(()),
        (Some(_), Some(_)) => Err(InconsistentKeys::KeyMismatch.into()),
        _ => certified.keys_match(),
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

#[cfg(test)]
mod tests {
    use lgpki_domain::{KeyAlgorithm, Role};
    use lgpki_keys::SoftwareKey;

    use super::*;
    use crate::testing::Pki;

    #[test]
    fn a_key_of_another_certificate_and_no_certificate_at_all_are_refused() {
        let certificate = Pki::ours().service(Role::Intake).certificate().to_vec();
        let other = || {
            let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
            key.to_pkcs8_der().unwrap()
        };
        assert!(Identity::try_new(vec![certificate], other()).is_err());
        assert!(Identity::try_new(Vec::new(), other()).is_err());
    }

    #[test]
    fn the_key_is_never_printed() {
        let text = format!("{:?}", Pki::ours().service(Role::Intake));
        assert_eq!(text, "Identity { certificates: 1, .. }");
    }
}
