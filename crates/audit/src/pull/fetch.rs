//! The fetching of a log's entries on top of what is kept, up to a root that is signed.

use std::{ops::Range, path::Path};

use lgpki_ledger::{
    Checkpoint, Disk, Tile,
    merkle::Hash,
    tile::{Bundle, Edge, Layer, WIDTH},
};

use super::{
    Step,
    error::{PullError, Refusal},
    incoming::{Incoming, full},
    source::LogSource,
};

/// Bundles that are asked for at once.
const STRETCH: u64 = 16;

/// A tile as the entries make it.
type Made = (Tile, Vec<Hash>);

/// What was fetched. Full bundles were put aside.
pub(super) struct Fetched {
    /// The last bundle and its index.
    pub(super) last: Option<(u64, Bundle)>,
    /// Bundles that came from the source.
    pub(super) new: u64,
    /// Bundles that an earlier pull had put aside.
    pub(super) resumed: u64,
}

/// Why the entries are not those of the checkpoint.
pub(super) enum Wrong {
    /// Nothing can be said of them.
    Failed(PullError),
    /// They are not; `resumed` bundles of them were put aside by an earlier pull.
    Differs { what: Refusal, resumed: u64 },
}

impl From<PullError> for Wrong {
    fn from(error: PullError) -> Self {
        Self::Failed(error)
    }
}

pub(super) struct Fetch<'a> {
    pub(super) source: &'a mut dyn LogSource,
    pub(super) offered: &'a str,
    pub(super) incoming: &'a Incoming,
    /// Where full bundles lie that an earlier pull has proved.
    pub(super) proved: Option<(&'a dyn Disk, &'a Path)>,
    pub(super) head: &'a Checkpoint,
    /// Size and root of what is kept.
    pub(super) kept: Option<(u64, Hash)>,
}

