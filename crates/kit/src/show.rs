//! What is on a medium, for tables and JSON; no PIN is needed and no key shown.

use std::path::Path;

use lgpki_domain::{
    CertificateKind, Digest, KeyAlgorithm, KeyMedium, OfficerRole, Subject, Timestamp,
};

use crate::{
    Kit,
    chain::{Chain, is_over, serial_of},
    error::KitError,
    medium::Medium,
    pin::TRIES,
    record::{Content, RequestRecord, time},
};

/// A medium and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediumView {
    /// Its id.
    pub id: String,
    /// IC card or USB token; always a simulated one.
    pub medium: KeyMedium,
    /// When it was formatted last.
    pub formatted_at: Timestamp,
    /// How many wrong PINs are left before it locks; 0 once locked.
    pub tries_left: u32,
    /// The request whose key it holds, if it was made here.
    pub request: Option<RequestView>,
    /// The certificate, once stored.
    pub certificate: Option<CertificateView>,
}

impl MediumView {
    /// In one word: `empty`, `pending` or `certified`.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match (&self.certificate, &self.request) {
            (Some(_), _) => "certified",
            (None, Some(_)) => "pending",
            (None, None) => "empty",
        }
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestView {
    /// The kind requested.
    pub kind: CertificateKind,
    /// For whom.
    pub subject: Subject,
    /// The address, for a mail certificate.
    pub mail: Option<String>,
    /// The office, for a login certificate.
    pub login: Option<OfficerRole>,
    /// The key's algorithm.
    pub algorithm: KeyAlgorithm,
    /// SHA-256 of the public key.
    pub key_digest: Digest,
    /// The PC on which it was made, and on which alone its certificate can be stored (R5).
    pub pc: String,
    /// The OS login under which it was made, likewise.
    pub os_login: String,
    /// When it was made.
    pub requested_at: Timestamp,
    /// The CSR in PEM.
    pub csr: String,
}

/// A stored certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateView {
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// Its kind, where it is one of LGPKI's.
    pub kind: Option<CertificateKind>,
    /// Whom it names, where it names a subscriber.
    pub subject: Option<Subject>,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// The last second in which it is valid.
    pub not_after: Timestamp,
    /// Whether that has passed.
    pub expired: bool,
    /// When it was stored here.
    pub stored_at: Timestamp,
    /// The certificate and those above it, in PEM.
    pub chain: Vec<String>,
}

impl Kit {
    /// Says what is on the medium.
    pub fn show(&self, path: &Path) -> Result<MediumView, KitError> {
        let medium = Medium::open(path)?;
        let file = medium.file();
        let (request, certificate) = match &medium.record.content {
            Content::Empty => (None, None),
            Content::Pending { request, .. } => (Some(view(request, &file)?), None),
            Content::Certified {
                request,
                chain,
                stored_at,
                ..
            } => {
                let read = medium.chain_of(chain)?;
                let stored_at = time(stored_at, &file)?;
                (
                    request.as_ref().map(|r| view(r, &file)).transpose()?,
                    Some(self.view_certificate(&read, chain, stored_at)),
                )
            }
        };
        Ok(MediumView {
            id: medium.record.id.clone(),
            medium: medium.record.medium(&file)?,
            formatted_at: time(&medium.record.formatted_at, &file)?,
            tries_left: TRIES.saturating_sub(medium.wrong_tries()?),
            request,
            certificate,
        })
    }

    fn view_certificate(
        &self,
        read: &Chain,
        chain: &[String],
        stored_at: Timestamp,
    ) -> CertificateView {
        let certificate = &read.first;
        CertificateView {
            serial: serial_of(certificate),
            kind: certificate.kind(),
            subject: certificate.subject(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            expired: is_over(certificate, self.clock.now()),
            stored_at,
            chain: chain.to_vec(),
        }
    }
}

fn view(request: &RequestRecord, file: &Path) -> Result<RequestView, KitError> {
    let login = request.login.as_ref().map(|l| l.read(file)).transpose()?;
    Ok(RequestView {
        kind: request.kind(file)?,
        subject: request.subject(file)?,
        mail: request.mail.clone(),
        login: login.map(|(role, _)| role),
        algorithm: request.algorithm(file)?,
        key_digest: request.key_digest(file)?,
        pc: request.pc.clone(),
        os_login: request.os_login.clone(),
        requested_at: request.requested_at(file)?,
        csr: request.csr.clone(),
    })
}

#[cfg(test)]
mod tests;
