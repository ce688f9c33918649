//! Reading a published log: its checkpoint, hashes, entries and proofs, each checked before it is
//! handed out.
//!
//! A [`TileReader`] stands on one head of the log. It reads the tree's right edge first, which must
//! have the head's root; after that a tile is believed when its parent holds its hash, and an entry
//! when its tile does. What was believed stays in a small cache. Nothing is ever written.

use std::{
    collections::VecDeque,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use lgpki_domain::ErrorClass;

use crate::{
    checkpoint::Checkpoint,
    disk::Disk,
    identity::LogId,
    merkle::Hash,
    note::{NoteError, SignedNote, VerifierKey},
    proof::{self, HashReader},
    tile::{self, Bundle, Edge, Layer, MAX_TILE_BYTES, TOP_LEVEL, Tile, WIDTH},
};

/// Where a service's logs are published, below its data directory.
pub const DIRECTORY: &str = "audit";

/// The file of the checkpoint.
pub const CHECKPOINT: &str = "checkpoint";

/// The file of the verifier key.
pub const VKEY: &str = "vkey";

/// Believed tiles kept of each level.
const CACHED: usize = 16;

/// Why a published log, or a proof, is not believed or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A file cannot be read.
    #[error("cannot read {path}; check the disk and the permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file of the log is not there.
    #[error("the published log lacks {0}: fetch it again, or have the service publish it anew")]
    Missing(String),
    /// A file of the log is not what the log's head says.
    #[error("{path} of the published log is damaged or was changed: {what}")]
    Damaged {
        /// The file.
        path: String,
        /// What was found.
        what: String,
    },
    /// Not the path of a tile.
    #[error("{0:?} is not the path of a tile")]
    Name(String),
    /// A place past the end of the tree.
    #[error("the tree of {size} entries has nothing at {index}")]
    Beyond {
        /// The place.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// A proof does not prove what it should.
    #[error("the proof does not hold: {0}")]
    Proof(&'static str),
    /// The checkpoint is not this log's.
    #[error("the checkpoint is not accepted")]
    Note(#[from] NoteError),
}

impl TreeError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Io { .. } => ErrorClass::Unavailable,
            Self::Missing(_) | Self::Damaged { .. } => ErrorClass::Corrupt,
            Self::Name(_) | Self::Proof(_) => ErrorClass::InvalidInput,
            Self::Beyond { .. } => ErrorClass::NotFound,
            Self::Note(error) => error.class(),
        }
    }

    fn damaged(path: &impl ToString, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_string(),
            what: what.into(),
        }
    }
}

/// Where the files of a published log are found.
pub trait TileSource: Send + Sync + fmt::Debug {
    /// The bytes of the file at `path` below the log; none if there is no such file.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, TreeError>;
}

/// The files of a published log in a directory.
#[derive(Clone, Debug)]
pub struct Directory {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl Directory {
    /// The log in `dir`.
    pub fn new(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self { disk, dir }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }
}

impl TileSource for Directory {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, TreeError> {
        let path = self.dir.join(path);
        match self.disk.read_at_most(&path, MAX_TILE_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TreeError::Io { path, source }),
        }
    }
}

/// The logs that have a checkpoint below `dir`, in order: the years, then that of keys and ceremonies.
pub fn logs_in(disk: &dyn Disk, dir: &Path) -> Result<Vec<LogId>, TreeError> {
    let failed = |path: &Path, source| TreeError::Io {
        path: path.to_owned(),
        source,
    };
    let names = match disk.list(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(|e| failed(dir, e))?,
    };
    let mut logs = Vec::new();
    for log in names.iter().filter_map(|name| name.parse::<LogId>().ok()) {
        let path = dir.join(log.to_string()).join(CHECKPOINT);
        match disk.read(&path) {
            Ok(_) => logs.push(log),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(&path, e)),
        }
    }
    logs.sort_unstable();
    Ok(logs)
}

