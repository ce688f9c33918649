//! Makes a CRL, complete or delta, from the inventory's entries.
//!
//! Here the list is composed and read back; the gate judges it, the issuer lints and signs it, and
//! its signature is checked. It lies in the one buffer that is published in the end. All of this is
//! plain computation, to be run where it may block.

use std::sync::Arc;

use bytes::Bytes;
use lgpki_domain::{
    CrlNumber, CrlSeries, Digest, KeyAlgorithm, Serial, SignatureAlgorithm, Timestamp,
};
use lgpki_keys::is_rsa_signature_of_digest;
use lgpki_x509::{
    Addresses, Issuer as CaKey, X509Error,
    crl::{Contents, CrlEntry, CrlHeader, CrlWriter, RevocationList, UnsignedList, envelope},
    key::Digesting,
};
use tokio::sync::mpsc;

use crate::{
    error::{LifecycleError, chain},
    gate::{Rule, Terms},
    ports::{CrlList, CrlPart, CrlToSign, IssuerInfo, Listed},
};

/// A tbsCertList that was read back, with what it was made from.
#[derive(Debug)]
pub(crate) struct Composed {
    /// The CA's key.
    key: Arc<CaKey>,
    /// What its number counts within.
    series: CrlSeries,
    /// CRLNumber.
    pub(crate) number: CrlNumber,
    /// SHA-256 of the tbsCertList.
    pub(crate) digest: Digest,
    list: UnsignedList,
}

/// Whether a CA key's certificate has run out: nothing is published under it any more. One that
/// cannot be read has not, so that its failures are seen.
pub(crate) fn has_ended(info: &IssuerInfo, now: Timestamp) -> bool {
    ca_key(info).is_ok_and(|key| key.validity().is_over(now))
}

/// A CA's key as it stands in CRLs.
pub(crate) fn ca_key(info: &IssuerInfo) -> Result<Arc<CaKey>, LifecycleError> {
    let from = (
        &info.certificate,
        info.crl_urls.as_slice(),
        info.crl_options,
    );
    info.known.or_read(from, || read_key(info))
}

fn read_key(info: &IssuerInfo) -> Result<CaKey, LifecycleError> {
    // Of the addresses only the CRL's own stand in a CRL.
    let addresses = Addresses {
        crl: info.crl_urls.clone(),
        ca_certificate: info.crl_urls.clone(),
        ocsp: Vec::new(),
        cps: info.crl_urls.first().cloned().unwrap_or_default(),
    };
    let key = CaKey::try_new(
        info.authority,
        info.generation,
        &info.certificate,
        addresses,
    );
    let key = key.and_then(|key| key.with_crl_options(info.crl_options));
    key.map_err(|source| LifecycleError::Crl {
        authority: info.authority,
        source,
    })
}

/// Whether a CRL is this list of this CA and scope.
pub(crate) fn is_genuine(key: &CaKey, list: CrlList, read: &RevocationList) -> bool {
    read.is_of(key, list.series.scope)
        && read.summary().base.is_some() == list.delta
        && read.is_signed_by(key.public_key())
}

/// A list being composed. What is written is read back and digested at once, and comes out in pieces for
/// whoever else needs it.
#[derive(Debug)]
pub(crate) struct Composing {
    key: Arc<CaKey>,
    series: CrlSeries,
    header: CrlHeader,
    writer: CrlWriter,
    digesting: Digesting,
}

impl Composing {
    /// Begins a list whose entries take so many bytes.
    pub(crate) fn begin(
        key: Arc<CaKey>,
        series: CrlSeries,
        header: CrlHeader,
        length: usize,
    ) -> Result<Self, LifecycleError> {
        let writer = CrlWriter::new(&key, &header, length).map_err(failed(&key))?;
        Ok(Self {
            key,
            series,
            header,
            writer,
            digesting: Digesting::new(),
        })
    }

    /// What the issuer is told of the list before it comes; and where its parts are to be sent.
    pub(crate) fn to_sign(&self, waiting: usize) -> (CrlToSign, mpsc::Sender<CrlPart>) {
        let (into, parts) = mpsc::channel(waiting);
        let to_sign = CrlToSign {
            series: self.series,
            base: self.header.base,
            number: self.header.number,
            length: self.writer.length(),
            parts,
        };
        (to_sign, into)
    }

