//! One file of the log: a header at its beginning, then frames.
//!
//! Reading never trusts a length that no checksum covers.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    disk::DiskFile,
    error::LogError,
    frame::{HEAD_BYTES, Head, Table, part},
    header::{self, Header},
};

/// An open segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) first: u64,
    /// Where the first frame begins.
    pub(crate) start: u64,
}

/// A frame whose head and table are whole.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) head: Head,
    pub(crate) table: Table,
    pub(crate) offset: u64,
}

/// The name of the segment that begins with entry `first`.
pub(crate) fn name(first: u64) -> String {
    format!("segment-{first:020}.log")
}

/// The first index in a segment's name.
pub(crate) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

impl Segment {
    /// Opens the file and reads its header; `Ok(None)` if the header is not whole.
    pub(crate) fn open(
        path: &Path,
        file: Arc<dyn DiskFile>,
    ) -> Result<Option<(Self, Header)>, LogError> {
        let size = file.size().map_err(|e| LogError::io("read", path, e))?;
        let length = usize::try_from(size.min(header::LONGEST)).unwrap_or_default();
        let mut bytes = vec![0; length];
        file.read_at(&mut bytes, 0)
            .map_err(|e| LogError::io("read", path, e))?;
        if header::is_old(&bytes) {
            return Err(LogError::OldForm(path.to_owned()));
        }
        Ok(Header::parse(&bytes).map(|(header, start)| {
            let segment = Self {
                path: path.to_owned(),
                file,
                first: header.trees.next(),
                start,
            };
            (segment, header)
        }))
    }

    pub(crate) fn corrupt(&self, offset: u64, what: impl Into<String>) -> LogError {
        LogError::Corrupt {
            path: self.path.clone(),
            offset,
            what: what.into(),
        }
    }

    fn read(&self, out: &mut [u8], offset: u64) -> Result<(), LogError> {
        self.file
            .read_at(out, offset)
            .map_err(|e| LogError::io("read", &self.path, e))
    }

    /// The head at `offset`; `None` if there is no whole one before `end`.
    pub(crate) fn head(&self, offset: u64, end: u64) -> Result<Option<Head>, LogError> {
        Ok(self.raw_head(offset, end)?.and_then(|b| Head::parse(&b)))
    }

    fn raw_head(&self, offset: u64, end: u64) -> Result<Option<[u8; HEAD_BYTES]>, LogError> {
        if end.saturating_sub(offset) < HEAD_BYTES as u64 {
            return Ok(None);
        }
        let mut bytes = [0; HEAD_BYTES];
        self.read(&mut bytes, offset)?;
        Ok(Some(bytes))
    }

    /// The frame at `offset`; `None` if its head or table is not whole or it runs past `end`.
    pub(crate) fn frame(&self, offset: u64, end: u64) -> Result<Option<Frame>, LogError> {
        let Some(head_bytes) = self.raw_head(offset, end)? else {
            return Ok(None);
        };
        let Some(head) = Head::parse(&head_bytes) else {
            return Ok(None);
        };
        if head.frame_bytes() > end - offset {
            return Ok(None);
        }
        let mut bytes = vec![0; head.table_bytes()];
        self.read(&mut bytes, offset + HEAD_BYTES as u64)?;
        Ok(Table::parse(head, &head_bytes, &bytes).map(|table| Frame {
            head,
            table,
            offset,
        }))
    }

    /// The entries `wanted` (counted within the frame); `None` if one of them is damaged.
    pub(crate) fn entries(
        &self,
        frame: &Frame,
        wanted: Range<usize>,
    ) -> Result<Option<Vec<Vec<u8>>>, LogError> {
        let length = |rows: &[crate::frame::Row]| -> usize {
            rows.iter().map(|row| usize::from(row.length)).sum()
        };
        let rows = &frame.table.rows;
        let before = length(rows.get(..wanted.start).unwrap_or_default());
        let rows = rows.get(wanted).unwrap_or_default();
        let mut bytes = vec![0; length(rows)];
        let offset = frame.offset + frame.head.data_offset() + before as u64;
        self.read(&mut bytes, offset)?;
        let mut rest = bytes.as_slice();
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let (entry, after) = rest.split_at(usize::from(row.length));
            if crc32c::crc32c(entry) != row.crc {
                return Ok(None);
            }
            entries.push(entry.to_vec());
            rest = after;
        }
        Ok(Some(entries))
    }

    /// Whether a whole frame head of an entry past `index` stands anywhere between the offsets:
    /// a frame is written only after the one before it is durable, so damage followed by one is
    /// not a torn tail.
    pub(crate) fn later_frame(&self, index: u64, from: u64, end: u64) -> Result<bool, LogError> {
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(from)).unwrap_or_default()];
        self.read(&mut bytes, from)?;
        Ok(bytes.windows(HEAD_BYTES).any(|window| {
            window.starts_with(crate::frame::MAGIC)
                && part(window, 0)
                    .and_then(|head| Head::parse(&head))
                    .is_some_and(|head| head.first > index)
        }))
    }
}
