//! The logs that auditors see, told as a service has published them: over gRPC ([`AuditLogs`]) and as
//! static files over plain HTTP ([`files`]).
//!
//! Both read the published directory and nothing else, so that nothing is told of which no published
//! checkpoint speaks; whoever serves need not be who records. A path of a request is read into a log and
//! a tile, and never joined to a directory. Nothing here signs, writes, or knows what an entry means.

mod entries;
pub mod files;
mod find;
mod grpc;
mod state;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_ledger::{
    Disk, LogId, OsDisk, Tile, TreeError,
    published::{CHECKPOINT, DIRECTORY, Directory, TileSource as _, VKEY, logs_in},
};

pub use self::{
    entries::Entries,
    find::{EntryIndex, Found, Wanted},
    grpc::{AuditLogs, log_owner},
};

/// The published logs of one service.
#[derive(Clone, Debug)]
pub struct Shelf {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

/// A file of a published log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Checkpoint,
    Vkey,
    Tile(Tile),
}

impl File {
    /// Reads the path below a log.
    fn parse(path: &str) -> Option<Self> {
        match path {
            CHECKPOINT => Some(Self::Checkpoint),
            VKEY => Some(Self::Vkey),
            tile => tile.parse().ok().map(Self::Tile),
        }
    }
}

impl Shelf {
    /// What the service with this data directory publishes.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self {
            disk: Arc::new(OsDisk),
            dir: data.join(DIRECTORY),
        }
    }

    /// The logs that have a checkpoint: the years in order, then that of keys.
    fn logs(&self) -> Result<Vec<LogId>, TreeError> {
        logs_in(self.disk.as_ref(), &self.dir)
    }

    /// The files of a log.
    fn source(&self, log: LogId) -> Directory {
        Directory::new(Arc::clone(&self.disk), self.dir.join(log.to_string()))
    }

    /// The bytes of a file, if it is there.
    fn read(&self, log: LogId, file: File) -> Result<Option<Vec<u8>>, TreeError> {
        let source = self.source(log);
        match file {
            File::Checkpoint => source.read(CHECKPOINT),
            File::Vkey => source.read(VKEY),
            File::Tile(tile) => source.read(&tile.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
