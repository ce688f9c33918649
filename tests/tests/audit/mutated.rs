//! What the services wrote, with members of entries put to the ends of what can stand there: an audit
//! goes on to its end, and tells of something.

use lgpki_audit::{Auditor, Begin, Service, Verdict};
use lgpki_ledger::serial::base64url_decode;
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

/// The OIDs of the signature algorithms that CAs use here, each with the last octet of another.
const ALGORITHMS: [(&[u8], u8); 2] = [
    // RSASSA-PSS in the place of PKCS #1 v1.5.
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], 10),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_of_a_form_that_no_ca_uses_is_not_judged_and_not_called_foreign() {
    let (mut logs, _) = lived().await;
    let entries = logs.of_service(Service::Issuer);
    let mut auditor = Auditor::new().unwrap();
    // One by one, for a CA must be known before what it signed is read.
    for (index, entry) in (0..).zip(entries.iter()) {
        let begin = Begin {
            service: Service::Issuer,
            log: "2008",
            index,
            leaf: index + 1,
        };
        let read = auditor.read(Service::Issuer, &[entry]);
        auditor.take(begin, read);
    }
    let issued = entries.iter().map(|entry| {
        let entry: Value = serde_json::from_slice(entry).unwrap();
        let is = entry["kind"] == "certificate.issued";
        let der = entry["body"]["certificate"].as_str().filter(|_| is);
        der.map(|der| base64url_decode(der).unwrap())
    });
    let good = issued.flatten().next().unwrap();
    let Verdict::Certificate { ca, .. } = auditor.judge(&good) else {
        panic!("{:?}", auditor.judge(&good));
    };
    let mut strange = good.clone();
    for (used, other) in ALGORITHMS {
        for end in used.len()..strange.len() {
            if strange[..end].ends_with(used) {
                strange[end - 1] = other;
            }
        }
    }
    assert_ne!(strange, good);
    let verdict = auditor.judge(&strange);
    let named = matches!(&verdict, Verdict::Unjudged { ca: of, .. } if *of == ca);
    assert!(named, "{verdict:?}");
    // What names nobody here is nobody's.
    assert!(matches!(auditor.judge(&good[..40]), Verdict::NotOurs));
}
