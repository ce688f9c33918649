//! That a log continues a beginning of itself, proved from its entries alone.
//!
//! Where a log is published, proofs are made from its tiles. A log that was just restored has none yet;
//! then the subtrees that a proof needs are computed from the leaves, each of which is read once.

use crate::{
    error::LogError,
    identity::LogId,
    merkle::{self, CompactRange, Hash},
    proof::{self, HashReader},
    published::TreeError,
    reader::LogReader,
};

/// Leaves and bytes read at once.
const LEAVES: u64 = 4096;
const BYTES: usize = 4 << 20;

/// The leaves of one log.
struct Leaves<'a>(&'a LogReader, LogId);

impl HashReader for Leaves<'_> {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        let (first, count) = (index << level, 1 << level);
        let mut range = CompactRange::new();
        while range.size() < count {
            let next = first + range.size();
            let most = usize::try_from((count - range.size()).min(LEAVES)).unwrap_or_default();
            let leaves = self.0.leaves(self.1, next, most, BYTES).map_err(read)?;
            if leaves.is_empty() {
                return Err(TreeError::Beyond {
                    index: next,
                    size: next,
                });
            }
            for leaf in leaves {
                range.push(merkle::leaf(&leaf));
            }
        }
        Ok(range.root())
    }
}

impl LogReader {
    /// The proof that the first `new` leaves of a log continue its first `old` ones, of which there is
    /// at least one (RFC 6962 §2.1.2).
    pub fn consistency(&self, log: LogId, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
        proof::consistency(&Leaves(self, log), old, new)
    }
}

fn read(error: LogError) -> TreeError {
    match error {
        LogError::Io { path, source, .. } => TreeError::Io { path, source },
        other => TreeError::Damaged {
            path: String::from("the log"),
            what: other.to_string(),
        },
    }
}
