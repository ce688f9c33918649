//! Sequencing, apart from where the entries lie: which log of a year a unit goes into, which opening
//! entries begin it, each entry's index, both trees, and the heads that are signed.
//!
//! There is no input or output here. Files ([`Log`](crate::Log)) and whatever else may hold a service's
//! entries are **engines**: each keeps what a [`Batch`] says in its own way, and asks here what to keep.
//! A [`Sequencer`] plans, which changes nothing; the engine makes the batch durable; then the
//! sequencer is told that it is. A batch that is dropped leaves no trace.
//!
//! # What an engine does, in this order
//! 1. It takes a lock that it holds for life, and only then reads where the log stands. What is
//!    found must be signed by this log's key ([`Sequencer::resume`]), and what is published must be a
//!    head that the log had ([`Publisher::open`](crate::Publisher::open)); otherwise it does not run.
//! 2. It takes whole units that are durable or become so with the batch, in an order in which none
//!    stands before one that it builds upon, and none that needs a later year than the first of
//!    them and than the one that grows ([`needs`]). It plans.
//! 3. **The commit point**: entries with their indexes, both heads and the new state become durable
//!    together, opening entries with them or before: a year that is only opened has no head.
//! 4. [`Sequencer::committed`]. Only now does anybody see an entry, is a unit acknowledged as sequenced,
//!    is anything signed upon its [`Evidence`](crate::Evidence), is a head published: tiles first, then
//!    the checkpoint.
//!
//! Where the outcome of step 3 is unknown (an error of the disk, a connection that broke), nobody knows
//! which head is durable: the engine goes on only from step 1.
//!
//! # No size is signed with two roots
//! To anybody who can see a head, that is. What was planned and did not become durable was signed in
//! memory, and may lie in a torn tail or in a database's own journal, but no reader was shown it.
//! Planned again from the same state, the same entries give the same signature, for Ed25519 signs the
//! same text the same way; other entries give another root of that size, and the first one is gone. A
//! head that is durable is never signed again: its signature is read. Only a restore undoes a commit;
//! therefore what was restored is compared with all that was published before it runs.
//!
//! # Entries in the tables of a database
//! Many writers commit units there, and one sequencer gives them their indexes afterwards, so there is more to
//! keep in mind:
//! - An id is drawn before the commit. A unit with a lower id may become visible after one with a
//!   higher id, and aborted ones leave holes; so the sequencer asks for whatever **has no index**, never for
//!   what is past the last id. An index is given in the transaction that writes the new head.
//! - A writer draws its ids after it holds the locks of what it decides about. Then ids, wherever they
//!   come from one sequence without a cache, rise along everything that builds upon something, and
//!   the order of the smallest ids of the units is one of step 2.
//! - The state is one row ([`State::write`]). Each batch locks it for its whole transaction and finds in
//!   it what the sequencer stands at ([`Sequencer::state`]), and the epoch under which its lock was taken;
//!   taking the lock raises the epoch. Who finds anything else was fenced off and commits nothing.
//! - A unit's writer is answered with a receipt. `sequenced(receipt)` comes before a key is used and before
//!   any feed shows the unit; readers read by index, and what has none does not exist for them.
//! - A commit that was acknowledged may not be lost by a failover: the standby is synchronous.

mod again;
mod error;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use lgpki_domain::Timestamp;

pub(crate) use self::again::Beginning;
pub use self::{
    error::SequenceError,
    state::{MOST_BYTES, State},
};
use crate::{
    entry::{MAX_ENTRY_BYTES, NewEntry},
    head::{Heads, SignedHead},
    header::Header,
    identity::{Identity, LogId, year},
    merkle::{CompactRange, Hash},
    opening::opening,
    sequenced::Sequenced,
    trees::{Trees, opened},
};

/// Where a service's logs stand, and who signs their heads.
#[derive(Clone, Debug)]
pub struct Sequencer {
    identity: Identity,
    /// None before a log was opened. Of a year that was opened and has no entry no head was signed.
    trees: Option<Trees>,
    /// The newest heads; none before the first entry.
    heads: Option<Heads>,
}

