//! Where a service's logs stand, as one row of a table holds it.
//!
//! ```text
//! "LGQ1" | a segment's header that opens nothing
//! the head of the year's log: size u64 | root, 32 bytes | signature, 64 bytes;  of that of keys likewise
//! CRC-32C u32
//! ```
//! It says of the entries only what the next ones need: the right edges of both trees.

use super::error::SequenceError;
use crate::{
    frame::part,
    head::{HEAD_BYTES, Heads, SignedHead},
    header::{FIXED_BYTES, Header},
    merkle::Hash,
    trees::Trees,
};

pub(super) const MAGIC: &[u8; 4] = b"LGQ1";

/// The most bytes that a state has: 64 peaks of either tree.
pub const MOST_BYTES: usize =
    MAGIC.len() + FIXED_BYTES + 2 * 64 * size_of::<Hash>() + 2 * 2 + 4 + 2 * HEAD_BYTES + 4;

/// The trees and the newest heads after some entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The year's has an entry.
    pub(super) trees: Trees,
    pub(super) heads: Heads,
}

impl State {
    /// The index after the newest entry.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.heads.end
    }

    /// The newest heads.
    #[must_use]
    pub const fn heads(&self) -> &Heads {
        &self.heads
    }

    /// Its bytes, [`MOST_BYTES`] at most.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&super::goes_on(&self.trees).write());
        self.heads.entries.write(&mut out);
        self.heads.keys.write(&mut out);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    /// Reads a state back. Believes nothing of it but its form: see
    /// [`Sequencer::resume`](super::Sequencer::resume).
    pub fn parse(bytes: &[u8]) -> Result<Self, SequenceError> {
        parse(bytes).ok_or(SequenceError::Form)
    }
}

fn parse(bytes: &[u8]) -> Option<State> {
    if bytes.len() > MOST_BYTES {
        return None;
    }
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
        return None;
    }
    let body = body.strip_prefix(MAGIC)?;
    let (Header { trees, opening, .. }, length) = Header::parse(body)?;
    let heads = body.get(usize::try_from(length).ok()?..)?;
    let heads: [u8; 2 * HEAD_BYTES] = heads.try_into().ok()?;
    let heads = Heads {
        end: trees.next(),
        year: trees.year,
        entries: SignedHead::parse(&part::<HEAD_BYTES>(&heads, 0)?)?,
        keys: SignedHead::parse(&part::<HEAD_BYTES>(&heads, HEAD_BYTES)?)?,
    };
    // A log that is only opened has no head, and no state.
    opening.is_none().then_some(State { trees, heads })
}
