//! Storing the certificate on the medium that made its CSR (証明書の格納).
//!
//! R5: only on the same PC, under the same OS login, on the same medium; and not once the
//! certificate was imported elsewhere. Every breach is told at once. The operating system's own
//! certificate store, into which people import by a double click, is simulated by
//! [`Kit::import_elsewhere`].

use std::path::Path;

use lgpki_domain::{Faults, Timestamp};
use lgpki_keys::Signer;
use lgpki_x509::Certificate;
use serde::{Deserialize, Serialize};

use crate::{
    Kit,
    chain::{Chain, serial_of},
    disk,
    error::KitError,
    medium::Medium,
    pin::Pin,
    record::{Content, RequestRecord, time},
};

const START_ANEW: &str = "have it revoked (失効申請), format the medium with --destroy-key, and start \
                          again from `request`";

/// A certificate that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The medium's id.
    pub medium: String,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// How many certificates lie on the medium: the subscriber's and those above it.
    pub chain: usize,
    /// When it was stored.
    pub stored_at: Timestamp,
}

/// A certificate that was imported into the PC's own certificate store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// When it was imported.
    pub imported_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportRecord {
    imported_at: String,
    os_login: String,
    certificate: String,
}

impl Kit {
    /// Stores a certificate (PEM, the certificates above it may follow) on the medium.
    pub fn store(&self, path: &Path, pin: &Pin, text: &[u8]) -> Result<Stored, KitError> {
        self.read_settings()?;
        let mut medium = Medium::open(path)?;
        let chain = Chain::given(text)?;
        let (key, request) = pending(&medium)?;
        self.judge_storing(&chain, &request, &medium)?;
        let stretched = medium.present(pin)?;
        let pair = medium.open_key(&key, &stretched)?;
        if pair.public_key().digest() != chain.first.key_digest() {
            return Err(KitError::damaged(
                &medium.file(),
                &"its key is not the one that its record names",
            ));
        }
        let stored = Stored {
            medium: medium.record.id.clone(),
            serial: serial_of(&chain.first),
            chain: chain.der.len(),
            stored_at: self.clock.now(),
        };
        medium.put(Content::Certified {
            key,
            request: Some(request),
            chain: chain.to_pem()?,
            stored_at: stored.stored_at.to_string(),
        })?;
        Ok(stored)
    }

    /// Imports a certificate into the PC's own certificate store, as a double click does; after
    /// that it can no longer be stored on its medium (R5).
    pub fn import_elsewhere(&self, text: &[u8]) -> Result<Imported, KitError> {
        let chain = Chain::given(text)?;
        let imported = Imported {
            serial: serial_of(&chain.first),
            imported_at: self.clock.now(),
        };
        let path = self.import_path(chain.first.digest());
        disk::make_directory(path.parent().unwrap_or(&self.directory))?;
        disk::replace_json(
            &path,
            &ImportRecord {
                imported_at: imported.imported_at.to_string(),
                os_login: self.pc.os_login().to_owned(),
                certificate: chain.to_pem()?.concat(),
            },
        )?;
        Ok(imported)
    }

    fn judge_storing(
        &self,
        chain: &Chain,
        request: &RequestRecord,
        medium: &Medium,
    ) -> Result<(), KitError> {
        let certificate = &chain.first;
        let mut faults = Faults::new();
        let file = medium.file();
        if request.key_digest(&file)? == certificate.key_digest() {
            compare_content(certificate, request, &file, &mut faults)?;
            self.compare_place(request, &file, &mut faults)?;
        } else {
            self.tell_whose(certificate, &medium.record.id, &mut faults)?;
        }
        let path = self.import_path(certificate.digest());
        if let Some(import) = disk::read_json::<ImportRecord>(&path)? {
            let day = time(&import.imported_at, &path)?.jst_date();
            faults.push(
                "certificate",
                "CERTIFICATE_IMPORTED_ELSEWHERE",
                format!(
                    "this certificate was imported into the certificate store of this PC on {day} before it \
                     was stored on its medium, so it cannot be stored any more (R5); {START_ANEW}"
                ),
            );
        }
        chain.check(&mut faults);
        faults.into_result().map_err(KitError::StoreRefused)
    }

