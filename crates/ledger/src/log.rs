//! The log's files: opening, recovering, appending.
//!
//! `<dir>/log/` holds segments of frames and a lock. One write and one sync commit a frame: its
//! entries and the signed heads that they make. A year begins a segment. What is found after a crash
//! is either a whole frame or a torn tail, which was never acknowledged and is cut; damage anywhere
//! else is reported, never repaired. After an input or output error nobody knows what the disk
//! holds, so the log refuses all work until it is opened anew.

mod put_back;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::Timestamp;

pub(crate) use self::put_back::Beginning;

use crate::{
    disk::{Disk, Held},
    entry::{MAX_ENTRY_BYTES, NewEntry},
    error::LogError,
    frame,
    head::Heads,
    header::Header,
    identity::{Identity, LogId, year},
    opening::opening,
    reader::{LogReader, Shared},
    recovery::recover,
    segment::{self, Segment},
    sequenced::Sequenced,
    trees::{Trees, opened},
};

/// A segment's file until its header is durable.
const UNNAMED: &str = "segment.new";

/// Bytes after which a new segment is begun, unless told otherwise.
pub const SEGMENT_BYTES: u64 = 256 * 1024 * 1024;

/// The log of one service; its single writer.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    identity: Identity,
    shared: Arc<Shared>,
    /// The segment that grows; none before the first entry.
    current: Option<Current>,
    segment_bytes: u64,
    buffer: Vec<u8>,
    poisoned: Option<String>,
    _lock: Box<dyn Held>,
}

/// The segment that grows.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) segment: Segment,
    pub(crate) trees: Trees,
    /// Where the next frame goes.
    pub(crate) offset: u64,
}

/// What opening a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Entries in the log.
    pub entries: u64,
    /// Segment files.
    pub segments: usize,
    /// Bytes of an unacknowledged tail that were cut.
    pub torn_bytes: u64,
}

/// What an append did.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The index of the first entry appended.
    pub first: u64,
    /// Entries in the log after it.
    pub size: u64,
    /// What was appended, with its place in the log of the year; none of nothing.
    pub frame: Option<Arc<Sequenced>>,
}

impl Log {
    /// Opens or begins the log under `dir`; takes the lock, cuts a torn tail, verifies the newest
    /// heads, and returns only when what is left is durable.
    pub fn open(
        dir: &Path,
        disk: Arc<dyn Disk>,
        identity: Identity,
    ) -> Result<(Self, Recovery), LogError> {
        Self::open_with(dir, disk, identity, SEGMENT_BYTES)
    }

    /// Like [`open`](Self::open), with a new segment begun after `segment_bytes`.
    pub fn open_with(
        dir: &Path,
        disk: Arc<dyn Disk>,
        identity: Identity,
        segment_bytes: u64,
    ) -> Result<(Self, Recovery), LogError> {
        let purpose = dir;
        let dir = dir.join("log");
        disk.create_dir(&dir)
            .map_err(|e| LogError::io("create", &dir, e))?;
        let lock_path = dir.join("LOCK");
        let lock = disk
            .lock(&lock_path)
            .map_err(|e| LogError::io("lock", &lock_path, e))?
            .ok_or_else(|| LogError::InUse(purpose.to_owned()))?;
        let shared = Arc::new(Shared::default());
        let found = recover(&dir, disk.as_ref(), &identity, &shared)?;
        let log = Self {
            dir,
            disk,
            identity,
            shared,
            current: found.current,
            segment_bytes,
            buffer: Vec::new(),
            poisoned: None,
            _lock: lock,
        };
        let recovery = Recovery {
            entries: log.size(),
            segments: found.files.len(),
            torn_bytes: found.torn_bytes,
        };
        Ok((log, recovery))
    }

