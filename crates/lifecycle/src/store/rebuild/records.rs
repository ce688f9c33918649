//! The records of the index and of memory, live beside rebuilt.

use std::{collections::BTreeMap, ops::Range};

use lgpki_domain::Serial;
use lgpki_store::{Beside, Span, View};

use super::{
    super::{
        inventory::along,
        machine::{CERTIFICATES, CRLS, LifecycleMachine},
        record::Held,
        renewal::{self, RENEWALS},
        slots::{self, SLOTS},
    },
    COMPARED, Found,
};
use crate::ports::Place;

/// A record, or none where it cannot be read.
type Record = Option<(Serial, Held)>;

/// Compares the records with these numbers; returns how many of them are certificates.
pub(super) fn compare(
    beside: &Beside<'_, LifecycleMachine>,
    numbers: Range<u64>,
    found: &mut Found,
) -> u64 {
    let rebuilt = read(&beside.rebuilt_tables, numbers.clone());
    let Some(mut live) = read(&beside.live_tables, numbers.clone()) else {
        found.differs(Place::Index, None, || {
            let field = format!("records of entries {} to {}", numbers.start, numbers.end);
            (field, "damaged".to_owned(), "sound".to_owned())
        });
        return 0;
    };
    let mut certificates = 0;
    for (number, record) in rebuilt.unwrap_or_default() {
        let Some((serial, rebuilt)) = record else {
            continue;
        };
        certificates += u64::from(rebuilt.kind.is_some());
        let before = live.remove(&number).flatten();
        match before.filter(|(other, _)| *other == serial) {
            Some((_, live)) => differ(Place::Index, serial, &live, &rebuilt, found),
            None => lack(Place::Index, serial, &rebuilt, false, found),
        }
        let live = beside.live.inventory.held(serial);
        match live {
            Some(live) => differ(Place::Memory, serial, live, &rebuilt, found),
            None => lack(Place::Memory, serial, &rebuilt, false, found),
        }
        let inventory = &beside.rebuilt.inventory;
        let about = &beside.live.inventory;
        about.compare_about(inventory, serial, (live, &rebuilt), found);
    }
    for (serial, held) in live.into_values().flatten() {
        lack(Place::Index, serial, &held, true, found);
    }
    certificates
}

/// None where a value of the table is damaged.
fn read(tables: &View<'_>, numbers: Range<u64>) -> Option<BTreeMap<u64, Record>> {
    let mut records = BTreeMap::new();
    let read = tables.each_packed_within(CERTIFICATES, numbers, |number, bytes| {
        let record = bytes
            .split_first_chunk::<16>()
            .and_then(|(serial, held)| Serial::from_bytes(serial).zip(Held::from_bytes(held)));
        records.insert(number, record);
        Ok(())
    });
    read.is_ok().then_some(records)
}

fn differ(place: Place, serial: Serial, live: &Held, rebuilt: &Held, found: &mut Found) {
    if live != rebuilt {
        found.fields(place, serial, fields(live), fields(rebuilt));
    }
}

/// One of the two has no such record.
pub(super) fn lack(place: Place, serial: Serial, held: &Held, is_live: bool, found: &mut Found) {
    let name = || {
        let kind = held.kind.map_or("abandoned", |kind| kind.name());
        format!("{kind}, entry {}", held.index)
    };
    found.missing(place, Some(serial), "record", (name, is_live));
}

fn fields(held: &Held) -> [(&'static str, String); 12] {
    let text = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let revocation = held.revoked.map(|revoked| {
        let revocation = revoked.revocation;
        format!("{} {}", revocation.reason.name(), revocation.at)
    });
    let command = held.revoked.and_then(|revoked| revoked.command);
    [
        ("authority", held.authority.name().to_owned()),
        ("key-generation", held.generation.to_string()),
        ("crl-scope", held.scope.to_string()),
        ("kind", text(held.kind.map(|kind| kind.name().to_owned()))),
        ("branch", text(held.branch.map(|branch| branch.to_string()))),
        ("not-after", held.not_after.to_string()),
        (
            "entry",
            format!("{} answering {}", held.index, held.issuer_index),
        ),
        ("search-marks", format!("{:?}", held.marks)),
        (
            "slot",
            text(
                held.slot()
                    .map(|day| format!("{day}, {} missed", held.marks.missed)),
            ),
        ),
        ("revocation", text(revocation)),
        (
            "revoked-by",
            text(command.map(|command| command.to_string())),
        ),
        (
            "revoked-in",
            text(held.revoked.map(|revoked| revoked.index.to_string())),
        ),
    ]
}

/// The tables beside the records.
pub(super) const TABLES: [&str; 3] = [CRLS, RENEWALS, SLOTS];

/// Compares one of them after a key, along one stretch; returns the last key, or nothing if none comes
/// after.
pub(super) fn compare_table(
    beside: &Beside<'_, LifecycleMachine>,
    table: &str,
    after: Option<&[u8]>,
    found: &mut Found,
) -> Option<Vec<u8>> {
    let span = after.map_or_else(Span::all, |after| Span::all().after(after));
    let live = beside.live_tables.scan(table, &span);
    let rebuilt = beside.rebuilt_tables.scan(table, &span);
    along(COMPARED, live, rebuilt, |key, live, rebuilt| {
        match (live, rebuilt) {
            (Some(live), Some(rebuilt)) => {
                let (_, _, live) = describe(table, &key, &live);
                let (serial, field, rebuilt) = describe(table, &key, &rebuilt);
                found.differs(Place::Index, serial, || (field, live, rebuilt));
            }
            (live, rebuilt) => {
                let is_live = live.is_some();
                let value = live.or(rebuilt).unwrap_or_default();
                let (serial, field, said) = describe(table, &key, &value);
                found.missing(Place::Index, serial, &field, (|| said, is_live));
            }
        }
    })
}

/// Whom a key and its value are about, what of it, and what it says.
type Described = (Option<Serial>, String, String);

fn describe(table: &str, key: &[u8], value: &[u8]) -> Described {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match table {
        RENEWALS => renewal::describe(key, value),
        SLOTS => slots::describe(key, value),
        _ => (None, format!("crl {}", text(key)), text(value)),
    }
}
