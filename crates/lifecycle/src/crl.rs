//! Makes a CRL, complete or delta, from a snapshot of the inventory.
//!
//! Here the list is composed and read back; the gate judges it, the issuer lints and signs it, and
//! its signature is checked. All of it is plain computation, to be run where it may block.

use std::sync::Arc;

use lgpki_domain::{CrlSeries, Timestamp};
use lgpki_x509::{
    Addresses, Issuer as CaKey,
    crl::{self, CrlEntry, CrlHeader, RevocationList},
    key::sha256,
    signed,
};

use crate::{
    error::LifecycleError,
    gate::{Rule, Terms},
    ports::{CrlList, CrlToSign, IssuerInfo, Listed},
};

/// A tbsCertList with what it was made from.
#[derive(Debug)]
pub(crate) struct Composed {
    /// The CA's key.
    key: CaKey,
    /// What goes to the issuer.
    pub(crate) to_sign: CrlToSign,
}

/// Whether a CA key's certificate has run out: nothing is published under it any more. One that
/// cannot be read has not, so that its failures are seen.
pub(crate) fn has_ended(info: &IssuerInfo, now: Timestamp) -> bool {
    ca_key(info).is_ok_and(|key| key.validity().is_over(now))
}

/// A CA's key as it stands in CRLs.
pub(crate) fn ca_key(info: &IssuerInfo) -> Result<CaKey, LifecycleError> {
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

/// Reads a published CRL; none if it is not this list of this CA and scope.
pub(crate) fn genuine(key: &CaKey, list: CrlList, der: &[u8]) -> Option<RevocationList> {
    let read = RevocationList::parse(der).ok()?;
    let genuine = read.is_of(key, list.series.scope)
        && read.summary().base.is_some() == list.delta
        && read.is_signed_by(key.public_key());
    genuine.then_some(read)
}

/// Composes the list.
pub(crate) fn compose(
    key: CaKey,
    series: CrlSeries,
    header: CrlHeader,
    listed: &[Listed],
) -> Result<Composed, LifecycleError> {
    let authority = key.authority();
    let failed = |source| LifecycleError::Crl { authority, source };
    let entries = listed.iter().map(|listed| CrlEntry {
        serial: listed.serial,
        revoked_at: listed.at,
        reason: listed.reason,
    });
    let tbs: Arc<[u8]> = crl::write(&key, &header, entries).map_err(failed)?.into();
    Ok(Composed {
        key,
        to_sign: CrlToSign {
            series,
            base: header.base,
            number: header.number,
            digest: sha256(&tbs),
            tbs,
        },
    })
}

impl Composed {
    /// Which list it is.
    pub(crate) const fn list(&self) -> CrlList {
        CrlList {
            series: self.to_sign.series,
            delta: self.to_sign.base.is_some(),
        }
    }

    /// The list read back as it was written, before it is signed.
    pub(crate) fn draft(&self) -> Result<RevocationList, LifecycleError> {
        self.assembled(&[])
    }

    /// Joins list and signature; the CRL must be signed by its CA.
    pub(crate) fn seal(&self, signature: &[u8]) -> Result<RevocationList, LifecycleError> {
        let list = self.assembled(signature)?;
        if list.is_signed_by(self.key.public_key()) {
            return Ok(list);
        }
        Err(LifecycleError::HeldBack {
            list: self.list(),
            number: self.to_sign.number.0,
            rule: Rule::Signature,
            why: "its signature is not the CA's".to_owned(),
        })
    }

    /// What the gate holds the list to.
    pub(crate) const fn terms(&self, validity_seconds: i64) -> Terms<'_> {
        Terms {
            key: &self.key,
            series: self.to_sign.series,
            validity_seconds,
        }
    }

    fn assembled(&self, signature: &[u8]) -> Result<RevocationList, LifecycleError> {
        let authority = self.key.authority();
        let algorithm = self.key.signature_algorithm();
        let der = signed::assemble(self.to_sign.tbs.to_vec(), algorithm, signature);
        RevocationList::from_der(der).map_err(|source| LifecycleError::Crl { authority, source })
    }
}

#[cfg(test)]
mod tests;
