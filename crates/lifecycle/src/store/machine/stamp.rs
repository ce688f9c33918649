//! The stamps of entries that answer another service's.

use lgpki_domain::Timestamp;
use lgpki_ledger::{EntryRef, Stamp};

/// By whom, and to which entry of which service's log it is the answer.
pub(super) fn answering(at: Timestamp, actor: impl Into<String>, log: &str, index: u64) -> Stamp {
    Stamp {
        answers: Some(EntryRef {
            index,
            log: log.to_owned(),
        }),
        ..Stamp::new(at, actor)
    }
}
