//! Making the key pair and the CSR on the medium (鍵ペアとCSRの作成).
//!
//! Who asked, where and on which medium is kept on the PC first and on the medium then, so that R5
//! can be judged when the certificate comes. A crash in between leaves a note on the PC about a key
//! that nobody has, which is harmless.

use std::path::Path;

use lgpki_domain::{CertificateKind, Digest, Faults, KeyAlgorithm, Subject, Timestamp};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_x509::{key, particulars::Particulars, pem, request};
use serde::Serialize;

use crate::{
    Kit,
    error::KitError,
    medium::Medium,
    order::Order,
    pin::Pin,
    record::{Content, LoginRecord, NamesRecord, RequestRecord, VERSION},
    setup::Settings,
};

/// Iterations for encrypting the key under what the PIN already stretched to.
const ITERATIONS: u32 = 1;

/// A request that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requested {
    /// The CSR in PEM, for the registration branch.
    pub csr: String,
    /// The medium's id.
    pub medium: String,
    /// What the certificate is to name.
    pub subject: Subject,
    /// SHA-256 of the public key.
    pub key_digest: Digest,
    /// When it was made.
    pub requested_at: Timestamp,
}

/// A login-data request file (ログイン用データ要求ファイル): the CSR with what else is to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginDataRequest {
    /// The request itself.
    pub requested: Requested,
    /// The file's content, JSON in UTF-8.
    pub file: String,
}

#[derive(Serialize)]
struct LoginDataFile<'a> {
    format: &'static str,
    version: u32,
    body_code: String,
    body: &'a NamesRecord,
    name: &'a NamesRecord,
    login: LoginRecord,
    medium: &'a str,
    medium_kind: &'a str,
    requested_at: &'a str,
    key_digest: &'a str,
    csr: &'a str,
}

impl Kit {
    /// Makes a key pair on the medium and a CSR for it.
    pub fn request(
        &self,
        path: &Path,
        pin: &Pin,
        order: &Order<'_>,
    ) -> Result<Requested, KitError> {
        let settings = self.settings()?;
        let medium = Medium::open(path)?;
        self.request_on(medium, pin, order, &settings)
            .map(|(requested, _)| requested)
    }

    /// As [`request`](Self::request) for a login certificate, together with the login-data request
    /// file that goes to the operator.
    pub fn request_login_data(
        &self,
        path: &Path,
        pin: &Pin,
        order: &Order<'_>,
    ) -> Result<LoginDataRequest, KitError> {
        let settings = self.settings()?;
        let medium = Medium::open(path)?;
        let medium_kind = medium.record.medium.clone();
        if order.kind != CertificateKind::Login {
            let mut faults = Faults::new();
            faults.push(
                "kind",
                "KIND_WITHOUT_LOGIN_DATA",
                format!(
                    "there is login data for login certificates only, not for a {} one; run `request` \
                     without it",
                    order.kind
                ),
            );
            return Err(KitError::OrderRefused(faults));
        }
        let (requested, record) = self.request_on(medium, pin, order, &settings)?;
        let path = self.request_path(requested.key_digest);
        let login = record
            .login
            .clone()
            .ok_or_else(|| KitError::damaged(&path, &"no officer"))?;
        let file = LoginDataFile {
            format: "lgpki login-data request",
            version: VERSION,
            body_code: settings.code.to_string(),
            body: &record.body,
            name: &record.name,
            login,
            medium: &record.medium,
            medium_kind: &medium_kind,
            requested_at: &record.requested_at,
            key_digest: &record.key_digest,
            csr: &record.csr,
        };
        let mut file =
            serde_json::to_string_pretty(&file).map_err(|why| KitError::damaged(&path, &why))?;
        file.push('\n');
        Ok(LoginDataRequest { requested, file })
    }

    fn request_on(
        &self,
        mut medium: Medium,
        pin: &Pin,
        order: &Order<'_>,
        settings: &Settings,
    ) -> Result<(Requested, RequestRecord), KitError> {
        require_empty(&medium)?;
        let kind = medium.record.medium(&medium.file())?;
        let (subject, particulars) = order
            .check(kind, settings)
            .map_err(KitError::OrderRefused)?;
        let stretched = medium.present(pin)?;
        let pair = SoftwareKey::generate(order.algorithm)?;
        let csr = certification_request(&pair, &subject, &particulars)?;
        let requested = Requested {
            csr,
            medium: medium.record.id.clone(),
            subject,
            key_digest: pair.public_key().digest(),
            requested_at: self.clock.now(),
        };
        let record = self.record(&requested, &particulars, order.algorithm);
        let key = pair.to_encrypted_pkcs8_pem_with(&stretched.passphrase(), ITERATIONS)?;
        self.remember(requested.key_digest, &record)?;
        medium.put(Content::Pending {
            key,
            request: record.clone(),
        })?;
        Ok((requested, record))
    }

    fn record(
        &self,
        requested: &Requested,
        particulars: &Particulars,
        algorithm: KeyAlgorithm,
    ) -> RequestRecord {
        RequestRecord {
            version: VERSION,
            medium: requested.medium.clone(),
            pc: self.pc.name().to_owned(),
            os_login: self.pc.os_login().to_owned(),
            requested_at: requested.requested_at.to_string(),
            kind: particulars.kind().name().to_owned(),
            body: NamesRecord::of(&requested.subject.body),
            unit: requested.subject.unit.as_ref().map(NamesRecord::of),
            name: NamesRecord::of(&requested.subject.name),
            mail: particulars.mail().map(ToOwned::to_owned),
            login: particulars
                .login()
                .map(|(role, body)| LoginRecord::of(role, body)),
            algorithm: algorithm.name().to_owned(),
            key_digest: requested.key_digest.to_string(),
            csr: requested.csr.clone(),
        }
    }
}

fn require_empty(medium: &Medium) -> Result<(), KitError> {
    let advice = match &medium.record.content {
        Content::Empty => return Ok(()),
        Content::Pending { .. } => {
            "store its certificate when it comes, or give the request up: withdraw the application and \
             format the medium with --destroy-key (`show` prints the CSR again)"
        }
        Content::Certified { .. } => {
            "take another medium; for a renewal, format this one first, after which the old certificate \
             cannot be used any more (R3)"
        }
    };
    Err(KitError::MediumInUse {
        medium: medium.record.id.clone(),
        holds: medium.holds()?,
        advice,
    })
}

fn certification_request(
    pair: &SoftwareKey,
    subject: &Subject,
    particulars: &Particulars,
) -> Result<String, KitError> {
    let failed = |source| KitError::X509 {
        what: "the certification request",
        source,
    };
    let public = key::SubjectPublicKey::parse("key", pair.public_key().der())
        .map_err(KitError::OrderRefused)?;
    let info = request::build_info(subject, particulars, &public).map_err(failed)?;
    let signature = pair.sign(&info)?;
    let der = request::assemble(info, pair.algorithm().signature(), &signature);
    pem::encode(pem::Label::CertificateRequest, &der).map_err(failed)
}

#[cfg(test)]
mod tests;
