//! The mark of what others have seen: `<dir>/published`.
//!
//! A log restored from an old copy looks whole, yet issuing on would give two histories. The mark
//! holds the head that a year's log had; a log that is shorter, or never had that head, is refused.

use std::{io, path::Path, sync::atomic::Ordering};

use lgpki_ledger::{Disk, LogError, LogId, LogReader};
use serde::{Deserialize, Serialize};

use crate::{engine::Core, error::StoreError, machine::Machine};

const NAME: &str = "published";

/// What the mark's file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    /// The log of a year.
    log: String,
    /// Its root, in base64url.
    root: String,
    /// Entries shown, of all years.
    shown: u64,
    /// Its leaves.
    size: u64,
}

impl Mark {
    /// The mark of all that is durable.
    fn of(reader: &LogReader) -> Option<Self> {
        let heads = reader.heads()?;
        Some(Self {
            log: LogId::Year(heads.year).to_string(),
            root: lgpki_ledger::serial::base64url(&heads.entries.root),
            shown: heads.end,
            size: heads.entries.size,
        })
    }

    /// Reads the mark and compares the log with it.
    pub(crate) fn check(
        dir: &Path,
        disk: &dyn Disk,
        reader: &LogReader,
    ) -> Result<(Self, u64), StoreError> {
        let path = dir.join(NAME);
        let failed = |source| LogError::Io {
            doing: "read",
            path: path.clone(),
            source,
        };
        let file = match disk.open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Self::default(), 0)),
            other => other.map_err(failed)?,
        };
        let size = file.size().map_err(failed)?;
        let mut bytes = vec![0; usize::try_from(size.min(1024)).unwrap_or_default()];
        file.read_at(&mut bytes, 0).map_err(failed)?;
        let mark: Self = serde_json::from_slice(&bytes).map_err(|e| failed(e.into()))?;
        let set_back = |what: String| StoreError::SetBack {
            dir: dir.to_owned(),
            what,
        };
        if reader.durable() < mark.shown {
            return Err(set_back(format!(
                "holds {} entries, but {} were published",
                reader.durable(),
                mark.shown
            )));
        }
        let root = match mark.log.parse() {
            Ok(log) => reader.root_at(log, mark.size)?,
            Err(_) => None,
        };
        if root.is_none_or(|root| lgpki_ledger::serial::base64url(&root) != mark.root) {
            return Err(set_back(format!(
                "differs from the one published at {} entries",
                mark.shown
            )));
        }
        let shown = mark.shown;
        Ok((mark, shown))
    }

    /// Removes the mark, durably.
    pub(crate) fn forget(dir: &Path, disk: &dyn Disk) -> Result<(), StoreError> {
        let path = dir.join(NAME);
        let removed = match disk.remove(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.and_then(|()| disk.sync_dir(dir)),
        };
        let doing = "remove";
        removed.map_err(|source| {
            let failed = LogError::Io {
                doing,
                path,
                source,
            };
            failed.into()
        })
    }

    fn write(&self, dir: &Path, disk: &dyn Disk) -> Result<(), LogError> {
        let path = dir.join(NAME);
        let new = dir.join("published.new");
        let write = || {
            let file = disk.create(&new)?;
            file.write_at(&serde_json::to_vec(self)?, 0)?;
            file.sync()?;
            disk.rename(&new, &path)?;
            disk.sync_dir(dir)
        };
        write().map_err(|source: io::Error| LogError::Io {
            doing: "write",
            path: path.clone(),
            source,
        })
    }
}

impl<M: Machine> Core<M> {
    /// Writes the mark at the durable end, unless it covers `shown` already.
    pub(crate) fn write_mark(&self, shown: u64) -> Result<(), StoreError> {
        let mut written = self.mark.lock();
        if written.shown >= shown {
            return Ok(());
        }
        let Some(mark) = Mark::of(&self.reader) else {
            return Ok(());
        };
        mark.write(&self.dir, self.options.disk.as_ref())?;
        self.marked.store(mark.shown, Ordering::Release);
        *written = mark;
        Ok(())
    }
}
