//! Reads a tbsCertList that comes in pieces, as it is composed or as it arrives.
//!
//! Where the pieces end does not matter. What stands before and after the entries is kept; each entry
//! is told of once, in its order, and not kept. What has the only form that this CA writes, octet for
//! octet, is read at once; anything else goes to `x509-cert`.

use std::{fmt, ops::Range};

use der::{Decode, Reader as _, SliceReader};
use lgpki_domain::{RevocationReason, Serial, Timestamp};
use x509_cert::{
    crl::RevokedCert,
    ext::{Extension, pkix::CrlReason},
};

use super::{CrlEntry, DATE, ENTRY, PATTERN, REASON, SERIAL, dates::DateReader, list::wrong};
use crate::{
    decode::{NotDer, Opening, Reader, check_strict, not_der},
    encode::tag,
    error::X509Error,
    oid,
    time::from_time,
};

/// What comes before the entries is at most so long, and what comes after them as well.
const FRAME: usize = 16 * 1024;
/// No entry of this CA is as long.
const LONGEST: usize = 256;

/// Why a list cannot be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// It is not built like a tbsCertList.
    Form(NotDer),
    /// One of its entries is not of this CA, or out of order.
    Entry(X509Error),
}

impl From<NotDer> for Unreadable {
    fn from(why: NotDer) -> Self {
        Self::Form(why)
    }
}

impl From<Unreadable> for X509Error {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::Form(why) => wrong(&why),
            Unreadable::Entry(why) => why,
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(why) => why.fmt(f),
            Self::Entry(why) => why.fmt(f),
        }
    }
}

/// Reads a tbsCertList piece by piece.
#[derive(Debug, Default)]
pub(crate) struct PieceReader {
    /// Where everything stands, once it is known.
    plan: Option<Plan>,
    /// Before the entries: what has come. Among them: the beginning of an entry.
    held: Vec<u8>,
    front: Vec<u8>,
    back: Vec<u8>,
    came: usize,
    /// Octets of entries that are still to come.
    left: usize,
    count: u64,
    entries: EntryReader,
}

/// What the beginning tells of the whole.
#[derive(Clone, Debug)]
struct Plan {
    /// How many octets the list has.
    whole: usize,
    /// Where its fields begin.
    fields: usize,
    /// Where the entries stand.
    entries: Range<usize>,
    lists_entries: bool,
}

impl PieceReader {
    /// Reads one more piece; `each` is told the entries that are complete by now.
    pub(crate) fn push(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(CrlEntry),
    ) -> Result<(), Unreadable> {
        self.came += piece.len();
        if self.plan.is_some() {
            return self.read(piece, each);
        }
        self.held.extend_from_slice(piece);
        if self.held.len() < FRAME {
            return Ok(());
        }
        self.open(each)
    }

    /// Ends the list.
    pub(crate) fn finish(
        mut self,
        each: &mut impl FnMut(CrlEntry),
    ) -> Result<ReadList, Unreadable> {
        if self.plan.is_none() {
            self.open(each)?;
        }
        let plan = self.plan.ok_or(not_der("it has no beginning"))?;
        if self.left > 0 || !self.held.is_empty() || self.came < plan.whole {
            return Err(not_der("it ends within an element").into());
        }
        if self.came > plan.whole {
            return Err(not_der("an element has more parts than it may have").into());
        }
        Ok(ReadList {
            front: self.front.split_off(plan.fields),
            back: self.back,
            entries: plan.entries,
            lists_entries: plan.lists_entries,
            count: self.count,
        })
    }

    fn open(&mut self, each: &mut impl FnMut(CrlEntry)) -> Result<(), Unreadable> {
        let plan = Plan::read(&self.held)?;
        self.left = plan.entries.len();
        let rest = self.held.split_off(plan.entries.start);
        self.front = std::mem::take(&mut self.held);
        self.plan = Some(plan);
        self.read(&rest, each)
    }

    fn read(&mut self, bytes: &[u8], each: &mut impl FnMut(CrlEntry)) -> Result<(), Unreadable> {
        let (entries, after) = bytes.split_at(self.left.min(bytes.len()));
        self.left -= entries.len();
        self.read_entries(entries, each)
            .map_err(Unreadable::Entry)?;
        if self.back.len() + after.len() > FRAME {
            return Err(not_der("what comes after the entries is too long").into());
        }
        self.back.extend_from_slice(after);
        Ok(())
    }

    fn read_entries(
        &mut self,
        mut bytes: &[u8],
        each: &mut impl FnMut(CrlEntry),
    ) -> Result<(), X509Error> {
        let is_end = self.left == 0;
        let mut held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            // The entry that began with the piece before, and what else begins there.
            let before = held.len();
            let lent = bytes.len().min(LONGEST);
            held.extend_from_slice(&bytes[..lent]);
            let all = lent == bytes.len();
            let mut at = 0;
            while at < before {
                if held.len() - at < LONGEST && all && !is_end {
                    self.held = held.split_off(at);
                    return Ok(());
                }
                at += self.entry(&held[at..], each)?;
            }
            bytes = &bytes[at - before..];
        }
        while bytes.len() >= LONGEST || (is_end && !bytes.is_empty()) {
            let read = self.entry(bytes, each)?;
            bytes = &bytes[read..];
        }
        self.held = bytes.to_vec();
        Ok(())
    }

    fn entry(&mut self, bytes: &[u8], each: &mut impl FnMut(CrlEntry)) -> Result<usize, X509Error> {
        let (entry, read) = self.entries.read(bytes)?;
        self.count += 1;
        each(entry);
        Ok(read)
    }
}

