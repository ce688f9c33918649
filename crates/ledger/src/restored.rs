//! The entry that says that a log was restored from an older copy, and what came back.

use serde::{Deserialize, Serialize};

use crate::{
    EntryError,
    entry::{Body, NewEntry, Stamp, decode, encode},
    events,
    identity::Identity,
};

/// A log was restored from an older copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// Somebody took it upon them that entries which others may have seen are gone; left out where
    /// nothing is known to be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepts_loss: bool,
    /// In the issuer's log, where loss was accepted: CRL numbers up to this one count as used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_numbers_used: Option<u64>,
    /// How many entries the copy held.
    pub held: u64,
    /// The published checkpoint up to which entries were taken back, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// How many entries were taken back.
    pub taken_back: u64,
    /// Witnesses without whose word somebody let the service run: they did not say how much of the log
    /// they have seen, or, where loss was accepted, have seen more or another one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_witnesses: Vec<String>,
}

impl Body for Restored {
    const KIND: &'static str = "log.restored";
}

events! {
    /// What a restored log says of itself.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum RestoredEvent {
        /// It was restored.
        Restored(Restored),
    }
}

impl Restored {
    /// The entry that records it.
    pub fn entry(self, identity: &Identity, stamp: &Stamp) -> Result<NewEntry, EntryError> {
        Ok(NewEntry {
            bytes: encode(identity.node(), stamp, &RestoredEvent::from(self))?,
            time: stamp.time,
            ceremony: false,
        })
    }

    /// Reads such an entry; none of another kind.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let recorded = decode::<RestoredEvent>(0, bytes).ok()?;
        let RestoredEvent::Restored(restored) = recorded.event;
        Some(restored)
    }
}
