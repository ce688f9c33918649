//! Reading committed entries while others are being appended.
//!
//! A reader never sees past the durable end. Finding an entry takes a look at a sparse index in
//! memory and a hop over the heads of a few frames; every byte returned has passed its checksum.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    error::LogError,
    frame::Head,
    head::Heads,
    header::Header,
    leaves::Logs,
    segment::{Frame, Segment},
};

/// Bytes of a segment that one place of the sparse index stands for.
const SPAN_BYTES: u64 = 16 * 1024;

/// Reads a log; cheap to clone, safe to share.
#[derive(Clone, Debug)]
pub struct LogReader(pub(crate) Arc<Shared>);

/// What the log and its readers share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    durable: AtomicU64,
    segments: RwLock<Vec<Indexed>>,
    logs: RwLock<Logs>,
}

/// A segment with places from which to look for a frame.
#[derive(Clone, Debug)]
struct Indexed {
    segment: Segment,
    /// First index and offset of some frames, in order; the first frame's among them.
    places: Vec<(u64, u64)>,
    /// Where the durable frames end.
    end: u64,
}

impl Shared {
    /// Adds a segment, as yet without frames; one that had none and began with the same entry goes.
    pub(crate) fn add_segment(&self, segment: Segment, header: &Header) {
        self.with_logs_mut(|logs| logs.begin(header));
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        segments.retain(|indexed| indexed.segment.first < segment.first);
        segments.push(Indexed {
            end: segment.start,
            segment,
            places: Vec::new(),
        });
    }

    /// Adds a durable frame at the end of the last segment, the indexes of its entries about keys,
    /// and the heads that it makes; shows its entries.
    pub(crate) fn add_frame(
        &self,
        head: Head,
        offset: u64,
        ceremonies: impl Iterator<Item = u64>,
        heads: Heads,
    ) {
        self.place_frame(head, offset);
        // Under one lock: whoever sees the heads sees the entries, and the other way round.
        self.with_logs_mut(|logs| {
            logs.grow(ceremonies, heads);
            self.durable.store(head.end(), Ordering::Release);
        });
    }

    /// Shows a frame's entries, but not its heads, which a later frame tells.
    pub(crate) fn skip_frame(&self, head: Head, offset: u64) {
        self.place_frame(head, offset);
        self.durable.store(head.end(), Ordering::Release);
    }

    fn place_frame(&self, head: Head, offset: u64) {
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = segments.last_mut() {
            if last
                .places
                .last()
                .is_none_or(|(_, at)| offset - at >= SPAN_BYTES)
            {
                last.places.push((head.first, offset));
            }
            last.end = offset + head.frame_bytes();
        }
    }

    /// The newest heads.
    pub(crate) fn heads(&self) -> Option<Heads> {
        self.with_logs(|logs| logs.heads)
    }

    /// Entries about keys.
    pub(crate) fn ceremonies(&self) -> u64 {
        self.with_logs(|logs| logs.ceremonies.len() as u64)
    }

    pub(crate) fn with_logs<T>(&self, look: impl FnOnce(&Logs) -> T) -> T {
        look(&self.logs.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_logs_mut<T>(&self, change: impl FnOnce(&mut Logs) -> T) -> T {
        change(&mut self.logs.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LogReader {
    /// The number of durable entries.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.0.durable.load(Ordering::Acquire)
    }

    /// The entry at `index`.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, LogError> {
        match self.read(index, 1, usize::MAX)?.pop() {
            Some((_, bytes)) => Ok(bytes),
            None => Err(LogError::Beyond {
                index,
                size: self.durable(),
            }),
        }
    }

    /// The entries from index `from` on with their indexes: at most `max_entries`, and as many as
    /// fit into `max_bytes` but at least one. Empty at the durable end.
    pub fn read(
        &self,
        from: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        let end = self.durable();
        let mut out: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut bytes = 0_usize;
        let mut next = from;
        let mut place = None;
        while next < end && out.len() < max_entries {
            let Some((segment, mut offset, limit)) = place.take().or_else(|| self.place(next))
            else {
                break;
            };
            let mut head = whole_head(&segment, offset, limit)?;
            while head.end() <= next {
                offset += head.frame_bytes();
                head = whole_head(&segment, offset, limit)?;
            }
            let frame = segment
                .frame(offset, limit)?
                .ok_or_else(|| segment.corrupt(offset, "a frame's table does not match"))?;
            let start = usize::try_from(next.saturating_sub(head.first)).unwrap_or_default();
            let mut stop = start;
            for row in frame.table.rows.get(start..).unwrap_or_default() {
                let over = bytes.saturating_add(usize::from(row.length)) > max_bytes;
                if out.len() + (stop - start) >= max_entries || (over && bytes > 0) {
                    break;
                }
                bytes = bytes.saturating_add(usize::from(row.length));
                stop += 1;
            }
            if stop == start {
                break;
            }
            let entries = segment
                .entries(&frame, start..stop)?
                .ok_or_else(|| segment.corrupt(offset, "an entry does not match its checksum"))?;
            out.extend((next..).zip(entries));
            next += (stop - start) as u64;
            if next < head.end() {
                break;
            }
            let after = offset + head.frame_bytes();
            if after < limit {
                place = Some((segment, after, limit));
            }
        }
        Ok(out)
    }

    /// The frame that holds the durable entry `index`.
    pub(crate) fn frame_of(&self, index: u64) -> Result<Option<Frame>, LogError> {
        if index >= self.durable() {
            return Ok(None);
        }
        let Some((segment, mut offset, limit)) = self.place(index) else {
            return Ok(None);
        };
        let mut head = whole_head(&segment, offset, limit)?;
        while head.end() <= index {
            offset += head.frame_bytes();
            head = whole_head(&segment, offset, limit)?;
        }
        let frame = segment.frame(offset, limit)?;
        let damaged = || segment.corrupt(offset, "a frame's table does not match");
        frame.ok_or_else(damaged).map(Some)
    }

    /// The segments, each with where its durable frames end.
    pub(crate) fn segments(&self) -> Vec<(Segment, u64)> {
        let segments = self
            .0
            .segments
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let each = segments.iter().map(|one| (one.segment.clone(), one.end));
        each.collect()
    }

    /// Where to begin looking for the frame that holds `index`.
    fn place(&self, index: u64) -> Option<(Segment, u64, u64)> {
        let segments = self
            .0
            .segments
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|s| s.segment.first <= index);
        let indexed = segments.get(after.checked_sub(1)?)?;
        let after = indexed.places.partition_point(|(first, _)| *first <= index);
        let (_, offset) = indexed.places.get(after.checked_sub(1)?)?;
        Some((indexed.segment.clone(), *offset, indexed.end))
    }
}

fn whole_head(segment: &Segment, offset: u64, end: u64) -> Result<Head, LogError> {
    segment
        .head(offset, end)?
        .ok_or_else(|| segment.corrupt(offset, "a frame's head does not match"))
}
