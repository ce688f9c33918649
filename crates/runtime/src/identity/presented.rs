//! What a client showed in its handshake, read once per connection.

use std::sync::Arc;

use lgpki_domain::{BodyCode, CertificateKind, OfficerRole, Role, Serial, Timestamp};
use lgpki_x509::certificate::Certificate;
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;

use super::refusal::{self, Refusal};
use crate::tls::{Anchors, TrustAnchors};

/// A client's chain, possibly empty, with what is known of it.
pub(crate) struct Presented {
    chain: Vec<CertificateDer<'static>>,
    leaf: Option<Leaf>,
    /// Under which set of anchors the chain was found good.
    verified: Mutex<Option<(Trust, Arc<Anchors>)>>,
}

/// What the client's own certificate says.
pub(super) struct Leaf {
    pub(super) serial: Option<Serial>,
    pub(super) kind: Option<CertificateKind>,
    pub(super) login: Option<(OfficerRole, Option<BodyCode>)>,
    pub(super) service: Option<Role>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

/// Which CAs the chain leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The service CA.
    Services,
    /// The Organization CA.
    Officers,
}

impl Presented {
    pub(crate) fn new(chain: Option<&[CertificateDer<'static>]>) -> Self {
        let chain = chain.unwrap_or_default().to_vec();
        let leaf = chain
            .first()
            .and_then(|der| Certificate::parse(der).ok())
            .map(|certificate| Leaf {
                serial: certificate.serial(),
                kind: certificate.kind(),
                login: certificate.login(),
                service: certificate.service(),
                not_before: certificate.not_before(),
                not_after: certificate.not_after(),
            });
        Self {
            chain,
            leaf,
            verified: Mutex::new(None),
        }
    }

    pub(super) fn leaf(&self) -> Result<&Leaf, Refusal> {
        match &self.leaf {
            Some(leaf) => Ok(leaf),
            None if self.chain.is_empty() => Err(refusal::missing()),
            None => Err(refusal::untrusted()),
        }
    }

    /// Which anchors the chain leads to. Verified at a time within the certificate's validity, for
    /// whether it is valid now is judged, and told apart, on every RPC.
    pub(super) fn trusted_by(
        &self,
        services: &TrustAnchors,
        officers: Option<&TrustAnchors>,
    ) -> Result<Trust, Refusal> {
        let leaf = self.leaf()?;
        let sets = [
            (Trust::Services, Some(services.current())),
            (Trust::Officers, officers.map(TrustAnchors::current)),
        ];
        let sets = sets.into_iter().filter_map(|(t, set)| Some((t, set?)));
        let sets: Vec<_> = sets.collect();
        let mut verified = self.verified.lock();
        if let Some((trust, under)) = verified.as_ref() {
            let same = |(t, set): &(Trust, Arc<Anchors>)| t == trust && Arc::ptr_eq(set, under);
            if sets.iter().any(same) {
                return Ok(*trust);
            }
        }
        for (trust, anchors) in sets {
            if anchors.verify_client(&self.chain, leaf.not_after).is_ok() {
                *verified = Some((trust, anchors));
                return Ok(trust);
            }
        }
        *verified = None;
        match leaf.kind {
            Some(CertificateKind::Login) | None => Err(refusal::untrusted()),
            // webpki refuses kinds with other key usages or unknown critical extensions; the
            // holder is helped more by hearing that the kind is wrong.
            kind => Err(refusal::not_a_login_certificate(kind)),
        }
    }
}
