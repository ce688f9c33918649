//! Reading many applications: pages of listings, and what changed lately.
//!
//! One look takes a bounded number of rows, for the writer waits meanwhile.

use lgpki_domain::ApplicationId;
use lgpki_store::View;

use super::{
    applications::{Applications, Corrupt},
    command::Snapshot,
    record::Record,
};
use crate::ports::Filter;

/// Applications that one look passes.
const ROWS: usize = 1000;

/// The states of live applications.
const LIVE: [&str; 6] = [
    "received",
    "examining",
    "approved",
    "queued",
    "issuing",
    "issued",
];

/// A part of a listing.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) found: Vec<Snapshot>,
    /// Where to look on, if there may be more.
    pub(super) next: Option<ApplicationId>,
}

/// What changed.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) found: Vec<Snapshot>,
    /// The index to go on from.
    pub(super) next: u64,
}

/// The next part of a listing; at most `most`.
pub(super) fn page(
    all: &Applications,
    view: &View<'_>,
    filter: &Filter,
    after: Option<ApplicationId>,
    most: usize,
) -> Result<Page, Corrupt> {
    let live_only =
        !filter.states.is_empty() && filter.states.iter().all(|state| LIVE.contains(state));
    if live_only {
        let (mut found, mut next) = (Vec::new(), None);
        for (rows, (id, record)) in all.live_after(after).enumerate() {
            if found.len() == most || rows == ROWS {
                let found = snapshots(all, view, found.into_iter())?;
                return Ok(Page { found, next });
            }
            if matches(filter, record) {
                found.push(id);
            }
            next = Some(id);
        }
        let found = snapshots(all, view, found.into_iter())?;
        return Ok(Page { found, next: None });
    }
    let mut page = Page::default();
    for (rows, id) in all.listing().after(filter.branch, after).enumerate() {
        if page.found.len() == most || rows == ROWS {
            return Ok(page);
        }
        let found = all.find(view, id)?;
        let found = found.ok_or_else(|| format!("application {id} of a listing is missing"))?;
        if matches(filter, &found.record) {
            page.found.push(found);
        }
        page.next = Some(id);
    }
    page.next = None;
    Ok(page)
}

/// The applications changed from `from` on, as far as memory knows; `None` if the log must tell.
pub(super) fn recent(
    all: &Applications,
    view: &View<'_>,
    filter: &Filter,
    (from, most): (u64, usize),
) -> Result<Option<Changes>, Corrupt> {
    let Some((ids, rest)) = all.recent().since(filter.branch, from, most) else {
        return Ok(None);
    };
    Ok(Some(Changes {
        found: distinct(all, view, filter, ids)?,
        next: rest.unwrap_or_else(|| view.next_index()),
    }))
}

/// The snapshots of those of `ids` that match, each once, in the order of their last mention.
pub(super) fn distinct(
    all: &Applications,
    view: &View<'_>,
    filter: &Filter,
    ids: Vec<ApplicationId>,
) -> Result<Vec<Snapshot>, Corrupt> {
    let mut seen = std::collections::HashSet::with_capacity(ids.len());
    let mut last: Vec<_> = ids
        .into_iter()
        .rev()
        .filter(|id| seen.insert(*id))
        .collect();
    last.reverse();
    // Most changes are of states that a watcher did not ask for; those are not copied.
    last.retain(|id| {
        let live = all.live(*id);
        live.is_none_or(|record| matches(filter, record))
    });
    let mut found = snapshots(all, view, last.into_iter())?;
    found.retain(|one| matches(filter, &one.record));
    Ok(found)
}

fn snapshots(
    all: &Applications,
    view: &View<'_>,
    ids: impl Iterator<Item = ApplicationId>,
) -> Result<Vec<Snapshot>, Corrupt> {
    ids.filter_map(|id| all.find(view, id).transpose())
        .collect()
}

fn matches(filter: &Filter, record: &Record) -> bool {
    (filter.branch.is_none() || filter.branch == record.branch)
        && (filter.states.is_empty() || filter.states.contains(&record.state.name()))
        && (filter.kinds.is_empty() || filter.kinds.contains(&record.kind))
        && (filter.sorts.is_empty() || filter.sorts.contains(&record.sort))
        && filter
            .renews
            .is_none_or(|serial| record.renewal.is_some_and(|of| of.serial == serial))
}
