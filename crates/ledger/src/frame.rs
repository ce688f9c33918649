//! The bytes of a frame: the unit of commit.
//!
//! ```text
//! head   "LGF2" | entries u32 | of these about keys u32 | data bytes u64 | first index u64
//!        CRC-32C of the head u32
//! table  per entry: length u16 | CRC-32C u32;  per entry about keys: its row u32
//!        the head of the year's log: size u64 | root, 32 bytes | signature, 64 bytes
//!        where an entry is about keys, and in the first frame: the head of the log of keys, likewise
//!        CRC-32C of head and table u32
//! data   the entries, one after another
//! ```
//! All numbers are big-endian. The table makes one entry readable, and checkable, without reading
//! its neighbours. A head that is whole says where the next frame begins. Entries and signed heads
//! become durable in one write.

use crate::{
    entry::NewEntry,
    head::{self, Heads, SignedHead},
};

pub(crate) const MAGIC: &[u8; 4] = b"LGF2";
pub(crate) const HEAD_BYTES: usize = 32;
const ROW_BYTES: usize = 6;
const PLACE_BYTES: usize = 4;

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) count: u32,
    /// Entries about keys and ceremonies.
    pub(crate) keys: u32,
    pub(crate) data: u64,
    pub(crate) first: u64,
}

/// One row of a frame's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) length: u16,
    pub(crate) crc: u32,
}

/// A frame's table with the heads after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    /// The rows of entries about keys, ascending.
    pub(crate) ceremonies: Vec<u32>,
    /// The head of the year's log.
    pub(crate) entries: SignedHead,
    /// The head of the log of keys, where it changed.
    pub(crate) keys: Option<SignedHead>,
}

impl Head {
    pub(crate) fn parse(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let head = Self {
            count: u32::from_be_bytes(part(bytes, 4)?),
            keys: u32::from_be_bytes(part(bytes, 8)?),
            data: u64::from_be_bytes(part(bytes, 12)?),
            first: u64::from_be_bytes(part(bytes, 20)?),
        };
        let crc = u32::from_be_bytes(part(bytes, 28)?);
        let whole = bytes.starts_with(MAGIC)
            && crc32c::crc32c(bytes.get(..28)?) == crc
            && head.count > 0
            && head.keys <= head.count
            && head.data <= u64::from(head.count) * u64::from(u16::MAX);
        whole.then_some(head)
    }

    fn write(self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.keys.to_be_bytes());
        out.extend_from_slice(&self.data.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        let crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&crc.to_be_bytes());
    }

    /// Whether the frame holds a head of the log of keys.
    pub(crate) const fn tells_keys(self) -> bool {
        self.keys > 0 || self.first == 0
    }

    /// Bytes of the table, the heads and the checksum.
    pub(crate) fn table_bytes(self) -> usize {
        let heads = if self.tells_keys() { 2 } else { 1 };
        self.count as usize * ROW_BYTES
            + self.keys as usize * PLACE_BYTES
            + heads * head::HEAD_BYTES
            + 4
    }

    /// Bytes before the data.
    pub(crate) fn data_offset(self) -> u64 {
        (HEAD_BYTES + self.table_bytes()) as u64
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(self) -> u64 {
        self.data_offset() + self.data
    }

    /// The index after the frame's last entry.
    pub(crate) fn end(self) -> u64 {
        self.first + u64::from(self.count)
    }
}

impl Table {
    /// Reads the table that follows `head`; `None` if it is damaged.
    pub(crate) fn parse(head: Head, head_bytes: &[u8; HEAD_BYTES], bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        let computed = crc32c::crc32c_append(crc32c::crc32c(head_bytes), body);
        if u32::from_be_bytes(*crc) != computed || bytes.len() != head.table_bytes() {
            return None;
        }
        let (rows, rest) = body.split_at_checked(head.count as usize * ROW_BYTES)?;
        let (places, rest) = rest.split_at_checked(head.keys as usize * PLACE_BYTES)?;
        let (entries, keys) = rest.split_at_checked(head::HEAD_BYTES)?;
        let rows: Vec<Row> = rows
            .chunks_exact(ROW_BYTES)
            .filter_map(|row| {
                Some(Row {
                    length: u16::from_be_bytes(part(row, 0)?),
                    crc: u32::from_be_bytes(part(row, 2)?),
                })
            })
            .collect();
        let ceremonies: Vec<u32> = places
            .chunks_exact(PLACE_BYTES)
            .filter_map(|place| Some(u32::from_be_bytes(place.try_into().ok()?)))
            .collect();
        let total: u64 = rows.iter().map(|row| u64::from(row.length)).sum();
        let ascending = ceremonies.is_sorted_by(|a, b| a < b)
            && ceremonies.last().is_none_or(|last| *last < head.count);
        (total == head.data && ascending).then_some(Self {
            rows,
            ceremonies,
            entries: SignedHead::parse(entries)?,
            keys: if head.tells_keys() {
                Some(SignedHead::parse(keys)?)
            } else {
                None
            },
        })
    }

