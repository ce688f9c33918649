//! The index under the overlay: ordered keys with the log position that they reflect.

mod sled;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use self::sled::SledIndex;
use crate::{overlay::Changes, view::KeyRange};

/// The engine's own key, in table number 0.
pub(crate) const META_KEY: &[u8] = &[0];

/// What an index says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// Entries of the log whose effects it holds.
    pub(crate) position: u64,
    /// The leaf hash of the last of them, so that another log's index is recognised.
    pub(crate) anchor: [u8; 32],
    /// How many of them are of each kind.
    #[serde(default)]
    pub(crate) counts: BTreeMap<String, u64>,
    /// The machine's version of the tables' content.
    pub(crate) state_version: u32,
    /// The machine's tables.
    pub(crate) tables: Vec<String>,
}

/// The entries of a range of an index.
pub(crate) type Range<'a> =
    Box<dyn DoubleEndedIterator<Item = Result<(Vec<u8>, Vec<u8>), String>> + 'a>;

/// An engine for the index.
pub(crate) trait IndexBase: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String>;

    /// The keys of a range.
    fn range(&self, range: KeyRange) -> Range<'_>;

    /// Makes the changes and notes `meta`, all or none even if the process is killed.
    fn write(&self, changes: &Changes, meta: &[u8]) -> Result<(), String>;

    /// Hands all that was written to the system, so that a kill no longer undoes it.
    fn hand_over(&self) -> Result<(), String>;

    /// Writes everything out for the next opening; reads fail afterwards.
    fn close(&self) -> Result<(), String>;
}

/// No index: everything stays in the overlay, and is replayed from the log when it is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoIndex;

impl IndexBase for NoIndex {
    fn get(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn range(&self, _range: KeyRange) -> Range<'_> {
        Box::new(std::iter::empty())
    }

    fn write(&self, _changes: &Changes, _meta: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn hand_over(&self) -> Result<(), String> {
        Ok(())
    }

    fn close(&self) -> Result<(), String> {
        Ok(())
    }
}
