//! The bytes of a frame: the unit of commit.
//!
//! ```text
//! head   "LGF1" | entries u32 | data bytes u64 | first index u64 | CRC-32C of the head u32
//! table  per entry: length u16 | CRC-32C u32;  Merkle root of the log after this frame, 32 bytes
//!        CRC-32C of head and table u32
//! data   the entries, one after another
//! ```
//! All numbers are big-endian. The table makes one entry readable, and checkable, without reading
//! its neighbours. A head that is whole says where the next frame begins.

use crate::merkle::Hash;

pub(crate) const MAGIC: &[u8; 4] = b"LGF1";
pub(crate) const HEAD_BYTES: usize = 28;
const ROW_BYTES: usize = 6;
const TRAILER_BYTES: usize = 36;

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) count: u32,
    pub(crate) data: u64,
    pub(crate) first: u64,
}

/// One row of a frame's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) length: u16,
    pub(crate) crc: u32,
}

/// A frame's table with the root after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    pub(crate) root: Hash,
}

impl Head {
    pub(crate) fn parse(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let head = Self {
            count: u32::from_be_bytes(part(bytes, 4)?),
            data: u64::from_be_bytes(part(bytes, 8)?),
            first: u64::from_be_bytes(part(bytes, 16)?),
        };
        let crc = u32::from_be_bytes(part(bytes, 24)?);
        let whole = bytes.starts_with(MAGIC)
            && crc32c::crc32c(bytes.get(..24)?) == crc
            && head.count > 0
            && head.data <= u64::from(head.count) * u64::from(u16::MAX);
        whole.then_some(head)
    }

    fn write(self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.data.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        let crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&crc.to_be_bytes());
    }

    /// Bytes of the table, the root and the checksum.
    pub(crate) fn table_bytes(self) -> usize {
        self.count as usize * ROW_BYTES + TRAILER_BYTES
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
        let body = bytes.len().checked_sub(4)?;
        let crc = crc32c::crc32c_append(crc32c::crc32c(head_bytes), bytes.get(..body)?);
        if u32::from_be_bytes(part(bytes, body)?) != crc {
            return None;
        }
        let rows_end = body.checked_sub(32)?;
        let rows: Vec<Row> = bytes
            .get(..rows_end)?
            .chunks_exact(ROW_BYTES)
            .filter_map(|row| {
                Some(Row {
                    length: u16::from_be_bytes(part(row, 0)?),
                    crc: u32::from_be_bytes(part(row, 2)?),
                })
            })
            .collect();
        let total: u64 = rows.iter().map(|row| u64::from(row.length)).sum();
        (rows.len() == head.count as usize && total == head.data).then_some(Self {
            rows,
            root: part(bytes, rows_end)?,
        })
    }
}

/// Writes the frame of `entries`, none of which is longer than a length can say, to `out`.
pub(crate) fn write(first: u64, entries: &[Vec<u8>], root: &Hash, out: &mut Vec<u8>) {
    let start = out.len();
    let head = Head {
        count: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        data: entries.iter().map(|e| e.len() as u64).sum(),
        first,
    };
    head.write(out);
    for entry in entries {
        let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&crc32c::crc32c(entry).to_be_bytes());
    }
    out.extend_from_slice(root);
    let crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_be_bytes());
    for entry in entries {
        out.extend_from_slice(entry);
    }
}

/// The `N` bytes at `at`.
pub(crate) fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut out = Vec::new();
        write(7, &[b"{}".to_vec(), b"[1]".to_vec()], &[9; 32], &mut out);
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
        let bytes = sample();
        let (head, table) = read(&bytes).unwrap();
        assert_eq!((head.first, head.end()), (7, 9));
        assert_eq!(head.frame_bytes(), bytes.len() as u64);
        assert_eq!(table.rows[1].length, 3);
        assert_eq!(table.root, [9; 32]);
    }

    #[test]
    fn every_flipped_bit_before_the_data_is_noticed() {
        let bytes = sample();
        let before_data = bytes.len() - 5;
        for bit in 0..before_data * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad).is_none(), "bit {bit}");
        }
    }
}
