//! What the events do to the registry's tables.
//!
//! Nothing here can fail: what an event says was decided, and a row that cannot be read counts as not
//! there; readers tell of it.

use lgpki_domain::{
    BodyCode, Digest, JstDate, RequestId,
    addressee::{Addressee, AddresseeId},
};
use lgpki_ledger::Stamp;
use lgpki_store::{Span, Tables};

use super::{
    Addressees,
    record::{
        Entry, Record, Request, Taken, address_key, body_key, change_key, entry, id_key, id_of,
        names_key, parse, request_key, row, summary, taken, version_key,
    },
};
use crate::store::{
    directory::Directories,
    event::{AddresseeChanged, AddresseeEnded, AddresseeRegistered},
    tables::{
        ADDRESSEE, ADDRESSEE_CHANGE, ADDRESSEE_REQUEST, ADDRESSEE_SUMMARY, ADDRESSEE_TAKEN,
        ADDRESSEE_VERSION,
    },
};

/// A version about to be put.
struct New<'a> {
    id: AddresseeId,
    record: Record,
    request: &'a RequestId,
    digest: Digest,
}

impl Addressees {
    pub(crate) fn apply_registered(
        &self,
        tables: &mut Tables<'_>,
        event: &AddresseeRegistered,
        (stamp, index): (&Stamp, u64),
    ) {
        let new = New {
            id: event.addressee,
            record: Record::registered(event, stamp),
            request: &event.request,
            digest: event.content_digest,
        };
        self.put(tables, new, index);
    }

    pub(crate) fn apply_changed(
        &self,
        tables: &mut Tables<'_>,
        event: &AddresseeChanged,
        (stamp, index): (&Stamp, u64),
    ) {
        let Some(before) = found(tables, event.addressee) else {
            return;
        };
        let new = New {
            id: event.addressee,
            record: before.record.changed(event, stamp),
            request: &event.request,
            digest: event.content_digest,
        };
        self.put(tables, new, index);
    }

    pub(crate) fn apply_ended(
        &self,
        tables: &mut Tables<'_>,
        event: &AddresseeEnded,
        (stamp, index): (&Stamp, u64),
    ) {
        let Some(before) = found(tables, event.addressee) else {
            return;
        };
        let new = New {
            id: event.addressee,
            record: before.record.ended(event, stamp),
            request: &event.request,
            digest: event.content_digest,
        };
        self.put(tables, new, index);
    }

    fn put(&self, tables: &mut Tables<'_>, new: New<'_>, index: u64) {
        let New {
            id,
            record,
            request,
            digest,
        } = new;
        let before = found(tables, id);
        count(tables, id, before.is_none(), record.ended.is_some());
        if let Some(before) = &before {
            tables.delete(ADDRESSEE_CHANGE, &change_key(before.touched, id));
            let ends = record.ended.is_none().then_some(record.content.valid_since);
            release(tables, id, &before.record.content.content(), ends);
        }
        if record.ended.is_none() {
            take(tables, id, &record.content.content());
        }
        let made = Request {
            digest,
            id,
            version: record.version,
        };
        tables.put(
            ADDRESSEE_REQUEST,
            &request_key(id.body(), request),
            row(&made),
        );
        let key = version_key(id, record.version);
        tables.put(ADDRESSEE_VERSION, &key, row(&record));
        self.stand(tables, id, record, index);
    }

    /// Puts an entry under the index at which it changed.
    fn stand(&self, tables: &mut Tables<'_>, id: AddresseeId, record: Record, index: u64) {
        let entry = Entry {
            record,
            touched: index,
        };
        tables.put(ADDRESSEE, &id_key(id), row(&entry));
        tables.put(ADDRESSEE_CHANGE, &change_key(index, id), Vec::new());
        self.bell.send_replace(index);
    }

