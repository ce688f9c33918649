//! The right edges of the two trees that grow: the year's and that of keys and ceremonies.

use crate::{
    entry::NewEntry,
    head::{Heads, SignedHead},
    identity::{Identity, LogId},
    merkle::{self, CompactRange, Hash},
};

/// Both trees after some entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trees {
    pub(crate) year: i16,
    /// The index of the year's first entry.
    pub(crate) first: u64,
    /// The year's tree, its opening entry included.
    pub(crate) entries: CompactRange,
    pub(crate) keys: CompactRange,
}

impl Trees {
    /// The index that the next entry gets.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.size().saturating_sub(1)
    }

    /// Whether these are the trees that the heads are of. A year may be opened since.
    pub(crate) fn follow_from(&self, heads: &Heads) -> bool {
        let is_at = |range: &CompactRange, head: &SignedHead| {
            range.size() == head.size && range.root() == head.root
        };
        let year = if self.year == heads.year {
            is_at(&self.entries, &heads.entries)
        } else {
            self.year > heads.year && self.entries.size() == 1
        };
        year && self.next() == heads.end && is_at(&self.keys, &heads.keys)
    }

    /// Adds an entry; its leaf, which is hashed once, is returned.
    pub(crate) fn push(&mut self, entry: &[u8], ceremony: bool) -> Hash {
        let leaf = merkle::leaf(entry);
        self.entries.push(leaf);
        if ceremony {
            self.keys.push(leaf);
        }
        leaf
    }

    /// Adds the entries of a frame; returns their leaves.
    pub(crate) fn push_all(&mut self, entries: &[NewEntry]) -> Vec<Hash> {
        let push = |entry: &NewEntry| self.push(&entry.bytes, entry.ceremony);
        entries.iter().map(push).collect()
    }

    /// Signs what a frame that leads here makes: the year's head, and that of keys where it has
    /// changed. Otherwise the one `before` stands.
    pub(crate) fn sign(&self, identity: &Identity, before: Option<&Heads>) -> Heads {
        let log = LogId::Year(self.year);
        Heads {
            end: self.next(),
            year: self.year,
            entries: identity.sign(log, self.entries.size(), self.entries.root()),
            keys: match before {
                Some(heads) if heads.keys.size == self.keys.size() => heads.keys,
                _ => identity.sign(LogId::Keys, self.keys.size(), self.keys.root()),
            },
        }
    }
}

/// The tree of an opening entry alone.
pub(crate) fn opened(opening: &[u8]) -> CompactRange {
    let mut range = CompactRange::new();
    range.push(merkle::leaf(opening));
    range
}
