//! What lifecycle records: certificates registered from the issuer's feed, serial numbers
//! abandoned, certificates revoked, CRLs published.
//!
//! The bodies carry everything that the inventory needs, so that it can be rebuilt from the log
//! alone. Their form is final; a changed body gets a new version.

mod ocsp;
mod renewal;
mod slot;
mod subject;

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, BodyCode, CertificateKind, CrlNumber, CrlScope,
    CrlSeries, Digest, RevocationReason, Serial, Subject, Timestamp,
};
use lgpki_ledger::{
    About, Body, events,
    serial::{bytes, optional_text, text},
};
use serde::{Deserialize, Serialize};

pub use self::ocsp::OcspSigned;
pub use renewal::{RenewalClosed, RenewalOpened};
pub(crate) use slot::MOST;
pub use slot::{SlotCapacityChanged, SlotsBooked, SlotsKeyed, SlotsMissed};

use crate::ports::{AbandonedSerial, IssuedCertificate, Publication};

events! {
    /// An event of lifecycle's log.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum LifecycleEvent {
        /// A certificate entered the inventory.
        Registered(CertificateRegistered),
        /// A serial number without a certificate is to be listed as revoked.
        Abandoned(CertificateAbandoned),
        /// A certificate was revoked.
        Revoked(CertificateRevoked),
        /// A CRL was published.
        Published(CrlPublished),
        /// A renewal was opened.
        RenewalOpened(RenewalOpened),
        /// A renewal was closed.
        RenewalClosed(RenewalClosed),
        /// OCSP answers were signed.
        OcspSigned(OcspSigned),
        /// Slots were booked.
        SlotsBooked(SlotsBooked),
        /// Slots were let pass.
        SlotsMissed(SlotsMissed),
        /// Slots are booked for another capacity.
        SlotCapacityChanged(SlotCapacityChanged),
        /// A key signs slot tokens.
        SlotsKeyed(SlotsKeyed),
        /// The log was restored from an older copy.
        Restored(lgpki_ledger::Restored),
        /// What the store had counted.
        Heartbeat(lgpki_store::Heartbeat),
    }
}

/// A certificate entered the inventory; the entry answers the issuer's `certificate.issued`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRegistered {
    /// The application, or the ceremony's.
    #[serde(with = "text")]
    pub application: ApplicationId,
    /// The CA.
    #[serde(with = "authority")]
    pub authority: Authority,
    /// The branch; left out for operators and auditors.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub branch: Option<BodyCode>,
    /// The certificate, DER.
    #[serde(with = "bytes")]
    pub der: Vec<u8>,
    /// The generation of the CA's key; left out for the first.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub generation: u32,
    /// When the issuer recorded it.
    #[serde(with = "text")]
    pub issued_at: Timestamp,
    /// SHA-256 of its SubjectPublicKeyInfo.
    #[serde(with = "text")]
    pub key_digest: Digest,
    /// The kind.
    #[serde(with = "kind")]
    pub kind: CertificateKind,
    /// notAfter.
    #[serde(with = "text")]
    pub not_after: Timestamp,
    /// notBefore.
    #[serde(with = "text")]
    pub not_before: Timestamp,
    /// Which CRL would list it; left out for that of all user certificates.
    #[serde(with = "text", default, skip_serializing_if = "CrlScope::is_user")]
    pub scope: CrlScope,
    /// Its serial number.
    #[serde(with = "text")]
    pub serial: Serial,
    /// Whom it names.
    #[serde(with = "subject")]
    pub subject: Subject,
}

impl Body for CertificateRegistered {
    const KIND: &'static str = "certificate.registered";

    fn ceremony(&self) -> bool {
        self.kind.concerns_keys()
    }

    fn about(&self) -> About {
        About {
            application: Some(self.application),
            certificate: Some(self.serial),
            digest: None,
        }
    }
}

impl CertificateRegistered {
    /// What is told of it where nobody asks for the certificate itself.
    #[must_use]
    pub fn without_der(&self) -> IssuedCertificate {
        IssuedCertificate {
            application: self.application,
            authority: self.authority,
            branch: self.branch,
            der: Vec::new(),
            generation: self.generation,
            issued_at: self.issued_at,
            key_digest: self.key_digest,
            kind: self.kind,
            not_after: self.not_after,
            not_before: self.not_before,
            scope: self.scope,
            serial: self.serial,
            subject: self.subject.clone(),
        }
    }
}

impl From<IssuedCertificate> for CertificateRegistered {
    fn from(issued: IssuedCertificate) -> Self {
        Self {
            application: issued.application,
            authority: issued.authority,
            branch: issued.branch,
            der: issued.der,
            generation: issued.generation,
            issued_at: issued.issued_at,
            key_digest: issued.key_digest,
            kind: issued.kind,
            not_after: issued.not_after,
            not_before: issued.not_before,
            scope: issued.scope,
            serial: issued.serial,
            subject: issued.subject,
        }
    }
}

impl From<CertificateRegistered> for IssuedCertificate {
    fn from(body: CertificateRegistered) -> Self {
        Self {
            application: body.application,
            authority: body.authority,
            branch: body.branch,
            der: body.der,
            generation: body.generation,
            issued_at: body.issued_at,
            key_digest: body.key_digest,
            kind: body.kind,
            not_after: body.not_after,
            not_before: body.not_before,
            scope: body.scope,
            serial: body.serial,
            subject: body.subject,
        }
    }
}

