//! The records of the index and of memory, live beside rebuilt.

use std::{collections::BTreeMap, ops::Range};

use lgpki_domain::Serial;
use lgpki_store::{Beside, Span, View};

use super::{
    super::{
        machine::{CERTIFICATES, CRLS, LifecycleMachine},
        record::Held,
        renewal::{self, RENEWALS},
        slots::{self, SLOTS},
    },
    Found,
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
        match beside.live.inventory.held(serial) {
            Some(live) => differ(Place::Memory, serial, live, &rebuilt, found),
            None => lack(Place::Memory, serial, &rebuilt, false, found),
        }
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

/// Compares what the index holds of CRLs, renewals and slots.
pub(super) fn compare_tables(beside: &Beside<'_, LifecycleMachine>, found: &mut Found) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let crl = |key: &[u8], value: &[u8]| (None, format!("crl {}", text(key)), text(value));
    compare_table(beside, CRLS, crl, found);
    compare_table(beside, RENEWALS, renewal::describe, found);
    compare_table(beside, SLOTS, slots::describe, found);
}

/// Whom a key and its value are about, what of it, and what it says.
type Described = (Option<Serial>, String, String);

fn compare_table(
    beside: &Beside<'_, LifecycleMachine>,
    table: &str,
    describe: impl Fn(&[u8], &[u8]) -> Described,
    found: &mut Found,
) {
    let mut missing = |key: &[u8], value: &[u8], is_live| {
        let (serial, field, said) = describe(key, value);
        found.missing(Place::Index, serial, &field, (|| said, is_live));
    };
    let mut live = beside.live_tables.scan(table, &Span::all()).peekable();
    let mut differing = Vec::new();
    for (key, value) in beside.rebuilt_tables.scan(table, &Span::all()) {
        while let Some((old, said)) = live.next_if(|(old, _)| *old < key) {
            missing(&old, &said, true);
        }
        match live.next_if(|(old, _)| *old == key) {
            Some((_, said)) if said == value => {}
            Some((_, said)) => differing.push((key, said, value)),
            None => missing(&key, &value, false),
        }
    }
    for (old, said) in live {
        missing(&old, &said, true);
    }
    for (key, live, rebuilt) in differing {
        let (serial, field, rebuilt) = describe(&key, &rebuilt);
        let (_, _, live) = describe(&key, &live);
        found.differs(Place::Index, serial, || (field, live, rebuilt));
    }
}