    /// What will stand before the list in the CRL, if its signature is as long as such are.
    pub(crate) fn envelope(&self) -> Vec<u8> {
        let algorithm = self.key.signature_algorithm();
        let signature = match self.key.public_key().algorithm() {
            KeyAlgorithm::Rsa2048 => 256,
            KeyAlgorithm::Rsa3072 => 384,
            KeyAlgorithm::Rsa4096 => 512,
            KeyAlgorithm::P256 => 71,
            KeyAlgorithm::P384 => 103,
            KeyAlgorithm::Ed25519 => 64,
        };
        envelope(self.writer.length(), algorithm, signature)
    }

    /// Appends entries, and tells which bytes came of it; `each` is told what was read back of them.
    pub(crate) fn append(
        &mut self,
        entries: &[Listed],
        mut each: impl FnMut(Serial),
    ) -> Result<Bytes, LifecycleError> {
        for listed in entries {
            let entry = CrlEntry {
                serial: listed.serial,
                revoked_at: listed.at,
                reason: listed.reason,
            };
            self.writer.push(&entry).map_err(failed(&self.key))?;
        }
        let piece = self.writer.read_back(|entry| each(entry.serial));
        let piece = piece.map_err(failed(&self.key))?;
        self.digesting.push(piece);
        Ok(Bytes::copy_from_slice(piece))
    }

    /// Ends the list, and tells the bytes that are left of it.
    pub(crate) fn finish(
        self,
        mut each: impl FnMut(Serial),
    ) -> Result<(Composed, Bytes), LifecycleError> {
        let Self {
            key,
            series,
            header,
            writer,
            mut digesting,
        } = self;
        let finished = writer.finish(|entry| each(entry.serial));
        let (list, rest) = finished.map_err(failed(&key))?;
        let tbs = list.tbs();
        let rest = Bytes::copy_from_slice(&tbs[tbs.len() - rest..]);
        digesting.push(&rest);
        let composed = Composed {
            key,
            series,
            number: header.number,
            digest: digesting.finish(),
            list,
        };
        Ok((composed, rest))
    }
}

fn failed(key: &CaKey) -> impl FnOnce(X509Error) -> LifecycleError + use<> {
    let authority = key.authority();
    move |source| LifecycleError::Crl { authority, source }
}

impl Composed {
    /// Which list it is.
    pub(crate) const fn list(&self) -> CrlList {
        CrlList {
            series: self.series,
            delta: self.contents().summary().base.is_some(),
        }
    }

    /// What the list says, before it is signed.
    pub(crate) const fn contents(&self) -> &Contents {
        self.list.contents()
    }

    /// Joins list and signature; the CRL must be signed by its CA.
    pub(crate) fn seal(self, signature: &[u8]) -> Result<RevocationList, LifecycleError> {
        let named = self.list();
        let Self {
            key,
            number,
            digest,
            list,
            ..
        } = self;
        let algorithm = key.signature_algorithm();
        let list = list.seal(algorithm, signature);
        let public = key.public_key();
        let genuine = if algorithm == SignatureAlgorithm::RsaSha256 {
            // The list was digested as it was written, and is not hashed again.
            is_rsa_signature_of_digest(public.der(), &digest, signature).unwrap_or_else(|error| {
                tracing::error!(list = %named, error = chain(&error), "a signature cannot be checked");
                false
            })
        } else {
            list.is_signed_by(public)
        };
        if genuine {
            return Ok(list);
        }
        Err(LifecycleError::HeldBack {
            list: named,
            number: number.0,
            rule: Rule::Signature,
            why: "its signature is not the CA's".to_owned(),
        })
    }

    /// What the gate holds the list to.
    pub(crate) fn terms(&self, validity_seconds: i64, now: Timestamp) -> Terms<'_> {
        Terms {
            key: &self.key,
            series: self.series,
            validity_seconds,
            now,
        }
    }
}

#[cfg(test)]
mod tests;
