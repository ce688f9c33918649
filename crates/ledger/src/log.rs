//! The log's files: opening, recovering, appending.
//!
//! `<dir>/log/` holds segments of frames and a lock. One write and one sync commit a frame. What
//! is found after a crash is either a whole frame or a torn tail, which was never acknowledged and
//! is cut; damage anywhere else is reported, never repaired. After an input or output error nobody
//! knows what the disk holds, so the log refuses all work until it is opened anew.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    disk::{Disk, DiskFile, Held},
    entry::MAX_ENTRY_BYTES,
    error::LogError,
    frame,
    merkle::{self, CompactRange, Hash},
    reader::{LogReader, Shared},
    recovery::recover,
    segment::{self, Segment},
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
    shared: Arc<Shared>,
    range: CompactRange,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    start: u64,
    offset: u64,
    segment_bytes: u64,
    buffer: Vec<u8>,
    poisoned: Option<String>,
    _lock: Box<dyn Held>,
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

/// A log's size and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Durable entries.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Hash,
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The index of the first entry appended.
    pub first: u64,
    /// The log after it.
    pub head: Head,
}

impl Log {
    /// Opens or begins the log under `dir`; takes the lock, cuts a torn tail, and returns only
    /// when what is left is durable.
    pub fn open(dir: &Path, disk: Arc<dyn Disk>) -> Result<(Self, Recovery), LogError> {
        Self::open_with(dir, disk, SEGMENT_BYTES)
    }

    /// Like [`open`](Self::open), with a new segment begun after `segment_bytes`.
    pub fn open_with(
        dir: &Path,
        disk: Arc<dyn Disk>,
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
        let (tail, segments) = recover(&dir, disk.as_ref(), &shared)?;
        let (segment, range, offset, torn_bytes) = if let Some(tail) = tail {
            (tail.segment, tail.range, tail.offset, tail.torn_bytes)
        } else {
            let range = CompactRange::new();
            let segment = begin_segment(&dir, disk.as_ref(), &range)?;
            shared.add_segment(segment.clone());
            let start = segment.start;
            (segment, range, start, 0)
        };
        let recovery = Recovery {
            entries: range.size(),
            segments: segments.max(1),
            torn_bytes,
        };
        let log = Self {
            dir,
            disk,
            shared,
            range,
            file: segment.file,
            path: segment.path,
            start: segment.start,
            offset,
            segment_bytes,
            buffer: Vec::new(),
            poisoned: None,
            _lock: lock,
        };
        Ok((log, recovery))
    }

    /// Entries in the log, all of them durable.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.range.size()
    }

    /// The Merkle root over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.range.root()
    }

    /// A reader of this log.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader(Arc::clone(&self.shared))
    }

    /// Appends `entries`, all or none, and returns when they are durable. After an error every
    /// later call fails, for the disk may hold the frame or not.
    pub fn append(&mut self, entries: &[Vec<u8>]) -> Result<Appended, LogError> {
        if let Some(why) = &self.poisoned {
            return Err(LogError::Poisoned(why.clone()));
        }
        let appended = self.try_append(entries);
        if let Err(e) = &appended {
            self.poisoned = Some(e.to_string());
        }
        appended
    }

    fn try_append(&mut self, entries: &[Vec<u8>]) -> Result<Appended, LogError> {
        let first = self.range.size();
        if entries.is_empty() {
            let root = self.root();
            return Ok(Appended {
                first,
                head: Head { size: first, root },
            });
        }
        if let Some(entry) = entries.iter().find(|e| e.len() > MAX_ENTRY_BYTES) {
            let what = format!("an entry of {} bytes is over the limit", entry.len());
            return Err(LogError::io(
                "append to",
                &self.path,
                std::io::Error::new(std::io::ErrorKind::InvalidInput, what),
            ));
        }
        let mut range = self.range.clone();
        for entry in entries {
            range.push(merkle::leaf(entry));
        }
        let root = range.root();
        self.buffer.clear();
        frame::write(first, entries, &root, &mut self.buffer);
        if self.offset > self.start && self.offset + self.buffer.len() as u64 > self.segment_bytes {
            self.next_segment()?;
        }
        self.file
            .write_at(&self.buffer, self.offset)
            .and_then(|()| self.file.sync())
            .map_err(|e| LogError::io("write", &self.path, e))?;
        let head = frame::part(&self.buffer, 0).and_then(|head| frame::Head::parse(&head));
        if let Some(head) = head {
            self.shared.add_frame(head, self.offset);
        }
        self.offset += self.buffer.len() as u64;
        self.range = range;
        let size = self.size();
        Ok(Appended {
            first,
            head: Head { size, root },
        })
    }

    fn next_segment(&mut self) -> Result<(), LogError> {
        let segment = begin_segment(&self.dir, self.disk.as_ref(), &self.range)?;
        self.file = Arc::clone(&segment.file);
        self.path.clone_from(&segment.path);
        self.start = segment.start;
        self.offset = segment.start;
        self.shared.add_segment(segment);
        Ok(())
    }
}

/// Makes the segment that begins at the range's size, durably. It gets its name only when its
/// header is on the disk, so that a segment without a whole header is damaged, never torn.
fn begin_segment(dir: &Path, disk: &dyn Disk, range: &CompactRange) -> Result<Segment, LogError> {
    let path = dir.join(segment::name(range.size()));
    let unnamed = dir.join(UNNAMED);
    let header = segment::header(range);
    let begin = || {
        let file = disk.create(&unnamed)?;
        file.write_at(&header, 0)?;
        file.sync()?;
        disk.rename(&unnamed, &path)?;
        disk.sync_dir(dir)?;
        Ok(file)
    };
    Ok(Segment {
        file: begin().map_err(|e| LogError::io("create", &path, e))?,
        path,
        first: range.size(),
        start: header.len() as u64,
    })
}
