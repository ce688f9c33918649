//! Entry bundles (C2SP tlog-tiles): up to 256 entries in one file, each after its length.
//!
//! A length is two bytes, big-endian, which is why an entry has at most 65,535.

use std::ops::Range;

use super::WIDTH;
use crate::merkle::{self, Hash};

/// Appends an entry to a bundle's bytes; false if it is longer than a length can say.
#[must_use]
pub fn append_entry(out: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else {
        return false;
    };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(entry);
    true
}

/// A bundle that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    bytes: Vec<u8>,
    entries: Vec<Range<usize>>,
}

impl Bundle {
    /// Reads a bundle of at most 256 entries; `None` if the bytes do not end with an entry.
    #[must_use]
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        let mut entries = Vec::with_capacity(usize::from(WIDTH));
        let mut at = 0;
        while at < bytes.len() {
            let length = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
            let start = at + 2;
            at = start + usize::from(length);
            if at > bytes.len() || entries.len() == usize::from(WIDTH) {
                return None;
            }
            entries.push(start..at);
        }
        Some(Self { bytes, entries })
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Leaves the first `width` entries only.
    pub fn truncate(&mut self, width: u16) {
        self.entries.truncate(usize::from(width));
    }

    /// An entry, counted within the bundle.
    #[must_use]
    pub fn entry(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.entries.get(at)?.clone())
    }

    /// The entries in their order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.entries.iter().map(bytes)
    }

    /// The entries' leaf hashes.
    #[must_use]
    pub fn leaves(&self) -> impl ExactSizeIterator<Item = Hash> {
        self.iter().map(merkle::leaf)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bundle_of_more_than_256_entries_or_with_a_remainder_is_refused() {
        let mut bytes = Vec::new();
        for _ in 0..256 {
            assert!(append_entry(&mut bytes, b"{}"));
        }
        assert_eq!(Bundle::parse(bytes.clone()).unwrap().len(), 256);
        assert!(append_entry(&mut bytes, b"{}"));
        assert_eq!(Bundle::parse(bytes), None);
        for remainder in [&[0][..], &[0, 1], &[0, 2, 7], &[0, 0, 0]] {
            assert_eq!(Bundle::parse(remainder.to_vec()), None, "{remainder:?}");
        }
        assert!(!append_entry(&mut Vec::new(), &vec![0; 65_536]));
        assert!(Bundle::parse(Vec::new()).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn entries_read_back(entries in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..300), 0..=256)) {
            let mut bytes = Vec::new();
            for entry in &entries {
                prop_assert!(append_entry(&mut bytes, entry));
            }
            let mut bundle = Bundle::parse(bytes).unwrap();
            prop_assert_eq!(bundle.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), entries.clone());
            bundle.truncate(3);
            prop_assert_eq!(bundle.len(), entries.len().min(3));
            prop_assert_eq!(bundle.entry(3), None);
        }
    }
}
