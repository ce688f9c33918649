//! What was fetched and is not believed yet, and the leaves of both that and what is kept.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_ledger::{
    Disk, LogError, Tile,
    merkle::Hash,
    publisher::Leaves,
    tile::{Bundle, Layer, TOP_LEVEL, WIDTH, append_entry},
};

use super::error::PullError;

/// Full bundles in the order of their coming, in a directory beside the log's own.
#[derive(Debug)]
pub(super) struct Incoming {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl Incoming {
    pub(super) fn new(disk: &Arc<dyn Disk>, log: &Path) -> Self {
        Self {
            disk: Arc::clone(disk),
            dir: log.join("incoming"),
        }
    }

    /// Puts a full bundle aside. It is not synced: what a power cut leaves of it is read again, and
    /// believed only with the root.
    pub(super) fn put(&self, tile: Tile, bundle: &Bundle) -> Result<(), PullError> {
        let mut bytes = Vec::new();
        for entry in bundle.iter() {
            // It was read from a bundle, so its length fits.
            let _ = append_entry(&mut bytes, entry);
        }
        let path = self.dir.join(tile.to_string());
        let parent = path.parent().unwrap_or(&self.dir);
        let unnamed = self.dir.join("unnamed");
        let write = || {
            self.disk.create_dir(parent)?;
            self.disk.create(&unnamed)?.write_at(&bytes, 0)?;
            self.disk.rename(&unnamed, &path)
        };
        write().map_err(PullError::disk("write", &path))
    }

    /// A full bundle that was put aside whole.
    pub(super) fn get(&self, index: u64) -> Option<Bundle> {
        full(self.disk.as_ref(), &self.dir, index)
    }

    /// Throws everything away.
    pub(super) fn clear(&self) -> Result<(), PullError> {
        remove_all(self.disk.as_ref(), &self.dir).map_err(PullError::disk("remove", &self.dir))
    }
}

fn remove_all(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let names = match disk.list(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names?,
    };
    for name in names {
        let path = dir.join(&name);
        // Bundles, and the one without a name, are files; everything else leads to them.
        let is_file = name == "unnamed" || (name.len() == 3 && !name.starts_with('x'));
        if is_file {
            disk.remove(&path)?;
        } else {
            remove_all(disk, &path)?;
        }
    }
    match disk.remove_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A full bundle below a directory, if it is there and whole.
pub(super) fn full(disk: &dyn Disk, dir: &Path, index: u64) -> Option<Bundle> {
    let tile = Tile::try_new(Layer::Entries, index, WIDTH)?;
    read(disk, dir, tile)
}

fn read(disk: &dyn Disk, dir: &Path, tile: Tile) -> Option<Bundle> {
    let bytes = disk.read(&dir.join(tile.to_string())).ok()?;
    Bundle::parse(bytes).filter(|bundle| bundle.len() == usize::from(tile.width()))
}

/// Whether all files of a log of `size` entries have their names in its directory.
pub(super) fn is_whole(disk: &dyn Disk, dir: &Path, size: u64) -> Result<bool, PullError> {
    let layers = std::iter::once(Layer::Entries).chain((0..=TOP_LEVEL).map(Layer::Hashes));
    let complete = layers.flat_map(|layer| {
        let count = Tile::full_tiles(layer, size);
        (0..count).filter_map(move |index| Tile::try_new(layer, index, WIDTH))
    });
    // Tiles come in the order of their directories, so that one listing at a time is enough.
    let mut listed = (PathBuf::new(), BTreeSet::new());
    for tile in complete.chain(Tile::partial(size)) {
        let path = dir.join(tile.to_string());
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(false);
        };
        if listed.0 != parent {
            let names = match disk.list(parent) {
                Ok(names) => names,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(e) => return Err(PullError::disk("list", parent)(e)),
            };
            listed = (parent.to_owned(), names.into_iter().collect());
        }
        if !listed.1.contains(name.to_string_lossy().as_ref()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The leaves of a log that is being pulled: the last bundle from memory, then what was put aside, then
/// what is kept.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    pub(super) incoming: &'a Incoming,
    pub(super) disk: &'a dyn Disk,
    pub(super) dir: &'a Path,
    /// Size and root of what is kept.
    pub(super) head: Option<(u64, Hash)>,
    pub(super) last: Option<(u64, Bundle)>,
}

impl Kept<'_> {
    fn bundle(&self, index: u64) -> Option<Bundle> {
        let last = self.last.as_ref().filter(|(at, _)| *at == index);
        let partial = || {
            let (size, _) = self.head?;
            read(
                self.disk,
                self.dir,
                Tile::in_tree(Layer::Entries, index, size)?,
            )
        };
        last.map(|(_, bundle)| bundle.clone())
            .or_else(|| self.incoming.get(index))
            .or_else(|| full(self.disk, self.dir, index))
            .or_else(partial)
    }
}

impl Leaves for Kept<'_> {
    fn leaves(
        &self,
        from: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, LogError> {
        let (index, at) = (from / u64::from(WIDTH), from % u64::from(WIDTH));
        let bundle = self.bundle(index).ok_or(LogError::Beyond {
            index: from,
            size: index * u64::from(WIDTH),
        })?;
        let mut room = max_bytes;
        let mut leaves: Vec<Vec<u8>> = Vec::new();
        let at = usize::try_from(at).unwrap_or_default();
        for entry in bundle.iter().skip(at).take(max_entries) {
            if entry.len() > room && !leaves.is_empty() {
                break;
            }
            room = room.saturating_sub(entry.len());
            leaves.push(entry.to_vec());
        }
        Ok(leaves)
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        let head = self.head.filter(|(kept, _)| *kept == size);
        Ok(head.map(|(_, root)| root))
    }
}
