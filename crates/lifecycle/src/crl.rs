//! Makes a CRL, complete or delta, from the inventory's entries.
//!
//! Here the list is composed and read back; the gate judges it, the issuer lints and signs it, and
//! its signature is checked. All of it happens in the one buffer that is published in the end, and is
//! plain computation, to be run where it may block.

use std::{sync::Arc, thread};

use lgpki_domain::{CrlNumber, CrlSeries, Digest, Timestamp};
use lgpki_x509::{
    Addresses, Issuer as CaKey, X509Error,
    crl::{Contents, CrlEntry, CrlHeader, CrlWriter, RevocationList, UnsignedList},
    key::sha256,
};

use crate::{
    error::LifecycleError,
    gate::{Rule, Terms},
    ports::{CrlList, CrlToSign, IssuerInfo, Listed},
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
    digest: Digest,
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

/// A list being composed.
#[derive(Debug)]
pub(crate) struct Composing {
    key: Arc<CaKey>,
    series: CrlSeries,
    number: CrlNumber,
    writer: CrlWriter,
}

impl Composing {
    /// Begins a list of so many entries.
    pub(crate) fn begin(
        key: Arc<CaKey>,
        series: CrlSeries,
        header: &CrlHeader,
        entries: usize,
    ) -> Result<Self, LifecycleError> {
        let writer = CrlWriter::new(&key, header, entries).map_err(failed(&key))?;
        Ok(Self {
            key,
            series,
            number: header.number,
            writer,
        })
    }

    /// Appends entries.
    pub(crate) fn append(&mut self, entries: &[Listed]) -> Result<(), LifecycleError> {
        for listed in entries {
            let entry = CrlEntry {
                serial: listed.serial,
                revoked_at: listed.at,
                reason: listed.reason,
            };
            self.writer.push(&entry).map_err(failed(&self.key))?;
        }
        Ok(())
    }

    /// Ends the list and reads it back as it was written; meanwhile another thread digests it.
    pub(crate) fn finish(self) -> Result<Composed, LifecycleError> {
        let draft = self.writer.finish();
        let tbs = draft.tbs();
        let (list, digest) = thread::scope(|scope| {
            let digest = scope.spawn(move || sha256(&tbs));
            (draft.read_back(), digest.join())
        });
        let list = list.map_err(failed(&self.key))?;
        let digest = digest.map_err(|_| LifecycleError::Serving {
            what: "making a CRL",
            why: "its thread ended".to_owned(),
        })?;
        Ok(Composed {
            key: self.key,
            series: self.series,
            number: self.number,
            digest,
            list,
        })
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

    /// What goes to the issuer.
    pub(crate) fn to_sign(&self) -> CrlToSign {
        CrlToSign {
            series: self.series,
            base: self.contents().summary().base,
            number: self.number,
            digest: self.digest,
            tbs: self.list.tbs(),
        }
    }

    /// Joins list and signature; the CRL must be signed by its CA. Meanwhile another thread digests
    /// it.
    pub(crate) fn seal(self, signature: &[u8]) -> Result<(RevocationList, Digest), LifecycleError> {
        let named = self.list();
        let Self {
            key, number, list, ..
        } = self;
        let list = list.seal(key.signature_algorithm(), signature);
        let (genuine, digest) = thread::scope(|scope| {
            let digest = scope.spawn(|| sha256(list.der()));
            (list.is_signed_by(key.public_key()), digest.join())
        });
        match digest {
            Ok(digest) if genuine => Ok((list, digest)),
            _ => Err(LifecycleError::HeldBack {
                list: named,
                number: number.0,
                rule: Rule::Signature,
                why: "its signature is not the CA's".to_owned(),
            }),
        }
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
