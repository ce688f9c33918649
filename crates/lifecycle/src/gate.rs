//! The gate before publication: a pure comparison of a new CRL with the one that relying parties
//! fetch now.
//!
//! It stands between the writer and the CA key, and does not believe the inventory: what was listed
//! must still be listed unless its certificate had expired before the last CRL that listed it was
//! issued (RFC 5280 §3.3) and has expired by the clock of now, numbers rise, times go forward, and a list grows by no more than the
//! revocations that were recorded meanwhile. What it refuses is never signed; the old CRL stays and an alarm is raised.

mod delta;

use std::iter::Peekable;

use lgpki_domain::{CrlNumber, CrlSeries, Serial, Timestamp};
use lgpki_x509::{Issuer as CaKey, crl::Contents};

pub(crate) use self::delta::{DeltaBefore, judge_delta, missing, revoked_since};

/// A rule that a CRL can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// It is another scope's list.
    Scope,
    /// A delta adds to no complete list that relying parties may hold.
    Base,
    /// Its number is not above the one before.
    Number,
    /// Its thisUpdate is not after the one before.
    ThisUpdate,
    /// Its nextUpdate is not what the schedule says.
    NextUpdate,
    /// A revoked certificate is gone from it too early.
    Missing,
    /// It grew by more than was recorded, or holds what is not to be read.
    Size,
    /// The CA did not sign it.
    Signature,
}

impl Rule {
    /// The stable name, for logs, metrics and alarms.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scope => "scope",
            Self::Base => "base",
            Self::Number => "number",
            Self::ThisUpdate => "this-update",
            Self::NextUpdate => "next-update",
            Self::Missing => "missing",
            Self::Size => "size",
            Self::Signature => "signature",
        }
    }
}

/// Why a CRL is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) rule: Rule,
    pub(crate) why: String,
}

/// What a new CRL must follow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before<L> {
    /// The highest number that was published.
    pub(crate) number: Option<CrlNumber>,
    /// The latest thisUpdate that was published.
    pub(crate) this_update: Option<Timestamp>,
    /// The latest thisUpdate of a complete CRL on record. The one that relying parties fetch now may
    /// be older, if it was restored from a copy.
    pub(crate) newest: Option<Timestamp>,
    /// The CRL that relying parties fetch now.
    pub(crate) list: Option<L>,
    /// How many entries may have come since that one: the revocations of this series that lifecycle's
    /// log has got, and what that one had let go under a clock that was ahead; none if that is not
    /// known.
    pub(crate) recorded: Option<u64>,
}

/// What the new CRL is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) key: &'a CaKey,
    pub(crate) series: CrlSeries,
    /// nextUpdate less thisUpdate, in seconds.
    pub(crate) validity_seconds: i64,
    /// The time now.
    pub(crate) now: Timestamp,
}

/// Judges a list that is not signed yet. `gone` is what [`gone`] found, each with the certificate's
/// notAfter as far as it is known.
pub(crate) fn judge(
    terms: Terms<'_>,
    before: &Before<&Contents>,
    next: &Contents,
    gone: &[(Serial, Option<Timestamp>)],
) -> Result<(), Refusal> {
    let refuse = |rule, why: String| Err(Refusal { rule, why });
    let summary = next.summary();
    if !next.is_of(terms.key, terms.series.scope) {
        return refuse(Rule::Scope, "it is not the list of this scope".to_owned());
    }
    if let Some(number) = before.number.filter(|number| summary.number <= *number) {
        let why = format!("number {} does not come after {number}", summary.number);
        return refuse(Rule::Number, why);
    }
    if let Some(at) = before.this_update.filter(|at| summary.this_update <= *at) {
        let why = format!("thisUpdate {} is not after {at}", summary.this_update);
        return refuse(Rule::ThisUpdate, why);
    }
    let due = summary.this_update.plus_seconds(terms.validity_seconds);
    if summary.next_update != due {
        let why = format!("nextUpdate is {} and should be {due}", summary.next_update);
        return refuse(Rule::NextUpdate, why);
    }
    let Some(previous) = before.list else {
        return Ok(());
    };
    let previous = previous.summary();
    // The last one may have been issued under a clock that was ahead.
    let issued = before.newest.unwrap_or_default().max(previous.this_update);
    let expired_before = issued.min(terms.now);
    let early = |expiry: Option<Timestamp>| expiry.is_none_or(|end| end >= expired_before);
    if let Some((serial, _)) = gone.iter().find(|(_, expiry)| early(*expiry)) {
        let why = format!(
            "{serial} was listed and is missing, though it has not expired or not stood on a CRL \
             issued after its expiry"
        );
        return refuse(Rule::Missing, why);
    }
    let most = before
        .recorded
        .map(|recorded| previous.entries.saturating_add(recorded));
    if let Some(most) = most.filter(|most| summary.entries > *most) {
        let why = format!(
            "it lists {} certificates; with all that was recorded since the last one there are no \
             more than {most}",
            summary.entries
        );
        return refuse(Rule::Size, why);
    }
    Ok(())
}

/// One walk along two lists, for what the one before lists and the next one does not. The next one's
/// serial numbers may come while it is being made.
#[derive(Debug)]
pub(crate) struct Walk<I: Iterator<Item = Serial>> {
    previous: Peekable<I>,
    gone: Vec<Serial>,
}

impl<I: Iterator<Item = Serial>> Walk<I> {
    /// Along what the list before lists, ascending.
    pub(crate) fn along(previous: I) -> Self {
        Self {
            previous: previous.peekable(),
            gone: Vec::new(),
        }
    }

    /// The next list's next entry, ascending.
    pub(crate) fn meet(&mut self, kept: Serial) {
        while let Some(gone) = self.previous.next_if(|listed| *listed < kept) {
            self.gone.push(gone);
        }
        self.previous.next_if_eq(&kept);
    }

    /// What is gone, ascending.
    pub(crate) fn finish(mut self) -> Vec<Serial> {
        self.gone.extend(self.previous);
        self.gone
    }
}

/// What `previous` lists and `next` does not, ascending.
pub(crate) fn gone(previous: &Contents, next: &Contents) -> Vec<Serial> {
    let mut walk = Walk::along(previous.serials());
    next.serials().for_each(|serial| walk.meet(serial));
    walk.finish()
}

#[cfg(test)]
mod tests;