/// Tiles that were believed, the latest last.
type Believed = VecDeque<(u64, Arc<[Hash]>)>;

/// A published log at one of its heads. Safe to share: readers do not wait for each other.
#[derive(Debug)]
pub struct TileReader {
    source: Arc<dyn TileSource>,
    edge: Edge,
    cache: Mutex<Vec<Believed>>,
}

impl TileReader {
    /// Opens the log at its published checkpoint, if `key` signed that.
    pub fn open(
        source: Arc<dyn TileSource>,
        key: &VerifierKey,
    ) -> Result<(Self, Checkpoint, SignedNote), TreeError> {
        let bytes = source
            .read(CHECKPOINT)?
            .ok_or_else(|| TreeError::Missing(CHECKPOINT.to_owned()))?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        let (checkpoint, note) = Checkpoint::open(text, key)?;
        let reader = Self::at(source, checkpoint.size, &checkpoint.root)?;
        Ok((reader, checkpoint, note))
    }

    /// Opens the log at a head that the caller trusts.
    pub fn at(source: Arc<dyn TileSource>, size: u64, root: &Hash) -> Result<Self, TreeError> {
        let edge = Edge::from_tiles(size, |tile| hashes(source.as_ref(), tile))?
            .filter(|edge| edge.root() == *root)
            .ok_or_else(|| {
                let what = format!("the partial tiles do not have the root at {size} entries");
                TreeError::damaged(&"tile", what)
            })?;
        let cache = (0..=TOP_LEVEL).map(|_| VecDeque::new()).collect();
        Ok(Self {
            source,
            edge,
            cache: Mutex::new(cache),
        })
    }

    /// The number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The right edge, which was compared with the root.
    #[must_use]
    pub const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The number of bundles.
    #[must_use]
    pub const fn bundles(&self) -> u64 {
        self.edge.size().div_ceil(WIDTH as u64)
    }

    /// The bundle `index`, every entry of which was compared with its hash in the tree.
    pub fn bundle(&self, index: u64) -> Result<Bundle, TreeError> {
        let tile = self.tile(Layer::Entries, index)?;
        let leaves = self.hashes(0, index)?;
        let (bytes, found) = either(self.source.as_ref(), tile)?;
        let mut bundle = Bundle::parse(bytes)
            .ok_or_else(|| TreeError::damaged(&tile, "it is not made of whole entries"))?;
        // Only a full bundle may stand for a partial one.
        if bundle.len() == usize::from(found.width()) {
            bundle.truncate(tile.width());
        }
        if bundle.len() != usize::from(tile.width()) {
            let what = format!("it holds {} of {} entries", bundle.len(), tile.width());
            return Err(TreeError::damaged(&tile, what));
        }
        let other = bundle
            .leaves()
            .zip(leaves.iter())
            .position(|(a, b)| a != *b);
        match other {
            None => Ok(bundle),
            Some(at) => {
                let entry = tile.first_entry() + at as u64;
                let what = format!("entry {entry} is not the one in the tree");
                Err(TreeError::damaged(&tile, what))
            }
        }
    }

