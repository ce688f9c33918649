//! What is found when a log is opened, or looked at while somebody else writes it.
//!
//! Of the earlier segments the heads are read, of the last one everything, and its frames' roots
//! are computed anew ([`LogReader::verify`](crate::LogReader::verify) does it for all). The newest heads must be signed by the log's key. A tail that is not whole is
//! cut, for it was never acknowledged, but only if nothing whole stands behind it. Nothing is ever
//! signed here.

use std::path::{Path, PathBuf};

use crate::{
    disk::Disk,
    error::LogError,
    frame::Table,
    head::Heads,
    header::Header,
    identity::Identity,
    log::Current,
    opening::{Opened, previous_note},
    reader::Shared,
    segment::{self, Frame, Segment},
    sequencer::{SequenceError, Sequencer},
    trees::Trees,
};

/// What was found.
pub(crate) struct Found {
    /// Stands where the entries end.
    pub(crate) sequencer: Sequencer,
    /// The last segment, if there is one.
    pub(crate) current: Option<Current>,
    /// The segments' files, each with how much of it is whole.
    pub(crate) files: Vec<(PathBuf, u64)>,
    pub(crate) torn_bytes: u64,
}

/// Reads the segments in `dir`, shows their entries in `shared`, and leaves them durable.
pub(crate) fn recover(
    dir: &Path,
    disk: &dyn Disk,
    identity: Identity,
    shared: &Shared,
) -> Result<Found, LogError> {
    let found = survey(dir, disk, identity, shared)?;
    let Some(Current { segment, offset }) = &found.current else {
        return Ok(found);
    };
    if found.torn_bytes > 0 {
        segment
            .file
            .truncate(*offset)
            .map_err(|e| LogError::io("cut", &segment.path, e))?;
    }
    // What was found may never have been synced; it is served only once it is.
    segment
        .file
        .sync()
        .and_then(|()| disk.sync_dir(dir))
        .map_err(|e| LogError::io("sync", &segment.path, e))?;
    Ok(found)
}

/// Reads the segments in `dir` and shows their entries in `shared`; changes nothing.
pub(crate) fn survey(
    dir: &Path,
    disk: &dyn Disk,
    identity: Identity,
    shared: &Shared,
) -> Result<Found, LogError> {
    let names = disk.list(dir).map_err(|e| LogError::io("list", dir, e))?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|n| segment::first_of(n)).collect();
    firsts.sort_unstable();
    let mut files = Vec::with_capacity(firsts.len());
    let mut walk = Walk {
        identity: &identity,
        shared,
        next: 0,
        year: None,
    };
    let Some(last) = firsts.pop() else {
        return Ok(Found {
            sequencer: Sequencer::new(identity),
            current: None,
            files,
            torn_bytes: 0,
        });
    };
    for first in firsts {
        let (segment, header, size) = open_segment(dir, disk, first)?;
        walk.enter(&segment, &header, first)?;
        walk.hop(&segment, &header.trees, size)?;
        files.push((segment.path, size));
    }
    let (segment, header, size) = open_segment(dir, disk, last)?;
    walk.enter(&segment, &header, last)?;
    let (trees, offset) = walk.scan(&segment, header.trees, size)?;
    if offset < size && segment.later_frame(trees.next(), offset, size)? {
        return Err(segment.corrupt(offset, "a frame is damaged and others follow it"));
    }
    // Before anything is changed: the directory may be another service's.
    let sequencer = Sequencer::found(identity, Some(trees), shared.heads());
    let sequencer = sequencer.map_err(|error| match error {
        SequenceError::Unsigned { origin } => LogError::Unsigned {
            dir: dir.to_owned(),
            origin,
        },
        other => segment.corrupt(offset, other.to_string()),
    })?;
    files.push((segment.path.clone(), offset));
    Ok(Found {
        sequencer,
        current: Some(Current { segment, offset }),
        files,
        torn_bytes: size - offset,
    })
}

fn open_segment(
    dir: &Path,
    disk: &dyn Disk,
    first: u64,
) -> Result<(Segment, Header, u64), LogError> {
    let path = dir.join(segment::name(first));
    let file = disk
        .open(&path)
        .map_err(|e| LogError::io("open", &path, e))?;
    let size = file.size().map_err(|e| LogError::io("read", &path, e))?;
    match Segment::open(&path, file)? {
        Some((segment, header)) => Ok((segment, header, size)),
        None => Err(LogError::Corrupt {
            path,
            offset: 0,
            what: "the segment's header does not match".to_owned(),
        }),
    }
}

/// Goes through the segments in order.
struct Walk<'a> {
    identity: &'a Identity,
    shared: &'a Shared,
    /// The entry that comes next.
    next: u64,
    /// The year of the segment before, and its first entry.
    year: Option<(i16, u64)>,
}

