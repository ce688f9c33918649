//! The Merkle tree over the entries (RFC 6962 §2.1), kept as its right edge only.
//!
//! A compact range holds the roots of the perfect subtrees that the tree is made of, largest
//! first; appending a leaf and computing the root both take logarithmic time and space.

use ring::digest::{Context, SHA256};

/// A node of the tree.
pub type Hash = [u8; 32];

pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// The hash of an entry: SHA-256(0x00 || entry).
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The right edge of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// The tree of no entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of `size` entries from its perfect subtrees, largest first; `None` if their number
    /// is not that of the one-bits of `size`.
    #[must_use]
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (usize::try_from(size.count_ones()) == Ok(peaks.len())).then_some(Self { size, peaks })
    }

    /// The number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends an entry by its leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of the tree; for no entries SHA-256 of the empty string.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return sha256(&[]);
        };
        peaks.fold(*last, |right, left| node(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962 §2.1 word by word.
    fn reference(entries: &[Vec<u8>]) -> Hash {
        match entries {
            [] => sha256(&[]),
            [one] => leaf(one),
            _ => {
                let split = entries.len().next_power_of_two() / 2;
                node(&reference(&entries[..split]), &reference(&entries[split..]))
            }
        }
    }

    #[test]
    fn the_compact_range_agrees_with_the_rfcs_definition() {
        let entries: Vec<Vec<u8>> = (0..130_u8).map(|i| vec![i; usize::from(i)]).collect();
        let mut range = CompactRange::new();
        for i in 0..entries.len() {
            assert_eq!(range.root(), reference(&entries[..i]), "{i}");
            range.push(leaf(&entries[i]));
            let again = CompactRange::from_peaks(range.size(), range.peaks().to_vec());
            assert_eq!(again.as_ref(), Some(&range));
        }
    }

    #[test]
    fn the_published_test_vectors_hold() {
        // From the certificate-transparency reference implementation.
        let inputs: [&[u8]; 3] = [b"", b"\x00", b"\x10"];
        let mut range = CompactRange::new();
        for input in inputs {
            range.push(leaf(input));
        }
        let root = lgpki_domain::Digest(range.root()).to_string();
        assert_eq!(
            root,
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
        );
    }

    #[test]
    fn peaks_of_another_size_are_refused() {
        assert!(CompactRange::from_peaks(3, vec![[0; 32]]).is_none());
    }
}
