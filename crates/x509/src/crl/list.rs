//! A CRL read back, entry by entry, without keeping the entries apart.
//!
//! The reader takes the CRLs that this CA publishes: version 2, every entry with a reason of ours,
//! in ascending order. `x509-cert` decodes each entry; the bytes stay as they came.

use std::ops::Range;

use bytes::Bytes;
use der::{Decode, Reader as _, SliceReader};
use lgpki_domain::{CrlNumber, CrlScope, RevocationReason, Serial};
use x509_cert::{
    crl::RevokedCert,
    ext::{Extension, pkix::CrlReason},
};

use super::{CrlEntry, CrlSummary, DATE, ENTRY, PATTERN, REASON, SERIAL};
use crate::{
    decode::{NotDer, Reader, check_strict},
    encode::tag,
    error::X509Error,
    issuer::Issuer,
    key::SubjectPublicKey,
    oid,
    signed::Signed,
    time::{from_time, utc_time},
};

const WHAT: &str = "a CRL of this CA";

fn wrong<W: std::fmt::Display + ?Sized>(why: &W) -> X509Error {
    X509Error::unreadable(WHAT, why)
}

/// What a tbsCertList says, with its entries where they lie.
#[derive(Clone, Debug)]
pub struct Contents {
    tbs: Bytes,
    places: Places,
}

/// What is kept of a tbsCertList beside its bytes.
#[derive(Clone, Debug)]
pub(super) struct Places {
    summary: CrlSummary,
    /// The value of its issuingDistributionPoint.
    point: Vec<u8>,
    /// Where the entries' bytes lie in the tbsCertList.
    entries: Range<usize>,
}

impl Contents {
    /// Reads a tbsCertList in DER; every entry is looked at once.
    pub(super) fn read(tbs: Bytes) -> Result<Self, X509Error> {
        let fields = Fields::read(&tbs).map_err(|e| wrong(&e))?;
        let (this_update, next_update) = fields.dates()?;
        let mut count = 0;
        for entry in Entries::new(fields.entries) {
            entry?;
            count += 1;
        }
        let extensions = fields.extensions()?;
        let value = |of: &[u8]| extensions.iter().find(|e| e.extn_id.as_bytes() == of);
        let number = value(oid::CRL_NUMBER)
            .and_then(number_of)
            .ok_or_else(|| wrong("it has no number that fits 64 bits"))?;
        let base = match value(oid::DELTA_CRL_INDICATOR) {
            None => None,
            Some(base) => Some(
                number_of(base).ok_or_else(|| wrong("its base has no number that fits 64 bits"))?,
            ),
        };
        let point = value(oid::ISSUING_DISTRIBUTION_POINT);
        let summary = CrlSummary {
            base,
            number,
            this_update,
            next_update,
            entries: count,
        };
        let start = offset_in(&tbs, fields.entries);
        let places = Places {
            summary,
            point: point.map_or_else(Vec::new, |p| p.extn_value.as_bytes().to_vec()),
            entries: start..start + fields.entries.len(),
        };
        Ok(Self { tbs, places })
    }

    /// Lets the bytes go.
    pub(super) fn into_places(self) -> Places {
        self.places
    }

    /// Whether it is one of `issuer`'s lists of this scope, by its issuingDistributionPoint.
    #[must_use]
    pub fn is_of(&self, issuer: &Issuer, scope: CrlScope) -> bool {
        self.places.point == issuer.issuing_point(scope)
    }

    /// What the list says about itself.
    #[must_use]
    pub const fn summary(&self) -> CrlSummary {
        self.places.summary
    }

    /// The revoked certificates in ascending order of serial number.
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        Entries::new(&self.tbs[self.places.entries.clone()])
    }

    /// The serial numbers alone, ascending; every entry was read before.
    pub fn serials(&self) -> impl Iterator<Item = Serial> {
        let mut rest = self.entries();
        std::iter::from_fn(move || rest.next_serial())
    }
}

/// A signed CRL.
#[derive(Clone, Debug)]
pub struct RevocationList {
    der: Bytes,
    contents: Contents,
}

