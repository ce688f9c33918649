//! The entries as the leaves of the logs that auditors see.
//!
//! Leaf 0 of a log is its opening entry. In the log of a year all entries from the year's first one
//! follow; in that of keys and ceremonies those about them do.

use crate::{
    error::LogError,
    head::{Heads, SignedHead},
    header::Header,
    identity::LogId,
    merkle::{self, CompactRange, Hash},
    reader::LogReader,
};

/// The logs' beginnings, and what else the entries' own order does not tell.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    /// In order.
    years: Vec<Begun>,
    keys_opening: Vec<u8>,
    /// The indexes of the entries about keys and ceremonies.
    pub(crate) ceremonies: Vec<u64>,
    pub(crate) heads: Option<Heads>,
}

#[derive(Clone, Debug)]
struct Begun {
    year: i16,
    first: u64,
    opening: Vec<u8>,
}

impl Logs {
    /// Notes what a segment begins. A year that has no entry yet may still be replaced.
    pub(crate) fn begin(&mut self, header: &Header) {
        if let Some(opening) = &header.opening {
            self.years.retain(|year| year.first < header.trees.first);
            self.years.push(Begun {
                year: header.trees.year,
                first: header.trees.first,
                opening: opening.clone(),
            });
        }
        if let Some(opening) = &header.keys_opening {
            self.keys_opening.clone_from(opening);
        }
    }

    /// Notes a frame's entries about keys and the heads that it makes.
    pub(crate) fn grow(&mut self, ceremonies: impl Iterator<Item = u64>, heads: Heads) {
        self.ceremonies.extend(ceremonies);
        self.heads = Some(heads);
    }

    /// The log of the year, and the index after its last entry, if it is closed.
    fn year(&self, year: i16) -> Option<(&Begun, Option<u64>)> {
        let at = self.years.iter().position(|one| one.year == year)?;
        let next = self.years.get(at + 1).map(|next| next.first);
        Some((self.years.get(at)?, next))
    }
}

impl LogReader {
    /// The newest heads; none before the first entry.
    #[must_use]
    pub fn heads(&self) -> Option<Heads> {
        self.0.heads()
    }

    /// The logs that have an entry: the years in order, then that of keys and ceremonies.
    #[must_use]
    pub fn logs(&self) -> Vec<LogId> {
        let years = self.0.with_logs(|logs| {
            let newest = logs.heads.map(|heads| heads.year);
            let years = logs.years.iter().map(|one| one.year);
            let shown = years.filter(|year| newest.is_some_and(|newest| *year <= newest));
            shown.map(LogId::Year).collect::<Vec<_>>()
        });
        let keys = years.last().map(|_| LogId::Keys);
        years.into_iter().chain(keys).collect()
    }

    /// The newest head of a log; none if there is no such log, or it has no entry.
    pub fn head(&self, log: LogId) -> Result<Option<SignedHead>, LogError> {
        let Some(heads) = self.heads() else {
            return Ok(None);
        };
        let year = match log {
            LogId::Keys => return Ok(Some(heads.keys)),
            LogId::Year(year) if year == heads.year => return Ok(Some(heads.entries)),
            LogId::Year(year) => year,
        };
        let closed = |logs: &Logs| match logs.year(year)? {
            (year, Some(end)) => Some(end - year.first + 1),
            (_, None) => None,
        };
        match self.0.with_logs(closed) {
            Some(size) => self.head_at(log, size),
            None => Ok(None),
        }
    }

    /// The head that a log had at `size`, where a frame made it; `None` elsewhere.
    pub fn head_at(&self, log: LogId, size: u64) -> Result<Option<SignedHead>, LogError> {
        // The entry that is the last leaf, or for a log of keys that is only opened, the first frame's.
        let last = match (log, size) {
            (_, 0) | (LogId::Year(_), 1) => None,
            (LogId::Keys, 1) => Some(0),
            _ => self.index_of(log, size - 1),
        };
        let Some(frame) = last.map(|last| self.frame_of(last)).transpose()?.flatten() else {
            return Ok(None);
        };
        let head = match log {
            LogId::Year(_) => Some(frame.table.entries),
            LogId::Keys => frame.table.keys,
        };
        Ok(head.filter(|head| head.size == size))
    }

