//! What the issuer's feed tells of, and what became of it.

use lgpki_domain::{
    ApplicationId, Authority, BodyCode, CertificateKind, CrlScope, Digest, Serial, Subject,
    Timestamp,
};

/// A certificate as the issuer's feed tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// The application, or the ceremony's.
    pub application: ApplicationId,
    /// The CA.
    pub authority: Authority,
    /// The branch; none for operators and auditors.
    pub branch: Option<BodyCode>,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// The generation of the CA key that signed it, from 1.
    pub generation: u32,
    /// When the issuer recorded it.
    pub issued_at: Timestamp,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_digest: Digest,
    /// The kind.
    pub kind: CertificateKind,
    /// notAfter.
    pub not_after: Timestamp,
    /// notBefore.
    pub not_before: Timestamp,
    /// Which CRL would list it.
    pub scope: CrlScope,
    /// Its serial number.
    pub serial: Serial,
    /// Whom it names.
    pub subject: Subject,
}

/// An attempt without a certificate: its serial number must be listed as revoked, for nobody can
/// know whether the signature exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbandonedSerial {
    /// When the issuer recorded it.
    pub abandoned_at: Timestamp,
    /// The application.
    pub application: ApplicationId,
    /// The CA.
    pub authority: Authority,
    /// The generation of the CA key that may have signed it, from 1.
    pub generation: u32,
    /// notAfter of the tbsCertificate.
    pub not_after: Timestamp,
    /// Which CRL must list it.
    pub scope: CrlScope,
    /// The serial number that must never be trusted.
    pub serial: Serial,
}

/// What an item of the feed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// A certificate exists.
    Issued(Box<IssuedCertificate>),
    /// An attempt was abandoned.
    Abandoned(AbandonedSerial),
}

/// An item of the issuer's feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedItem {
    /// Its index in the issuer's log.
    pub index: u64,
    /// What it says.
    pub event: FeedEvent,
}

/// What became of a slice of the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// How many items were new and are recorded now.
    pub recorded: usize,
    /// Serial numbers that the feed told of twice with different content; nothing was recorded.
    pub conflicts: Vec<Serial>,
    /// Everything of the issuer's log below this index stands in the inventory.
    pub position: u64,
}
