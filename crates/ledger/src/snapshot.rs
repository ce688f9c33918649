//! A look at a log that another process may be writing: for copies of it, and for what it says.
//!
//! A log only grows, so whatever is whole when it is looked at stays so. Nothing is locked, cut or
//! written; what is handed out is made durable first, for a copy must never hold what the log itself
//! may lose by a power cut.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    disk::Disk,
    error::LogError,
    identity::Identity,
    reader::{LogReader, Shared},
    recovery::survey,
};

/// A log as it stood at one moment.
#[derive(Debug)]
pub struct Snapshot {
    reader: LogReader,
    files: Vec<(PathBuf, u64)>,
}

impl Snapshot {
    /// Looks at the log under `dir`; its newest heads must be signed by `identity`. None if there is no
    /// log, or nothing in it.
    pub fn take(
        dir: &Path,
        disk: &dyn Disk,
        identity: &Identity,
    ) -> Result<Option<Self>, LogError> {
        let dir = dir.join("log");
        let shared = Arc::new(Shared::default());
        match disk.list(&dir) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let mut found = survey(&dir, disk, identity.clone(), &shared)?;
        let reader = LogReader(shared);
        let Some(current) = found.current.filter(|_| reader.durable() > 0) else {
            return Ok(None);
        };
        if current.offset == current.segment.start {
            // A year that is begun and has no entry says nothing yet, and may be begun otherwise.
            found.files.pop();
        } else {
            let synced = current.segment.file.sync();
            synced.map_err(|e| LogError::io("sync", &current.segment.path, e))?;
        }
        Ok(Some(Self {
            reader,
            files: found.files,
        }))
    }

    /// Reads what it holds.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        self.reader.clone()
    }

    /// The files, and how many bytes of each belong to it.
    #[must_use]
    pub fn files(&self) -> &[(PathBuf, u64)] {
        &self.files
    }
}
