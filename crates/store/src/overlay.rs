//! What has been applied but is not yet in the index on disk.
//!
//! Two layers: `dirty` takes the writes; `frozen` is being flushed meanwhile. A key's newest value
//! wins, so a value overwritten before a flush costs no write at all. Whoever compares tables while they
//! are written can have it kept in mind which keys were.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Changed keys; `None` where a key was deleted.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The layers over the index.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) dirty: Changes,
    pub(crate) frozen: Option<Arc<Changes>>,
    watched: Watched,
}

/// The keys that were written since somebody began to watch.
#[derive(Debug, Default)]
struct Watched {
    keys: BTreeSet<Vec<u8>>,
    watchers: usize,
}

impl Overlay {
    /// The newest change of a key; `None` if the index has the word.
    pub(crate) fn find(&self, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.dirty
            .get(key)
            .or_else(|| self.frozen.as_ref()?.get(key))
    }

    /// Sets the value of a key, or deletes it.
    pub(crate) fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.note(&key);
        self.dirty.insert(key, value);
    }

    /// The value of a key that was written since the last flush, to change it in place.
    pub(crate) fn written(&mut self, key: &[u8]) -> Option<&mut Option<Vec<u8>>> {
        self.note(key);
        self.dirty.get_mut(key)
    }

    fn note(&mut self, key: &[u8]) {
        if self.watched.watchers > 0 && !self.watched.keys.contains(key) {
            self.watched.keys.insert(key.to_vec());
        }
    }

    /// From now on, keeps in mind which keys are written.
    pub(crate) fn watch(&mut self) {
        self.watched.watchers += 1;
    }

    /// The keys that were written since the first who still watches began to.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.watched.keys.iter()
    }

    /// One fewer watches.
    pub(crate) fn unwatch(&mut self) {
        self.watched.watchers = self.watched.watchers.saturating_sub(1);
        if self.watched.watchers == 0 {
            self.watched.keys.clear();
        }
    }

    /// Moves the dirty keys to the frozen layer, which must be empty.
    pub(crate) fn freeze(&mut self) -> Arc<Changes> {
        let frozen = Arc::new(std::mem::take(&mut self.dirty));
        self.frozen = Some(Arc::clone(&frozen));
        frozen
    }

    /// Drops the frozen layer, for the index holds it now.
    pub(crate) fn thaw(&mut self) {
        self.frozen = None;
    }
}