    /// A body or its branch changed: its entries, ended ones apart, show it.
    pub(crate) fn touch(&self, tables: &mut Tables<'_>, body: BodyCode, index: u64) {
        for (id, entry) in standing(tables, body) {
            self.move_to(tables, id, entry, index);
        }
    }

    /// Which of a body's entries have their unit in the organization directory.
    pub(crate) fn units(
        tables: &Tables<'_>,
        directories: &Directories,
        body: BodyCode,
    ) -> Vec<(AddresseeId, bool)> {
        let entries = standing(tables, body).into_iter();
        let known = |(id, entry): (AddresseeId, Entry)| {
            let unit = &entry.record.content.unit;
            (id, directories.has_unit(body, unit))
        };
        entries.map(known).collect()
    }

    /// The organization directory of a body changed: entries whose unit left it or came back show it.
    pub(crate) fn touch_units(
        &self,
        tables: &mut Tables<'_>,
        directories: &Directories,
        before: Vec<(AddresseeId, bool)>,
        index: u64,
    ) {
        for (id, was) in before {
            let Some(entry) = found(tables, id) else {
                continue;
            };
            if directories.has_unit(id.body(), &entry.record.content.unit) != was {
                self.move_to(tables, id, entry, index);
            }
        }
    }

    fn move_to(&self, tables: &mut Tables<'_>, id: AddresseeId, entry: Entry, index: u64) {
        tables.delete(ADDRESSEE_CHANGE, &change_key(entry.touched, id));
        self.stand(tables, id, entry.record, index);
    }
}

fn found(tables: &Tables<'_>, id: AddresseeId) -> Option<Entry> {
    entry(&tables.view(), id).ok().flatten()
}

/// A body's entries that have not ended.
fn standing(tables: &Tables<'_>, body: BodyCode) -> Vec<(AddresseeId, Entry)> {
    let view = tables.view();
    view.scan(ADDRESSEE, &Span::prefix(body_key(body)))
        .filter_map(|(key, value)| Some((id_of(&key)?, parse::<Entry>(&value).ok()?)))
        .filter(|(_, entry)| entry.record.ended.is_none())
        .collect()
}

fn count(tables: &mut Tables<'_>, id: AddresseeId, is_new: bool, has_ended: bool) {
    let mut summary = summary(&tables.view(), id.body()).unwrap_or_default();
    if is_new {
        summary.last = id.number();
        summary.in_force += 1;
    }
    summary.versions = summary.versions.saturating_add(1);
    if has_ended {
        summary.in_force = summary.in_force.saturating_sub(1);
    }
    tables.put(ADDRESSEE_SUMMARY, &body_key(id.body()), row(&summary));
}

fn take(tables: &mut Tables<'_>, id: AddresseeId, content: &Addressee) {
    let taken = row(&Taken {
        by: id,
        free_from: None,
    });
    let names = names_key(id.body(), &content.unit, &content.names);
    tables.put(
        ADDRESSEE_TAKEN,
        &address_key(&content.address),
        taken.clone(),
    );
    tables.put(ADDRESSEE_TAKEN, &names, taken);
}

/// What a former version had is free again: its name at once, its address when the next version holds.
fn release(
    tables: &mut Tables<'_>,
    id: AddresseeId,
    content: &Addressee,
    next_holds: Option<JstDate>,
) {
    let own = |tables: &Tables<'_>, key: &[u8]| {
        let taken = taken(&tables.view(), key).ok().flatten();
        taken.is_some_and(|taken| taken.by == id)
    };
    let names = names_key(id.body(), &content.unit, &content.names);
    if own(tables, &names) {
        tables.delete(ADDRESSEE_TAKEN, &names);
    }
    let address = address_key(&content.address);
    if !own(tables, &address) {
        return;
    }
    match next_holds {
        None => tables.delete(ADDRESSEE_TAKEN, &address),
        free_from => {
            let until = Taken { by: id, free_from };
            tables.put(ADDRESSEE_TAKEN, &address, row(&until));
        }
    }
}
