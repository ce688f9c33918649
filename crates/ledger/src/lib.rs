//! The append-only log: entries, frames, Merkle roots, replay.
//!
//! Every service's truth is its log; whatever else it keeps can be rebuilt from it. An entry is
//! canonical JSON of at most 65,535 bytes, stored byte for byte, and its Merkle leaf is the hash of
//! those bytes (RFC 6962 §2.1). A frame holds the entries of one or more whole commands and is the
//! unit of commit: after a crash it is there entirely or not at all, and with it the signed heads of
//! the logs that auditors see: one for each year, one for keys and ceremonies. This crate knows no
//! service's events, no runtime and no index; nothing in it ever changes or removes an entry.

pub mod canonical;
pub mod checkpoint;
mod continuation;
pub mod cosignature;
pub mod disk;
pub mod entry;
pub mod error;
mod events;
mod frame;
mod head;
mod header;
pub mod heal;
mod identity;
mod leaves;
pub mod log;
pub mod memory;
pub mod merkle;
mod mirror;
pub mod note;
mod opening;
pub mod proof;
pub mod publication;
pub mod published;
pub mod publisher;
mod reader;
mod recovery;
mod restored;
mod segment;
mod sequenced;
pub mod sequencer;
pub mod serial;
mod snapshot;
pub mod tile;
mod trees;
mod verify;
pub mod witness;

pub use checkpoint::Checkpoint;
pub use cosignature::WitnessKey;
pub use disk::{Disk, DiskFile, Held, OsDisk};
pub use entry::{
    About, Body, EntryRef, Event, MAX_ENTRY_BYTES, NewEntry, Recorded, Stamp, decode, encode,
};
pub use error::{EntryError, LogError};
pub use head::{Heads, SignedHead};
pub use heal::HealError;
pub use identity::{Identity, IdentityError, LogId, NotALog};
pub use log::{Appended, Log, Recovery};
pub use memory::MemoryDisk;
pub use mirror::Mirror;
pub use note::{KeyName, LogSigner, NoteError, NoteSigner, SignedNote, VerifierKey};
pub use opening::{LogEvent, Opened};
pub use proof::LogProof;
pub use published::{TileReader, TreeError};
pub use publisher::{PublishError, Publisher};
pub use reader::LogReader;
pub use restored::Restored;
pub use sequenced::{Evidence, Sequenced};
pub use sequencer::Sequencer;
pub use snapshot::Snapshot;
pub use tile::Tile;
pub use witness::{Submission, WitnessPolicy};

#[doc(hidden)]
pub use serde_json;
