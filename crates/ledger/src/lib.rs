//! The append-only log: entries, frames, Merkle roots, replay.
