//! A frame's entries with what proves that they are in the log, from memory.
//!
//! Whoever has just recorded something can show, to somebody who knows the log's public key and
//! nothing else, that it is inside a head that is durable: the entry's bytes, the path to the root, the
//! signed head. Nothing is read for it, and no entry is hashed a second time.

use std::sync::OnceLock;

use crate::{
    entry::NewEntry,
    head::SignedHead,
    identity::LogId,
    merkle::{self, CompactRange, Hash},
    proof::{self, HashReader},
    published::TreeError,
};

/// Entries that became durable together.
#[derive(Debug)]
pub struct Sequenced {
    log: LogId,
    /// The index of the first entry.
    first: u64,
    entries: Vec<NewEntry>,
    /// Their leaf hashes.
    leaves: Vec<Hash>,
    /// The year's tree before them.
    before: CompactRange,
    head: SignedHead,
    levels: OnceLock<Vec<Level>>,
}

/// The subtrees of one height that end within the frame.
#[derive(Debug)]
struct Level {
    first: u64,
    hashes: Vec<Hash>,
}

/// The proof that an entry is in a log: enough for whoever has the log's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The log of the year.
    pub log: LogId,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Which leaf of the tree it is.
    pub leaf: u64,
    /// The path from there to the root.
    pub path: Vec<Hash>,
    /// A head of the log.
    pub head: SignedHead,
}

impl Evidence {
    /// Whether the path leads from the entry to the head's root. Says nothing about the signature.
    #[must_use]
    pub fn leads_to_the_head(&self) -> bool {
        let leaf = merkle::leaf(&self.entry);
        let head = (self.head.size, &self.head.root);
        proof::check_inclusion(&leaf, self.leaf, head, &self.path).is_ok()
    }
}

impl Sequenced {
    pub(crate) fn new(
        (log, first): (LogId, u64),
        entries: Vec<NewEntry>,
        leaves: Vec<Hash>,
        before: CompactRange,
        head: SignedHead,
    ) -> Self {
        Self {
            log,
            first,
            entries,
            leaves,
            before,
            head,
            levels: OnceLock::new(),
        }
    }

    /// The head that they made.
    #[must_use]
    pub const fn head(&self) -> &SignedHead {
        &self.head
    }

    /// The evidence of the entry `index`, if it is one of these.
    #[must_use]
    pub fn evidence(&self, index: u64) -> Option<Evidence> {
        let place = usize::try_from(index.checked_sub(self.first)?).ok()?;
        let entry = self.entries.get(place)?.bytes.clone();
        let leaf = self.before.size() + place as u64;
        Some(Evidence {
            log: self.log,
            entry,
            leaf,
            // Every subtree of the path lies before the frame as a peak, or ends within it.
            path: proof::inclusion(self, leaf, self.head.size).ok()?,
            head: self.head,
        })
    }

    fn levels(&self) -> &[Level] {
        self.levels.get_or_init(|| {
            let mut levels = vec![Level {
                first: self.before.size(),
                hashes: self.leaves.clone(),
            }];
            while let Some(below) = levels.last().filter(|below| !below.hashes.is_empty()) {
                let above = self.above(levels.len() - 1, below);
                levels.push(above);
            }
            levels
        })
    }

    /// The subtrees one higher.
    fn above(&self, height: usize, below: &Level) -> Level {
        // A right child that comes first has its brother among the peaks.
        let brother = (below.first % 2 == 1).then(|| self.peak(height)).flatten();
        let all: Vec<&Hash> = brother.iter().chain(&below.hashes).collect();
        let hashes = all
            .chunks_exact(2)
            .map(|pair| merkle::node(pair[0], pair[1]));
        Level {
            first: below.first / 2,
            hashes: hashes.collect(),
        }
    }

    /// The peak over 2^`height` entries of the tree before.
    fn peak(&self, height: usize) -> Option<Hash> {
        let size = self
            .before
            .size()
            .checked_shr(u32::try_from(height).ok()?)?;
        if size % 2 == 0 {
            return None;
        }
        // The larger ones come first.
        let larger = (size >> 1).count_ones() as usize;
        self.before.peaks().get(larger).copied()
    }
}

impl HashReader for Sequenced {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        let height = usize::from(level);
        let here = self.levels().get(height).and_then(|level| {
            let place = usize::try_from(index.checked_sub(level.first)?).ok()?;
            level.hashes.get(place).copied()
        });
        let beyond = TreeError::Beyond {
            index,
            size: self.head.size,
        };
        let is_peak = self.before.size().checked_shr(u32::from(level)) == Some(index + 1);
        here.or_else(|| is_peak.then(|| self.peak(height)).flatten())
            .ok_or(beyond)
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Timestamp;

    use super::*;

    fn entry(i: u64) -> NewEntry {
        NewEntry {
            bytes: format!("{{\"i\":{i}}}").into_bytes(),
            time: Timestamp::from_seconds(0),
            ceremony: false,
        }
    }

    #[test]
    fn every_entry_of_a_frame_is_proved_wherever_the_frame_stands() {
        for before in 0..40_u64 {
            for count in 1..20_u64 {
                let mut range = CompactRange::new();
                for i in 0..before {
                    range.push(merkle::leaf(&entry(i).bytes));
                }
                let edge = range.clone();
                let entries: Vec<_> = (before..before + count).map(entry).collect();
                let leaves: Vec<_> = entries.iter().map(|e| merkle::leaf(&e.bytes)).collect();
                for leaf in &leaves {
                    range.push(*leaf);
                }
                let head = SignedHead {
                    size: before + count,
                    root: range.root(),
                    signature: [0; 64],
                };
                let frame = Sequenced::new((LogId::Year(2008), 1000), entries, leaves, edge, head);
                for place in 0..count {
                    let evidence = frame.evidence(1000 + place).unwrap();
                    assert_eq!(evidence.entry, entry(before + place).bytes);
                    assert!(evidence.leads_to_the_head(), "{before} {count} {place}");
                    let mut other = evidence.clone();
                    other.entry.push(b' ');
                    assert!(!other.leads_to_the_head());
                    let other = Evidence {
                        leaf: evidence.leaf ^ 1,
                        ..evidence
                    };
                    assert!(!other.leads_to_the_head());
                }
                assert_eq!(frame.evidence(999), None);
                assert_eq!(frame.evidence(1000 + count), None);
            }
        }
    }
}
