//! Who waits for CRLs, and what is still missing of what they wait for.

use std::collections::BTreeSet;

use lgpki_domain::{Authority, CrlSeries};
use lgpki_proto::Failure;
use tokio::sync::oneshot;

use crate::ports::Publication;

/// Somebody who waits for a publication.
#[derive(Debug)]
pub(crate) struct Demand {
    /// Of which CA; none means all.
    pub(crate) authority: Option<Authority>,
    /// Where the answer goes.
    pub(crate) answer: oneshot::Sender<Result<Vec<Publication>, Failure>>,
}

impl Demand {
    /// What it waits for, of all that is published.
    pub(super) fn for_series<'a>(self, known: impl Iterator<Item = &'a CrlSeries>) -> Pending {
        let authority = self.authority;
        let wanted = |one: &&CrlSeries| authority.is_none_or(|it| it == one.key.authority);
        Pending {
            missing: known.filter(wanted).copied().collect(),
            done: Vec::new(),
            answer: self.answer,
        }
    }
}

/// A demand being met.
#[derive(Debug)]
pub(super) struct Pending {
    /// What is not published yet.
    pub(super) missing: BTreeSet<CrlSeries>,
    /// What is.
    pub(super) done: Vec<Publication>,
    pub(super) answer: oneshot::Sender<Result<Vec<Publication>, Failure>>,
}

impl Pending {
    /// Itself, unless all it waits for is published: then whoever asked is answered.
    pub(super) fn unless_met(mut self) -> Option<Self> {
        if !self.missing.is_empty() {
            return Some(self);
        }
        self.done.sort_by_key(Publication::list);
        // Whoever asked may have left.
        let _ = self.answer.send(Ok(self.done));
        None
    }
}
