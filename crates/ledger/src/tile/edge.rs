//! The right edge of a tiled tree: the partial tile of every level, at most 64 KB.
//!
//! It is all that a log must keep in memory to go on writing its tiles.

use super::{Layer, TOP_LEVEL, Tile, WIDTH, subtree};
use crate::merkle::{CompactRange, Hash};

/// The partial tiles of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    range: CompactRange,
    /// The hashes of each level's partial tile, from level 0 on; fewer than 256 each.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The tree of no entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of a tree of `size` entries from its partial tiles, which `read` brings; `None` if
    /// a tile is not as wide as it must be. Whoever knows the root compares it.
    pub fn from_tiles<E>(
        size: u64,
        mut read: impl FnMut(Tile) -> Result<Vec<Hash>, E>,
    ) -> Result<Option<Self>, E> {
        let mut levels = Vec::new();
        for level in 0..=TOP_LEVEL {
            let layer = Layer::Hashes(level);
            let tile = Tile::in_tree(layer, Tile::full_tiles(layer, size), size);
            let hashes = tile.map_or(Ok(Vec::new()), &mut read)?;
            if hashes.len() != tile.map_or(0, |tile| usize::from(tile.width())) {
                return Ok(None);
            }
            levels.push(hashes);
        }
        let mut peaks = Vec::new();
        for hashes in levels.iter().rev() {
            let mut range = CompactRange::new();
            for hash in hashes {
                range.push(*hash);
            }
            peaks.extend_from_slice(range.peaks());
        }
        Ok(CompactRange::from_peaks(size, peaks).map(|range| Self { range, levels }))
    }

    /// The number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.range.size()
    }

    /// The tree's root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.range.root()
    }

    /// The hashes of a level's partial tile.
    #[must_use]
    pub fn level(&self, level: u8) -> &[Hash] {
        self.levels
            .get(usize::from(level))
            .map_or(&[], Vec::as_slice)
    }

    /// Appends an entry by its leaf hash, and tells of each tile that it has made full.
    pub fn push<E>(
        &mut self,
        leaf: Hash,
        mut full: impl FnMut(Tile, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        let index = self.range.size() / u64::from(WIDTH);
        self.range.push(leaf);
        let mut hash = leaf;
        for level in 0..=TOP_LEVEL {
            let at = usize::from(level);
            if self.levels.len() <= at {
                self.levels.resize_with(at + 1, Vec::new);
            }
            let Some(hashes) = self.levels.get_mut(at) else {
                break;
            };
            hashes.push(hash);
            if hashes.len() < usize::from(WIDTH) {
                break;
            }
            hash = subtree(hashes);
            let tile = Tile::try_new(Layer::Hashes(level), index >> (8 * u32::from(level)), WIDTH);
            if let Some(tile) = tile {
                full(tile, hashes)?;
            }
            hashes.clear();
        }
        Ok(())
    }

    /// The partial tiles of hashes with their hashes.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        Tile::partial(self.size()).filter_map(|tile| match tile.layer() {
            Layer::Entries => None,
            Layer::Hashes(level) => Some((tile, self.level(level))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, convert::Infallible};

    use super::*;
    use crate::merkle::leaf;

    #[test]
    fn the_edge_makes_every_tile_of_the_tree_and_reads_back_from_the_partial_ones() {
        let mut edge = Edge::new();
        let mut range = CompactRange::new();
        let mut tiles = BTreeMap::new();
        for i in 0..66_000_u64 {
            let hash = leaf(&i.to_be_bytes());
            range.push(hash);
            let done: Result<(), Infallible> = edge.push(hash, |tile, hashes| {
                assert_eq!(hashes.len(), 256);
                assert!(tiles.insert(tile, subtree(hashes)).is_none());
                Ok(())
            });
            done.unwrap();
            if i % 1997 == 0 || (i % 256 > 253 && i < 2000) {
                assert_eq!(edge.root(), range.root());
                let again: Result<_, Infallible> = Edge::from_tiles(i + 1, |tile| {
                    let found = edge.partial().find(|(partial, _)| *partial == tile);
                    Ok(found.unwrap().1.to_vec())
                });
                let again = again.unwrap().unwrap();
                assert_eq!((again.size(), again.root()), (i + 1, range.root()));
            }
        }
        for layer in [Layer::Hashes(0), Layer::Hashes(1), Layer::Hashes(2)] {
            let made = tiles.keys().filter(|tile| tile.layer() == layer).count();
            assert_eq!(made as u64, Tile::full_tiles(layer, 66_000));
        }
        // The one full tile of level 1 stands in the partial tile of level 2.
        let of_level_1 = Tile::try_new(Layer::Hashes(1), 0, 256).unwrap();
        assert_eq!(edge.level(2), [tiles[&of_level_1]]);
    }
}
