//! The leaves that a round publishes, read from the log once where they fit into memory.
//!
//! A round looks at them twice: whether they give the root that is to be published, before anything
//! is written, and then for the tiles. What was read and hashed at the first look is kept for the
//! second, up to a limit; what lies beyond it, as when a whole log is published anew, is read again.

use super::{Leaves, PublishError};
use crate::{
    merkle::{self, Hash},
    tile::{self, Tile, WIDTH},
};

/// Bytes of leaves that are asked for at once; at least one leaf comes.
const READ_BYTES: usize = 4 << 20;

/// Leaves that are asked for at once.
const READ_LEAVES: u64 = WIDTH as u64 * 16;

/// Bytes of leaves that are kept for the second look.
const KEPT_BYTES: usize = 16 << 20;

/// The leaves of a log from some number on.
pub(super) struct Fresh<'a> {
    log: &'a dyn Leaves,
    /// The number of the first one that is kept.
    from: u64,
    /// Without a gap, each with its hash.
    kept: Vec<(Vec<u8>, Hash)>,
    bytes: usize,
}

impl<'a> Fresh<'a> {
    /// Those of `log` that come from `from` on.
    pub(super) fn new(log: &'a dyn Leaves, from: u64) -> Self {
        Self {
            log,
            from,
            kept: Vec::new(),
            bytes: 0,
        }
    }

    /// Hands out the leaves from `from` to before `to`, each with its hash and its number.
    pub(super) fn each(
        &mut self,
        from: u64,
        to: u64,
        mut each: impl FnMut(&[u8], Hash, u64) -> Result<(), PublishError>,
    ) -> Result<(), PublishError> {
        let mut next = from;
        while next < to {
            if let Some((leaf, hash)) = self.kept(next) {
                each(leaf, *hash, next)?;
                next += 1;
                continue;
            }
            // What is kept is not read again.
            let stop = if next < self.from {
                to.min(self.from)
            } else {
                to
            };
            let wanted = usize::try_from((stop - next).min(READ_LEAVES)).unwrap_or(usize::MAX);
            let leaves = self.log.leaves(next, wanted, READ_BYTES)?;
            if leaves.is_empty() {
                return Err(PublishError::Unfit { size: to });
            }
            for leaf in leaves {
                let hash = merkle::leaf(&leaf);
                each(&leaf, hash, next)?;
                self.keep(next, leaf, hash);
                next += 1;
            }
        }
        Ok(())
    }

    fn kept(&self, number: u64) -> Option<&(Vec<u8>, Hash)> {
        let at = usize::try_from(number.checked_sub(self.from)?).ok()?;
        self.kept.get(at)
    }

    /// Keeps a leaf that follows those that are kept, while there is room.
    fn keep(&mut self, number: u64, leaf: Vec<u8>, hash: Hash) {
        let follows = number.checked_sub(self.from) == Some(self.kept.len() as u64);
        if follows && self.bytes < KEPT_BYTES {
            self.bytes += leaf.len();
            self.kept.push((leaf, hash));
        }
    }
}

/// The bytes of the partial bundle of a log of `size` entries.
pub(super) fn partial_bundle(
    tile: Tile,
    size: u64,
    log: &dyn Leaves,
) -> Result<Vec<u8>, PublishError> {
    let mut bundle = Vec::new();
    Fresh::new(log, size).each(tile.first_entry(), size, |leaf, _, _| {
        let appended = tile::append_entry(&mut bundle, leaf);
        appended.then_some(()).ok_or(PublishError::Unfit { size })
    })?;
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::LogError;

    /// Leaves of as many bytes as this, and how many were read.
    struct Counted(usize, Cell<u64>);

    impl Leaves for Counted {
        fn leaves(&self, from: u64, most: usize, _: usize) -> Result<Vec<Vec<u8>>, LogError> {
            self.1.set(self.1.get() + most as u64);
            let leaf = |n: u64| [n.to_be_bytes().as_slice(), &vec![0; self.0]].concat();
            Ok((from..from + most as u64).map(leaf).collect())
        }

        fn root_at(&self, _: u64) -> Result<Option<Hash>, LogError> {
            Ok(None)
        }
    }

    fn look(fresh: &mut Fresh<'_>, from: u64, to: u64) {
        let mut next = from;
        let told = fresh.each(from, to, |leaf, hash, number| {
            assert_eq!(number, next);
            assert_eq!(leaf[..8], number.to_be_bytes());
            assert_eq!(hash, merkle::leaf(leaf));
            next += 1;
            Ok(())
        });
        told.unwrap();
        assert_eq!(next, to);
    }

    #[test]
    fn what_fits_into_memory_is_read_once_but_for_what_stood_before() {
        let log = Counted(100, Cell::new(0));
        let mut fresh = Fresh::new(&log, 300);
        look(&mut fresh, 300, 9000);
        assert_eq!(log.1.get(), 8700);
        look(&mut fresh, 256, 9000);
        assert_eq!(log.1.get(), 8700 + 44);
        // Further on than anybody looked before.
        look(&mut fresh, 8999, 9100);
        assert_eq!(log.1.get(), 8700 + 44 + 100);
    }

    #[test]
    fn what_does_not_fit_is_read_again_and_is_the_same() {
        let log = Counted(1 << 20, Cell::new(0));
        let mut fresh = Fresh::new(&log, 0);
        look(&mut fresh, 0, 40);
        look(&mut fresh, 0, 40);
        assert_eq!(log.1.get(), 40 + 40 - 16);
        assert!(fresh.bytes < KEPT_BYTES + (2 << 20));
    }
}
