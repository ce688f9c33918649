//! The gate for delta CRLs: what a delta must hold beside the complete list that relying parties fetch
//! now, and beside the delta that they fetched so far.
//!
//! A delta may be used with every complete list numbered from its base on, so what was revoked after
//! the base was issued must stand on it (RFC 5280 §5.2.4). That is read from the published lists by
//! their dates, not from the inventory. Nothing is ever un-revoked here, so nothing leaves but by
//! its expiry or because a later base lists it.

use std::collections::{BTreeMap, BTreeSet};

use lgpki_domain::{CrlNumber, Serial, Timestamp};
use lgpki_x509::crl::{Contents, CrlSummary, RevocationList};

use super::{Refusal, Rule, Terms};
use crate::ports::Base;

/// What a new delta must follow.
#[derive(Debug)]
pub(crate) struct DeltaBefore<L> {
    /// The complete list that relying parties fetch now; none if there is none that can be read.
    pub(crate) complete: Option<CrlSummary>,
    /// What it lists as revoked after the base was issued.
    pub(crate) revoked_since: Vec<Serial>,
    /// The delta that relying parties fetch now.
    pub(crate) previous: Option<L>,
    /// The highest number and the latest thisUpdate of a delta that was published.
    pub(crate) newest: Option<(CrlNumber, Timestamp)>,
    /// The base that was chosen; none if no complete list is in force.
    pub(crate) base: Option<Base>,
    /// How many revocations lifecycle's log has got since the base.
    pub(crate) recorded: u64,
}

/// What a list says was revoked after `base` was issued, ascending.
pub(crate) fn revoked_since(list: &RevocationList, base: Timestamp) -> Vec<Serial> {
    // It was read whole before: every entry can be read.
    let entries = list.entries().flatten();
    let later = entries.filter(|entry| entry.revoked_at > base);
    later.map(|entry| entry.serial).collect()
}

/// What should stand on `next` by what relying parties fetch now, and does not, ascending.
pub(crate) fn missing(before: &DeltaBefore<RevocationList>, next: &Contents) -> Vec<Serial> {
    let stands = entries(next);
    let mut due: BTreeSet<_> = before.revoked_since.iter().copied().collect();
    if let (Some(previous), Some(base)) = (&before.previous, before.base) {
        // A later base lists what was revoked until it was issued.
        let moved = previous.summary().base != Some(base.number);
        let kept = entries(previous.contents()).into_iter();
        let kept = kept.filter(|(_, at)| !moved || *at > base.this_update);
        due.extend(kept.map(|(serial, _)| serial));
    }
    due.into_iter()
        .filter(|serial| !stands.contains_key(serial))
        .collect()
}

fn entries(list: &Contents) -> BTreeMap<Serial, Timestamp> {
    let entries = list.entries().flatten();
    entries
        .map(|entry| (entry.serial, entry.revoked_at))
        .collect()
}

/// Judges a delta that is not signed yet. `missing` is what [`missing`] found, each with the
/// certificate's notAfter as far as it is known.
pub(crate) fn judge_delta(
    terms: Terms<'_>,
    before: &DeltaBefore<RevocationList>,
    next: &Contents,
    missing: &[(Serial, Option<Timestamp>)],
) -> Result<(), Refusal> {
    let refuse = |rule, why: String| Err(Refusal { rule, why });
    let summary = next.summary();
    if !next.is_of(terms.key, terms.series.scope) {
        return refuse(Rule::Scope, "it is not the list of this scope".to_owned());
    }
    let Some(complete) = before.complete else {
        let why = "there is no complete list that it could add to".to_owned();
        return refuse(Rule::Base, why);
    };
    let known = before.base.map(|base| base.number);
    match summary.base {
        Some(base) if known == Some(base) && base <= complete.number => {}
        base => {
            let why = format!(
                "it is based on {} and should be on {}, and on none after {}, the complete list in \
                 force",
                told(base),
                told(known),
                complete.number
            );
            return refuse(Rule::Base, why);
        }
    }
    follows(before, summary, complete)?;
    let due = summary.this_update.plus_seconds(terms.validity_seconds);
    if summary.next_update != due {
        let why = format!("nextUpdate is {} and should be {due}", summary.next_update);
        return refuse(Rule::NextUpdate, why);
    }
    // It stood on the complete list issued past its expiry (RFC 5280 §3.3), unless a clock was ahead.
    let expired_before = complete.this_update.min(terms.now);
    let early = |end: Option<Timestamp>| end.is_none_or(|end| end >= expired_before);
    if let Some((serial, _)) = missing.iter().find(|(_, expiry)| early(*expiry)) {
        let why = format!("{serial} was revoked since the base and is missing");
        return refuse(Rule::Missing, why);
    }
    if summary.entries > before.recorded {
        let why = format!(
            "it lists {} certificates, and {} were revoked since the base",
            summary.entries, before.recorded
        );
        return refuse(Rule::Size, why);
    }
    Ok(())
}

fn told(number: Option<CrlNumber>) -> String {
    number.map_or_else(|| "nothing".to_owned(), |number| number.to_string())
}

/// Numbers and times: a delta is issued together with the complete list, and is numbered and dated
/// like it, or comes after it; and it comes after the delta before.
fn follows(
    before: &DeltaBefore<RevocationList>,
    next: CrlSummary,
    complete: CrlSummary,
) -> Result<(), Refusal> {
    let refuse = |rule, why: String| Err(Refusal { rule, why });
    if next.number < complete.number {
        let why = format!(
            "number {} comes before the complete list's, {}",
            next.number, complete.number
        );
        return refuse(Rule::Number, why);
    }
    let together = next.number == complete.number;
    let dated = if together {
        next.this_update == complete.this_update
    } else {
        next.this_update > complete.this_update
    };
    if !dated {
        let why = format!(
            "thisUpdate {} does not go with number {}: the complete list {} is of {}",
            next.this_update, next.number, complete.number, complete.this_update
        );
        return refuse(Rule::ThisUpdate, why);
    }
    let Some((number, this_update)) = before.newest else {
        return Ok(());
    };
    if next.number <= number {
        let why = format!("number {} does not come after {number}", next.number);
        return refuse(Rule::Number, why);
    }
    if next.this_update <= this_update {
        let why = format!("thisUpdate {} is not after {this_update}", next.this_update);
        return refuse(Rule::ThisUpdate, why);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
