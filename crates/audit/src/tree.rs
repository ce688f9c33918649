//! A log's tiles against its entries.
//!
//! The tree is made anew from the entries' hashes, tile by tile on every level, and each tile's file
//! compared as soon as it is complete; nothing of a level is kept but its last, partial tile.

use std::path::{Path, PathBuf};

use lgpki_ledger::{
    Disk as _, OsDisk, Tile,
    merkle::{CompactRange, Hash},
    tile::{Layer, MAX_TILE_BYTES, TOP_LEVEL, WIDTH, parse_hashes, subtree},
};

/// What is wrong with a tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TileFault {
    /// The first leaf that it concerns.
    pub(crate) leaf: u64,
    /// Whether the tile is not there.
    pub(crate) missing: bool,
    pub(crate) what: String,
}

/// A tree that grows by its leaves.
#[derive(Debug)]
pub(crate) struct Tree {
    dir: PathBuf,
    range: CompactRange,
    /// The last tile of each level and its number.
    levels: Vec<(u64, Vec<Hash>)>,
    pub(crate) tiles: u64,
    pub(crate) faults: Vec<TileFault>,
}

impl Tree {
    /// The tree of the log published in `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            range: CompactRange::new(),
            levels: Vec::new(),
            tiles: 0,
            faults: Vec::new(),
        }
    }

    pub(crate) const fn size(&self) -> u64 {
        self.range.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.range.root()
    }

    /// Appends a leaf, and compares the tiles that it completes.
    pub(crate) fn push(&mut self, leaf: Hash) {
        self.range.push(leaf);
        let mut hash = leaf;
        for level in 0..=TOP_LEVEL {
            let at = usize::from(level);
            if self.levels.len() == at {
                self.levels
                    .push((0, Vec::with_capacity(usize::from(WIDTH))));
            }
            let Some((number, hashes)) = self.levels.get_mut(at) else {
                return;
            };
            hashes.push(hash);
            if hashes.len() < usize::from(WIDTH) {
                return;
            }
            let (number, hashes) = (
                std::mem::replace(number, *number + 1),
                std::mem::take(hashes),
            );
            self.compare(level, number, &hashes);
            hash = subtree(&hashes);
        }
    }

    /// Compares the partial tiles that are left.
    pub(crate) fn finish(&mut self) {
        for (level, (number, hashes)) in (0_u8..).zip(std::mem::take(&mut self.levels)) {
            if !hashes.is_empty() {
                self.compare(level, number, &hashes);
            }
        }
    }

    fn compare(&mut self, level: u8, number: u64, hashes: &[Hash]) {
        let width = u16::try_from(hashes.len()).unwrap_or(WIDTH);
        let Some(tile) = Tile::try_new(Layer::Hashes(level), number, width) else {
            return;
        };
        let found = read(&self.dir, tile);
        let mut fault = |leaf, missing, what: String| {
            self.faults.push(TileFault {
                leaf,
                missing,
                what,
            });
        };
        let Some((bytes, width)) = found else {
            fault(tile.first_entry(), true, format!("{tile} is not there"));
            return;
        };
        let Some(held) = parse_hashes(&bytes, width) else {
            fault(
                tile.first_entry(),
                false,
                format!("{tile} holds {} bytes", bytes.len()),
            );
            return;
        };
        self.tiles += 1;
        if let Some(at) = held
            .iter()
            .zip(hashes)
            .position(|(held, made)| held != made)
        {
            let leaf = tile.first_entry() + ((at as u64) << (8 * u32::from(level)));
            let what = if level == 0 {
                format!("{tile} holds another hash of leaf {leaf} than its entry has")
            } else {
                format!("{tile} holds another hash than the entries from leaf {leaf} on make")
            };
            fault(leaf, false, what);
        }
    }
}

/// A tile's bytes and how many hashes or entries belong there: a full tile may have come in the place of
/// a partial one, and only that may hold more than was asked for.
pub(crate) fn read(dir: &Path, tile: Tile) -> Option<(Vec<u8>, u16)> {
    [Some(tile), tile.full()]
        .into_iter()
        .flatten()
        .find_map(|tile| {
            let bytes = OsDisk.read_at_most(&dir.join(tile.to_string()), MAX_TILE_BYTES);
            Some((bytes.ok()?, tile.width()))
        })
}
