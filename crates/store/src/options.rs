//! What a store is opened with.

use std::sync::Arc;

use lgpki_ledger::{Disk, Identity, OsDisk, log::SEGMENT_BYTES};

use crate::publish::Publishing;

/// How an engine runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose log it is: the names, the node, the key that signs.
    pub log: Identity,
    /// The disk that the log is on.
    pub disk: Arc<dyn Disk>,
    /// Submissions that may wait to be decided.
    pub queue: usize,
    /// Bytes of entries after which a frame takes in no further submission.
    pub frame_bytes: usize,
    /// Changed keys after which the index is written.
    pub flush_keys: usize,
    /// Bytes of memory for the index's cache.
    pub cache_bytes: u64,
    /// Bytes after which the log begins a new file.
    pub segment_bytes: u64,
    /// How the logs are published below `audit` in the data directory, if they are.
    pub publish: Option<Publishing>,
}

impl Options {
    /// The defaults, for a log of the given identity.
    #[must_use]
    pub fn new(log: Identity) -> Self {
        Self {
            log,
            disk: Arc::new(OsDisk),
            queue: 1024,
            frame_bytes: 4 * 1024 * 1024,
            flush_keys: 16_384,
            cache_bytes: 64 * 1024 * 1024,
            segment_bytes: SEGMENT_BYTES,
            publish: None,
        }
    }

    /// The defaults of a service, whose logs are published.
    #[must_use]
    pub fn published(log: Identity) -> Self {
        Self {
            publish: Some(Publishing::default()),
            ..Self::new(log)
        }
    }
}
