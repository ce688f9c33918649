//! What has been applied but is not yet in the index on disk.
//!
//! Two layers: `dirty` takes the writes; `frozen` is being flushed meanwhile. A key's newest value
//! wins, so a value overwritten before a flush costs no write at all.

use std::{collections::BTreeMap, sync::Arc};

/// Changed keys; `None` where a key was deleted.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The layers over the index.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) dirty: Changes,
    pub(crate) frozen: Option<Arc<Changes>>,
}

impl Overlay {
    /// The newest change of a key; `None` if the index has the word.
    pub(crate) fn find(&self, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.dirty
            .get(key)
            .or_else(|| self.frozen.as_ref()?.get(key))
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
