//! The files of a published log: each gets its name only when it is whole and on the disk, and everybody
//! may read it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::Arc,
};

use super::PublishError;
use crate::{
    disk::Disk,
    tile::{Layer, Tile},
};

/// A file until it has its name.
pub(super) const UNNAMED: &str = "unnamed";

/// A directory of published files.
#[derive(Debug)]
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Directories with names that are not durable yet.
    unsynced: BTreeSet<PathBuf>,
    written: u64,
}

impl Files {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf) -> Self {
        Self {
            disk,
            dir,
            unsynced: BTreeSet::new(),
            written: 0,
        }
    }

    pub(super) fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Files written so far.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn create_dir(&self) -> Result<(), PublishError> {
        let made = self.disk.create_public_dir(&self.dir);
        made.map_err(|e| PublishError::io("create", &self.dir, e))
    }

    /// The bytes of a file; none if there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, PublishError> {
        let path = self.path(name);
        match self.disk.read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(PublishError::io("read", &path, e)),
        }
    }

    /// Sees to it that a file holds these bytes, durably once the directories are synced. A file
    /// that holds them already is left alone.
    pub(super) fn ensure(&mut self, name: &str, bytes: &[u8]) -> Result<(), PublishError> {
        let path = self.path(name);
        let dir = path.parent().unwrap_or(&self.dir).to_owned();
        // An unreadable file is as good as a damaged one.
        if !matches!(self.disk.read(&path), Ok(found) if found == bytes) {
            let unnamed = self.path(UNNAMED);
            let write = || {
                self.disk.create_public_dir(&dir)?;
                let file = self.disk.create_public(&unnamed)?;
                file.write_at(bytes, 0)?;
                file.sync()?;
                self.disk.rename(&unnamed, &path)
            };
            write().map_err(|e| PublishError::io("write", &path, e))?;
            self.written += 1;
        }
        self.unsynced.insert(dir);
        Ok(())
    }

    /// Makes the names of all files that were ensured durable.
    pub(super) fn sync_dirs(&mut self) -> Result<(), PublishError> {
        while let Some(dir) = self.unsynced.first() {
            let synced = self.disk.sync_dir(dir);
            synced.map_err(|e| PublishError::io("sync", dir, e))?;
            self.unsynced.pop_first();
        }
        Ok(())
    }

    /// Removes what was published of a full tile while it was partial.
    pub(super) fn remove_partial(&self, tile: Tile) -> Result<(), PublishError> {
        let dir = self.path(&format!("{tile}.p"));
        let names = match self.disk.list(&dir) {
            Ok(names) => names,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(PublishError::io("list", &dir, e)),
        };
        for name in names {
            let path = dir.join(name);
            let removed = self.disk.remove(&path);
            removed.map_err(|e| PublishError::io("remove", &path, e))?;
        }
        let removed = self.disk.remove_dir(&dir);
        removed.map_err(|e| PublishError::io("remove", &dir, e))
    }

    /// Looks whether a layer's first `count` tiles have their names. None if one has not;
    /// otherwise those of them beside which a partial one is left.
    pub(super) fn full_tiles(
        &self,
        layer: Layer,
        count: u64,
    ) -> Result<Option<Vec<Tile>>, PublishError> {
        let mut listed: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        let mut left = Vec::new();
        for index in 0..count {
            let Some(tile) = Tile::try_new(layer, index, crate::tile::WIDTH) else {
                return Ok(None);
            };
            let path = self.path(&tile.to_string());
            let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
                return Ok(None);
            };
            if !listed.contains_key(dir) {
                // Tiles come in the order of their directories; one at a time is enough.
                listed.clear();
                let names = match self.disk.list(dir) {
                    Ok(names) => names,
                    Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(e) => return Err(PublishError::io("list", dir, e)),
                };
                listed.insert(dir.to_owned(), names.into_iter().collect());
            }
            let names = listed.get(dir);
            let there = |name: &str| names.is_some_and(|names| names.contains(name));
            let name = name.to_string_lossy();
            if !there(&name) {
                return Ok(None);
            }
            if there(&format!("{name}.p")) {
                left.push(tile);
            }
        }
        Ok(Some(left))
    }
}
