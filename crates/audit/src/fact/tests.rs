//! Entries of every form that the schema allows, at the ends of what it allows, and what becomes of them
//! when a byte is changed: whatever stands in a log, an audit goes on to its end.

use lgpki_domain::Randomness;
use lgpki_ledger::serial::base64url;
use lgpki_testkit::SeededRandom;
use serde_json::{Map, Value};

use super::*;
use crate::{
    auditor::{Auditor, Begin},
    report::Report,
    schema::{Form, Type},
};

const SEEDS: [&[u8]; 3] = [
    include_bytes!("../../../../fuzz/seeds/certificate/official-duty.der"),
    include_bytes!("../../../../fuzz/seeds/certificate/web-server.der"),
    include_bytes!("../../../../fuzz/seeds/csr/web-server.der"),
];

const TIMES: [&str; 5] = [
    "2008-02-04T09:15:00.000+09:00",
    "2008-02-05T00:00:00.000+09:00",
    "0000-01-01T00:00:00.000+09:00",
    "9999-12-31T23:59:59.999+09:00",
    "2008-02-31T24:60:61.000+09:00",
];

const NUMBERS: [u64; 7] = [
    0,
    1,
    2,
    u16::MAX as u64,
    u32::MAX as u64,
    u32::MAX as u64 + 1,
    (1 << 53) - 1,
];

struct Maker {
    random: SeededRandom,
}

impl Maker {
    fn of<T: Clone>(&self, all: &[T]) -> T {
        let at = self.random.below(all.len() as u64);
        all[usize::try_from(at).unwrap()].clone()
    }

    fn once_in(&self, times: u64) -> bool {
        self.random.below(times) == 0
    }

    fn bytes(&self) -> String {
        let mut der = self.of(&SEEDS).to_vec();
        match self.random.below(4) {
            0 => return String::new(),
            1 => der.truncate(usize::try_from(self.random.below(40)).unwrap()),
            2 => self.change(&mut der),
            _ => {}
        }
        base64url(&der)
    }

    fn change(&self, bytes: &mut [u8]) {
        let mut other = [0; 1];
        self.random.fill(&mut other).unwrap();
        if let Some(length) = (bytes.len() as u64).checked_sub(1) {
            let at = self.random.below(length + 1);
            bytes[usize::try_from(at).unwrap()] = other[0];
        }
    }

