//! Putting entries back that this very log had.
//!
//! Where a log was restored from an older copy, what was recorded since is taken from a copy of what
//! it published. Which log of a year an entry stands in, and how that log was opened, is then said
//! by the published tree, not by the entry's time. Nothing is signed but heads of that same tree.

use super::{Batch, Sequencer, error::SequenceError, goes_on};
use crate::{
    entry::NewEntry,
    header::Header,
    identity::LogId,
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

impl Sequencer {
    /// Plans a batch of entries that the log of `beginning.year` had at this place; none of nothing.
    /// Whoever calls has proved that by a checkpoint which this log's key signed.
    pub(crate) fn plan_again(
        &self,
        beginning: Beginning<'_>,
        entries: Vec<NewEntry>,
    ) -> Result<Option<Batch>, SequenceError> {
        if entries.is_empty() {
            return Ok(None);
        }
        let before = match &self.trees {
            Some(trees) if self.is_in(trees, beginning) => goes_on(trees),
            _ => self.begin_again(beginning)?,
        };
        self.batch(before, entries).map(Some)
    }

    /// Whether the log that grows is the one of this beginning. One without an entry may have been
    /// opened otherwise; no head of it was signed.
    fn is_in(&self, trees: &Trees, beginning: Beginning<'_>) -> bool {
        let shown = trees.entries.size() > 1;
        let same = trees.entries == opened(beginning.opening);
        let keys = self.end() > 0 || trees.keys == opened(beginning.keys_opening);
        trees.year == beginning.year && (shown || (same && keys))
    }

    /// Begins the log of a year with the opening entry that it had.
    fn begin_again(&self, beginning: Beginning<'_>) -> Result<Header, SequenceError> {
        let Beginning {
            year,
            opening,
            keys_opening,
        } = beginning;
        let previous = self.last_of_year();
        let said = Opened::decode(opening)?;
        let follows = said.first == self.end()
            && said.log == self.identity.origin(LogId::Year(year)).to_string()
            && previous.is_none_or(|(before, _)| before < year)
            && said.previous == previous_note(&self.identity, previous);
        if !follows {
            return Err(SequenceError::Elsewhere { year });
        }
        let keys_opening = self.keys_edge().is_none().then(|| keys_opening.to_vec());
        Ok(self.begins(year, opening.to_vec(), keys_opening))
    }
}