impl RevocationList {
    /// Reads a CRL in DER; every entry is looked at once.
    pub fn parse(der: &[u8]) -> Result<Self, X509Error> {
        Self::from_der(Bytes::copy_from_slice(der))
    }

    /// Reads a CRL in DER and keeps its bytes, which are not copied.
    pub fn from_der(der: impl Into<Bytes>) -> Result<Self, X509Error> {
        let der = der.into();
        let tbs = der.slice_ref(Signed::parse(&der)?.to_be_signed());
        let contents = Contents::read(tbs)?;
        Ok(Self { der, contents })
    }

    /// A list that was read back before it was signed.
    pub(super) fn sealed(der: Bytes, tbs: Range<usize>, places: Places) -> Self {
        let tbs = der.slice(tbs);
        Self {
            der,
            contents: Contents { tbs, places },
        }
    }

    /// The CRL in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The CRL in DER; shared, not copied.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.der.clone()
    }

    /// What it says.
    #[must_use]
    pub const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Whether it is one of `issuer`'s lists of this scope, by its issuingDistributionPoint.
    #[must_use]
    pub fn is_of(&self, issuer: &Issuer, scope: CrlScope) -> bool {
        self.contents.is_of(issuer, scope)
    }

    /// What the CRL says about itself.
    #[must_use]
    pub const fn summary(&self) -> CrlSummary {
        self.contents.summary()
    }

    /// The revoked certificates in ascending order of serial number.
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        self.contents.entries()
    }

    /// The entry of a certificate, if it is listed.
    #[must_use]
    pub fn find(&self, serial: Serial) -> Option<CrlEntry> {
        self.entries()
            .filter_map(Result::ok)
            .find(|entry| entry.serial == serial)
    }

    /// Whether `key` made the CRL's signature.
    #[must_use]
    pub fn is_signed_by(&self, key: &SubjectPublicKey) -> bool {
        Signed::parse(&self.der).is_ok_and(|signed| signed.is_signed_by(key))
    }
}

/// Where `part`, a slice of `whole`, begins.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    if part.is_empty() {
        return 0;
    }
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

/// The fields of a tbsCertList as bytes.
pub(crate) struct Fields<'a> {
    pub(crate) version: &'a [u8],
    pub(crate) algorithm: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) this_update: &'a [u8],
    pub(crate) next_update: &'a [u8],
    /// The content of revokedCertificates; empty if absent.
    pub(crate) entries: &'a [u8],
    /// Whether revokedCertificates is present.
    pub(crate) lists_entries: bool,
    /// The extensions, a SEQUENCE in DER.
    pub(crate) extensions: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn read(tbs: &'a [u8]) -> Result<Self, NotDer> {
        let mut outer = Reader::new(tbs);
        let mut fields = outer.open(tag::SEQUENCE)?;
        outer.finish()?;
        let version = fields.expect(tag::INTEGER)?;
        let algorithm = fields.value()?.raw;
        let issuer = fields.value()?.raw;
        let this_update = fields.value()?.raw;
        let next_update = fields.value()?.raw;
        let (lists_entries, entries) = if fields.peek() == Some(tag::SEQUENCE) {
            (true, fields.value()?.content)
        } else {
            (false, &[][..])
        };
        let extensions = fields.expect(tag::context_constructed(0))?;
        fields.finish()?;
        for part in [algorithm, issuer, this_update, next_update, extensions] {
            check_strict(part)?;
        }
        Ok(Self {
            version,
            algorithm,
            issuer,
            this_update,
            next_update,
            entries,
            lists_entries,
            extensions,
        })
    }

    pub(crate) fn dates(
        &self,
    ) -> Result<(lgpki_domain::Timestamp, lgpki_domain::Timestamp), X509Error> {
        let date = |der| {
            x509_cert::time::Time::from_der(der)
                .map(from_time)
                .map_err(|e| wrong(&e))
        };
        Ok((date(self.this_update)?, date(self.next_update)?))
    }

    pub(crate) fn extensions(&self) -> Result<Vec<Extension>, X509Error> {
        Vec::<Extension>::from_der(self.extensions).map_err(|e| wrong(&e))
    }
}

