//! A CRL read back, entry by entry, without keeping the entries apart.
//!
//! The reader takes the CRLs that this CA publishes: version 2, every entry with a reason of ours,
//! in ascending order. The bytes stay as they came.

use std::ops::Range;

use bytes::Bytes;
use der::Decode;
use lgpki_domain::{CrlNumber, CrlScope, Serial};
use x509_cert::ext::Extension;

use super::{
    CrlEntry, CrlSummary, ENTRY, PATTERN, SERIAL,
    pieces::{EntryReader, PieceReader, ReadList},
};
use crate::{error::X509Error, issuer::Issuer, key::SubjectPublicKey, oid, signed::Signed};

const WHAT: &str = "a CRL of this CA";

pub(super) fn wrong<W: std::fmt::Display + ?Sized>(why: &W) -> X509Error {
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

impl Places {
    /// What a list that was read says.
    pub(super) fn of(list: &ReadList) -> Result<Self, X509Error> {
        let fields = list.fields().map_err(|e| wrong(&e))?;
        let (this_update, next_update) = fields.dates()?;
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
        Ok(Self {
            summary: CrlSummary {
                base,
                number,
                this_update,
                next_update,
                entries: list.count,
            },
            point: point.map_or_else(Vec::new, |p| p.extn_value.as_bytes().to_vec()),
            entries: list.entries.clone(),
        })
    }
}

impl Contents {
    /// Reads a tbsCertList in DER; every entry is looked at once.
    pub(super) fn read(tbs: Bytes) -> Result<Self, X509Error> {
        let mut reader = PieceReader::default();
        let mut each = |_| ();
        reader.push(&tbs, &mut each)?;
        let places = Places::of(&reader.finish(&mut each)?)?;
        Ok(Self { tbs, places })
    }

    /// What was read of `tbs`.
    pub(super) const fn of(tbs: Bytes, places: Places) -> Self {
        Self { tbs, places }
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

/// The value of a cRLNumber or deltaCRLIndicator extension.
pub(crate) fn number_of(extension: &Extension) -> Option<CrlNumber> {
    u64::from_der(extension.extn_value.as_bytes())
        .ok()
        .map(CrlNumber)
}

/// The entries of a CRL, decoded one at a time; ends after the first error.
#[derive(Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    reader: EntryReader,
}

impl<'a> Entries<'a> {
    pub(crate) const fn new(content: &'a [u8]) -> Self {
        Self {
            rest: content,
            reader: EntryReader::new(),
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
}

impl Iterator for Entries<'_> {
    type Item = Result<CrlEntry, X509Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.reader.read(self.rest) {
            Ok((entry, length)) => {
                self.rest = &self.rest[length..];
                Some(Ok(entry))
            }
            Err(wrong) => {
                self.rest = &[];
                Some(Err(wrong))
            }
        }
    }
}