impl Plan {
    /// Reads the beginning, up to the entries or to where they would stand.
    fn read(bytes: &[u8]) -> Result<Self, NotDer> {
        let outer = Opening::read(bytes)?.expect(tag::SEQUENCE)?;
        let whole = outer.header + outer.length;
        let mut fields = Reader::new(&bytes[outer.header..]);
        // version, signature, issuer, thisUpdate, nextUpdate
        for _ in 0..5 {
            fields.value()?;
        }
        let mut start = bytes.len() - fields.rest().len();
        let mut length = 0;
        let lists_entries = fields.peek() == Some(tag::SEQUENCE);
        if lists_entries {
            let entries = Opening::read(fields.rest())?;
            start += entries.header;
            length = entries.length;
        }
        let end = start.saturating_add(length);
        if end > whole {
            return Err(not_der("it ends within an element"));
        }
        Ok(Self {
            whole,
            fields: outer.header,
            entries: start..end,
            lists_entries,
        })
    }
}

/// A tbsCertList without its entries.
#[derive(Debug)]
pub(crate) struct ReadList {
    /// From the version to nextUpdate, and the entries' tag and length.
    front: Vec<u8>,
    /// crlExtensions.
    back: Vec<u8>,
    /// Where the entries stand in the list.
    pub(crate) entries: Range<usize>,
    /// Whether revokedCertificates is present.
    pub(crate) lists_entries: bool,
    /// How many entries it has.
    pub(crate) count: u64,
}

impl ReadList {
    /// Its fields.
    pub(crate) fn fields(&self) -> Result<Fields<'_>, NotDer> {
        let mut fields = Reader::new(&self.front);
        let version = fields.expect(tag::INTEGER)?;
        let algorithm = fields.value()?.raw;
        let issuer = fields.value()?.raw;
        let this_update = fields.value()?.raw;
        let next_update = fields.value()?.raw;
        let mut back = Reader::new(&self.back);
        let extensions = back.expect(tag::context_constructed(0))?;
        back.finish()?;
        for part in [algorithm, issuer, this_update, next_update, extensions] {
            check_strict(part)?;
        }
        Ok(Fields {
            version,
            algorithm,
            issuer,
            this_update,
            next_update,
            extensions,
        })
    }
}

/// The fields of a tbsCertList, but for the entries, as bytes.
pub(crate) struct Fields<'a> {
    pub(crate) version: &'a [u8],
    pub(crate) algorithm: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) this_update: &'a [u8],
    pub(crate) next_update: &'a [u8],
    /// The extensions, a SEQUENCE in DER.
    extensions: &'a [u8],
}

impl Fields<'_> {
    pub(crate) fn dates(&self) -> Result<(Timestamp, Timestamp), X509Error> {
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

/// Reads entries, which must ascend.
#[derive(Clone, Debug)]
pub(super) struct EntryReader {
    last: Option<Serial>,
    dates: DateReader,
}

impl Default for EntryReader {
    fn default() -> Self {
        Self::new()
    }
}

impl EntryReader {
    pub(super) const fn new() -> Self {
        Self {
            last: None,
            dates: DateReader::new(),
        }
    }

    /// The entry at the beginning of `bytes`, and how many of them it takes.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(CrlEntry, usize), X509Error> {
        let usual = bytes.first_chunk::<ENTRY>();
        let usual = usual.and_then(|entry| self.usual(entry));
        let (entry, length) = match usual {
            Some(entry) => (entry, ENTRY),
            None => unusual(&bytes[..bytes.len().min(LONGEST)])?,
        };
        if self.last.is_some_and(|last| last >= entry.serial) {
            return Err(X509Error::EntryOutOfOrder {
                serial: entry.serial,
            });
        }
        self.last = Some(entry.serial);
        Ok((entry, length))
    }

    /// The entry if these are the octets that [`CrlWriter`](super::CrlWriter) writes.
    fn usual(&mut self, bytes: &[u8; ENTRY]) -> Option<CrlEntry> {
        let fixed = |range: Range<usize>| bytes[range.clone()] == PATTERN[range];
        if !(fixed(0..SERIAL.start) && fixed(SERIAL.end..DATE.start) && fixed(DATE.end..REASON)) {
            return None;
        }
        Some(CrlEntry {
            serial: Serial::from_bytes(&bytes[SERIAL])?,
            revoked_at: self.dates.utc_time(bytes[DATE].try_into().ok()?)?,
            reason: RevocationReason::from_code(bytes[REASON])?,
        })
    }
}

/// The entry at the beginning of `bytes`, and how many of them it takes.
fn unusual(bytes: &[u8]) -> Result<(CrlEntry, usize), X509Error> {
    let mut reader = SliceReader::new(bytes).map_err(|e| wrong(&e))?;
    let entry = RevokedCert::decode(&mut reader).map_err(|e| wrong(&e))?;
    let left = usize::try_from(reader.remaining_len()).unwrap_or_default();
    Ok((entry_of(&entry)?, bytes.len() - left))
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
