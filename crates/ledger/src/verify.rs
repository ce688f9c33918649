//! The whole log, read once more: every entry hashed, every recorded head compared.
//!
//! Opening hops over the earlier segments, whose frames tell their heads themselves; an entry that was
//! altered there, with its checksums, shows itself only here. What rests on the entries alone, an index
//! that is built anew, a backup, a restored log, is preceded by it. That the newest heads are the log
//! key's was seen at opening, and every head before them is in their trees or in the entries that open
//! the years.

use std::sync::Arc;

use crate::{
    error::LogError,
    header::Header,
    reader::LogReader,
    recovery::matches,
    segment::Segment,
    trees::{Trees, opened},
};

impl LogReader {
    /// Reads everything that was durable when it was called; `progress` is told how many entries have
    /// been read. An error says where the log is not what its heads say.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<(), LogError> {
        let mut before: Option<Trees> = None;
        for (segment, end) in self.segments() {
            let header = Segment::open(&segment.path, Arc::clone(&segment.file))?
                .map(|(_, header)| header)
                .filter(|header| continues(header, before.as_ref()))
                .ok_or_else(|| {
                    segment.corrupt(0, "its trees do not continue the segment before it")
                })?;
            before = Some(follow(&segment, header.trees, end, progress)?);
        }
        Ok(())
    }
}

/// Whether a segment goes on where the one before it ended.
fn continues(header: &Header, before: Option<&Trees>) -> bool {
    let Some(opening) = &header.opening else {
        return before == Some(&header.trees);
    };
    let keys = match (before, &header.keys_opening) {
        (Some(before), None) => before.keys == header.trees.keys,
        (_, Some(opening)) => opened(opening) == header.trees.keys,
        (None, None) => false,
    };
    let next = before.map_or(0, Trees::next);
    keys && header.trees.first == next && header.trees.entries == opened(opening)
}

/// Grows the trees by a segment's frames up to `end`.
fn follow(
    segment: &Segment,
    mut trees: Trees,
    end: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Trees, LogError> {
    let mut offset = segment.start;
    while offset < end {
        let frame = segment
            .frame(offset, end)?
            .filter(|frame| frame.head.first == trees.next())
            .ok_or_else(|| segment.corrupt(offset, "a frame's table does not match"))?;
        let entries = segment
            .entries(&frame, 0..frame.table.rows.len())?
            .ok_or_else(|| segment.corrupt(offset, "an entry does not match its checksum"))?;
        for (row, entry) in entries.iter().enumerate() {
            trees.push(entry, frame.table.is_ceremony(row));
        }
        if !matches(&trees, &frame.table) {
            let what = "the entries do not hash to the recorded roots: they were altered";
            return Err(segment.corrupt(offset, what));
        }
        progress(frame.head.end());
        offset += frame.head.frame_bytes();
    }
    Ok(trees)
}
