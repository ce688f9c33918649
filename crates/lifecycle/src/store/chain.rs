//! The publications of one series of CRLs that still matter: the newest complete CRL, the newest
//! delta, and the complete ones that deltas may add to.
//!
//! A complete CRL stays a base while it was in force when the newest one was issued, so that
//! everything follows from the entries of the log and not from when they are read. Of those that come
//! in quick succession, as after many compromised keys, the first stands for all until the last of them
//! runs out: a delta to it holds a little more and serves whoever holds any of them. Where that leaves
//! many, as after the validity was shortened, those that follow closest are put together. So the
//! record stays small, however many are in force.

use lgpki_domain::{CrlNumber, Timestamp};
use lgpki_ledger::serial::text;
use serde::{Deserialize, Serialize};

use super::event::CrlPublished;
use crate::ports::{Base, Publication, PublicationStanding};

/// A publication and when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) crl: CrlPublished,
    #[serde(with = "text")]
    recorded_at: Timestamp,
}

/// What was published in one series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chain {
    newest: Option<Made>,
    delta: Option<Made>,
    /// Complete CRLs, oldest first.
    bases: Vec<Kept>,
}

/// The parts of a CRL's validity within which one base is kept.
const PARTS: i64 = 16;

/// Bases that are kept at most: a record of the index holds some 4,000 bytes.
const MOST: usize = 24;

/// A complete CRL that deltas may add to; times in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    number: u64,
    reflects: u64,
    this_update: i64,
    /// Until when it, or one that it stands for, is in force.
    until: i64,
}

impl Chain {
    /// The newest complete CRL.
    pub(crate) fn newest(&self) -> Option<&CrlPublished> {
        self.newest.as_ref().map(|made| &made.crl)
    }

    fn delta(&self) -> Option<&CrlPublished> {
        self.delta.as_ref().map(|made| &made.crl)
    }

    /// Revocations from this index of the log on may stand on a delta.
    pub(crate) fn oldest_base(&self) -> u64 {
        self.bases.first().map_or(0, |base| base.reflects)
    }

    /// Whether a publication may come next. Complete CRLs and deltas share one sequence of numbers
    /// and times, but for the delta that is issued together with a complete CRL (RFC 5280 §5.2.3).
    pub(crate) fn may_follow(&self, next: &Publication) -> bool {
        let after = |one: &CrlPublished| {
            one.number < next.number.0
                && one.this_update < next.this_update
                && one.reflects <= next.reflects
        };
        let Some(base) = next.base else {
            return self.newest().is_none_or(after) && self.delta().is_none_or(after);
        };
        let beside = |complete: &CrlPublished| {
            complete.number == next.number.0
                && complete.this_update == next.this_update
                && complete.reflects == next.reflects
        };
        let known = self.bases.iter().any(|one| one.number == base.0);
        let complete = self.newest().is_some_and(|one| after(one) || beside(one));
        known && complete && self.delta().is_none_or(after)
    }

    /// Takes note of a publication.
    pub(crate) fn take(&mut self, crl: CrlPublished, recorded_at: Timestamp) {
        let is_delta = crl.base.is_some();
        let kept = Kept {
            number: crl.number,
            reflects: crl.reflects,
            this_update: crl.this_update.as_millis(),
            until: crl.next_update.as_millis(),
        };
        let made = Some(Made { crl, recorded_at });
        if is_delta {
            self.delta = made;
            return;
        }
        self.newest = made;
        self.bases.retain(|base| base.until >= kept.this_update);
        let part = (kept.until - kept.this_update) / PARTS;
        match self.bases.last_mut() {
            Some(last) if kept.this_update - last.this_update < part => {
                last.until = last.until.max(kept.until);
            }
            _ => self.bases.push(kept),
        }
        if self.bases.len() > MOST {
            self.put_together();
        }
    }

    /// Has the base before stand for the one that was issued soonest after it.
    fn put_together(&mut self) {
        let apart = |at: &usize| self.bases[*at].this_update - self.bases[*at - 1].this_update;
        if let Some(at) = (1..self.bases.len()).min_by_key(apart) {
            let gone = self.bases.remove(at);
            let before = &mut self.bases[at - 1];
            before.until = before.until.max(gone.until);
        }
    }

    /// What is told of it.
    pub(crate) fn standing(&self, urgent: bool) -> PublicationStanding {
        let at = |made: &Option<Made>| made.as_ref().map(|made| made.recorded_at);
        PublicationStanding {
            newest: self.newest().map(Into::into),
            recorded_at: at(&self.newest),
            delta: self.delta().map(Into::into),
            delta_recorded_at: at(&self.delta),
            bases: self.bases.iter().map(base).collect(),
            urgent,
        }
    }
}

fn base(kept: &Kept) -> Base {
    Base {
        number: CrlNumber(kept.number),
        this_update: Timestamp::from_millis(kept.this_update),
        until: Timestamp::from_millis(kept.until),
        reflects: kept.reflects,
    }
}
