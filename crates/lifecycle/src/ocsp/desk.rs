//! The responder of one CA key: its own key, its certificate, and what it has signed.

use lgpki_domain::{
    Serial, Timestamp, Validity,
    toll::{Work, counted},
};
use lgpki_keys::{Signer as _, SoftwareKey};
use lgpki_x509::{
    Issuer as CaKey, SubjectPublicKey,
    error::X509Error,
    key::sha256,
    ocsp::{CertId, IssuerId, Responder, Single, Status},
};

use super::kept::{Kept, Signed};
use crate::config::OcspSettings;

/// A CA key's responder.
#[derive(Debug)]
pub(crate) struct Desk {
    issuer: IssuerId,
    responder: Responder,
    serial: Serial,
    key: SoftwareKey,
    ca_validity: Validity,
    validity_seconds: i64,
    kept: Kept,
}

impl Desk {
    /// The desk of `ca`, to which it has delegated with this certificate for this key.
    pub(crate) fn try_new(
        ca: &CaKey,
        key: SoftwareKey,
        certificate: &[u8],
        settings: OcspSettings,
    ) -> Result<Self, X509Error> {
        const WHAT: &str = "an OCSP responder's certificate";
        let unreadable = |why: &str| X509Error::NotReadable {
            what: WHAT,
            why: why.to_owned(),
        };
        let public = SubjectPublicKey::parse("key", key.public_key().der())
            .map_err(|_| unreadable("its key is of no use"))?;
        let responder = Responder::try_new(ca, &public, certificate)?;
        let serial = responder
            .certificate()
            .serial()
            .ok_or_else(|| unreadable("its serial number is not of this CA's form"))?;
        Ok(Self {
            issuer: IssuerId::of(ca),
            responder,
            serial,
            key,
            ca_validity: ca.validity(),
            validity_seconds: settings.validity_seconds,
            kept: Kept::new(settings.kept_answers),
        })
    }

    /// Whether a certificate is one of this CA key's, as its name has it.
    pub(crate) fn issued(&self, id: &CertId<'_>) -> bool {
        self.issuer.issued(id)
    }

    /// The serial number of the responder's certificate.
    pub(crate) const fn serial(&self) -> Serial {
        self.serial
    }

    /// When it may answer.
    pub(crate) const fn validity(&self) -> Validity {
        self.responder.validity()
    }

    /// What it has signed and keeps.
    pub(crate) const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// When it is to be certified anew: at half of its validity, unless it ends with its CA already.
    pub(crate) fn renewal(&self) -> Option<Timestamp> {
        let validity = self.validity();
        let begin = validity.not_before().as_seconds();
        let half = (validity.not_after().as_seconds() - begin) / 2;
        (validity.last_day() < self.ca_validity.last_day())
            .then(|| Timestamp::from_seconds(begin + half))
    }

    /// Signs an answer. `None` if it cannot be written or the key fails, which the log tells.
    pub(crate) fn sign(
        &self,
        ids: &[&[u8]],
        statuses: &[Status],
        nonce: Option<&[u8]>,
        now: Timestamp,
    ) -> Option<Signed> {
        // To the second, as it is written; and never beyond what the responder may say.
        let this_update = Timestamp::from_seconds(now.as_seconds());
        let next_update = this_update
            .plus_seconds(self.validity_seconds)
            .min(self.validity().not_after());
        let singles: Vec<_> = ids
            .iter()
            .zip(statuses)
            .map(|(cert_id, status)| Single {
                cert_id,
                status: not_after(*status, this_update),
                this_update,
                next_update,
            })
            .collect();
        let written = self.responder.write(this_update, &singles, nonce);
        let tbs = written
            .inspect_err(|error| tracing::error!(%error, "an OCSP answer cannot be written"))
            .ok()?;
        let signed = counted(Work::Sign, || self.key.sign(&tbs));
        let signature = signed
            .inspect_err(|error| tracing::error!(%error, "an OCSP responder's key did not sign"))
            .ok()?;
        let body = self.responder.assemble(&tbs, &signature);
        Some(Signed {
            tbs_digest: sha256(&tbs),
            digest: sha256(&body),
            body: body.into(),
            this_update,
            next_update,
        })
    }
}

/// A status as it is told at a time: what was revoked under a clock that was ahead was revoked by then.
fn not_after(status: Status, now: Timestamp) -> Status {
    match status {
        Status::Revoked { at, reason } => Status::Revoked {
            at: at.min(now),
            reason,
        },
        Status::Good | Status::Unknown => status,
    }
}
