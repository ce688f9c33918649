//! The heads of a service's logs: what a frame makes durable together with its entries.
//!
//! A head is signed once, before the write that commits it, and never again: whatever publishes it
//! later takes the signature from the frame.

use crate::{identity::LogId, merkle::Hash};

/// The bytes of a head.
pub(crate) const HEAD_BYTES: usize = 8 + 32 + 64;

/// A tree's size, its root, and the signature of the checkpoint that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// Leaves, the opening entry among them.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Hash,
    /// Ed25519 over the checkpoint's text.
    pub signature: [u8; 64],
}

impl SignedHead {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.size.to_be_bytes());
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&self.signature);
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let (root, rest) = rest.split_first_chunk::<32>()?;
        Some(Self {
            size: u64::from_be_bytes(*size),
            root: *root,
            signature: rest.try_into().ok()?,
        })
    }
}

/// The newest heads of a service's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The index after the newest entry.
    pub end: u64,
    /// The year of the log that grows.
    pub year: i16,
    /// The head of that log.
    pub entries: SignedHead,
    /// The head of the log of keys and ceremonies.
    pub keys: SignedHead,
}

impl Heads {
    /// Both heads, each with its log.
    pub(crate) fn each(&self) -> [(LogId, &SignedHead); 2] {
        [
            (LogId::Year(self.year), &self.entries),
            (LogId::Keys, &self.keys),
        ]
    }
}