impl Walk<'_> {
    /// Checks that a segment continues what was found before it, and shows it.
    fn enter(&mut self, segment: &Segment, header: &Header, named: u64) -> Result<(), LogError> {
        let trees = &header.trees;
        if segment.first != self.next || named != self.next {
            return Err(segment.corrupt(0, format!("entry {} should come next", self.next)));
        }
        let heads = self.shared.heads();
        if let Some(heads) = &heads
            && (trees.keys.size() != heads.keys.size || trees.keys.root() != heads.keys.root)
        {
            return Err(segment.corrupt(0, "its tree of keys does not continue the one before it"));
        }
        let continued = if let Some(opening) = &header.opening {
            let later = self.year.is_none_or(|(year, _)| year < trees.year);
            later && self.opens(opening, trees, heads.as_ref())
        } else {
            let root = heads.as_ref().map(|heads| heads.entries.root);
            self.year == Some((trees.year, trees.first)) && root == Some(trees.entries.root())
        };
        if !continued {
            return Err(segment.corrupt(0, "its tree does not continue the segment before it"));
        }
        self.year = Some((trees.year, trees.first));
        self.shared.add_segment(segment.clone(), header);
        Ok(())
    }

    /// Whether this is the entry that opens the log of the trees' year after `heads`.
    fn opens(&self, opening: &[u8], trees: &Trees, heads: Option<&Heads>) -> bool {
        let previous = heads.map(|heads| (heads.year, heads.entries));
        Opened::decode(opening).is_ok_and(|opened| {
            opened.first == trees.first && opened.previous == previous_note(self.identity, previous)
        })
    }

    /// Reads the heads of a full segment, and the tables of its frames about keys.
    fn hop(&mut self, segment: &Segment, trees: &Trees, size: u64) -> Result<(), LogError> {
        let mut offset = segment.start;
        while offset < size {
            let head = segment
                .head(offset, size)?
                .filter(|head| head.first == self.next && head.frame_bytes() <= size - offset)
                .ok_or_else(|| {
                    segment.corrupt(offset, "a frame is damaged and others follow it")
                })?;
            let after = offset + head.frame_bytes();
            if head.tells_keys() || after == size {
                let frame = segment
                    .frame(offset, size)?
                    .ok_or_else(|| segment.corrupt(offset, "a frame's table does not match"))?;
                self.show(segment, &frame, trees.year, trees.first)?;
            } else {
                self.shared.skip_frame(head, offset);
            }
            self.next = head.end();
            offset = after;
        }
        if self.next == segment.first {
            return Err(segment.corrupt(size, "the segment holds no frame"));
        }
        Ok(())
    }

    /// Reads the last segment frame by frame as far as it is whole; returns the trees there and
    /// where that is.
    fn scan(
        &mut self,
        segment: &Segment,
        mut trees: Trees,
        size: u64,
    ) -> Result<(Trees, u64), LogError> {
        let mut offset = segment.start;
        while let Some(frame) = segment.frame(offset, size)? {
            if frame.head.first != trees.next() {
                let what = format!("entry {} should come next", trees.next());
                return Err(segment.corrupt(offset, what));
            }
            let Some(entries) = segment.entries(&frame, 0..frame.table.rows.len())? else {
                break;
            };
            for (row, entry) in entries.iter().enumerate() {
                trees.push(entry, frame.table.is_ceremony(row));
            }
            if !matches(&trees, &frame.table) {
                let what = "the entries do not hash to the recorded roots";
                return Err(segment.corrupt(offset, what));
            }
            self.show(segment, &frame, trees.year, trees.first)?;
            self.next = frame.head.end();
            offset += frame.head.frame_bytes();
        }
        Ok((trees, offset))
    }

    fn show(
        &self,
        segment: &Segment,
        frame: &Frame,
        year: i16,
        first: u64,
    ) -> Result<(), LogError> {
        let table = &frame.table;
        let keys = table.keys.or_else(|| self.shared.heads().map(|h| h.keys));
        let sizes = table.entries.size == frame.head.end() - first + 1
            && keys.is_some_and(|head| {
                head.size == self.shared.ceremonies() + u64::from(frame.head.keys) + 1
            });
        let (Some(keys), true) = (keys, sizes) else {
            return Err(segment.corrupt(frame.offset, "a frame's heads are of another size"));
        };
        let heads = Heads {
            end: frame.head.end(),
            year,
            entries: table.entries,
            keys,
        };
        let ceremonies = table.ceremonies.iter();
        let indexes = ceremonies.map(|row| frame.head.first + u64::from(*row));
        self.shared
            .add_frame(frame.head, frame.offset, indexes, heads);
        Ok(())
    }
}

/// Whether the trees are what a frame's heads say.
pub(crate) fn matches(trees: &Trees, table: &Table) -> bool {
    let keys = table
        .keys
        .is_none_or(|head| head.size == trees.keys.size() && head.root == trees.keys.root());
    keys && table.entries.root == trees.entries.root()
}
