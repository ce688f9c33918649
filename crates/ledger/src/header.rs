//! The header of a segment: where both trees stand, and what opens a log.
//!
//! ```text
//! "LGS2" | first entry u64 | year i16 | the year's first entry u64 | leaves about keys u64
//! the peaks of the year's tree, 32 bytes each; those of the tree of keys likewise
//! length u16 | the year's opening entry, where the segment begins the year
//! length u16 | the opening entry of the log of keys, in the very first segment
//! CRC-32C u32
//! ```
//! It lets the last segment be checked against its frames' heads without reading the ones before it.

use crate::{
    frame::part,
    merkle::{CompactRange, Hash},
    trees::{Trees, opened},
};

const MAGIC: &[u8; 4] = b"LGS2";
/// What began a segment before there were signed heads.
const OLD_MAGIC: &[u8; 4] = b"LGS1";
/// Bytes before the peaks.
pub(crate) const FIXED_BYTES: usize = 30;

/// More bytes than a header can have.
pub(crate) const LONGEST: u64 = (FIXED_BYTES + 2 * 64 * 32 + 2 * (2 + 65_535) + 4) as u64;

/// What a segment's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The trees before the segment's first frame.
    pub(crate) trees: Trees,
    /// The year's opening entry, where the segment begins the year.
    pub(crate) opening: Option<Vec<u8>>,
    /// The opening entry of the log of keys, in the very first segment.
    pub(crate) keys_opening: Option<Vec<u8>>,
}

/// Whether a file is a segment of the form without signed heads.
pub(crate) fn is_old(bytes: &[u8]) -> bool {
    bytes.starts_with(OLD_MAGIC)
}

impl Header {
    /// Its bytes.
    pub(crate) fn write(&self) -> Vec<u8> {
        let trees = &self.trees;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&trees.next().to_be_bytes());
        out.extend_from_slice(&trees.year.to_be_bytes());
        out.extend_from_slice(&trees.first.to_be_bytes());
        out.extend_from_slice(&trees.keys.size().to_be_bytes());
        for peak in trees.entries.peaks().iter().chain(trees.keys.peaks()) {
            out.extend_from_slice(peak);
        }
        for opening in [&self.opening, &self.keys_opening] {
            let opening = opening.as_deref().unwrap_or_default();
            // An entry is never longer than a length can say.
            let length = u16::try_from(opening.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(opening);
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    /// Reads a header and its length; `None` if it is not whole.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, u64)> {
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let next = u64::from_be_bytes(part(bytes, 4)?);
        let year = i16::from_be_bytes(part(bytes, 12)?);
        let first = u64::from_be_bytes(part(bytes, 14)?);
        let keys = u64::from_be_bytes(part(bytes, 22)?);
        let leaves = next.checked_sub(first)?.checked_add(1)?;
        let (entries, at) = peaks(bytes, FIXED_BYTES, leaves)?;
        let (keys, at) = peaks(bytes, at, keys)?;
        let (year_opening, at) = opening(bytes, at)?;
        let (keys_opening, at) = opening(bytes, at)?;
        let crc = u32::from_be_bytes(part(bytes, at)?);
        if crc32c::crc32c(bytes.get(..at)?) != crc {
            return None;
        }
        let header = Self {
            trees: Trees {
                year,
                first,
                entries,
                keys,
            },
            opening: year_opening,
            keys_opening,
        };
        header.fits().then_some((header, at as u64 + 4))
    }

    /// Whether the opening entries stand where they must, and are the leaves that they should be.
    fn fits(&self) -> bool {
        let fits = |opening: &Option<Vec<u8>>, begins: bool, range: &CompactRange| match opening {
            Some(bytes) => begins && opened(bytes) == *range,
            None => !begins,
        };
        let trees = &self.trees;
        fits(&self.opening, trees.entries.size() == 1, &trees.entries)
            && fits(&self.keys_opening, trees.next() == 0, &trees.keys)
    }
}

fn peaks(bytes: &[u8], at: usize, size: u64) -> Option<(CompactRange, usize)> {
    let end = at + size.count_ones() as usize * size_of::<Hash>();
    let peaks = bytes
        .get(at..end)?
        .chunks_exact(size_of::<Hash>())
        .filter_map(|peak| peak.try_into().ok())
        .collect();
    Some((CompactRange::from_peaks(size, peaks)?, end))
}

fn opening(bytes: &[u8], at: usize) -> Option<(Option<Vec<u8>>, usize)> {
    let length = usize::from(u16::from_be_bytes(part(bytes, at)?));
    let (start, end) = (at + 2, at + 2 + length);
    let opening = (length > 0).then_some(bytes.get(start..end)?.to_vec());
    Some((opening, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(entries: u64) -> Header {
        let opening = b"{\"log\":1}".to_vec();
        let mut trees = Trees {
            year: 2008,
            first: 5 * u64::from(entries > 0),
            entries: opened(&opening),
            keys: opened(b"{}"),
        };
        for i in 0..entries {
            trees.push(&i.to_be_bytes(), i % 3 == 0);
        }
        Header {
            trees,
            opening: (entries == 0).then_some(opening),
            keys_opening: (entries == 0).then(|| b"{}".to_vec()),
        }
    }

    #[test]
    fn a_header_reads_back() {
        for entries in [0, 1, 2, 12, 200] {
            let header = sample(entries);
            let bytes = header.write();
            assert!(bytes.len() as u64 <= LONGEST);
            let mut longer = bytes.clone();
            longer.extend_from_slice(b"LGF2 and more");
            assert_eq!(Header::parse(&longer), Some((header, bytes.len() as u64)));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed_and_so_is_every_cut() {
        for entries in [0, 12] {
            let bytes = sample(entries).write();
            for bit in 0..bytes.len() * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Header::parse(&bad), None, "bit {bit}");
            }
            for length in 0..bytes.len() {
                assert_eq!(Header::parse(&bytes[..length]), None, "{length}");
            }
        }
    }

    #[test]
    fn an_opening_entry_that_is_not_the_first_leaf_is_refused() {
        let mut header = sample(0);
        header.opening = Some(b"{\"log\":2}".to_vec());
        assert_eq!(Header::parse(&header.write()), None);
        header.opening = None;
        assert_eq!(Header::parse(&header.write()), None);
        let mut header = sample(12);
        header.opening = Some(b"{}".to_vec());
        assert_eq!(Header::parse(&header.write()), None);
    }
}
