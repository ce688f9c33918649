//! Reading many applications: pages of listings, and what changed lately.
//!
//! One look takes a bounded number of rows, for the writer waits meanwhile.

use lgpki_domain::{ApplicationId, BodyCode};
use lgpki_store::{Span, View};

use super::{
    applications::{Applications, Corrupt, id_of},
    command::Snapshot,
    record::{Record, branch_bytes, branch_key},
    tables::{APPLICATION, BRANCH},
};
use crate::ports::Filter;

/// Rows of a table that one look passes.
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
        let found = all
            .live_after(after)
            .filter(|(_, record)| matches(filter, record))
            .take(most)
            .map(|(id, _)| id);
        let found = snapshots(all, view, found)?;
        return Ok(Page { found, next: None });
    }
    match filter.branch {
        Some(branch) => branch_page(all, view, filter, (branch, after), most),
        None => whole_page(all, view, filter, after, most),
    }
}

fn branch_page(
    all: &Applications,
    view: &View<'_>,
    filter: &Filter,
    (branch, after): (BodyCode, Option<ApplicationId>),
    most: usize,
) -> Result<Page, Corrupt> {
    let mut span = Span::prefix(branch_bytes(Some(branch)));
    if let Some(after) = after {
        span = span.after(branch_key(Some(branch), after));
    }
    let mut page = Page::default();
    for (rows, (key, _)) in view.scan(BRANCH, &span).enumerate() {
        if page.found.len() == most || rows == ROWS {
            return Ok(page);
        }
        let id = key.get(4..).and_then(id_of);
        let id = id.ok_or("a branch's listing is unreadable")?;
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

fn whole_page(
    all: &Applications,
    view: &View<'_>,
    filter: &Filter,
    after: Option<ApplicationId>,
    most: usize,
) -> Result<Page, Corrupt> {
    let mut span = Span::all();
    if let Some(after) = after {
        span = span.after(after.to_bytes());
    }
    let mut page = Page::default();
    for (rows, (key, value)) in view.scan(APPLICATION, &span).enumerate() {
        if page.found.len() == most || rows == ROWS {
            return Ok(page);
        }
        let id = id_of(&key).ok_or("an application's key is unreadable")?;
        let record = Record::decode(&value)
            .ok_or_else(|| format!("the record of application {id} is unreadable"))?;
        if matches(filter, &record) {
            page.found.extend(all.find(view, id)?);
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
}
