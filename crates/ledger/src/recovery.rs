//! What is found when a log is opened.
//!
//! Of the earlier segments the heads are read, of the last one everything, and its frames' roots
//! are computed anew. A tail that is not whole is cut, for it was never acknowledged, but only if
//! nothing whole stands behind it.

use std::path::Path;

use crate::{
    disk::Disk,
    error::LogError,
    merkle::{self, CompactRange, Hash},
    reader::Shared,
    segment::{self, Segment},
};

/// The last segment, and where the next frame goes.
pub(crate) struct Tail {
    pub(crate) segment: Segment,
    pub(crate) range: CompactRange,
    pub(crate) offset: u64,
    pub(crate) torn_bytes: u64,
}

/// Reads the segments in `dir`, shows their entries in `shared`, and leaves them durable. Returns
/// the tail, if there is a segment, and their number.
pub(crate) fn recover(
    dir: &Path,
    disk: &dyn Disk,
    shared: &Shared,
) -> Result<(Option<Tail>, usize), LogError> {
    let names = disk.list(dir).map_err(|e| LogError::io("list", dir, e))?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|n| segment::first_of(n)).collect();
    firsts.sort_unstable();
    // The tree that the next segment's header must continue.
    let empty = CompactRange::new();
    let (mut expected, mut root) = (empty.size(), empty.root());
    for (i, first) in firsts.iter().enumerate() {
        let (segment, range, size) = open_segment(dir, disk, *first)?;
        if *first != expected || range.size() != *first {
            return Err(segment.corrupt(0, format!("entry {expected} should come next")));
        }
        if range.root() != root {
            return Err(segment.corrupt(0, "its tree does not continue the segment before it"));
        }
        shared.add_segment(segment.clone());
        if i + 1 < firsts.len() {
            (expected, root) = hop(&segment, size, shared)?;
            continue;
        }
        let mut range = range;
        let offset = scan(&segment, &mut range, size, shared)?;
        if offset < size {
            if segment.later_frame(range.size(), offset, size)? {
                return Err(segment.corrupt(offset, "a frame is damaged and others follow it"));
            }
            segment
                .file
                .truncate(offset)
                .map_err(|e| LogError::io("cut", &segment.path, e))?;
        }
        // What was found may never have been synced; it is served only once it is.
        segment
            .file
            .sync()
            .and_then(|()| disk.sync_dir(dir))
            .map_err(|e| LogError::io("sync", &segment.path, e))?;
        let tail = Tail {
            segment,
            range,
            offset,
            torn_bytes: size - offset,
        };
        return Ok((Some(tail), firsts.len()));
    }
    Ok((None, 0))
}

fn open_segment(
    dir: &Path,
    disk: &dyn Disk,
    first: u64,
) -> Result<(Segment, CompactRange, u64), LogError> {
    let path = dir.join(segment::name(first));
    let file = disk
        .open(&path)
        .map_err(|e| LogError::io("open", &path, e))?;
    let size = file.size().map_err(|e| LogError::io("read", &path, e))?;
    match Segment::open(&path, file)? {
        Some((segment, range)) => Ok((segment, range, size)),
        None => Err(LogError::Corrupt {
            path,
            offset: 0,
            what: "the segment's header does not match".to_owned(),
        }),
    }
}

/// Reads the heads of a full segment; returns the size and root after it.
fn hop(segment: &Segment, size: u64, shared: &Shared) -> Result<(u64, Hash), LogError> {
    let mut offset = segment.start;
    let mut next = segment.first;
    let mut last = None;
    while offset < size {
        let head = segment
            .head(offset, size)?
            .filter(|head| head.first == next && head.frame_bytes() <= size - offset)
            .ok_or_else(|| segment.corrupt(offset, "a frame is damaged and others follow it"))?;
        shared.add_frame(head, offset);
        last = Some(offset);
        next = head.end();
        offset += head.frame_bytes();
    }
    let last = last.ok_or_else(|| segment.corrupt(size, "the segment holds no frame"))?;
    let frame = segment
        .frame(last, size)?
        .ok_or_else(|| segment.corrupt(last, "a frame's table does not match"))?;
    Ok((next, frame.table.root))
}

/// Reads the last segment frame by frame as far as it is whole; returns where that ends.
fn scan(
    segment: &Segment,
    range: &mut CompactRange,
    size: u64,
    shared: &Shared,
) -> Result<u64, LogError> {
    let mut offset = segment.start;
    while let Some(frame) = segment.frame(offset, size)? {
        if frame.head.first != range.size() {
            let what = format!("entry {} should come next", range.size());
            return Err(segment.corrupt(offset, what));
        }
        let Some(entries) = segment.entries(&frame, 0..frame.table.rows.len())? else {
            break;
        };
        for entry in &entries {
            range.push(merkle::leaf(entry));
        }
        if range.root() != frame.table.root {
            return Err(segment.corrupt(offset, "the entries do not hash to the recorded root"));
        }
        shared.add_frame(frame.head, offset);
        offset += frame.head.frame_bytes();
    }
    Ok(offset)
}