/// Entries with all that becomes durable together with them.
#[derive(Debug)]
pub struct Batch {
    /// The trees before the entries, with the opening entries where they begin a log.
    before: Header,
    /// The heads upon which it was planned.
    upon: Option<Heads>,
    entries: Vec<NewEntry>,
    leaves: Vec<Hash>,
    trees: Trees,
    heads: Heads,
}

/// The log of the year that a unit needs, which is its latest entry's; none of nothing. A batch is of one
/// year: a unit that needs a later one than those before it, and than the year that grows, waits for the next batch.
#[must_use]
pub fn needs(unit: &[NewEntry]) -> Option<LogId> {
    latest(unit).map(|entry| LogId::of(entry.time))
}

/// The first entry of the latest year.
fn latest(entries: &[NewEntry]) -> Option<&NewEntry> {
    entries.iter().rev().max_by_key(|entry| year(entry.time))
}

impl Sequencer {
    /// Before the first entry.
    #[must_use]
    pub const fn new(identity: Identity) -> Self {
        Self {
            identity,
            trees: None,
            heads: None,
        }
    }

    /// Goes on where an engine's durable state says. Refuses heads that do not follow from the trees, or
    /// that this identity did not sign; signs nothing.
    pub fn resume(identity: Identity, state: State) -> Result<Self, SequenceError> {
        Self::found(identity, Some(state.trees), Some(state.heads))
    }

