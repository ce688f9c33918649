//! Reading the registry: entries, versions, changes.

use lgpki_domain::{BodyCode, addressee::AddresseeId};
use lgpki_store::{Span, View};

use super::record::{Entry, Record, body_key, change_of, entry, id_key, id_of, parse, version_key};
use crate::{
    ports::{AddresseeChanges, AddresseeFilter, AddresseeVersion},
    store::{
        applications::Corrupt,
        directory::Directories,
        tables::{ADDRESSEE, ADDRESSEE_CHANGE, ADDRESSEE_VERSION},
    },
};

/// Rows looked at in one go, for the writer waits meanwhile.
const ROWS: usize = 500;

/// A part of a listing.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) found: Vec<AddresseeVersion>,
    /// The last entry looked at, if there may be more.
    pub(super) next: Option<AddresseeId>,
}

/// A version as readers see it.
pub(super) fn version(
    directories: &Directories,
    id: AddresseeId,
    record: Record,
) -> Result<AddresseeVersion, Corrupt> {
    let body = directories.body(id.body()).cloned();
    let body = body.ok_or_else(|| format!("the body of addressee {id} is missing"))?;
    Ok(AddresseeVersion {
        id,
        version: record.version,
        content: record.content.content(),
        contact: record.content.contact,
        registered_at: record.registered_at,
        changed_at: record.changed_at,
        changed_by: record.changed_by,
        ended: record.ended,
        unit_is_registered: directories.has_unit(id.body(), &record.content.unit),
        body,
    })
}

/// One version of an entry.
pub(super) fn one_version(
    directories: &Directories,
    view: &View<'_>,
    id: AddresseeId,
    number: u32,
) -> Result<AddresseeVersion, Corrupt> {
    let row = view.get(ADDRESSEE_VERSION, &version_key(id, number));
    let row = row.ok_or_else(|| format!("version {number} of addressee {id} is missing"))?;
    version(directories, id, parse(&row)?)
}

/// The newest version of an entry.
pub(super) fn newest(
    directories: &Directories,
    view: &View<'_>,
    id: AddresseeId,
) -> Result<Option<AddresseeVersion>, Corrupt> {
    let entry = entry(view, id)?;
    let shown = entry.map(|entry| version(directories, id, entry.record));
    shown.transpose()
}

/// The next part of a listing; at most `most`.
pub(super) fn page(
    directories: &Directories,
    view: &View<'_>,
    filter: &AddresseeFilter,
    (after, most): (Option<AddresseeId>, usize),
) -> Result<Page, Corrupt> {
    let mut span = filter
        .body
        .map_or_else(Span::all, |body| Span::prefix(body_key(body)));
    if let Some(after) = after {
        span = span.after(id_key(after));
    }
    let mut page = Page::default();
    for (rows, (key, value)) in view.scan(ADDRESSEE, &span).enumerate() {
        if page.found.len() == most || rows == ROWS {
            return Ok(page);
        }
        let id = id_of(&key).ok_or("an addressee's key is unreadable")?;
        let entry: Entry = parse(&value)?;
        if matches(filter, &entry.record) {
            page.found.push(version(directories, id, entry.record)?);
        }
        page.next = Some(id);
    }
    page.next = None;
    Ok(page)
}

/// The versions of an entry after `after`.
pub(super) fn history(
    directories: &Directories,
    view: &View<'_>,
    id: AddresseeId,
    (after, most): (u32, usize),
) -> Result<Vec<AddresseeVersion>, Corrupt> {
    let span = Span::prefix(id_key(id)).after(version_key(id, after));
    view.scan(ADDRESSEE_VERSION, &span)
        .take(most)
        .map(|(_, value)| version(directories, id, parse(&value)?))
        .collect()
}

/// What changed from index `from` on.
pub(super) fn since(
    directories: &Directories,
    view: &View<'_>,
    body: Option<BodyCode>,
    (from, most): (u64, usize),
) -> Result<AddresseeChanges, Corrupt> {
    let span = Span::all().from(from.to_be_bytes());
    let mut entries = Vec::new();
    let mut last = None;
    for (rows, (key, _)) in view.scan(ADDRESSEE_CHANGE, &span).enumerate() {
        let (index, id) = change_of(&key).ok_or("an addressee's change is unreadable")?;
        if (entries.len() >= most || rows >= ROWS) && last != Some(index) {
            return Ok(AddresseeChanges {
                entries,
                next: index,
                caught_up: false,
            });
        }
        last = Some(index);
        if body.is_none_or(|body| body == id.body()) {
            let shown = newest(directories, view, id)?;
            entries.push(shown.ok_or_else(|| format!("addressee {id} is missing"))?);
        }
    }
    Ok(AddresseeChanges {
        entries,
        next: view.next_index(),
        caught_up: true,
    })
}

fn matches(filter: &AddresseeFilter, record: &Record) -> bool {
    let content = &record.content;
    let unit = |name: &String| *name == content.unit.en() || *name == content.unit.ja();
    let address = |address: &String| *address == content.address.as_str();
    (filter.with_ended || record.ended.is_none())
        && filter.unit.as_ref().is_none_or(unit)
        && filter.address.as_ref().is_none_or(address)
        && filter
            .changed_since
            .is_none_or(|since| record.changed_at >= since)
}