    /// Whether the entry in this row is about keys.
    pub(crate) fn is_ceremony(&self, row: usize) -> bool {
        u32::try_from(row).is_ok_and(|row| self.ceremonies.binary_search(&row).is_ok())
    }
}

/// Writes the frame of `entries`, none of which is longer than a length can say, to `out`; returns
/// its head.
pub(crate) fn write(first: u64, entries: &[NewEntry], heads: &Heads, out: &mut Vec<u8>) -> Head {
    let start = out.len();
    let head = Head {
        count: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        keys: u32::try_from(entries.iter().filter(|e| e.ceremony).count()).unwrap_or(u32::MAX),
        data: entries.iter().map(|e| e.bytes.len() as u64).sum(),
        first,
    };
    head.write(out);
    for entry in entries {
        let length = u16::try_from(entry.bytes.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&crc32c::crc32c(&entry.bytes).to_be_bytes());
    }
    for (row, entry) in (0_u32..).zip(entries) {
        if entry.ceremony {
            out.extend_from_slice(&row.to_be_bytes());
        }
    }
    heads.entries.write(out);
    if head.tells_keys() {
        heads.keys.write(out);
    }
    let crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_be_bytes());
    for entry in entries {
        out.extend_from_slice(&entry.bytes);
    }
    head
}

/// The `N` bytes at `at`.
pub(crate) fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Timestamp;

    use super::*;

    fn signed(size: u64) -> SignedHead {
        SignedHead {
            size,
            root: [9; 32],
            signature: [7; 64],
        }
    }

    fn sample(ceremonies: [bool; 3]) -> Vec<u8> {
        let texts: [&[u8]; 3] = [b"{}", b"[1]", b"[2]"];
        let entry = |(bytes, ceremony): (&[u8], bool)| NewEntry {
            bytes: bytes.to_vec(),
            time: Timestamp::from_seconds(0),
            ceremony,
        };
        let entries: Vec<_> = texts.into_iter().zip(ceremonies).map(entry).collect();
        let heads = Heads {
            end: 10,
            year: 1970,
            entries: signed(11),
            keys: signed(5),
        };
        let mut out = Vec::new();
        let head = write(7, &entries, &heads, &mut out);
        assert_eq!(Some(head), part(&out, 0).and_then(|b| Head::parse(&b)));
        out
    }

    fn read(bytes: &[u8]) -> Option<(Head, Table)> {
        let head_bytes = part(bytes, 0)?;
        let head = Head::parse(&head_bytes)?;
        let table = bytes.get(HEAD_BYTES..HEAD_BYTES + head.table_bytes())?;
        Some((head, Table::parse(head, &head_bytes, table)?))
    }

    #[test]
    fn a_frame_reads_back() {
        for ceremonies in [[false; 3], [true; 3], [true, false, true]] {
            let bytes = sample(ceremonies);
            let (head, table) = read(&bytes).unwrap();
            assert_eq!((head.first, head.end()), (7, 10));
            assert_eq!(head.frame_bytes(), bytes.len() as u64);
            assert_eq!(table.rows[1].length, 3);
            assert_eq!(table.entries, signed(11));
            assert_eq!([0, 1, 2].map(|row| table.is_ceremony(row)), ceremonies);
            assert_eq!(table.keys, ceremonies[0].then_some(signed(5)));
        }
    }

    #[test]
    fn every_flipped_bit_before_the_data_is_noticed() {
        for ceremonies in [[false; 3], [false, true, true]] {
            let bytes = sample(ceremonies);
            let before_data = bytes.len() - 8;
            for bit in 0..before_data * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(read(&bad).is_none(), "bit {bit}");
            }
        }
    }
}
