//! CRLs of any size, complete and delta, written entry by entry (RFC 5280 §5).
//!
//! Entries come in ascending order of serial number, so that each stands once and the same
//! revocations always give the same bytes. Every entry carries its reason. The list is written
//! straight into its final buffer, with room for signature and envelope; a million entries take one
//! allocation of 50 MB, and that is what is signed, sealed and published. Its length is announced
//! before the first entry, so that whoever needs the bytes can have them while they are written.

mod dates;
mod draft;
mod list;
mod pieces;

use lgpki_domain::{CrlNumber, CrlScope, RevocationReason, Serial, Timestamp};

use self::{dates::DateWriter, list::Places};
pub use draft::{UnsignedList, envelope};
pub(crate) use list::number_of;
pub use list::{Contents, Entries, RevocationList};
pub(crate) use pieces::{PieceReader, ReadList, Unreadable};

use crate::{
    encode::{self, extension, header_length, nested, sequence, tag, tlv},
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
    let entries: Vec<_> = entries.into_iter().collect();
    let length = length_of(entries.iter().map(|entry| entry.revoked_at));
    let mut writer = CrlWriter::new(issuer, header, length)?;
    for entry in &entries {
        writer.push(entry)?;
    }
    writer.end()?;
    Ok(writer.buffer.split_off(writer.start))
}

/// How many bytes the entries of revocations at these times take.
pub fn length_of(revoked_at: impl IntoIterator<Item = Timestamp>) -> usize {
    let length = |at: Timestamp| {
        if at.as_seconds() < GENERALIZED {
            ENTRY
        } else {
            // Two digits more.
            ENTRY + 2
        }
    };
    revoked_at.into_iter().map(length).sum()
}

/// How many bytes so many entries take if none is of 2050 or later.
#[must_use]
pub const fn usual_length(entries: usize) -> usize {
    entries.saturating_mul(ENTRY)
}

/// The first second of 2050, from which on dates have four digits of the year (RFC 5280 §4.1.2.5).
const GENERALIZED: i64 = 2_524_608_000;
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

/// Writes a tbsCertList entry by entry, and reads it back as it goes.
#[derive(Debug)]
pub struct CrlWriter {
    /// Room for the envelope, then the list.
    buffer: Vec<u8>,
    /// Where the list begins.
    start: usize,
    /// Where the entries begin.
    entries: usize,
    /// How many bytes of entries were announced.
    announced: usize,
    /// crlExtensions
    back: Vec<u8>,
    last: Option<Serial>,
    dates: DateWriter,
    reader: PieceReader,
    /// Up to where the list was read back.
    read: usize,
}

impl CrlWriter {
    /// Begins a CRL whose entries will take exactly so many bytes, as [`length_of`] tells.
    pub fn new(issuer: &Issuer, header: &CrlHeader, length: usize) -> Result<Self, X509Error> {
        let front = front(issuer, header, length)?;
        let back = back(issuer, header);
        let room = header_length(usize::MAX);
        let whole = room + front.len() + header_length(usize::MAX) + length + back.len();
        let mut buffer = Vec::with_capacity(whole + draft::ROOM);
        buffer.resize(room, 0);
        let list = front.len() + length + back.len();
        encode::header(&mut buffer, tag::SEQUENCE, list);
        buffer.extend_from_slice(&front);
        Ok(Self {
            start: room,
            entries: buffer.len(),
            announced: length,
            back,
            last: None,
            dates: DateWriter::new(),
            reader: PieceReader::default(),
            read: room,
            buffer,
        })
    }

    /// How many bytes the whole tbsCertList will have.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.entries - self.start + self.announced + self.back.len()
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: &CrlEntry) -> Result<(), X509Error> {
        if self.last.is_some_and(|last| last >= entry.serial) {
            return Err(X509Error::EntryOutOfOrder {
                serial: entry.serial,
            });
        }
        self.last = Some(entry.serial);
        if let Some(date) = self.dates.utc_time(entry.revoked_at)? {
            let mut bytes = PATTERN;
            bytes[SERIAL].copy_from_slice(entry.serial.as_bytes());
            bytes[DATE].copy_from_slice(&date);
            bytes[REASON] = entry.reason.code();
            self.buffer.extend_from_slice(&bytes);
            return Ok(());
        }
        let mut date = Vec::with_capacity(17);
        time(&mut date, entry.revoked_at)?;
        sequence(&mut self.buffer, |out| {
            tlv(out, tag::INTEGER, entry.serial.as_bytes());
            out.extend_from_slice(&date);
            sequence(out, |out| {
                extension(out, oid::CRL_REASON, false, |out| {
                    tlv(out, tag::ENUMERATED, &[entry.reason.code()]);
                });
            });
        });
        Ok(())
    }

    /// Reads back what was written since this was last done, and tells which bytes that is; `each` is
    /// told the entries that were read.
    pub fn read_back(&mut self, mut each: impl FnMut(CrlEntry)) -> Result<&[u8], X509Error> {
        let written = self.buffer.len() - self.entries;
        if written > self.announced {
            return Err(self.miscounted(written));
        }
        let piece = &self.buffer[self.read..];
        self.reader.push(piece, &mut each)?;
        self.read = self.buffer.len();
        Ok(piece)
    }

    /// Ends the list and reads back the rest; also tells how many bytes at its end that is.
    pub fn finish(
        mut self,
        mut each: impl FnMut(CrlEntry),
    ) -> Result<(UnsignedList, usize), X509Error> {
        self.end()?;
        let piece = &self.buffer[self.read..];
        let rest = piece.len();
        self.reader.push(piece, &mut each)?;
        let places = Places::of(&self.reader.finish(&mut each)?)?;
        let list = UnsignedList::new(self.buffer, self.start, places);
        Ok((list, rest))
    }

    fn end(&mut self) -> Result<(), X509Error> {
        let written = self.buffer.len() - self.entries;
        if written != self.announced {
            return Err(self.miscounted(written));
        }
        self.buffer.extend_from_slice(&self.back);
        Ok(())
    }

    const fn miscounted(&self, written: usize) -> X509Error {
        X509Error::EntriesMiscounted {
            announced: self.announced,
            written,
        }
    }
}

/// version, signature, issuer, thisUpdate, nextUpdate, and what opens the entries.
fn front(issuer: &Issuer, header: &CrlHeader, entries: usize) -> Result<Vec<u8>, X509Error> {
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
    // revokedCertificates is left out where there is none (RFC 5280 §5.1.2.6).
    if entries > 0 {
        encode::header(&mut front, tag::SEQUENCE, entries);
    }
    Ok(front)
}

/// crlExtensions.
fn back(issuer: &Issuer, header: &CrlHeader) -> Vec<u8> {
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
    back
}

#[cfg(test)]
mod tests;