impl Fetch<'_> {
    /// Goes on from an edge of the log to its head.
    pub(super) fn run(
        &mut self,
        mut edge: Edge,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Fetched, Wrong> {
        let width = u64::from(WIDTH);
        let begin = edge.size();
        let mut result = Fetched {
            last: None,
            new: 0,
            resumed: 0,
        };
        progress(Step::Expect(self.head.size - begin));
        let (mut next, end) = (begin / width, self.head.size.div_ceil(width));
        // The kept hashes of the bundle that was not full.
        let known = edge.level(0).to_vec();
        while next < end {
            let stretch = next..(next + STRETCH).min(end);
            next = stretch.end;
            let before = edge.size();
            let (bundles, new) = self.bundles(stretch.clone(), &mut result)?;
            let differs = |what, resumed| Wrong::Differs { what, resumed };
            let mut made = self
                .grow(&mut edge, stretch.start, &bundles, &known)
                .map_err(|what| differs(what, result.resumed))?;
            // The tiles beside bundles that were here were compared when these came.
            made.retain(|(tile, _)| tile.layer().level() > 0 || new.contains(&tile.index()));
            if let Some(what) = self.compare(&made)? {
                return Err(differs(what, result.resumed));
            }
            for index in new {
                let bundle =
                    bundles.get(usize::try_from(index - stretch.start).unwrap_or_default());
                let tile = Tile::try_new(Layer::Entries, index, WIDTH);
                if let (Some(tile), Some(bundle)) = (tile, bundle)
                    && bundle.len() == usize::from(WIDTH)
                {
                    self.incoming.put(tile, bundle)?;
                }
            }
            result.last = bundles.into_iter().next_back().map(|last| (next - 1, last));
            progress(Step::Got(edge.size() - before));
        }
        let partial: Vec<Made> = edge.partial().map(|(tile, h)| (tile, h.to_vec())).collect();
        if let Some(what) = self.compare(&partial)? {
            return Err(Wrong::Differs {
                what,
                resumed: result.resumed,
            });
        }
        if edge.root() == self.head.root {
            return Ok(result);
        }
        Err(Wrong::Differs {
            what: Refusal::Entries,
            resumed: result.resumed,
        })
    }

    /// The bundles of a stretch, and the numbers of those that were fetched.
    fn bundles(
        &mut self,
        stretch: Range<u64>,
        result: &mut Fetched,
    ) -> Result<(Vec<Bundle>, Vec<u64>), Wrong> {
        let mut found = Vec::new();
        let mut wanted = Vec::new();
        for index in stretch {
            let tile = Tile::in_tree(Layer::Entries, index, self.head.size);
            let tile = tile.ok_or_else(|| PullError::refused("", Refusal::Entries))?;
            let here = tile.is_full().then(|| self.here(index, result)).flatten();
            if here.is_none() {
                wanted.push(tile);
            }
            found.push((tile, here));
        }
        let mut fetched = self.files(&wanted)?.into_iter();
        result.new += wanted.len() as u64;
        let mut bundles = Vec::with_capacity(found.len());
        for (tile, here) in found {
            let bundle = match here {
                Some(bundle) => bundle,
                None => whole(tile, fetched.next().unwrap_or_default()).map_err(|what| {
                    let why = Refusal::Tile { tile, what };
                    PullError::refused("", why)
                })?,
            };
            bundles.push(bundle);
        }
        Ok((bundles, wanted.iter().map(Tile::index).collect()))
    }

    /// A full bundle that needs no fetching.
    fn here(&self, index: u64, result: &mut Fetched) -> Option<Bundle> {
        let proved = self.proved;
        let proved = proved.and_then(|(disk, dir)| full(disk, dir, index));
        proved.or_else(|| {
            let aside = self.incoming.get(index)?;
            result.resumed += 1;
            Some(aside)
        })
    }

    /// The bytes of files; a full one stands for a partial one that is gone.
    fn files(&mut self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, PullError> {
        if tiles.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.source.files(self.offered, tiles)?;
        found.resize(tiles.len(), None);
        let gone = |at: &usize| found.get(*at).is_some_and(Option::is_none);
        let places: Vec<usize> = (0..tiles.len()).filter(gone).collect();
        let full: Vec<Tile> = places
            .iter()
            .filter_map(|at| tiles.get(*at)?.full())
            .collect();
        if !full.is_empty() {
            let again = self.source.files(self.offered, &full)?;
            for (at, bytes) in places.into_iter().zip(again) {
                if let Some(place) = found.get_mut(at) {
                    *place = bytes;
                }
            }
        }
        let all = tiles.iter().zip(found).map(|(tile, bytes)| {
            bytes.ok_or_else(|| PullError::refused("", Refusal::Missing(*tile)))
        });
        all.collect()
    }

    /// Appends the bundles from `first` on; gives the tiles that they made full.
    fn grow(
        &self,
        edge: &mut Edge,
        first: u64,
        bundles: &[Bundle],
        known: &[Hash],
    ) -> Result<Vec<Made>, Refusal> {
        let mut made: Vec<Made> = Vec::new();
        let begin = first * u64::from(WIDTH);
        let leaves = (begin..).zip(bundles.iter().flat_map(Bundle::leaves));
        for (leaf, hash) in leaves {
            if leaf < edge.size() {
                let at = usize::try_from(leaf % u64::from(WIDTH)).unwrap_or_default();
                if known.get(at) != Some(&hash) {
                    return Err(Refusal::Entries);
                }
                continue;
            }
            let pushed = edge.push(hash, |tile, hashes| {
                made.push((tile, hashes.to_vec()));
                Ok::<(), Refusal>(())
            });
            pushed?;
            // Only where a damaged copy is fetched anew.
            if let Some((size, root)) = &self.kept
                && edge.size() == *size
                && edge.root() != *root
            {
                return Err(Refusal::Entries);
            }
        }
        Ok(made)
    }

    /// Compares the source's own tiles with what the entries make; says which is another.
    fn compare(&mut self, made: &[Made]) -> Result<Option<Refusal>, PullError> {
        if !self.source.has_hashes() {
            return Ok(None);
        }
        let tiles: Vec<Tile> = made.iter().map(|(tile, _)| *tile).collect();
        for ((tile, hashes), bytes) in made.iter().zip(self.files(&tiles)?) {
            let same = |at: &usize| bytes.get(at * 32..at * 32 + 32) == Some(&hashes[*at][..]);
            let differs = (0..hashes.len()).find(|at| !same(at));
            let surplus = bytes.len() > usize::from(WIDTH) * 32 || !bytes.len().is_multiple_of(32);
            if let Some(at) = differs.or(surplus.then_some(hashes.len())) {
                let leaf =
                    tile.first_entry() + ((at as u64) << (8 * u32::from(tile.layer().level())));
                let what =
                    format!("it holds other hashes than the entries from leaf {leaf} on make");
                return Ok(Some(Refusal::Tile { tile: *tile, what }));
            }
        }
        Ok(None)
    }
}

/// A bundle that has the entries that its name says; a full one may have come for a partial one.
fn whole(tile: Tile, bytes: Vec<u8>) -> Result<Bundle, String> {
    let mut bundle =
        Bundle::parse(bytes).ok_or_else(|| "it is not made of whole entries".to_owned())?;
    bundle.truncate(tile.width());
    if bundle.len() == usize::from(tile.width()) {
        return Ok(bundle);
    }
    Err(format!(
        "it holds {} of {} entries",
        bundle.len(),
        tile.width()
    ))
}