/// A serial number without a certificate is to be listed as revoked; the entry answers the issuer's
/// `certificate.abandoned`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateAbandoned {
    /// When the issuer recorded it.
    #[serde(with = "text")]
    pub abandoned_at: Timestamp,
    /// The application.
    #[serde(with = "text")]
    pub application: ApplicationId,
    /// The CA.
    #[serde(with = "authority")]
    pub authority: Authority,
    /// The generation of the CA's key; left out for the first.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub generation: u32,
    /// notAfter of the tbsCertificate, until when it must be listed.
    #[serde(with = "text")]
    pub not_after: Timestamp,
    /// Which CRL must list it; left out for that of all user certificates.
    #[serde(with = "text", default, skip_serializing_if = "CrlScope::is_user")]
    pub scope: CrlScope,
    /// The serial number.
    #[serde(with = "text")]
    pub serial: Serial,
}

impl Body for CertificateAbandoned {
    const KIND: &'static str = "certificate.abandoned";

    fn ceremony(&self) -> bool {
        self.scope == CrlScope::CaCertificates
    }

    fn about(&self) -> About {
        About {
            application: Some(self.application),
            certificate: Some(self.serial),
            digest: None,
        }
    }
}

impl From<AbandonedSerial> for CertificateAbandoned {
    fn from(abandoned: AbandonedSerial) -> Self {
        Self {
            abandoned_at: abandoned.abandoned_at,
            application: abandoned.application,
            authority: abandoned.authority,
            generation: abandoned.generation,
            not_after: abandoned.not_after,
            scope: abandoned.scope,
            serial: abandoned.serial,
        }
    }
}

/// A certificate was revoked; the entry answers the one in intake's log that ordered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRevoked {
    /// The application that asked for it.
    #[serde(with = "text")]
    pub command: ApplicationId,
    /// Why.
    #[serde(with = "reason")]
    pub reason: RevocationReason,
    /// When, as the CRL will say.
    #[serde(with = "text")]
    pub revoked_at: Timestamp,
    /// The certificate.
    #[serde(with = "text")]
    pub serial: Serial,
}

impl Body for CertificateRevoked {
    const KIND: &'static str = "certificate.revoked";

    fn about(&self) -> About {
        About {
            application: Some(self.command),
            certificate: Some(self.serial),
            digest: None,
        }
    }
}

/// A CRL was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlPublished {
    /// The CA.
    #[serde(with = "authority")]
    pub authority: Authority,
    /// Delta only: the number of the complete CRL that it adds to; left out for a complete one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<u64>,
    /// SHA-256 of the CRL's DER.
    #[serde(with = "text")]
    pub digest: Digest,
    /// How many revoked certificates it lists.
    pub entries: u64,
    /// Generation of the CA's key.
    pub generation: u32,
    /// nextUpdate.
    #[serde(with = "text")]
    pub next_update: Timestamp,
    /// CRLNumber.
    pub number: u64,
    /// Every revocation below this index of this log was taken into account.
    pub reflects: u64,
    /// Which certificates it covers; left out for all user certificates.
    #[serde(with = "text", default, skip_serializing_if = "CrlScope::is_user")]
    pub scope: CrlScope,
    /// thisUpdate.
    #[serde(with = "text")]
    pub this_update: Timestamp,
}

impl Body for CrlPublished {
    const KIND: &'static str = "crl.published";

    fn about(&self) -> About {
        About {
            digest: Some(self.digest),
            ..About::default()
        }
    }
}

impl CrlPublished {
    /// What its number counts within.
    #[must_use]
    pub const fn series(&self) -> CrlSeries {
        CrlSeries {
            key: AuthorityKey::new(self.authority, self.generation),
            scope: self.scope,
        }
    }
}

impl From<Publication> for CrlPublished {
    fn from(publication: Publication) -> Self {
        Self {
            authority: publication.series.key.authority,
            base: publication.base.map(|base| base.0),
            digest: publication.digest,
            entries: publication.entries,
            generation: publication.series.key.generation,
            next_update: publication.next_update,
            number: publication.number.0,
            reflects: publication.reflects,
            scope: publication.series.scope,
            this_update: publication.this_update,
        }
    }
}

impl From<&CrlPublished> for Publication {
    fn from(body: &CrlPublished) -> Self {
        Self {
            series: body.series(),
            base: body.base.map(CrlNumber),
            number: CrlNumber(body.number),
            digest: body.digest,
            entries: body.entries,
            this_update: body.this_update,
            next_update: body.next_update,
            reflects: body.reflects,
        }
    }
}

/// The generation of a CA's first key, which records leave out.
const fn first() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_first(generation: &u32) -> bool {
    *generation == first()
}

/// Makes a module for `#[serde(with = "…")]` of a type with `name` and `parse`.
macro_rules! by_name {
    ($module:ident, $type:ty) => {
        mod $module {
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            pub(super) fn serialize<S: Serializer>(value: &$type, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(value.name())
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<$type, D::Error> {
                let name = std::borrow::Cow::<'de, str>::deserialize(d)?;
                <$type>::parse(&name)
                    .ok_or_else(|| D::Error::custom(format_args!("unknown name {name:?}")))
            }
        }
    };
}

by_name!(authority, super::Authority);
by_name!(kind, super::CertificateKind);
by_name!(reason, super::RevocationReason);
