//! Test doubles: a clock that stands until it is moved, randomness from a seed, a disk that fails,
//! a log key; and the outside tools that tests judge results with.
//!
//! For tests only; no product crate depends on this one except as a dev-dependency. Every double
//! is deterministic: the same test does the same thing each time it runs.

mod altered;
mod clock;
mod disk;
mod log;
mod random;
pub mod tool;

pub use altered::alter_first_entry;
pub use clock::ManualClock;
pub use disk::{Fault, FaultyDisk, Persisted};
pub use log::{log_identity, log_identity_with, log_signer};
pub use random::SeededRandom;

/// The self-signed certificate of another operator's CA, PEM: `C=JP, O=Japanese Government,
/// OU=BridgeCA`, P-256, valid for a hundred years; nobody has its key any more.
pub const BRIDGE_CA: &[u8] = include_bytes!("../data/bridge.pem");
