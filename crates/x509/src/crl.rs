//! CRLs of any size, complete and delta, written entry by entry (RFC 5280 §5).
//!
//! Entries come in ascending order of serial number, so that each stands once and the same
//! revocations always give the same bytes. Every entry carries its reason. The list is written
//! straight into its final buffer, with room for signature and envelope; a million entries take one
//! allocation of 50 MB, and that is what is signed, sealed and published.

mod draft;
mod list;

use lgpki_domain::{CrlNumber, CrlScope, RevocationReason, Serial, Timestamp};

pub use draft::{Draft, UnsignedList};
pub use list::{Contents, Entries, RevocationList};
pub(crate) use list::{Fields, number_of};

use crate::{
    encode::{extension, header, header_length, nested, sequence, tag, tlv},
    error::X509Error,
    extension,
    issuer::Issuer,
    oid,
    signed::algorithm_identifier,
    time::time,
};

/// What stands once in a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlHeader {
    /// Which certificates it covers.
    pub scope: CrlScope,
    /// Delta only: the number of the complete CRL that it adds to.
    pub base: Option<CrlNumber>,
    /// The CRL's number.
    pub number: CrlNumber,
    /// When it is issued.
    pub this_update: Timestamp,
    /// By when the next one is.
    pub next_update: Timestamp,
}

/// A revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlEntry {
    /// The certificate's serial number.
    pub serial: Serial,
    /// When it was revoked; written to the second.
    pub revoked_at: Timestamp,
    /// Why.
    pub reason: RevocationReason,
}

/// What a CRL says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlSummary {
    /// Delta only: the number of the complete CRL that it adds to.
    pub base: Option<CrlNumber>,
    /// The CRL's number.
    pub number: CrlNumber,
    /// When it was issued.
    pub this_update: Timestamp,
    /// By when the next one is.
    pub next_update: Timestamp,
    /// How many certificates it lists.
    pub entries: u64,
}

/// Writes a whole tbsCertList in DER; `entries` ascend by serial number. For a large one, use
/// [`CrlWriter`].
pub fn write(
    issuer: &Issuer,
    header: &CrlHeader,
    entries: impl IntoIterator<Item = CrlEntry>,
) -> Result<Vec<u8>, X509Error> {
    let entries = entries.into_iter();
    let mut writer = CrlWriter::new(issuer, header, entries.size_hint().0)?;
    for entry in entries {
        writer.push(&entry)?;
    }
    Ok(writer.finish().tbs().to_vec())
}

/// An entry with UTCTime takes this many bytes.
pub(crate) const ENTRY: usize = 49;
/// Such an entry, but for serial number, date and reason.
pub(crate) const PATTERN: [u8; ENTRY] = *b"\
    \x30\x2f\x02\x10................\x17\x0d.............\
    \x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01.";
/// Where its serial number stands.
pub(crate) const SERIAL: std::ops::Range<usize> = 4..20;
/// Where its date stands, in 13 characters.
pub(crate) const DATE: std::ops::Range<usize> = 22..35;
/// Where its reason stands.
pub(crate) const REASON: usize = ENTRY - 1;

/// Writes a tbsCertList entry by entry.
#[derive(Debug)]
pub struct CrlWriter {
    /// A gap for what comes before the entries and whose lengths are not known yet, then the
    /// entries.
    buffer: Vec<u8>,
    gap: usize,
    /// version, signature, issuer, thisUpdate, nextUpdate
    front: Vec<u8>,
    /// crlExtensions
    back: Vec<u8>,
    last: Option<Serial>,
    /// The second written last, as it stands in an entry.
    date: (i64, Vec<u8>),
}

impl CrlWriter {
    /// Begins a CRL of about `expected_entries` entries.
    pub fn new(
        issuer: &Issuer,
        header: &CrlHeader,
        expected_entries: usize,
    ) -> Result<Self, X509Error> {
        if header.next_update <= header.this_update {
            let why = "it does not lie after thisUpdate";
            return Err(X509Error::unencodable("nextUpdate", why));
        }
        let mut front = Vec::with_capacity(256);
        tlv(&mut front, tag::INTEGER, &[1]); // v2
        algorithm_identifier(&mut front, issuer.signature_algorithm());
        front.extend_from_slice(issuer.name_der());
        time(&mut front, header.this_update)?;
        time(&mut front, header.next_update)?;
        let mut back = Vec::with_capacity(512);
        nested(&mut back, tag::context_constructed(0), |out| {
            sequence(out, |out| {
                out.extend_from_slice(&issuer.parts.authority_key_identifier);
                extension::crl_number(out, header.number);
                extension::issuing_distribution_point(out, &issuer.issuing_point(header.scope));
                if let Some(base) = header.base {
                    extension::delta_crl_indicator(out, base);
                } else if issuer.crl_options().has_delta(header.scope) {
                    // A delta CRL points to no other (RFC 5280 §5.2.6).
                    extension::freshest_crl(out, &issuer.point_name(header.scope, true));
                }
            });
        });
        // The largest header there can be, for the envelope, the list itself and the entries.
        let gap = front.len() + 3 * header_length(usize::MAX);
        let expected = expected_entries.saturating_mul(ENTRY);
        let mut buffer = Vec::with_capacity(gap + expected + back.len() + draft::ROOM);
        buffer.resize(gap, 0);
        Ok(Self {
            buffer,
            gap,
            front,
            back,
            last: None,
            date: (i64::MIN, Vec::new()),
        })
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: &CrlEntry) -> Result<(), X509Error> {
        if self.last.is_some_and(|last| last >= entry.serial) {
            return Err(X509Error::EntryOutOfOrder {
                serial: entry.serial,
            });
        }
        self.last = Some(entry.serial);
        let second = entry.revoked_at.as_seconds();
        if self.date.0 != second {
            let mut date = Vec::with_capacity(17);
            time(&mut date, entry.revoked_at)?;
            self.date = (second, date);
        }
        let date = &self.date.1;
        if let [tag::UTC_TIME, _, digits @ ..] = &**date {
            let mut bytes = PATTERN;
            bytes[SERIAL].copy_from_slice(entry.serial.as_bytes());
            bytes[DATE].copy_from_slice(digits);
            bytes[REASON] = entry.reason.code();
            self.buffer.extend_from_slice(&bytes);
            return Ok(());
        }
        sequence(&mut self.buffer, |out| {
            tlv(out, tag::INTEGER, entry.serial.as_bytes());
            out.extend_from_slice(date);
            sequence(out, |out| {
                extension(out, oid::CRL_REASON, false, |out| {
                    tlv(out, tag::ENUMERATED, &[entry.reason.code()]);
                });
            });
        });
        Ok(())
    }

    /// Ends the list.
    #[must_use]
    pub fn finish(self) -> Draft {
        let Self {
            mut buffer,
            gap,
            front,
            back,
            ..
        } = self;
        let entries = buffer.len() - gap;
        // revokedCertificates is left out where there is none (RFC 5280 §5.1.2.6).
        let mut entries_header = Vec::new();
        if entries > 0 {
            header(&mut entries_header, tag::SEQUENCE, entries);
        }
        let length = front.len() + entries_header.len() + entries + back.len();
        let mut before = Vec::with_capacity(gap);
        header(&mut before, tag::SEQUENCE, length);
        before.extend_from_slice(&front);
        before.extend_from_slice(&entries_header);
        let start = gap - before.len();
        buffer[start..gap].copy_from_slice(&before);
        buffer.extend_from_slice(&back);
        Draft::new(buffer, start)
    }
}

#[cfg(test)]
mod tests;