    /// The root of a log's first `size` leaves; none if it has fewer. Where no frame ends there, as
    /// where entries were put back in other frames than they were first written in, it is computed
    /// from the leaves.
    pub fn root_at(&self, log: LogId, size: u64) -> Result<Option<Hash>, LogError> {
        if let Some(head) = self.head_at(log, size)? {
            return Ok(Some(head.root));
        }
        if size == 0 || self.head(log)?.is_none_or(|head| head.size < size) {
            return Ok(None);
        }
        let mut range = CompactRange::new();
        while range.size() < size {
            let most = usize::try_from(size - range.size()).unwrap_or(usize::MAX);
            let leaves = self.leaves(log, range.size(), most.min(4096), 4 << 20)?;
            if leaves.is_empty() {
                return Ok(None);
            }
            for leaf in leaves {
                range.push(merkle::leaf(&leaf));
            }
        }
        Ok(Some(range.root()))
    }

    /// The index of the entry that is leaf `leaf` of a log; none for the opening entry, and past the
    /// durable end.
    #[must_use]
    pub fn index_of(&self, log: LogId, leaf: u64) -> Option<u64> {
        let place = leaf.checked_sub(1)?;
        let durable = self.durable();
        let index = self.0.with_logs(|logs| match log {
            LogId::Keys => logs.ceremonies.get(usize::try_from(place).ok()?).copied(),
            LogId::Year(year) => {
                let (year, end) = logs.year(year)?;
                let index = year.first.checked_add(place)?;
                (index < end.unwrap_or(durable)).then_some(index)
            }
        });
        index.filter(|index| *index < durable)
    }

    /// The log of a year in which the entry `index` stands, and the leaf that it is there.
    #[must_use]
    pub fn leaf_of(&self, index: u64) -> Option<(LogId, u64)> {
        if index >= self.durable() {
            return None;
        }
        self.0.with_logs(|logs| {
            let after = logs.years.partition_point(|year| year.first <= index);
            let year = logs.years.get(after.checked_sub(1)?)?;
            Some((LogId::Year(year.year), index - year.first + 1))
        })
    }

    /// The leaf that the entry `index` is in the log of keys and ceremonies, if it is one of those.
    #[must_use]
    pub fn keys_leaf_of(&self, index: u64) -> Option<u64> {
        let place = self
            .0
            .with_logs(|logs| logs.ceremonies.binary_search(&index));
        place.ok().map(|place| place as u64 + 1)
    }

    /// The leaves of a log from `from` on: at most `most`, and as many as fit into `max_bytes` but at
    /// least one. Empty at the durable end.
    pub fn leaves(
        &self,
        log: LogId,
        from: u64,
        most: usize,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, LogError> {
        let mut out = Vec::new();
        let mut room = max_bytes;
        if from == 0 && most > 0 {
            let Some(opening) = self.opening(log) else {
                return Ok(out);
            };
            room = room.saturating_sub(opening.len());
            out.push(opening);
        }
        let mut next = from.max(1);
        while out.len() < most
            && let Some(index) = self.index_of(log, next)
        {
            let most = most - out.len();
            let (most, all) = match log {
                LogId::Keys => (1, false),
                // None stands behind the year's last one.
                LogId::Year(_) => (most.min(self.left(log, index)), true),
            };
            let read = self.read(index, most, room)?;
            for (_, entry) in read {
                if !out.is_empty() && entry.len() > room {
                    return Ok(out);
                }
                room = room.saturating_sub(entry.len());
                out.push(entry);
                next += 1;
            }
            if all {
                break;
            }
        }
        Ok(out)
    }

    /// Entries from `index` on that stand in the log of a year.
    fn left(&self, log: LogId, index: u64) -> usize {
        let durable = self.durable();
        let end = self.0.with_logs(|logs| match log {
            LogId::Year(year) => logs.year(year).and_then(|(_, end)| end),
            LogId::Keys => None,
        });
        usize::try_from(end.unwrap_or(durable).saturating_sub(index)).unwrap_or(usize::MAX)
    }

    /// The entry that opens a log which has an entry.
    #[must_use]
    pub fn opening(&self, log: LogId) -> Option<Vec<u8>> {
        if !self.logs().contains(&log) {
            return None;
        }
        self.0.with_logs(|logs| match log {
            LogId::Keys => Some(logs.keys_opening.clone()),
            LogId::Year(year) => logs.year(year).map(|(year, _)| year.opening.clone()),
        })
    }
}
