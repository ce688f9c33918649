//! The seal: a data directory that was restored or is being healed is served by nobody.
//!
//! `<dir>/sealed` is durable before the first file of a restored directory is written, and goes only
//! when its log is whole again and says so. Whatever opens a store looks at it first, before anything
//! is locked, cut or read.

use std::{
    io,
    path::{Path, PathBuf},
};

use lgpki_domain::Timestamp;
use lgpki_ledger::{Disk, LogError, LogReader, serial::text};
use serde::{Deserialize, Serialize};

use crate::{error::StoreError, mark::Mark};

const NAME: &str = "sealed";
const NEW: &str = "sealed.new";

/// How far a sealed directory has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Its files are being written; they may not be whole.
    Restoring,
    /// They are whole, and older than what was recorded.
    Restored,
    /// Missing entries are being taken back.
    Healing,
}

/// What the seal says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// How many entries the log held when it was sealed.
    pub held: u64,
    /// When.
    #[serde(with = "text")]
    pub since: Timestamp,
    /// How far it has come.
    pub stage: Stage,
    /// What happened, what is missing and what to do, in sentences.
    pub why: String,
}

impl Seal {
    /// Reads the seal of a data directory; none if it is not sealed.
    pub fn read(dir: &Path, disk: &dyn Disk) -> Result<Option<Self>, StoreError> {
        let path = dir.join(NAME);
        let bytes = match disk.read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|e| failed("read", &path, e))?,
        };
        // A seal that cannot be read still seals.
        let seal = serde_json::from_slice(&bytes).map_err(|e| failed("read", &path, e.into()))?;
        Ok(Some(seal))
    }

    /// Seals a data directory, or changes what its seal says; returns when that is durable.
    pub fn write(&self, dir: &Path, disk: &dyn Disk) -> Result<(), StoreError> {
        let path = dir.join(NAME);
        let new = dir.join(NEW);
        let write = || {
            disk.create_dir(dir)?;
            let file = disk.create(&new)?;
            file.write_at(&serde_json::to_vec(self)?, 0)?;
            file.sync()?;
            disk.rename(&new, &path)?;
            disk.sync_dir(dir)
        };
        write().map_err(|e: io::Error| failed("write", &path, e))
    }

    /// Removes the seal; returns when that is durable. Nothing happens if there is none.
    pub fn remove(dir: &Path, disk: &dyn Disk) -> Result<(), StoreError> {
        let path = dir.join(NAME);
        let remove = || match disk.remove(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.and_then(|()| disk.sync_dir(dir)),
        };
        remove().map_err(|e| failed("remove", &path, e))
    }
}

/// Refuses a sealed directory.
pub(crate) fn refuse(dir: &Path, disk: &dyn Disk) -> Result<(), StoreError> {
    match Seal::read(dir, disk)? {
        None => Ok(()),
        Some(seal) => Err(StoreError::Sealed {
            dir: dir.to_owned(),
            why: seal.why,
        }),
    }
}

/// Compares a log with the mark of what others have seen of it, as opening it would.
pub fn check_mark(dir: &Path, disk: &dyn Disk, log: &LogReader) -> Result<(), StoreError> {
    Mark::check(dir, disk, log).map(|_| ())
}

/// Forgets what others have seen, where somebody took its loss upon them.
pub fn forget_mark(dir: &Path, disk: &dyn Disk) -> Result<(), StoreError> {
    Mark::forget(dir, disk)
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> StoreError {
    let path = PathBuf::from(path);
    LogError::Io {
        doing,
        path,
        source,
    }
    .into()
}
