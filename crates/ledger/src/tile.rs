//! Tiles (C2SP tlog-tiles): how a log is cut into files, and what each is called.
//!
//! A tile holds up to 256 consecutive hashes of one level of the tree; a level is eight levels of
//! the Merkle tree high, so that a hash of level 1 stands for a full tile of level 0. Beside them
//! stand the bundles, which hold the entries themselves. A full tile never changes; a partial one
//! bears its width in its name, so that what has one name has one content.

mod bundle;
mod edge;

use std::{fmt, str::FromStr};

pub use self::{
    bundle::{Bundle, append_entry},
    edge::Edge,
};
use crate::{
    merkle::{CompactRange, Hash},
    published::TreeError,
};

/// Hashes of a full tile, and entries of a full bundle.
pub const WIDTH: u16 = 256;

/// The most bytes of a file: a bundle of entries as long as a length can say.
pub const MAX_TILE_BYTES: usize = WIDTH as usize * (u16::MAX as usize + 2);

/// The highest level of a log of at most 2^63 - 1 entries.
pub const TOP_LEVEL: u8 = 7;

/// The most entries of a log.
const MAX_SIZE: u64 = i64::MAX as u64;

/// What a tile is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Entries; then it is called a bundle.
    Entries,
    /// Hashes of a level.
    Hashes(u8),
}

impl Layer {
    /// The level; entries stand beside the hashes of level 0.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::Entries => 0,
            Self::Hashes(level) => level,
        }
    }
}

/// The name of a tile or bundle. Its `Display` is the path in the log's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    layer: Layer,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile `index` of a layer, `width` wide; `None` if no log can have it.
    #[must_use]
    pub fn try_new(layer: Layer, index: u64, width: u16) -> Option<Self> {
        if layer.level() > TOP_LEVEL || width == 0 || width > WIDTH {
            return None;
        }
        let end = u128::from(index) * u128::from(WIDTH) + u128::from(width);
        let end = end << (8 * u32::from(layer.level()));
        (end <= u128::from(MAX_SIZE)).then_some(Self {
            layer,
            index,
            width,
        })
    }

    /// The tile `index` of a layer as it stands in a log of `size` entries; `None` if that has
    /// nothing there.
    #[must_use]
    pub fn in_tree(layer: Layer, index: u64, size: u64) -> Option<Self> {
        if layer.level() > TOP_LEVEL {
            return None;
        }
        let hashes = size >> (8 * u32::from(layer.level()));
        let there = hashes.saturating_sub(index.checked_mul(u64::from(WIDTH))?);
        let width = u16::try_from(there.min(u64::from(WIDTH))).ok()?;
        Self::try_new(layer, index, width)
    }

    /// The partial tiles and the partial bundle of a log of `size` entries: the only ones that
    /// change when it grows.
    pub fn partial(size: u64) -> impl Iterator<Item = Self> {
        let layers = (0..=TOP_LEVEL).map(Layer::Hashes);
        std::iter::once(Layer::Entries)
            .chain(layers)
            .filter_map(move |layer| {
                let full = (size >> (8 * u32::from(layer.level()))) / u64::from(WIDTH);
                Self::in_tree(layer, full, size)
            })
    }

    /// The full tiles of a layer of a log of `size` entries are those with an index below this.
    #[must_use]
    pub const fn full_tiles(layer: Layer, size: u64) -> u64 {
        (size >> (8 * layer.level() as u32)) / WIDTH as u64
    }

    /// What it is made of.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        self.layer
    }

    /// Its place in the layer.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Its hashes or entries: 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it will never change.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The same tile once it is full; `None` at the very end of what a log can hold.
    #[must_use]
    pub fn full(&self) -> Option<Self> {
        Self::try_new(self.layer, self.index, WIDTH)
    }

    /// The first entry that it holds or stands for.
    #[must_use]
    pub const fn first_entry(&self) -> u64 {
        (self.index * WIDTH as u64) << (8 * self.layer.level() as u32)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Layer::Entries => f.write_str("tile/entries/")?,
            Layer::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut scale = 1;
        while self.index / scale >= 1000 {
            scale *= 1000;
        }
        while scale > 1 {
            write!(f, "x{:03}/", self.index / scale % 1000)?;
            scale /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = TreeError;

    /// Reads the one spelling of a tile's path.
    fn from_str(path: &str) -> Result<Self, TreeError> {
        let parsed = || {
            let (layer, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let layer = match layer {
                "entries" => Layer::Entries,
                level => Layer::Hashes(level.parse().ok()?),
            };
            let (index, width) = match rest.split_once(".p/") {
                Some((index, width)) => (index, width.parse().ok()?),
                None => (rest, WIDTH),
            };
            let mut number = 0_u64;
            for part in index.split('/') {
                let digits = part.strip_prefix('x').unwrap_or(part);
                if digits.len() != 3 {
                    return None;
                }
                number = number.checked_mul(1000)?;
                number = number.checked_add(digits.parse().ok()?)?;
            }
            let tile = Self::try_new(layer, number, width)?;
            (tile.to_string() == path).then_some(tile)
        };
        parsed().ok_or_else(|| TreeError::Name(path.to_owned()))
    }
}

/// The hashes of a tile of `width` from its bytes; `None` if there are more or fewer.
#[must_use]
pub fn parse_hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == usize::from(width)).then(|| hashes.to_vec())
}

