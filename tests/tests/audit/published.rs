//! The logs of the three services published as auditors fetch them, with keys of the test's own, so
//! that a log can be rewritten whole as somebody would who has the log's key.

use std::{fs, path::Path, sync::Arc};

use lgpki_audit::{Against, Published, Report, Service};
use lgpki_ledger::{
    Checkpoint, LogError, LogSigner, NoteSigner, OsDisk, Publisher, VerifierKey,
    merkle::{CompactRange, Hash, leaf},
    publisher::{Leaves, Place},
};
use serde_json::{Value, json};

use crate::Logs;

/// The entries of a log in memory.
struct Memory(Vec<Vec<u8>>);

impl Leaves for Memory {
    fn leaves(&self, from: u64, most: usize, _: usize) -> Result<Vec<Vec<u8>>, LogError> {
        let from = usize::try_from(from).unwrap();
        Ok(self.0.iter().skip(from).take(most).cloned().collect())
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        Ok(Some(root(&self.0[..usize::try_from(size).unwrap()])))
    }
}

fn root(leaves: &[Vec<u8>]) -> Hash {
    let mut range = CompactRange::new();
    for entry in leaves {
        range.push(leaf(entry));
    }
    range.root()
}

fn signer() -> LogSigner {
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend_from_slice(&[5; 32]);
    LogSigner::from_pkcs8(&der).unwrap()
}

/// Publishes a log; returns its checkpoint.
fn log(dir: &Path, origin: &str, leaves: Vec<Vec<u8>>) -> String {
    let signer = signer();
    let head = Checkpoint {
        origin: origin.parse().unwrap(),
        size: leaves.len() as u64,
        root: root(&leaves),
    };
    let key = VerifierKey::new(head.origin.clone(), signer.public_key());
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("vkey"), format!("{key}\n")).unwrap();
    let place = Place {
        disk: Arc::new(OsDisk),
        dir: dir.to_owned(),
        key,
    };
    let leaves = Memory(leaves);
    let note = head.signed(&signer);
    let (mut publisher, _) = Publisher::open(place, &leaves).unwrap();
    publisher.publish(&note, &leaves).unwrap();
    note.to_string()
}

fn opening(origin: &str, first: usize, previous: Option<&str>) -> Vec<u8> {
    let mut body = json!({ "first": first, "log": origin });
    if let Some(previous) = previous {
        body["previous"] = Value::from(previous);
    }
    let entry = json!({
        "actor": "node", "body": body, "kind": "log.opened", "node": "node-1",
        "time": "2008-02-04T08:00:00.000+09:00", "v": 1,
    });
    entry.to_string().into_bytes()
}

fn is_of_keys(entry: &[u8]) -> bool {
    let text = String::from_utf8_lossy(entry);
    [
        "\"kind\":\"authority.",
        "\"kind\":\"epoch.opened\"",
        "\"kind\":\"slots.keyed\"",
        "\"kind\":\"link\"",
    ]
    .iter()
    .any(|mark| text.contains(mark))
}

/// Publishes the logs in `dir`, those of the issuer in two years, the second from its entry `split` on.
pub(crate) fn publish(logs: &Logs, dir: &Path, split: usize) {
    publish_with_keys(logs, dir, split, |_| {});
}

/// The same with a change to what the logs of keys hold behind their opening entries.
pub(crate) fn publish_with_keys(
    logs: &Logs,
    dir: &Path,
    split: usize,
    change: impl Fn(&mut Vec<Vec<u8>>),
) {
    for (service, entries) in &logs.0 {
        let of = dir.join(service.name());
        let origin = |log: &str| format!("lgpki.example/audit/{}/{log}", service.name());
        let keys = entries.iter().filter(|entry| is_of_keys(entry)).cloned();
        let mut keys: Vec<_> = keys.collect();
        change(&mut keys);
        let keys = std::iter::once(opening(&origin("keys"), 0, None)).chain(keys);
        log(&of.join("keys"), &origin("keys"), keys.collect());
        let at = if *service == Service::Issuer {
            split
        } else {
            entries.len()
        };
        let (before, after) = entries.split_at(at.min(entries.len()));
        let leaves =
            std::iter::once(opening(&origin("2008"), 0, None)).chain(before.iter().cloned());
        let note = log(&of.join("2008"), &origin("2008"), leaves.collect());
        if !after.is_empty() {
            let first = opening(&origin("2009"), before.len(), Some(&note));
            let leaves = std::iter::once(first).chain(after.iter().cloned());
            log(&of.join("2009"), &origin("2009"), leaves.collect());
        }
    }
}

/// Audits what is published in `dir`.
pub(crate) fn audit(dir: &Path, against: &Against) -> Report {
    Published::open(dir)
        .unwrap()
        .verify(against, &mut |_| {})
        .unwrap()
}

/// The entries of a bundle of a log.
pub(crate) fn bundle(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let bundle = lgpki_ledger::tile::Bundle::parse(bytes).unwrap();
    bundle.iter().map(<[u8]>::to_vec).collect()
}

/// Writes a bundle.
pub(crate) fn write_bundle(path: &Path, entries: &[Vec<u8>]) {
    let mut bytes = Vec::new();
    for entry in entries {
        assert!(lgpki_ledger::tile::append_entry(&mut bytes, entry));
    }
    fs::write(path, bytes).unwrap();
}
