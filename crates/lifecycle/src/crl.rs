//! Makes a CRL from a snapshot of the inventory, and holds back one that must not be published.
//!
//! The issuer lints and signs; here the list is composed, its signature checked, and the result
//! compared with the one before: numbers rise, times go forward, and nothing that was listed is
//! gone unless its certificate had expired before that one was issued (RFC 5280 §3.3). All of it
//! is plain computation, to be run where it may block.

use std::{cmp::Ordering, sync::Arc};

use lgpki_domain::{CrlSeries, Serial, Timestamp};
use lgpki_x509::{
    Addresses, Issuer as CaKey,
    crl::{self, CrlEntry, CrlHeader, RevocationList},
    key::sha256,
    signed,
};

use crate::{
    error::LifecycleError,
    ports::{CrlToSign, IssuerInfo, Snapshot},
};

/// A tbsCertList with what it was made from.
#[derive(Debug)]
pub(crate) struct Composed {
    /// The CA's key.
    key: CaKey,
    /// Number and times.
    pub(crate) header: CrlHeader,
    /// What was to be listed.
    entries: u64,
    /// What goes to the issuer.
    pub(crate) to_sign: CrlToSign,
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
    key.map_err(|source| LifecycleError::Crl {
        authority: info.authority,
        source,
    })
}

/// Reads a published CRL; none if it is not one of this CA.
pub(crate) fn genuine(key: &CaKey, der: &[u8]) -> Option<RevocationList> {
    let list = RevocationList::parse(der).ok()?;
    list.is_signed_by(key.public_key()).then_some(list)
}

/// Composes the list.
pub(crate) fn compose(
    key: CaKey,
    series: CrlSeries,
    header: CrlHeader,
    snapshot: &Snapshot,
) -> Result<Composed, LifecycleError> {
    let authority = key.authority();
    let failed = |source| LifecycleError::Crl { authority, source };
    let entries = snapshot.entries.iter().map(|listed| CrlEntry {
        serial: listed.serial,
        revoked_at: listed.at,
        reason: listed.reason,
    });
    let tbs: Arc<[u8]> = crl::write(&key, &header, entries).map_err(failed)?.into();
    Ok(Composed {
        key,
        header,
        entries: snapshot.entries.len() as u64,
        to_sign: CrlToSign {
            series,
            base: None,
            number: header.number,
            digest: sha256(&tbs),
            tbs,
        },
    })
}

/// Joins list and signature; the CRL is read back and must be what was meant, signed by its CA.
pub(crate) fn seal(
    composed: &Composed,
    signature: &[u8],
) -> Result<RevocationList, LifecycleError> {
    let series = composed.to_sign.series;
    let authority = series.key.authority;
    let algorithm = composed.key.signature_algorithm();
    let der = signed::assemble(composed.to_sign.tbs.to_vec(), algorithm, signature);
    let list =
        RevocationList::parse(&der).map_err(|source| LifecycleError::Crl { authority, source })?;
    let held_back = |why: &str| LifecycleError::HeldBack {
        series,
        number: composed.header.number.0,
        why: why.to_owned(),
    };
    if !list.is_signed_by(composed.key.public_key()) {
        return Err(held_back("its signature is not the CA's"));
    }
    let summary = list.summary();
    let as_meant = summary.number == composed.header.number
        && summary.this_update == composed.header.this_update
        && summary.next_update == composed.header.next_update
        && summary.entries == composed.entries;
    if as_meant {
        Ok(list)
    } else {
        Err(held_back("it reads back as another list than was meant"))
    }
}

/// What `previous` lists and `next` does not, ascending.
pub(crate) fn gone(previous: &RevocationList, next: &RevocationList) -> Vec<Serial> {
    let mut gone = Vec::new();
    // Both were read whole before: every entry can be read.
    let mut kept = next
        .entries()
        .flatten()
        .map(|entry| entry.serial)
        .peekable();
    for listed in previous.entries().flatten() {
        loop {
            match kept.peek().map(|serial| serial.cmp(&listed.serial)) {
                Some(Ordering::Less) => {
                    kept.next();
                }
                Some(Ordering::Equal) => break,
                Some(Ordering::Greater) | None => {
                    gone.push(listed.serial);
                    break;
                }
            }
        }
    }
    gone
}

/// Whether what is gone may be: each had expired before the last CRL that listed it was issued.
pub(crate) fn may_go(
    gone: &[Serial],
    expiries: &[Option<Timestamp>],
    previous_update: Timestamp,
) -> Result<(), String> {
    let wrong = gone
        .iter()
        .zip(expiries)
        .find(|(_, expiry)| expiry.is_none_or(|not_after| not_after >= previous_update));
    match wrong {
        None => Ok(()),
        Some((serial, _)) => Err(format!(
            "{serial} was listed and is missing, though it has not stood on a CRL issued after its \
             expiry"
        )),
    }
}

#[cfg(test)]
mod tests;