/// The root of the subtree that consecutive hashes of one level span.
#[must_use]
pub fn subtree(hashes: &[Hash]) -> Hash {
    let mut range = CompactRange::new();
    for hash in hashes {
        range.push(*hash);
    }
    range.root()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_those_of_the_specification() {
        for (layer, index, width, path) in [
            (Layer::Hashes(0), 0, 256, "tile/0/000"),
            (Layer::Hashes(0), 1_234_067, 256, "tile/0/x001/x234/067"),
            (Layer::Hashes(1), 999, 1, "tile/1/999.p/1"),
            (Layer::Hashes(7), 0, 127, "tile/7/000.p/127"),
            (Layer::Entries, 1000, 255, "tile/entries/x001/000.p/255"),
        ] {
            let tile = Tile::try_new(layer, index, width).unwrap();
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse::<Tile>().unwrap(), tile);
        }
    }

    #[test]
    fn any_other_spelling_is_refused() {
        for path in [
            "",
            "tile/0",
            "tile/00/000",
            "tile/+1/000",
            "tile/8/000",
            "tile/7/000",
            "tile/7/000.p/128",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/+01",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/",
            "tile/0/000/",
            "/tile/0/000",
            "tile/data/000",
            "tile/0/x018/x446/x744/x073/x709/551/000",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert!(path.parse::<Tile>().is_err(), "{path}");
        }
    }

    #[test]
    fn the_specifications_example_of_70000_entries_holds() {
        let size = 70_000;
        assert_eq!(Tile::full_tiles(Layer::Hashes(0), size), 273);
        assert_eq!(Tile::full_tiles(Layer::Hashes(1), size), 1);
        assert_eq!(Tile::full_tiles(Layer::Hashes(2), size), 0);
        let partial: Vec<String> = Tile::partial(size).map(|t| t.to_string()).collect();
        assert_eq!(
            partial,
            [
                "tile/entries/273.p/112",
                "tile/0/273.p/112",
                "tile/1/001.p/17",
                "tile/2/000.p/1"
            ]
        );
        let of_256: Vec<String> = Tile::partial(256).map(|t| t.to_string()).collect();
        assert_eq!(of_256, ["tile/1/000.p/1"]);
        assert_eq!(Tile::partial(0).count(), 0);
    }

    proptest! {
        #[test]
        fn every_tile_reads_back(level in 0_u8..=8, index: u64, shift in 0_u32..64, width in 0_u16..=257) {
            let layer = if level == 8 { Layer::Entries } else { Layer::Hashes(level) };
            if let Some(tile) = Tile::try_new(layer, index >> shift, width) {
                prop_assert_eq!(tile.to_string().parse::<Tile>().ok(), Some(tile));
            }
        }

        #[test]
        fn what_reads_as_a_tile_has_one_spelling(path in "tile/(entries|[0-9]{1,2})(/x?[0-9]{2,3}){1,3}(.p/[0-9]{1,3})?") {
            if let Ok(tile) = path.parse::<Tile>() {
                prop_assert_eq!(tile.to_string(), path);
            }
        }

        #[test]
        fn a_tree_is_its_full_and_partial_tiles(size in 0..=MAX_SIZE, level in 0_u8..=TOP_LEVEL) {
            let layer = Layer::Hashes(level);
            let full = Tile::full_tiles(layer, size);
            if let Some(last) = full.checked_sub(1) {
                prop_assert!(Tile::in_tree(layer, last, size).unwrap().is_full());
            }
            let next = Tile::in_tree(layer, full, size);
            prop_assert!(next.is_none_or(|tile| !tile.is_full()));
            prop_assert_eq!(next, Tile::partial(size).find(|tile| tile.layer() == layer));
            prop_assert_eq!(Tile::in_tree(layer, full + 1, size), None);
        }
    }
}