    /// Entries in the log, all of them durable.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.current.as_ref().map_or(0, |c| c.trees.next())
    }

    /// The year whose log grows; none before the first entry.
    #[must_use]
    pub fn year(&self) -> Option<i16> {
        self.current.as_ref().map(|c| c.trees.year)
    }

    /// The newest heads; none before the first entry.
    #[must_use]
    pub fn heads(&self) -> Option<Heads> {
        self.shared.heads()
    }

    /// A reader of this log.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader(Arc::clone(&self.shared))
    }

    /// Appends `entries`, all or none, and returns when they and the heads that they make are
    /// durable. They go into the log of the year of the latest of them, or into the one that grows
    /// if that is a later one's, as when the clock was set back. After an error every later call
    /// fails, for the disk may hold the frame or not.
    pub fn append(&mut self, entries: Vec<NewEntry>) -> Result<Appended, LogError> {
        if let Some(why) = &self.poisoned {
            return Err(LogError::Poisoned(why.clone()));
        }
        let appended = self.try_append(entries);
        if let Err(e) = &appended {
            self.poisoned = Some(e.to_string());
        }
        appended
    }

    fn try_append(&mut self, entries: Vec<NewEntry>) -> Result<Appended, LogError> {
        let first = self.size();
        // The first one of the latest year.
        let latest = entries.iter().rev().max_by_key(|e| year(e.time));
        let Some(latest) = latest else {
            return Ok(Appended {
                first,
                size: first,
                frame: None,
            });
        };
        if let Some(entry) = entries.iter().find(|e| e.bytes.len() > MAX_ENTRY_BYTES) {
            let what = format!("an entry of {} bytes is over the limit", entry.bytes.len());
            return Err(self.refused(what));
        }
        let current = match &self.current {
            Some(current) if year(latest.time) <= current.trees.year => current.clone(),
            _ => self.next_year(latest.time)?,
        };
        self.commit(current, entries)
    }

    /// Writes one frame of `entries`, of which there are some, behind `current`.
    fn commit(
        &mut self,
        mut current: Current,
        entries: Vec<NewEntry>,
    ) -> Result<Appended, LogError> {
        let first = self.size();
        let mut trees = current.trees.clone();
        let leaves = trees.push_all(&entries);
        let heads = trees.sign(&self.identity, self.shared.heads().as_ref());
        self.buffer.clear();
        let head = frame::write(first, &entries, &heads, &mut self.buffer);
        let length = self.buffer.len() as u64;
        if current.offset > current.segment.start && current.offset + length > self.segment_bytes {
            current = self.begin(Header {
                trees: current.trees,
                opening: None,
                keys_opening: None,
            })?;
        }
        let file = &current.segment.file;
        file.write_at(&self.buffer, current.offset)
            .and_then(|()| file.sync())
            .map_err(|e| LogError::io("write", &current.segment.path, e))?;
        let ceremonies = (first..).zip(&entries).filter(|(_, e)| e.ceremony);
        self.shared.add_frame(
            head,
            current.offset,
            ceremonies.map(|(index, _)| index),
            heads,
        );
        let log = LogId::Year(trees.year);
        let before = std::mem::replace(&mut current.trees, trees).entries;
        let frame = Sequenced::new((log, first), entries, leaves, before, heads.entries);
        self.current = Some(Current {
            offset: current.offset + length,
            ..current
        });
        Ok(Appended {
            first,
            size: self.size(),
            frame: Some(Arc::new(frame)),
        })
    }

    fn refused(&self, what: String) -> LogError {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, what);
        LogError::io("append to", &self.dir, error)
    }

    /// Begins the log of the year of `time`.
    fn next_year(&self, time: Timestamp) -> Result<Current, LogError> {
        let first = self.size();
        let year = year(time);
        let previous = self.shared.heads().map(|heads| (heads.year, heads.entries));
        let open = |log, previous| opening(&self.identity, log, first, time, previous);
        let refused = |e: crate::EntryError| self.refused(e.to_string());
        let year_opening = open(LogId::Year(year), previous).map_err(refused)?;
        // Without an entry the log of keys has not been shown, and begins with the first.
        let (keys, keys_opening) = match &self.current {
            Some(current) if first > 0 => (current.trees.keys.clone(), None),
            _ => {
                let bytes = open(LogId::Keys, None).map_err(refused)?;
                (opened(&bytes), Some(bytes))
            }
        };
        self.begin(Header {
            trees: Trees {
                year,
                first,
                entries: opened(&year_opening),
                keys,
            },
            opening: Some(year_opening),
            keys_opening,
        })
    }

    /// Makes the segment of this header, durably. It gets its name only when its header is on the
    /// disk, so that a segment without a whole header is damaged, never torn. A segment without a
    /// frame that would have the same name is replaced.
    fn begin(&self, header: Header) -> Result<Current, LogError> {
        let path = self.dir.join(segment::name(header.trees.next()));
        let unnamed = self.dir.join(UNNAMED);
        let bytes = header.write();
        let make = || {
            let file = self.disk.create(&unnamed)?;
            file.write_at(&bytes, 0)?;
            file.sync()?;
            self.disk.rename(&unnamed, &path)?;
            self.disk.sync_dir(&self.dir)?;
            Ok(file)
        };
        let segment = Segment {
            file: make().map_err(|e| LogError::io("create", &path, e))?,
            path: path.clone(),
            first: header.trees.next(),
            start: bytes.len() as u64,
        };
        self.shared.add_segment(segment.clone(), &header);
        Ok(Current {
            offset: segment.start,
            segment,
            trees: header.trees,
        })
    }
}
