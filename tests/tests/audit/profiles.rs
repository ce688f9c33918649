//! Certificates that are more, or other, than was applied for, made by whoever has a CA's key and the
//! keys of all logs: every entry tells of them alike, so that only their own octets give them away.

use lgpki_audit::{Report, Service};
use lgpki_ledger::serial::{base64url, base64url_decode};
use lgpki_tests::der::{sequence, tag, tlv};
use serde_json::Value;

use crate::{
    miss, names, parse, put,
    tampering::{Scene, sign},
};

/// The values of a content, each whole.
fn values(mut content: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while !content.is_empty() {
        let (header, length) = match content[1] {
            0x82 => (4, usize::from(content[2]) << 8 | usize::from(content[3])),
            0x81 => (3, usize::from(content[2])),
            short => (2, usize::from(short)),
        };
        let (one, rest) = content.split_at(header + length);
        all.push(one.to_vec());
        content = rest;
    }
    all
}

fn content(value: &[u8]) -> &[u8] {
    let header = match value[1] {
        0x82 => 4,
        0x81 => 3,
        _ => 2,
    };
    &value[header..]
}

fn is(extension: &[u8], oid: &[u8]) -> bool {
    content(&values(content(extension))[0]) == oid
}

/// The last arc below 2.5.29.
const fn id(last: u8) -> [u8; 3] {
    [0x55, 0x1d, last]
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { &[1, 1, 0xff][..] } else { &[] };
    sequence(&[
        &tlv(tag::OID, oid),
        critical,
        &tlv(tag::OCTET_STRING, value),
    ])
}

/// A tbsCertificate in parts: its fields, of which the last holds the extensions.
struct Tbs {
    fields: Vec<Vec<u8>>,
    extensions: Vec<Vec<u8>>,
}

impl Tbs {
    fn read(bytes: &[u8]) -> Self {
        let mut fields = values(content(bytes));
        let last = fields.pop().unwrap();
        let extensions = values(content(content(&last)));
        Self { fields, extensions }
    }

    fn write(&self) -> Vec<u8> {
        let all = sequence(&[&self.extensions.concat()]);
        sequence(&[&self.fields.concat(), &tlv(0xa3, &all)])
    }

    fn drop(&mut self, last: u8) {
        self.extensions.retain(|e| !is(e, &id(last)));
    }

    fn set(&mut self, last: u8, critical: bool, value: &[u8]) {
        self.drop(last);
        self.extensions.push(extension(&id(last), critical, value));
    }

    /// The value of an extension.
    fn value(&self, last: u8) -> Vec<u8> {
        let found = self.extensions.iter().find(|e| is(e, &id(last))).unwrap();
        content(values(content(found)).last().unwrap()).to_vec()
    }
}

/// The logs with another certificate in a certificate's place, wherever they tell of it.
fn with(scene: &Scene, kind: &str, change: impl Fn(&mut Tbs)) -> Report {
    let mut intents = scene.entries(Service::Issuer, "certificate.intent");
    let is_it = |body: &Value| {
        body["kind"] == kind && body["authority"] == "organization" && body["generation"] == 1
    };
    let (_, intent) = intents.find(|(_, entry)| is_it(&entry["body"])).unwrap();
    let old = base64url_decode(intent["body"]["tbs"].as_str().unwrap()).unwrap();
    let mut tbs = Tbs::read(&old);
    assert_eq!(tbs.write(), old);
    change(&mut tbs);
    let tbs = tbs.write();
    let der = sign(&scene.key, tbs.clone());
    let mut logs = scene.logs.clone();
    for service in Service::ALL {
        for at in 0..logs.of_service(service).len() {
            let mut entry = parse(&logs.of_service(service)[at]);
            if entry["body"]["serial"] != intent["body"]["serial"] {
                continue;
            }
            for (member, bytes) in [("tbs", &tbs), ("certificate", &der), ("der", &der)] {
                if entry["body"].get(member).is_some() {
                    entry["body"][member] = base64url(bytes).into();
                }
            }
            put(&mut logs, service, at, &entry);
        }
    }
    logs.audit()
}

#[track_caller]
fn tells(report: &Report, words: &str) {
    names(report, "profile", words);
    if report.counts.len() != 1 {
        miss(report, "more than the profile");
    }
}

pub(crate) fn a_certificate_is_more_than_was_applied_for(scene: &Scene) {
    let login = |change: &dyn Fn(&mut Tbs)| with(scene, "login", change);
    let clean = login(&|_| {});
    if !clean.is_clean() {
        miss(&clean, "something");
    }
    // A CA below ours, with every use there is, of another issuer, and on no CRL.
    let ca = login(&|tbs| {
        tbs.set(19, true, &[0x30, 3, 1, 1, 0xff]);
        tbs.set(15, true, &[3, 2, 1, 6]);
        tbs.set(37, false, &[0x30, 6, 6, 4, 0x55, 0x1d, 37, 0]);
        tbs.drop(31);
        tbs.fields[3] = sequence(&[]);
    });
    tells(&ca, "basicConstraints, which its kind has not");
    for words in ["its keyUsage", "its extKeyUsage", "its issuer", "lacks cRL"] {
        tells(&ca, words);
    }
    // One thing at a time.
    let any = |tbs: &mut Tbs| tbs.extensions.push(extension(&[0x2a, 3], false, &[5, 0]));
    tells(&login(&any), "the extension 1.2.3, which its kind");
    let twice = |tbs: &mut Tbs| tbs.extensions.push(tbs.extensions[2].clone());
    tells(&login(&twice), "keyUsage more than once");
    let shy = |tbs: &mut Tbs| tbs.set(15, false, &tbs.value(15));
    tells(&login(&shy), "keyUsage is not critical");
    let elsewhere = |tbs: &mut Tbs| {
        let mut points = tbs.value(31);
        let at = points.windows(5).position(|part| part == b"/crl/").unwrap();
        points[at + 3] = b'x';
        tbs.set(31, false, &points);
    };
    tells(&login(&elsewhere), "cRLDistributionPoints");
    let address = |tbs: &mut Tbs| {
        let names = tbs.value(17);
        let address = tlv(0x87, &[10, 1, 2, 3]);
        tbs.set(17, false, &sequence(&[content(&names), &address]));
    };
    tells(&login(&address), "subjectAltName");
    // A CA's own kinds are held to theirs.
    let link = |change: &dyn Fn(&mut Tbs)| with(scene, "link", change);
    let deeper = |tbs: &mut Tbs| tbs.set(19, true, &[0x30, 6, 1, 1, 0xff, 2, 1, 9]);
    tells(&link(&deeper), "basicConstraints");
    let free = |tbs: &mut Tbs| tbs.drop(31);
    tells(&link(&free), "lacks cRLDistributionPoints");
    let responder = with(scene, "ocsp-responder", |tbs| {
        tbs.extensions
            .retain(|e| !is(e, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5]));
    });
    tells(&responder, "lacks OCSP nocheck");
}
