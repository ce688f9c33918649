//! Proofs over the tree (RFC 6962 §2.1.1 and §2.1.2): that an entry is in it, that it continues an
//! earlier one.
//!
//! Making a proof asks for the roots of a logarithmic number of perfect subtrees; checking one
//! needs only what the checker holds already. The checks are those of RFC 9162 §2.1.3.2 and
//! §2.1.4.2.

mod text;

use crate::{
    merkle::{CompactRange, Hash, node},
    published::TreeError,
};

pub use self::text::LogProof;

/// Where the hashes of a tree's perfect subtrees are found.
pub trait HashReader {
    /// The root of the subtree over the 2^`level` entries from `index` · 2^`level` on.
    fn hash(&self, level: u8, index: u64) -> Result<Hash, TreeError>;
}

/// A stretch of entries, from the first to before the second.
type Stretch = (u64, u64);

/// The proof that entry `index` is in the tree of the first `size` entries: hashes from the leaf's
/// neighbour up.
pub fn inclusion(reader: &impl HashReader, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
    if index >= size {
        return Err(TreeError::Beyond { index, size });
    }
    let mut stretches = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            stretches.push((middle, end));
            end = middle;
        } else {
            stretches.push((start, middle));
            start = middle;
        }
    }
    roots(reader, &stretches)
}

/// The proof that the tree of the first `new` entries continues that of the first `old`; empty if
/// the one is the other. There is none for the tree of no entries, which everything continues.
pub fn consistency(reader: &impl HashReader, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
    if old == 0 || old > new {
        return Err(TreeError::Beyond {
            index: old,
            size: new,
        });
    }
    let mut stretches = Vec::new();
    let (mut start, mut end) = (0, new);
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            stretches.push((middle, end));
            end = middle;
        } else {
            stretches.push((start, middle));
            start = middle;
        }
    }
    // The old tree's own root is known to whoever checks.
    if start > 0 {
        stretches.push((start, end));
    }
    roots(reader, &stretches)
}

/// RFC 6962 §2.1: the largest power of two below `entries`, of which there are at least two.
const fn split(entries: u64) -> u64 {
    1 << (entries - 1).ilog2()
}

/// The stretches' roots, the last one's first.
fn roots(reader: &impl HashReader, stretches: &[Stretch]) -> Result<Vec<Hash>, TreeError> {
    let roots = stretches.iter().rev();
    roots.map(|stretch| root(reader, *stretch)).collect()
}

/// The root over a stretch, which begins where subtrees of its size may begin.
pub fn root(reader: &impl HashReader, (start, end): (u64, u64)) -> Result<Hash, TreeError> {
    let mut at = start;
    let mut peaks = Vec::new();
    while at < end {
        let level = (end - at).ilog2();
        peaks.push(reader.hash(u8::try_from(level).unwrap_or(u8::MAX), at >> level)?);
        at += 1 << level;
    }
    let range = CompactRange::from_peaks(end.saturating_sub(start), peaks);
    Ok(range.unwrap_or_default().root())
}

const SHORT: TreeError = TreeError::Proof("it has too few hashes");
const LONG: TreeError = TreeError::Proof("it has too many hashes");

/// Accepts `proof` if it shows that the entry of the hash `leaf` is number `index` of the tree of
/// this size and root.
pub fn check_inclusion(
    leaf: &Hash,
    index: u64,
    (size, root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), TreeError> {
    if index >= size {
        return Err(TreeError::Beyond { index, size });
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for neighbour in proof {
        if last == 0 {
            return Err(LONG);
        }
        if at % 2 == 1 || at == last {
            hash = node(neighbour, &hash);
            let up = if at % 2 == 1 { 0 } else { at.trailing_zeros() };
            // An edge without a right neighbour is its parent.
            at = at.checked_shr(up).unwrap_or(0);
            last = last.checked_shr(up).unwrap_or(0);
        } else {
            hash = node(&hash, neighbour);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(SHORT);
    }
    if hash == *root {
        Ok(())
    } else {
        Err(TreeError::Proof(
            "the entry is not in this tree at this place",
        ))
    }
}

/// Accepts `proof` if it shows that the tree of the second size and root continues that of the
/// first.
pub fn check_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), TreeError> {
    let differs = TreeError::Proof("the later tree does not continue the earlier one");
    if old > new {
        return Err(TreeError::Beyond {
            index: old,
            size: new,
        });
    }
    if old == new || old == 0 {
        let empty = CompactRange::new().root();
        let same = if old == new { new_root } else { &empty };
        return match proof {
            [] if old_root == same => Ok(()),
            [] => Err(differs),
            _ => Err(LONG),
        };
    }
    let (before, after) = led_to((old, old_root), new, proof)?;
    if before == *old_root && after == *new_root {
        Ok(())
    } else {
        Err(differs)
    }
}

/// Whether two trees are shown to be of two histories: both are of one size, or `proof` leads to the
/// later one's root and to a beginning of it that is not the earlier one. A proof that leads nowhere
/// shows nothing, nor does one from a perfect subtree, which is not among its hashes.
#[must_use]
pub fn shows_fork(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> bool {
    if old == new {
        return old_root != new_root;
    }
    if old == 0 || old > new {
        return false;
    }
    let roots = led_to((old, old_root), new, proof);
    roots.is_ok_and(|(before, after)| before != *old_root && after == *new_root)
}

/// The root of the first `old` entries of the tree of this size and root, where the proof shows it:
/// whoever knows another root of so many entries knows of a fork. None of a proof that does not reach
/// the tree, and none of perfect subtrees, whose own root stands in no proof.
#[must_use]
pub fn earlier_root(old: u64, (new, new_root): (u64, &Hash), proof: &[Hash]) -> Option<Hash> {
    if old == 0 || old >= new || old.is_power_of_two() {
        return None;
    }
    // The root that is given counts for perfect subtrees alone.
    let (before, after) = led_to((old, new_root), new, proof).ok()?;
    (after == *new_root).then_some(before)
}

/// The roots to which a proof leads, at the old size, which is neither 0 nor the new one, and at the new
/// one.
fn led_to(
    (old, old_root): (u64, &Hash),
    new: u64,
    proof: &[Hash],
) -> Result<(Hash, Hash), TreeError> {
    let mut proof = proof.iter();
    // An old tree that is one perfect subtree proves itself.
    let first = if old.is_power_of_two() {
        Some(old_root)
    } else {
        proof.next()
    };
    let first = *first.ok_or(SHORT)?;
    let up = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> up, (new - 1) >> up);
    let (mut before, mut after) = (first, first);
    for neighbour in proof {
        if last == 0 {
            return Err(LONG);
        }
        if at % 2 == 1 || at == last {
            before = node(neighbour, &before);
            after = node(neighbour, &after);
            let up = if at % 2 == 1 { 0 } else { at.trailing_zeros() };
            at = at.checked_shr(up).unwrap_or(0);
            last = last.checked_shr(up).unwrap_or(0);
        } else {
            after = node(&after, neighbour);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(SHORT);
    }
    Ok((before, after))
}

#[cfg(test)]
mod tests;