    /// The entry `index`.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, TreeError> {
        let bundle = self.bundle(index / u64::from(WIDTH))?;
        let at = usize::try_from(index % u64::from(WIDTH)).unwrap_or_default();
        let beyond = TreeError::Beyond {
            index,
            size: self.size(),
        };
        bundle.entry(at).map(<[u8]>::to_vec).ok_or(beyond)
    }

    /// The proof that entry `index` is in the tree.
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, TreeError> {
        proof::inclusion(self, index, self.size())
    }

    /// The proof that the tree continues that of its first `old` entries.
    pub fn consistency(&self, old: u64) -> Result<Vec<Hash>, TreeError> {
        proof::consistency(self, old, self.size())
    }

    /// The root of the first `size` entries.
    pub fn root_at(&self, size: u64) -> Result<Hash, TreeError> {
        if size > self.size() {
            return Err(TreeError::Beyond {
                index: size,
                size: self.size(),
            });
        }
        proof::root(self, (0, size))
    }

    fn tile(&self, layer: Layer, index: u64) -> Result<Tile, TreeError> {
        let size = self.size();
        Tile::in_tree(layer, index, size).ok_or(TreeError::Beyond {
            index: index.saturating_mul(u64::from(WIDTH)),
            size,
        })
    }

    /// The hashes of a tile, believed.
    fn hashes(&self, level: u8, index: u64) -> Result<Arc<[Hash]>, TreeError> {
        let tile = self.tile(Layer::Hashes(level), index)?;
        if !tile.is_full() {
            return Ok(self.edge.level(level).into());
        }
        if let Some(found) = self.cached(level, index) {
            return Ok(found);
        }
        let hashes = hashes(self.source.as_ref(), tile)?;
        let parents = self.hashes(level + 1, index / u64::from(WIDTH))?;
        let at = usize::try_from(index % u64::from(WIDTH)).unwrap_or_default();
        if parents.get(at) != Some(&tile::subtree(&hashes)) {
            let what = "it does not have the hash that the tree holds of it";
            return Err(TreeError::damaged(&tile, what));
        }
        let hashes: Arc<[Hash]> = hashes.into();
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_level) = cache.get_mut(usize::from(level)) {
            if of_level.len() >= CACHED {
                of_level.pop_front();
            }
            of_level.push_back((index, Arc::clone(&hashes)));
        }
        Ok(hashes)
    }

    fn cached(&self, level: u8, index: u64) -> Option<Arc<[Hash]>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_level = cache.get(usize::from(level))?.iter().rev();
        let (_, hashes) = of_level.find(|(at, _)| *at == index)?;
        Some(Arc::clone(hashes))
    }
}

impl HashReader for TileReader {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        let beyond = || TreeError::Beyond {
            index: index.checked_shl(u32::from(level)).unwrap_or(u64::MAX),
            size: self.size(),
        };
        // A tile's level holds every eighth level of the tree; the others are computed from it.
        let (of_tile, above) = (level / 8, u32::from(level % 8));
        let first = index
            .checked_mul(1 << above)
            .filter(|_| of_tile <= TOP_LEVEL)
            .ok_or_else(beyond)?;
        let hashes = self.hashes(of_tile, first / u64::from(WIDTH))?;
        let at = usize::try_from(first % u64::from(WIDTH)).unwrap_or_default();
        let hashes = hashes.get(at..at + (1 << above)).ok_or_else(beyond)?;
        Ok(tile::subtree(hashes))
    }
}

/// The bytes of a tile, or of the full tile that has taken its place, and which of them it is.
fn either(source: &dyn TileSource, tile: Tile) -> Result<(Vec<u8>, Tile), TreeError> {
    if let Some(bytes) = source.read(&tile.to_string())? {
        return Ok((bytes, tile));
    }
    if let Some(full) = tile.full().filter(|_| !tile.is_full())
        && let Some(bytes) = source.read(&full.to_string())?
    {
        return Ok((bytes, full));
    }
    Err(TreeError::Missing(tile.to_string()))
}

/// The hashes of a tile as they are found, not yet believed.
pub(crate) fn hashes(source: &dyn TileSource, tile: Tile) -> Result<Vec<Hash>, TreeError> {
    let (mut bytes, read) = either(source, tile)?;
    if bytes.len() == usize::from(read.width()) * size_of::<Hash>() {
        bytes.truncate(usize::from(tile.width()) * size_of::<Hash>());
    }
    let found = bytes.len();
    tile::parse_hashes(&bytes, tile.width()).ok_or_else(|| {
        let what = format!("it has {found} bytes in place of {} hashes", tile.width());
        TreeError::damaged(&tile, what)
    })
}
