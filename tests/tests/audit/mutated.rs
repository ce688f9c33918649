//! What the services wrote, with members of entries put to the ends of what can stand there: an audit
//! goes on to its end, and tells of something.

use lgpki_audit::Service;
use lgpki_testkit::SeededRandom;
use serde_json::{Value, json};

use crate::{Logs, life::lived};

/// The places of all that is neither list nor object.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                places(inner, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(list) => {
            for (number, inner) in list.iter().enumerate() {
                places(inner, &format!("{at}/{number}"), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

fn pick<T: Clone>(random: &SeededRandom, all: &[T]) -> T {
    let at = random.below(all.len() as u64);
    all[usize::try_from(at).unwrap()].clone()
}

/// Something else of the same sort.
fn other(random: &SeededRandom, value: &Value) -> Value {
    match value {
        Value::Number(_) => pick(random, &[0, 1, u64::from(u32::MAX), (1 << 53) - 1]).into(),
        Value::Bool(yes) => (!yes).into(),
        Value::String(text) if text.ends_with("+09:00") => pick(
            random,
            &[
                "0000-01-01T00:00:00.000+09:00",
                "1949-12-31T23:59:59.000+09:00",
                "2050-01-01T00:00:00.000+09:00",
                "9999-12-31T23:59:59.999+09:00",
            ],
        )
        .into(),
        Value::String(text) => match random.below(4) {
            0 => json!(""),
            1 => text.chars().take(text.len() / 2).collect::<String>().into(),
            2 => text.chars().rev().collect::<String>().into(),
            _ => {
                let at = random.below(text.chars().count().max(1) as u64);
                let at = usize::try_from(at).unwrap();
                let changed = text.chars().enumerate();
                let changed = changed.map(|(i, c)| if i == at { 'A' } else { c });
                changed.collect::<String>().into()
            }
        },
        other => other.clone(),
    }
}

fn change(random: &SeededRandom, logs: &mut Logs) {
    let service = pick(random, &Service::ALL);
    let entries = logs.of_service(service);
    let at = usize::try_from(random.below(entries.len() as u64)).unwrap();
    let mut entry: Value = serde_json::from_slice(&entries[at]).unwrap();
    let mut found = Vec::new();
    places(&entry, "", &mut found);
    let place = entry.pointer_mut(&pick(random, &found)).unwrap();
    *place = other(random, place);
    entries[at] = entry.to_string().into_bytes();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_to_what_services_wrote_ends_an_audit_before_its_end() {
    let (logs, _) = lived().await;
    let whole = logs.audit();
    let mut told = 0;
    for seed in 0..16 {
        let random = SeededRandom::new(seed);
        let mut changed = logs.clone();
        for _ in 0..20 {
            change(&random, &mut changed);
        }
        let report = changed.audit();
        assert_eq!(report.entries, whole.entries);
        told += usize::from(!report.is_clean());
    }
    assert_eq!(told, 16);
}
