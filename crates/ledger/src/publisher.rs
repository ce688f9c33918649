//! The publisher: brings a log's tiles, and after them its checkpoint, to a directory.
//!
//! What it is given: [`Leaves`], which tells the log's durable leaves in their order and the roots
//! that the log had; notes, each the signed checkpoint of a head that is durable in the log; and a
//! [`Place`], which no other process may write while this one holds the log's lock. It signs
//! nothing and decides nothing; it may lag behind, and whatever it has not done is done by the next
//! [`Publisher::publish`] or, after a crash, found by [`Publisher::open`].
//!
//! ```text
//! <dir>/vkey                     the log's verifier key, one line
//! <dir>/checkpoint               the signed checkpoint
//! <dir>/tile/<L>/<N>[.p/<W>]     hashes
//! <dir>/tile/entries/<N>[.p/<W>] entries
//! <dir>/unnamed                  a file that has not got its name yet
//! ```
//!
//! # The order of writes
//! The leaves give the root that the note says, or nothing is written. Then each new tile: written
//! without a name, synced, renamed; then the directories synced; then the checkpoint in the same
//! way; and last, partial tiles that full ones have superseded are removed. So a checkpoint never
//! stands without its tiles, and a full tile, once it has its name, never gets other bytes, for it
//! follows from what was durable before. Of the tree, only the right edge is kept in memory.

mod error;
mod files;
mod fresh;

use std::{path::PathBuf, sync::Arc};

pub use self::error::PublishError;
use self::{files::Files, fresh::Fresh};
use crate::{
    checkpoint::Checkpoint,
    disk::Disk,
    error::LogError,
    merkle::{CompactRange, Hash},
    note::{NoteError, NoteSignature, SignedNote, VerifierKey},
    published::{CHECKPOINT, Directory, TileReader, VKEY},
    tile::{self, Edge, Layer, TOP_LEVEL, Tile, WIDTH},
};

/// A log as the publisher needs it.
pub trait Leaves {
    /// The leaves' bytes from number `from` on: at most `max_entries`, and as many as fit into
    /// `max_bytes` but at least one. Empty at the durable end.
    fn leaves(
        &self,
        from: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, LogError>;

    /// The root of the first `size` leaves; none if the log has fewer.
    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError>;
}

/// Where a log is published, and under which key.
#[derive(Clone, Debug)]
pub struct Place {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The log's own directory.
    pub dir: PathBuf,
    /// The key that signs its checkpoints, under the log's origin.
    pub key: VerifierKey,
}

/// What opening found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Entries that the published checkpoint speaks of; 0 if there is none.
    pub size: u64,
    /// Files that were missing or damaged and were written anew from the log.
    pub mended: u64,
}

/// Publishes one log.
#[derive(Debug)]
pub struct Publisher {
    files: Files,
    key: VerifierKey,
    edge: Edge,
    published: Option<SignedNote>,
    /// Full tiles whose partial ones are still to be removed.
    superseded: Vec<Tile>,
}

impl Publisher {
    /// Opens or begins the published log. Refuses a directory whose checkpoint is not a head that
    /// the log had; writes anew from the log what is missing or damaged of its tiles, as far as
    /// their names and the right edge show it ([`mend`](Self::mend) reads everything).
    pub fn open(place: Place, log: &dyn Leaves) -> Result<(Self, Opened), PublishError> {
        let Place { disk, dir, key } = place;
        let mut files = Files::new(disk, dir);
        files.create_dir()?;
        files.ensure(VKEY, format!("{key}\n").as_bytes())?;
        files.sync_dirs()?;
        let found = files.read(CHECKPOINT)?;
        let mut publisher = Self {
            files,
            key,
            edge: Edge::new(),
            published: None,
            superseded: Vec::new(),
        };
        let Some(bytes) = found else {
            return Ok((publisher, Opened::default()));
        };
        let path = publisher.files.path(CHECKPOINT);
        let foreign = |source| PublishError::Foreign {
            path: path.clone(),
            source,
        };
        let text = String::from_utf8(bytes)
            .map_err(|_| foreign(NoteError::Malformed("it is not UTF-8")))?;
        let (checkpoint, note) = Checkpoint::open(&text, &publisher.key).map_err(foreign)?;
        let size = checkpoint.size;
        let set_back = PublishError::SetBack { path, size };
        if log.root_at(size)? != Some(checkpoint.root) {
            return Err(set_back);
        }
        publisher.published = Some(note);
        let mended = match publisher.load(&checkpoint, log)? {
            Some(edge) => {
                publisher.edge = edge;
                0
            }
            None => publisher.mend_to(&checkpoint, log, set_back)?,
        };
        Ok((publisher, Opened { size, mended }))
    }