    /// The same for an engine that makes a year's opening entry durable before the year's first batch.
    pub(crate) fn found(
        identity: Identity,
        trees: Option<Trees>,
        heads: Option<Heads>,
    ) -> Result<Self, SequenceError> {
        let agree = match (&trees, &heads) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some(trees), None) => trees.next() == 0 && trees.keys.size() == 1,
            (Some(trees), Some(heads)) => trees.follow_from(heads),
        };
        if !agree {
            return Err(SequenceError::Disagree);
        }
        for (log, head) in heads.iter().flat_map(Heads::each) {
            if !identity.signed(log, head) {
                let origin = identity.origin(log).to_string();
                return Err(SequenceError::Unsigned { origin });
            }
        }
        Ok(Self {
            identity,
            trees,
            heads,
        })
    }

    /// Entries in the log, all of them durable; the index that the next one gets.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.trees.as_ref().map_or(0, Trees::next)
    }

    /// The year whose log grows; none before the first entry.
    #[must_use]
    pub fn year(&self) -> Option<i16> {
        self.trees.as_ref().map(|trees| trees.year)
    }

    /// The newest heads; none before the first entry.
    #[must_use]
    pub const fn heads(&self) -> Option<&Heads> {
        self.heads.as_ref()
    }

    /// What an engine should find durable; none before the first entry, and of a year without one.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        let trees = self.trees.as_ref().filter(|t| t.entries.size() > 1)?;
        Some(State {
            trees: trees.clone(),
            heads: self.heads?,
        })
    }

    /// The tree of keys as it stands; none before the first entry, for then nobody was shown it.
    pub(crate) fn keys_edge(&self) -> Option<&CompactRange> {
        let trees = self.trees.as_ref().filter(|_| self.end() > 0);
        trees.map(|trees| &trees.keys)
    }

    /// Plans a batch of `entries`, which go into the log of the year of the latest of them, or into the one
    /// that grows if that is a later one's, as when the clock was set back. Changes nothing; none of nothing.
    pub fn plan(&self, entries: Vec<NewEntry>) -> Result<Option<Batch>, SequenceError> {
        let Some(latest) = latest(&entries) else {
            return Ok(None);
        };
        let before = match &self.trees {
            Some(trees) if year(latest.time) <= trees.year => goes_on(trees),
            _ => self.next_year(latest.time)?,
        };
        self.batch(before, entries).map(Some)
    }

    /// The batch of `entries`, of which there are some, behind `before`.
    fn batch(&self, before: Header, entries: Vec<NewEntry>) -> Result<Batch, SequenceError> {
        if let Some(entry) = entries.iter().find(|e| e.bytes.len() > MAX_ENTRY_BYTES) {
            let size = entry.bytes.len();
            return Err(SequenceError::TooLarge { size });
        }
        let mut trees = before.trees.clone();
        let leaves = trees.push_all(&entries);
        let heads = trees.sign(&self.identity, self.heads.as_ref());
        Ok(Batch {
            before,
            upon: self.heads,
            entries,
            leaves,
            trees,
            heads,
        })
    }

    /// Begins the log of the year of `time`.
    fn next_year(&self, time: Timestamp) -> Result<Header, SequenceError> {
        let first = self.end();
        let year = year(time);
        let open = |log, previous| opening(&self.identity, log, first, time, previous);
        let year_opening = open(LogId::Year(year), self.last_of_year())?;
        let keys_opening = match self.keys_edge() {
            Some(_) => None,
            None => Some(open(LogId::Keys, None)?),
        };
        Ok(self.begins(year, year_opening, keys_opening))
    }

    /// The beginning of a year with these opening entries; that of keys only where nothing stands yet.
    fn begins(&self, year: i16, opening: Vec<u8>, keys_opening: Option<Vec<u8>>) -> Header {
        let keys = keys_opening.as_deref().map(opened);
        Header {
            trees: Trees {
                year,
                first: self.end(),
                entries: opened(&opening),
                keys: keys
                    .or_else(|| self.keys_edge().cloned())
                    .unwrap_or_default(),
            },
            opening: Some(opening),
            keys_opening,
        }
    }

    /// The final head of the log of the year that has entries.
    fn last_of_year(&self) -> Option<(i16, SignedHead)> {
        self.heads.map(|heads| (heads.year, heads.entries))
    }

    /// Takes note that a batch is durable; returns its entries with what proves them. A batch that was
    /// planned before another one was committed is refused.
    pub fn committed(&mut self, batch: Batch) -> Result<Arc<Sequenced>, SequenceError> {
        if batch.upon != self.heads {
            return Err(SequenceError::Stale);
        }
        let first = batch.first();
        let log = LogId::Year(batch.trees.year);
        self.trees = Some(batch.trees);
        self.heads = Some(batch.heads);
        Ok(Arc::new(Sequenced::new(
            (log, first),
            batch.entries,
            batch.leaves,
            batch.before.trees.entries,
            batch.heads.entries,
        )))
    }
}

/// Nothing begins.
fn goes_on(trees: &Trees) -> Header {
    Header {
        trees: trees.clone(),
        opening: None,
        keys_opening: None,
    }
}

impl Batch {
    /// The index of the first entry.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.before.trees.next()
    }

    /// The index after the last entry.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.heads.end
    }

    /// The entries in their order.
    #[must_use]
    pub fn entries(&self) -> &[NewEntry] {
        &self.entries
    }

    /// The opening entries of the logs that it begins: leaf 0 of each, without an index.
    pub fn openings(&self) -> impl Iterator<Item = (LogId, &[u8])> {
        let logs = [
            (LogId::Year(self.trees.year), &self.before.opening),
            (LogId::Keys, &self.before.keys_opening),
        ];
        let begun = logs
            .into_iter()
            .map(|(log, opening)| Some((log, opening.as_deref()?)));
        begun.flatten()
    }

    /// The heads that it makes; nobody may see them before it is durable.
    #[must_use]
    pub const fn heads(&self) -> &Heads {
        &self.heads
    }

    /// Where the logs stand once it is durable.
    #[must_use]
    pub fn state(&self) -> State {
        State {
            trees: self.trees.clone(),
            heads: self.heads,
        }
    }

    /// Where the trees stand before it, and what it begins.
    pub(crate) const fn before(&self) -> &Header {
        &self.before
    }
}