    /// R5: the same PC and the same OS login.
    fn compare_place(
        &self,
        request: &RequestRecord,
        file: &Path,
        faults: &mut Faults,
    ) -> Result<(), KitError> {
        let remembered = self.remembered(request.key_digest(file)?)?;
        if remembered.is_none() || request.pc != self.pc.name() {
            faults.push(
                "pc",
                "OTHER_PC",
                format!(
                    "the CSR was made on the PC {:?}, and this is {:?}{}; store the certificate on the PC \
                     that made the CSR (R5), or, if that PC is gone, {START_ANEW}",
                    request.pc,
                    self.pc.name(),
                    if remembered.is_none() { ", which remembers no such request" } else { "" },
                ),
            );
        }
        if request.os_login != self.pc.os_login() {
            faults.push(
                "os_login",
                "OTHER_OS_LOGIN",
                format!(
                    "the CSR was made under the OS login {:?}, and this is {:?}; log in to the operating \
                     system as {:?} and store the certificate again (R5)",
                    request.os_login,
                    self.pc.os_login(),
                    request.os_login,
                ),
            );
        }
        Ok(())
    }

    /// R5: the same medium. Says which one the certificate is for, where this PC knows.
    fn tell_whose(
        &self,
        certificate: &Certificate,
        medium: &str,
        faults: &mut Faults,
    ) -> Result<(), KitError> {
        match self.remembered(certificate.key_digest())? {
            Some(other) if other.medium != medium => faults.push(
                "medium",
                "OTHER_MEDIUM",
                format!(
                    "this certificate is for the key on the medium {}, and this is {medium}; insert the \
                     medium that made the CSR (R5)",
                    other.medium
                ),
            ),
            Some(_) => faults.push(
                "medium",
                "KEY_DESTROYED",
                format!(
                    "this certificate is for a key that was on this medium before it was formatted; the key \
                     is gone, so {START_ANEW}"
                ),
            ),
            None => faults.push(
                "certificate.key",
                "OTHER_KEY",
                "this certificate is not for the key on this medium nor for any key made on this PC; take \
                 the certificate that answers this medium's CSR",
            ),
        }
        Ok(())
    }
}

/// Kind, subject and what belongs to the kind, as requested.
fn compare_content(
    certificate: &Certificate,
    request: &RequestRecord,
    file: &Path,
    faults: &mut Faults,
) -> Result<(), KitError> {
    const ASK: &str = "do not use it; ask the registration branch (登録分局) about it";
    let wanted = request.kind(file)?;
    match certificate.kind() {
        Some(kind) if kind == wanted => {
            if certificate.particulars() != Some(request.particulars(file)?) {
                faults.push(
                    "certificate",
                    "OTHER_PARTICULARS",
                    format!(
                        "the mail address or office in the certificate is not as requested; {ASK}"
                    ),
                );
            }
        }
        other => faults.push(
            "certificate.kind",
            "OTHER_KIND",
            format!(
                "a certificate of kind {wanted} was requested and this is {}; {ASK}",
                other.map_or_else(|| "none of LGPKI's".to_owned(), |k| format!("a {k} one"))
            ),
        ),
    }
    let subject = request.subject(file)?;
    if certificate.subject().as_ref() != Some(&subject) {
        faults.push(
            "certificate.subject",
            "OTHER_SUBJECT",
            format!(
                "the certificate does not name {} of {} as requested; {ASK}",
                subject.name, subject.body
            ),
        );
    }
    Ok(())
}

fn pending(medium: &Medium) -> Result<(String, RequestRecord), KitError> {
    match &medium.record.content {
        Content::Pending { key, request } => Ok((key.clone(), request.clone())),
        Content::Empty | Content::Certified { .. } => Err(KitError::NoRequest {
            medium: medium.record.id.clone(),
            holds: medium.holds()?,
        }),
    }
}

#[cfg(test)]
mod tests;