    /// The number of entries that the published checkpoint speaks of.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The published checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> Option<&SignedNote> {
        self.published.as_ref()
    }

    /// Publishes the head of which `note` is the checkpoint; returns the entries that are new. Of a
    /// note of the published size, signatures that are new are added. After an error the published
    /// log is the one before, or the new one; the same call may be made again.
    pub fn publish(&mut self, note: &SignedNote, log: &dyn Leaves) -> Result<u64, PublishError> {
        self.publish_with(note, log, &mut |_| Vec::new())
    }

    /// The same, and adds to a new checkpoint the signatures that `cosign` gives once the tiles of its
    /// tree are durable. It is given these, and may take its time.
    pub fn publish_with(
        &mut self,
        note: &SignedNote,
        log: &dyn Leaves,
        cosign: &mut dyn FnMut(&TileReader) -> Vec<NoteSignature>,
    ) -> Result<u64, PublishError> {
        let checkpoint = Checkpoint::parse(note.text()).ok();
        let signed = note.verify(&self.key).is_ok();
        let checkpoint = checkpoint
            .filter(|checkpoint| signed && checkpoint.origin == *self.key.name())
            .filter(|checkpoint| checkpoint.size >= self.size())
            .ok_or(PublishError::Unfit { size: self.size() })?;
        let size = checkpoint.size;
        let mut note = self.merged(note)?;
        if self.published.as_ref() == Some(&note) {
            self.remove_superseded()?;
            return Ok(0);
        }
        let mut fresh = Fresh::new(log, self.size());
        if self.root_of_log(size, &mut fresh)? != checkpoint.root {
            return Err(PublishError::Altered { size });
        }
        let (edge, full) = self.write(self.edge.clone(), size, &mut fresh)?;
        self.files.sync_dirs()?;
        // Whatever cannot be cosigned now may be later; publication does not wait for it.
        if let Some(reader) = self.reader(size, &checkpoint.root) {
            for signature in cosign(&reader) {
                let added = note.add(signature);
                added.map_err(|_| PublishError::Unfit { size })?;
            }
        }
        self.files.ensure(CHECKPOINT, note.to_string().as_bytes())?;
        self.files.sync_dirs()?;
        let new = size - self.size();
        self.edge = edge;
        self.published = Some(note);
        self.superseded.extend(full);
        self.remove_superseded()?;
        Ok(new)
    }

    /// The tiles that were written, as a tree of this head.
    fn reader(&self, size: u64, root: &Hash) -> Option<TileReader> {
        let source = Directory::new(self.files.disk(), self.files.path(""));
        TileReader::at(Arc::new(source), size, root).ok()
    }

    /// Asks for signatures of the published checkpoint, as [`publish_with`](Self::publish_with) does of a
    /// new one, and adds them.
    pub fn cosign(
        &mut self,
        log: &dyn Leaves,
        cosign: &mut dyn FnMut(&TileReader) -> Vec<NoteSignature>,
    ) -> Result<(), PublishError> {
        let Some(mut note) = self.published.clone() else {
            return Ok(());
        };
        let Ok(Checkpoint { size, root, .. }) = Checkpoint::parse(note.text()) else {
            return Ok(());
        };
        let Some(reader) = self.reader(size, &root) else {
            return Ok(());
        };
        let signatures = cosign(&reader);
        if signatures.is_empty() {
            return Ok(());
        }
        for signature in signatures {
            let added = note.add(signature);
            added.map_err(|_| PublishError::Unfit { size })?;
        }
        self.publish(&note, log).map(|_| ())
    }

    /// Leaves out of the published checkpoint the signatures of others that `keep` does not want.
    pub fn retain(&mut self, keep: &dyn Fn(&NoteSignature) -> bool) -> Result<(), PublishError> {
        if let Some(note) = &mut self.published {
            note.retain(|signature| self.key.is_named_by(signature) || keep(signature));
            self.files.ensure(CHECKPOINT, note.to_string().as_bytes())?;
            self.files.sync_dirs()?;
        }
        Ok(())
    }

    /// The note with the signatures that the published one of the same text has already.
    fn merged(&self, note: &SignedNote) -> Result<SignedNote, PublishError> {
        let same = self.published.as_ref().filter(|p| p.text() == note.text());
        let Some(mut merged) = same.cloned() else {
            return Ok(note.clone());
        };
        for signature in note.signatures() {
            if !merged.signatures().contains(signature) {
                let added = merged.add(signature.clone());
                added.map_err(|_| PublishError::Unfit { size: self.size() })?;
            }
        }
        Ok(merged)
    }

    /// Compares every published file with the log and writes anew what differs; returns how many
    /// files that were.
    pub fn mend(&mut self, log: &dyn Leaves) -> Result<u64, PublishError> {
        let Some(checkpoint) = self
            .published
            .as_ref()
            .and_then(|note| Checkpoint::parse(note.text()).ok())
        else {
            return Ok(0);
        };
        let set_back = PublishError::SetBack {
            path: self.files.path(CHECKPOINT),
            size: checkpoint.size,
        };
        self.mend_to(&checkpoint, log, set_back)
    }

    fn mend_to(
        &mut self,
        checkpoint: &Checkpoint,
        log: &dyn Leaves,
        set_back: PublishError,
    ) -> Result<u64, PublishError> {
        let mut range = CompactRange::new();
        let mut fresh = Fresh::new(log, 0);
        fresh.each(0, checkpoint.size, |_, hash, _| {
            range.push(hash);
            Ok(())
        })?;
        if range.root() != checkpoint.root {
            return Err(set_back);
        }
        let before = self.files.written();
        let (edge, _) = self.write(Edge::new(), checkpoint.size, &mut fresh)?;
        self.files.sync_dirs()?;
        self.edge = edge;
        Ok(self.files.written() - before)
    }

    /// The root that the log's leaves give at `size`, on top of what is published.
    fn root_of_log(&self, size: u64, fresh: &mut Fresh<'_>) -> Result<Hash, PublishError> {
        let mut edge = self.edge.clone();
        fresh.each(edge.size(), size, |_, hash, _| {
            edge.push(hash, |_, _| Ok(()))
        })?;
        Ok(edge.root())
    }

    /// Writes the tiles and bundles between a tree's edge and `size`, full ones first; returns the
    /// edge then, and the tiles that have become full.
    fn write(
        &mut self,
        mut edge: Edge,
        size: u64,
        fresh: &mut Fresh<'_>,
    ) -> Result<(Edge, Vec<Tile>), PublishError> {
        let start = edge.size();
        // The bundle that is not full yet is read again; so is what no memory is kept of.
        let mut next = start - start % u64::from(WIDTH);
        let mut bundle = Vec::new();
        let mut superseded = Vec::new();
        while next < size {
            let whole = next - next % u64::from(WIDTH) + u64::from(WIDTH);
            let to = whole.min(size);
            let mut full = Vec::new();
            fresh.each(next, to, |leaf, hash, index| {
                if !tile::append_entry(&mut bundle, leaf) {
                    return Err(PublishError::Unfit { size });
                }
                if index < start {
                    let at = usize::try_from(index % u64::from(WIDTH)).unwrap_or_default();
                    let same = edge.level(0).get(at) == Some(&hash);
                    return same.then_some(()).ok_or(PublishError::Altered { size });
                }
                edge.push(hash, |tile, hashes| {
                    full.push((tile, hashes.concat()));
                    Ok(())
                })
            })?;
            let Some(tile) = Tile::in_tree(Layer::Entries, next / u64::from(WIDTH), to) else {
                return Err(PublishError::Unfit { size });
            };
            self.files.ensure(&tile.to_string(), &bundle)?;
            for (tile, hashes) in &full {
                self.files.ensure(&tile.to_string(), hashes)?;
            }
            // Only the first new tile of a level can have been published in part.
            let first_of_level =
                |tile: &Tile| Tile::full_tiles(tile.layer(), start) == tile.index();
            let of_hashes = full.iter().map(|(tile, _)| *tile);
            let done = of_hashes.chain([tile]).filter(Tile::is_full);
            superseded.extend(done.filter(first_of_level));
            bundle.clear();
            next = to;
        }
        for (tile, hashes) in edge.partial() {
            self.files.ensure(&tile.to_string(), &hashes.concat())?;
        }
        Ok((edge, superseded))
    }

    fn remove_superseded(&mut self) -> Result<(), PublishError> {
        while let Some(tile) = self.superseded.last() {
            self.files.remove_partial(*tile)?;
            self.superseded.pop();
        }
        Ok(())
    }

    /// The right edge as it stands in the directory, if that and the names of all full tiles are
    /// there; also remembers partial tiles that a crash has left.
    fn load(
        &mut self,
        checkpoint: &Checkpoint,
        log: &dyn Leaves,
    ) -> Result<Option<Edge>, PublishError> {
        let size = checkpoint.size;
        let source = Directory::new(self.files.disk(), self.files.path(""));
        // What the system fails to read is read, and told, when it is written anew.
        let Ok(reader) = TileReader::at(Arc::new(source), size, &checkpoint.root) else {
            return Ok(None);
        };
        let layers = (0..=TOP_LEVEL).map(Layer::Hashes);
        for layer in std::iter::once(Layer::Entries).chain(layers) {
            let full = Tile::full_tiles(layer, size);
            let Some(left) = self.files.full_tiles(layer, full)? else {
                return Ok(None);
            };
            self.superseded.extend(left);
        }
        let edge = reader.edge().clone();
        // The partial bundle, which the edge says nothing of but its hashes.
        for tile in Tile::partial(size) {
            let bytes = self.files.read(&tile.to_string())?;
            let whole = match tile.layer() {
                Layer::Entries => bytes == Some(fresh::partial_bundle(tile, size, log)?),
                Layer::Hashes(level) => bytes == Some(edge.level(level).concat()),
            };
            if !whole {
                return Ok(None);
            }
        }
        self.remove_superseded()?;
        Ok(Some(edge))
    }
}
