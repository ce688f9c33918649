//! A server's TLS: a client certificate is asked for, optional, and judged later.

use std::{fmt, sync::Arc};

use lgpki_domain::Clock;
use lgpki_x509::certificate::Certificate;
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{
        WebPkiSupportedAlgorithms, verify_tls13_signature, verify_tls13_signature_with_raw_key,
    },
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::SingleCertAndKey,
};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};

use super::{ClockTime, H2, Identity, provider};
use crate::error::RuntimeError;

/// TLS 1.3 only, without resumption.
pub(crate) fn server_config(
    identity: &Identity,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, RuntimeError> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|source| RuntimeError::Tls {
            what: "TLS 1.3",
            source,
        })?
        .with_client_cert_verifier(Arc::new(ProofOfKey(algorithms)))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    config.alpn_protocols = vec![H2.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Verifies that the client holds the key of the certificate it shows, and nothing about that
/// certificate: [`identity`](crate::identity) does.
struct ProofOfKey(WebPkiSupportedAlgorithms);

impl fmt::Debug for ProofOfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofOfKey")
    }
}

impl ClientCertVerifier for ProofOfKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // webpki does not parse certificates with critical extensions that it does not know, such as
        // official-duty ones; with the bare key even those get as far as a status with a reason.
        let parsed = Certificate::parse(cert).ok();
        match parsed.as_ref().and_then(Certificate::public_key) {
            Some(key) => verify_tls13_signature_with_raw_key(
                message,
                &SubjectPublicKeyInfoDer::from(key.der()),
                dss,
                &self.0,
            ),
            None => verify_tls13_signature(message, cert, dss, &self.0),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
