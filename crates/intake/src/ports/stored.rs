//! Issued certificates as intake keeps them.

use lgpki_domain::{ApplicationId, BodyCode, CertificateKind, Serial};

use super::{Application, Content};

/// An issued certificate as intake keeps it.
#[derive(Clone, Debug)]
pub struct StoredCertificate {
    /// The application.
    pub id: ApplicationId,
    /// Its branch, if it is a branch's.
    pub branch: Option<BodyCode>,
    /// The kind.
    pub kind: CertificateKind,
    /// Serial number.
    pub serial: Serial,
    /// Renewals only: the certificate that it replaces.
    pub renews: Option<Serial>,
    /// DER.
    pub certificate: Vec<u8>,
    /// Index in the issuer's log; it may be handed out once lifecycle has passed it.
    pub issuer_index: u64,
}

impl Application {
    /// The certificate that it renews, if it is a renewal.
    #[must_use]
    pub const fn renews(&self) -> Option<Serial> {
        match &self.content {
            Content::Issue(content) => content.renews,
            Content::Revoke { .. } => None,
        }
    }
}