    fn text(&self, form: Form) -> String {
        let digit = self.of(&["0", "1", "f"]);
        let fixed = |text: &str| text.to_owned();
        match form {
            Form::Text => fixed(self.of(&[
                "",
                "organization",
                "application",
                "user",
                "official-duty",
                "login",
                "mail",
                "issue",
                "renew",
                "revoke",
                "abolish",
                "superseded",
                "key-compromise",
                "delivered",
                "issuer",
                "intake",
                "日本",
                "1.2.840.113549.1.1.11",
                "\u{1b}[2J",
            ])),
            Form::Application => {
                fixed(self.of(&["01ARZ3NDEKTSV4RRFFQ69G5FAV", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"]))
            }
            Form::Serial => digit.repeat(32),
            Form::Digest => digit.repeat(64),
            Form::Time => fixed(self.of(&TIMES)),
            Form::Date => fixed(self.of(&["2008-02-04", "0000-00-00", "9999-12-31"])),
            Form::Branch => fixed(self.of(&["01001", "00000", "99999"])),
            Form::Scope => fixed(self.of(&["user", "ca", "p01", "p256", "p999"])),
            Form::Bytes => self.bytes(),
            Form::Oid => fixed(self.of(&["1.2.840.113549.1.1.11", "0", "..."])),
        }
    }

    fn value(&self, of: &Type) -> Value {
        match of {
            Type::Number => self.of(&NUMBERS).into(),
            Type::Boolean => self.once_in(2).into(),
            Type::Text(form) => self.text(*form).into(),
            Type::List(inner) => (0..self.random.below(3))
                .map(|_| self.value(inner))
                .collect(),
            Type::Record(members) => {
                let mut record = Map::new();
                for member in members {
                    if member.required || self.once_in(2) {
                        record.insert(member.name.clone(), self.value(&member.of));
                    }
                }
                record.into()
            }
            Type::Choice { texts, members } => {
                if members.is_empty() || (!texts.is_empty() && self.once_in(2)) {
                    return self.of(texts).into();
                }
                let (name, of) = self.of(members);
                Map::from_iter([(name, self.value(&of))]).into()
            }
        }
    }

    /// An entry that the service may write.
    fn entry(&self, schema: &Schema, service: Service) -> Value {
        let kinds = schema.kinds().iter();
        let kinds: Vec<_> = kinds
            .filter(|kind| kind.service == service.name() || kind.service == "every")
            .collect();
        let kind = self.of(&kinds);
        let mut entry = Map::new();
        for (name, of) in [("about", &schema.about), ("answers", &schema.answers)] {
            if self.once_in(2) {
                entry.insert(name.to_owned(), self.value(of));
            }
        }
        for (name, value) in [
            ("actor", self.of(&["init", "ceremony", "node"])),
            ("kind", kind.name.as_str()),
            ("node", "node-1"),
            ("time", self.of(&TIMES)),
        ] {
            entry.insert(name.to_owned(), value.into());
        }
        entry.insert("body".to_owned(), self.value(&kind.body));
        entry.insert("v".to_owned(), kind.version.into());
        entry.into()
    }
}

fn audit(entries: &[(Service, Vec<Vec<u8>>)]) -> Report {
    let mut auditor = Auditor::new().unwrap();
    for (service, entries) in entries {
        let read = auditor.read(*service, entries);
        let begin = Begin {
            service: *service,
            log: "2008",
            index: 0,
            leaf: 1,
        };
        auditor.take(begin, read);
    }
    auditor.finish(&Service::ALL)
}

#[test]
fn no_entry_ends_an_audit_before_its_end() {
    let schema = Schema::embedded().unwrap();
    let mut readable = 0;
    for seed in 0..12 {
        let maker = Maker {
            random: SeededRandom::new(seed),
        };
        let logs = Service::ALL.map(|service| {
            let entries = (0..150).map(|_| {
                let mut entry = maker.entry(&schema, service).to_string().into_bytes();
                if maker.once_in(5) {
                    maker.change(&mut entry);
                }
                entry
            });
            (service, entries.collect())
        });
        let report = audit(&logs);
        assert_eq!(report.entries, 450);
        readable += report
            .kinds
            .iter()
            .map(|counted| counted.count)
            .sum::<u64>();
    }
    // What is made is worth reading: most of it is of a known kind.
    assert!(readable > 3_600, "{readable}");
}

#[test]
fn an_application_that_asks_for_another_key_than_its_request_or_for_none_is_told() {
    let schema = Schema::embedded().unwrap();
    let maker = Maker {
        random: SeededRandom::new(7),
    };
    let csr = SEEDS[2];
    let key = certificate::requested_key(csr).unwrap();
    assert_eq!(key[0], 0x30);
    let asked = |public_key: &[u8]| loop {
        let mut entry = maker.entry(&schema, Service::Intake);
        let Some(issue) = entry.pointer_mut("/body/content/issue") else {
            continue;
        };
        issue["csr"] = base64url(csr).into();
        issue["public_key"] = base64url(public_key).into();
        issue["key_digest"] = sha256(public_key).to_string().into();
        let report = audit(&[(Service::Intake, vec![entry.to_string().into_bytes()])]);
        let told: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        // Other members may be beyond what can be read.
        if told.iter().any(|what| what.contains("cannot be read")) {
            continue;
        }
        let what = "its public key is not that of its certification request";
        return !told.iter().any(|told| told.contains(what));
    };
    assert!(asked(key));
    assert!(!asked(&[]));
    assert!(!asked(&key[1..]));
    let other = certificate::requested_key(include_bytes!("../../../../fuzz/seeds/csr/mail.der"));
    assert!(!asked(other.unwrap()));
}
