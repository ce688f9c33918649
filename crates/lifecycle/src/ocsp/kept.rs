//! Answers that were signed and may be given again: a bounded number, none past half its time.
//!
//! An answer is found only by the status that it says, so that a revoked certificate's old answer is
//! never given, whoever forgot to drop it. Answers that were asked for again are hot: they are
//! signed anew before they go stale; the others leave.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::body::Bytes;
use lgpki_domain::{Digest, Serial, Timestamp};
use lgpki_x509::ocsp::Status;

/// A signed answer.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// The OCSPResponse in DER.
    pub(crate) body: Bytes,
    /// SHA-256 of it.
    pub(crate) digest: Digest,
    /// SHA-256 of the tbsResponseData.
    pub(crate) tbs_digest: Digest,
    /// When it was known to be so.
    pub(crate) this_update: Timestamp,
    /// By when there is a newer one.
    pub(crate) next_update: Timestamp,
}

impl Signed {
    /// From when on it is not given any more but signed anew.
    fn half_time(&self) -> Timestamp {
        let (from, to) = (self.this_update.as_seconds(), self.next_update.as_seconds());
        Timestamp::from_seconds(from + (to - from) / 2)
    }
}

#[derive(Debug)]
struct Entry {
    serial: Serial,
    status: Status,
    signed: Signed,
    asked_again: bool,
}

/// A certificate whose answer is to be kept, or signed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The CertID in DER.
    pub(crate) id: Vec<u8>,
    /// The certificate's serial number.
    pub(crate) serial: Serial,
}

/// The answers kept, by CertID.
#[derive(Debug)]
pub(crate) struct Kept {
    most: usize,
    entries: Mutex<HashMap<Vec<u8>, Entry>>,
}

impl Kept {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            entries: Mutex::default(),
        }
    }

    /// The answer about `id` that says `status`, if it is not past half its time.
    pub(crate) fn find(&self, id: &[u8], status: Status, now: Timestamp) -> Option<Signed> {
        let mut entries = self.entries();
        let entry = entries.get_mut(id)?;
        if entry.status != status {
            entries.remove(id);
            return None;
        }
        entry.asked_again = true;
        (now >= entry.signed.this_update && now < entry.signed.half_time())
            .then(|| entry.signed.clone())
    }

    /// Keeps an answer, unless there are too many.
    pub(crate) fn keep(&self, Due { id, serial }: Due, status: Status, signed: Signed) {
        let mut entries = self.entries();
        if entries.len() >= self.most && !entries.contains_key(&id) {
            return;
        }
        let entry = Entry {
            serial,
            status,
            signed,
            asked_again: false,
        };
        entries.insert(id, entry);
    }

    /// What was asked for again and comes to half its time within a tenth of it; what has come there
    /// without being asked for leaves.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        self.entries().retain(|id, entry| {
            let half = entry.signed.half_time();
            let ahead = (half.as_seconds() - entry.signed.this_update.as_seconds()) / 10;
            if now.plus_seconds(ahead) < half {
                return true;
            }
            if entry.asked_again {
                due.push(Due {
                    id: id.clone(),
                    serial: entry.serial,
                });
            }
            entry.asked_again
        });
        due
    }

    /// How many answers are kept.
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
