//! The log's files: opening, recovering, appending.
//!
//! `<dir>/log/` holds segments of frames and a lock. One write and one sync commit a frame: its
//! entries and the signed heads that they make, as the [`Sequencer`] plans them. A year begins a segment,
//! whose header holds its opening entry and becomes durable first. What is found after a crash
//! is either a whole frame or a torn tail, which was never acknowledged and is cut; damage anywhere
//! else is reported, never repaired. After an input or output error nobody knows what the disk
//! holds, so the log refuses all work until it is opened anew.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    disk::{Disk, Held},
    entry::NewEntry,
    error::LogError,
    frame,
    head::Heads,
    header::Header,
    identity::Identity,
    merkle::CompactRange,
    reader::{LogReader, Shared},
    recovery::recover,
    segment::{self, Segment},
    sequenced::Sequenced,
    sequencer::{Batch, Beginning, SequenceError, Sequencer},
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
    sequencer: Sequencer,
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
        let found = recover(&dir, disk.as_ref(), identity, &shared)?;
        let log = Self {
            dir,
            disk,
            sequencer: found.sequencer,
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
        self.sequencer.end()
    }

    /// The year whose log grows; none before the first entry.
    #[must_use]
    pub fn year(&self) -> Option<i16> {
        self.sequencer.year()
    }

    /// The newest heads; none before the first entry.
    #[must_use]
    pub fn heads(&self) -> Option<Heads> {
        self.sequencer.heads().copied()
    }

    /// A reader of this log.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader(Arc::clone(&self.shared))
    }

    /// The tree of keys as it stands; none before the first entry.
    pub(crate) fn keys_edge(&self) -> Option<CompactRange> {
        self.sequencer.keys_edge().cloned()
    }

    /// Appends `entries`, all or none, and returns when they and the heads that they make are
    /// durable. They go into the log of the year of the latest of them, or into the one that grows
    /// if that is a later one's, as when the clock was set back. After an error every later call
    /// fails, for the disk may hold the frame or not.
    pub fn append(&mut self, entries: Vec<NewEntry>) -> Result<Appended, LogError> {
        self.commit(|sequencer| sequencer.plan(entries))
    }

    /// Appends entries that the log of `beginning.year` had at this place, all or none, and returns
    /// when they are durable. Whoever calls has proved that by a checkpoint which this log's key signed.
    pub(crate) fn put_back(
        &mut self,
        beginning: Beginning<'_>,
        entries: Vec<NewEntry>,
    ) -> Result<Appended, LogError> {
        self.commit(|sequencer| sequencer.plan_again(beginning, entries))
    }

    fn commit(
        &mut self,
        plan: impl FnOnce(&Sequencer) -> Result<Option<Batch>, SequenceError>,
    ) -> Result<Appended, LogError> {
        if let Some(why) = &self.poisoned {
            return Err(LogError::Poisoned(why.clone()));
        }
        let appended = self.try_commit(plan);
        if let Err(e) = &appended {
            self.poisoned = Some(e.to_string());
        }
        appended
    }

    fn try_commit(
        &mut self,
        plan: impl FnOnce(&Sequencer) -> Result<Option<Batch>, SequenceError>,
    ) -> Result<Appended, LogError> {
        let first = self.size();
        let batch = plan(&self.sequencer).map_err(|e| self.refused(e))?;
        let mut frame = None;
        if let Some(batch) = batch {
            self.write(&batch)?;
            let sequenced = self.sequencer.committed(batch);
            frame = Some(sequenced.map_err(|e| self.refused(e))?);
        }
        Ok(Appended {
            first,
            size: self.size(),
            frame,
        })
    }

    fn refused(&self, error: SequenceError) -> LogError {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, error);
        LogError::io("append to", &self.dir, error)
    }

    /// Writes the batch as one frame and syncs it; in a new segment if it begins a year, or if the one
    /// that grows is full.
    fn write(&mut self, batch: &Batch) -> Result<(), LogError> {
        let (first, entries, heads) = (batch.first(), batch.entries(), *batch.heads());
        self.buffer.clear();
        let head = frame::write(first, entries, &heads, &mut self.buffer);
        let length = self.buffer.len() as u64;
        let before = batch.before();
        let has_room = |current: &&Current| {
            current.offset == current.segment.start || current.offset + length <= self.segment_bytes
        };
        let current = self.current.as_ref().filter(|_| before.opening.is_none());
        let Current { segment, offset } = match current.filter(has_room) {
            Some(current) => current.clone(),
            None => self.begin(before)?,
        };
        segment
            .file
            .write_at(&self.buffer, offset)
            .and_then(|()| segment.file.sync())
            .map_err(|e| LogError::io("write", &segment.path, e))?;
        let ceremonies = (first..).zip(entries).filter(|(_, e)| e.ceremony);
        let ceremonies = ceremonies.map(|(index, _)| index);
        self.shared.add_frame(head, offset, ceremonies, heads);
        self.current = Some(Current {
            segment,
            offset: offset + length,
        });
        Ok(())
    }

    /// Makes the segment of this header, durably. It gets its name only when its header is on the
    /// disk, so that a segment without a whole header is damaged, never torn. A segment without a
    /// frame that would have the same name is replaced.
    fn begin(&self, header: &Header) -> Result<Current, LogError> {
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
        self.shared.add_segment(segment.clone(), header);
        Ok(Current {
            offset: segment.start,
            segment,
        })
    }
}
