//! The entry with which each log begins.
//!
//! It stands in the header of the segment that begins the log, not among the entries: it is leaf 0
//! of its tree and has no index. It names the final checkpoint of the log before, so that the logs of
//! the years are one chain.

use lgpki_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    entry::{Body, Stamp, decode, encode},
    error::EntryError,
    events,
    head::SignedHead,
    identity::{Identity, LogId},
};

/// A log was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The index of the first entry that is recorded after it. In the log of a year it is leaf 1.
    pub first: u64,
    /// The log's name, as its checkpoints say it.
    pub log: String,
    /// The final checkpoint of the log of the year before, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

impl Body for Opened {
    const KIND: &'static str = "log.opened";
}

events! {
    /// What a log says of itself.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum LogEvent {
        /// It was opened.
        Opened(Opened),
    }
}

impl Opened {
    /// Reads an opening entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let LogEvent::Opened(opened) = decode::<LogEvent>(0, bytes)?.event;
        Ok(opened)
    }
}

/// Writes the opening entry of `log`, which begins with entry `first` at `time`, after `previous`.
pub(crate) fn opening(
    identity: &Identity,
    log: LogId,
    first: u64,
    time: Timestamp,
    previous: Option<(i16, SignedHead)>,
) -> Result<Vec<u8>, EntryError> {
    let opened = Opened {
        first,
        log: identity.origin(log).to_string(),
        previous: previous_note(identity, previous),
    };
    let stamp = Stamp::new(time, identity.node());
    encode(identity.node(), &stamp, &LogEvent::from(opened))
}

/// What an opening entry says of the log before it.
pub(crate) fn previous_note(
    identity: &Identity,
    previous: Option<(i16, SignedHead)>,
) -> Option<String> {
    previous.map(|(year, head)| identity.checkpoint(LogId::Year(year), &head).to_string())
}