/// The value of a cRLNumber or deltaCRLIndicator extension.
pub(crate) fn number_of(extension: &Extension) -> Option<CrlNumber> {
    u64::from_der(extension.extn_value.as_bytes())
        .ok()
        .map(CrlNumber)
}

/// The entries of a CRL, decoded one at a time; ends after the first error.
///
/// What has the only form that this CA writes, octet for octet, is read at once; anything else goes
/// to `x509-cert`.
#[derive(Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    last: Option<Serial>,
}

impl<'a> Entries<'a> {
    pub(crate) const fn new(content: &'a [u8]) -> Self {
        Self {
            rest: content,
            last: None,
        }
    }

    /// The next entry's serial number, where every entry was read before.
    fn next_serial(&mut self) -> Option<Serial> {
        let usual = self.rest.split_first_chunk::<ENTRY>();
        let usual = usual.filter(|(entry, _)| entry[..SERIAL.start] == PATTERN[..SERIAL.start]);
        if let Some((entry, rest)) = usual {
            self.rest = rest;
            return Serial::from_bytes(&entry[SERIAL]);
        }
        self.next()?.ok().map(|entry| entry.serial)
    }

    fn read(&mut self) -> Option<Result<CrlEntry, X509Error>> {
        if self.rest.is_empty() {
            return None;
        }
        let usual = self.rest.split_first_chunk::<ENTRY>();
        let usual = usual.and_then(|(entry, rest)| Some((usual_entry(entry)?, rest)));
        let (entry, rest) = match usual.map_or_else(|| unusual_entry(self.rest), Ok) {
            Ok(read) => read,
            Err(wrong) => return Some(Err(wrong)),
        };
        self.rest = rest;
        if self.last.is_some_and(|last| last >= entry.serial) {
            return Some(Err(X509Error::EntryOutOfOrder {
                serial: entry.serial,
            }));
        }
        self.last = Some(entry.serial);
        Some(Ok(entry))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<CrlEntry, X509Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read();
        if matches!(next, Some(Err(_))) {
            self.rest = &[];
        }
        next
    }
}

/// The entry if these are the octets that [`CrlWriter`](super::CrlWriter) writes.
fn usual_entry(bytes: &[u8; ENTRY]) -> Option<CrlEntry> {
    let fixed = |range: std::ops::Range<usize>| bytes[range.clone()] == PATTERN[range];
    if !(fixed(0..SERIAL.start) && fixed(SERIAL.end..DATE.start) && fixed(DATE.end..REASON)) {
        return None;
    }
    Some(CrlEntry {
        serial: Serial::from_bytes(&bytes[SERIAL])?,
        revoked_at: utc_time(bytes[DATE].try_into().ok()?)?,
        reason: RevocationReason::from_code(bytes[REASON])?,
    })
}

/// The entry at the beginning of `bytes`, and what comes after it.
fn unusual_entry(bytes: &[u8]) -> Result<(CrlEntry, &[u8]), X509Error> {
    let mut reader = SliceReader::new(bytes).map_err(|e| wrong(&e))?;
    let entry = RevokedCert::decode(&mut reader).map_err(|e| wrong(&e))?;
    let left = usize::try_from(reader.remaining_len()).unwrap_or_default();
    Ok((entry_of(&entry)?, &bytes[bytes.len() - left..]))
}

fn entry_of(entry: &RevokedCert) -> Result<CrlEntry, X509Error> {
    let serial = Serial::from_bytes(entry.serial_number.as_bytes())
        .ok_or_else(|| wrong("an entry's serial number is not one of this CA"))?;
    let reason = match entry.crl_entry_extensions.as_deref() {
        Some([only]) if only.extn_id.as_bytes() == oid::CRL_REASON && !only.critical => {
            CrlReason::from_der(only.extn_value.as_bytes()).ok()
        }
        _ => None,
    };
    let reason = reason
        .and_then(|reason| u8::try_from(reason as u32).ok())
        .and_then(RevocationReason::from_code)
        .ok_or_else(|| {
            wrong(&format!(
                "the entry of {serial} has no reason that this CA uses"
            ))
        })?;
    Ok(CrlEntry {
        serial,
        revoked_at: from_time(entry.revocation_date),
        reason,
    })
}
