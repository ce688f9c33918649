//! Putting entries back that this very log had.
//!
//! Where a log was restored from an older copy, what was recorded since is taken from a copy of what
//! it published. Which log of a year an entry stands in, and how that log was opened, is then said
//! by the published tree, not by the entry's time. Nothing is signed but heads of that same tree.

use super::{Appended, Current, Log};
use crate::{
    entry::{MAX_ENTRY_BYTES, NewEntry},
    error::LogError,
    header::Header,
    identity::LogId,
    merkle::CompactRange,
    opening::{Opened, previous_note},
    trees::{Trees, opened},
};

/// How the log of a year was opened, byte for byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning<'a> {
    pub(crate) year: i16,
    /// The year's opening entry.
    pub(crate) opening: &'a [u8],
    /// The opening entry of the log of keys.
    pub(crate) keys_opening: &'a [u8],
}

impl Log {
    /// Appends entries that the log of `beginning.year` had at this place, all or none, and returns
    /// when they are durable. Whoever calls has proved that by a checkpoint which this log's key signed.
    pub(crate) fn put_back(
        &mut self,
        beginning: Beginning<'_>,
        entries: Vec<NewEntry>,
    ) -> Result<Appended, LogError> {
        if let Some(why) = &self.poisoned {
            return Err(LogError::Poisoned(why.clone()));
        }
        let appended = self.try_put_back(beginning, entries);
        if let Err(e) = &appended {
            self.poisoned = Some(e.to_string());
        }
        appended
    }

    /// The tree of keys as it stands; none before the first segment.
    pub(crate) fn keys_edge(&self) -> Option<CompactRange> {
        let current = self.current.as_ref().filter(|_| self.size() > 0);
        current.map(|current| current.trees.keys.clone())
    }

    fn try_put_back(
        &mut self,
        beginning: Beginning<'_>,
        entries: Vec<NewEntry>,
    ) -> Result<Appended, LogError> {
        if entries.is_empty() || entries.iter().any(|e| e.bytes.len() > MAX_ENTRY_BYTES) {
            return Err(
                self.refused("no entry, or one over the limit, cannot be put back".to_owned())
            );
        }
        let current = match &self.current {
            Some(current) if self.is_in(current, beginning) => current.clone(),
            _ => self.begin_again(beginning)?,
        };
        self.commit(current, entries)
    }

    /// Whether the log that grows is the one of this beginning. One without an entry may have been
    /// opened otherwise; no head of it was signed.
    fn is_in(&self, current: &Current, beginning: Beginning<'_>) -> bool {
        let trees = &current.trees;
        let shown = trees.entries.size() > 1;
        let same = trees.entries == opened(beginning.opening);
        let keys = self.size() > 0 || trees.keys == opened(beginning.keys_opening);
        trees.year == beginning.year && (shown || (same && keys))
    }

    /// Begins the log of a year with the opening entry that it had.
    fn begin_again(&self, beginning: Beginning<'_>) -> Result<Current, LogError> {
        let first = self.size();
        let Beginning {
            year,
            opening,
            keys_opening,
        } = beginning;
        let previous = self.shared.heads().map(|heads| (heads.year, heads.entries));
        let said = Opened::decode(opening).map_err(|e| self.refused(e.to_string()))?;
        let follows = said.first == first
            && said.log == self.identity.origin(LogId::Year(year)).to_string()
            && previous.is_none_or(|(before, _)| before < year)
            && said.previous == previous_note(&self.identity, previous);
        if !follows {
            let what = format!("the log of {year} does not go on where this one ends");
            return Err(self.refused(what));
        }
        let (keys, keys_opening) = match self.keys_edge() {
            Some(keys) => (keys, None),
            None => (opened(keys_opening), Some(keys_opening.to_vec())),
        };
        self.begin(Header {
            trees: Trees {
                year,
                first,
                entries: opened(opening),
                keys,
            },
            opening: Some(opening.to_vec()),
            keys_opening,
        })
    }
}
