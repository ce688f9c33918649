//! Storage plumbing the services share: single writer, group commit, index engines, openings.
//!
//! A service's state is a [`Machine`]: commands are decided against it and yield events, applying
//! an event cannot fail, and the events are the service's log. An [`Engine`] runs one machine: it
//! lets one thread decide, commits what has gathered with one sync, and acknowledges only then. The
//! index (ordered tables of small values) is written behind and can always be rebuilt from the log.
//! This crate knows no service and no wire format, and never acknowledges what is not durable.

mod commit;
mod counts;
mod engine;
mod error;
mod flush;
mod heartbeat;
mod index;
mod machine;
mod mark;
mod metrics;
mod open;
mod openings;
mod options;
mod overlay;
mod packed;
mod publish;
mod replica;
pub mod seal;
mod tail;
mod view;
mod witness;
mod write;

pub use engine::Engine;
pub use error::StoreError;
pub use heartbeat::{Counted, Heartbeat, Rhythm};
pub use machine::{Decision, Machine};
pub use open::OpenReport;
pub use openings::{Opening, OpeningStore, commit};
pub use options::Options;
pub use packed::MAX_RECORD_BYTES;
pub use publish::{Hold, Publication, Publishing, WitnessDispute, WitnessStanding, Witnessed};
pub use replica::{Beside, Replica};
pub use view::{Scan, Span, Tables, View};
pub use witness::{
    Answer, Carried, Carrier, Post, Prove, Question, WitnessLimits, Witnessing, Word,
    ask as ask_witnesses,
};
