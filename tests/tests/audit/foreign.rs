//! The logs before two programs that share nothing with ours: `tools/audit_verify.py`, and Go's code
//! for transparency logs. Both accept them; what was changed afterwards, even with the log's own key,
//! the small verifier refuses and names.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use lgpki_audit::Service;
use lgpki_ledger::tile::Bundle;
use lgpki_testkit::tool::{Tool, log_checker, python};
use lgpki_tests::repository;

use crate::{
    Logs,
    life::lived,
    published::{bundle, publish, write_bundle},
};

/// The entries of the issuer's second log begin here.
const SPLIT: usize = 30;

/// What is done, how, and words of what is said of it.
type Case<F> = (&'static str, F, &'static str);
type Leaves = Vec<Vec<u8>>;

fn verify(python: &Tool, dir: &Path, options: &[&Path]) -> (bool, String) {
    let mut command = python.command();
    command.arg(repository().join("tools/audit_verify.py"));
    let Output {
        status,
        stdout,
        stderr,
    } = command.args(options).arg(dir).output().unwrap();
    let said = [stdout, stderr].concat();
    (status.success(), String::from_utf8(said).unwrap())
}

/// The issuer's bundle of 2008.
fn bundle_of_2008(dir: &Path) -> PathBuf {
    dir.join(format!("issuer/2008/tile/entries/000.p/{}", SPLIT + 1))
}

/// Entries of that bundle, taken apart, changed and put together again.
fn rewrite(dir: &Path, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let path = bundle_of_2008(dir);
    let mut entries = bundle(&path);
    change(&mut entries);
    write_bundle(&path, &entries);
}

/// What somebody does to the files who has not the log's key.
const OUTSIDE: [Case<fn(&Path)>; 13] = [
    (
        "a byte of an entry",
        |dir| {
            rewrite(dir, |entries| {
                let at = entries[3].len() / 2;
                entries[3][at] ^= 1;
            });
        },
        "root of the checkpoint",
    ),
    (
        "a swapped pair",
        |dir| rewrite(dir, |entries| entries.swap(4, 5)),
        "root of the checkpoint",
    ),
    (
        "a removed entry",
        |dir| rewrite(dir, |entries| drop(entries.remove(4))),
        "does not hold",
    ),
    (
        "an inserted entry",
        |dir| {
            rewrite(dir, |entries| {
                entries.insert(4, entries[3].clone());
                entries.pop();
            });
        },
        "root of the checkpoint",
    ),
    (
        "an entry and its tile",
        |dir| {
            rewrite(dir, |entries| entries[4].push(b' '));
            let read = Bundle::parse(fs::read(bundle_of_2008(dir)).unwrap()).unwrap();
            let tile = dir.join(format!("issuer/2008/tile/0/000.p/{}", SPLIT + 1));
            fs::write(tile, read.leaves().collect::<Vec<_>>().concat()).unwrap();
        },
        "root of the checkpoint",
    ),
    (
        "a checkpoint's size",
        |dir| {
            let path = dir.join("issuer/2008/checkpoint");
            let text = fs::read_to_string(&path).unwrap();
            let mut lines: Vec<&str> = text.split('\n').collect();
            lines[1] = "3";
            fs::write(&path, lines.join("\n")).unwrap();
        },
        "InvalidSignature",
    ),
    (
        "a log of keys that is missing",
        |dir| fs::remove_file(dir.join("issuer/keys/checkpoint")).unwrap(),
        "issuer/keys: it is not accepted",
    ),
    (
        "an entry more than the bundle's name says",
        |dir| rewrite(dir, |entries| entries.push(entries[3].clone())),
        "holds more than",
    ),
    (
        "half an entry more",
        |dir| append(&bundle_of_2008(dir), &[0, 2, b'{']),
        "holds more than",
    ),
    (
        "a hash more than the tile's name says",
        |dir| {
            let tile = dir.join(format!("issuer/2008/tile/0/000.p/{}", SPLIT + 1));
            append(&tile, &[7; 32]);
        },
        "tile/0 0 is not what the entries say",
    ),
    (
        "a service that is gone",
        |dir| fs::remove_dir_all(dir.join("lifecycle")).unwrap(),
        "a service is missing",
    ),
    (
        "a log of keys that is gone",
        |dir| fs::remove_dir_all(dir.join("lifecycle/keys")).unwrap(),
        "there is no log of keys",
    ),
    (
        "a log in the place of another",
        |dir| {
            fs::remove_dir_all(dir.join("lifecycle/2008")).unwrap();
            fs::rename(dir.join("intake/2008"), dir.join("lifecycle/2008")).unwrap();
        },
        "it is of the log lgpki.example/audit/intake/2008",
    ),
];

fn append(path: &Path, more: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    bytes.extend_from_slice(more);
    fs::write(path, bytes).unwrap();
}

fn is(entry: &[u8], kind: &str) -> bool {
    let kind = format!("\"kind\":\"{kind}\"");
    String::from_utf8_lossy(entry).contains(&kind)
}

/// The place of the last entry of a kind.
fn last(leaves: &[Vec<u8>], kind: &str) -> usize {
    leaves.iter().rposition(|entry| is(entry, kind)).unwrap()
}

/// Replaces the first occurrence of a text in an entry.
fn replace(entry: &mut Vec<u8>, from: &str, to: &str) {
    let text = std::str::from_utf8(entry).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    *entry = text.replacen(from, to, 1).into_bytes();
}

/// What the operator does who has the log's key and signs the rewritten log anew.
const INSIDE: [Case<fn(&mut Leaves)>; 7] = [
    (
        "an issue without its intent",
        |leaves| {
            let at = last(leaves, "certificate.intent");
            replace(&mut leaves[at], "certificate.intent", "certificate.other0");
        },
        "there is no intent before it",
    ),
    (
        "another tbsCertificate than intended",
        |leaves| {
            let at = last(leaves, "certificate.intent");
            replace(&mut leaves[at], "\"tbs\":\"MI", "\"tbs\":\"MJ");
        },
        "it is not what was intended",
    ),
    (
        "a certificate that its CA key did not sign",
        |leaves| {
            let at = last(leaves, "certificate.issued");
            let text = String::from_utf8(leaves[at].clone()).unwrap();
            let (before, rest) = text.split_once("\"certificate\":\"MI").unwrap();
            let (der, after) = rest.split_once("\",\"epoch\"").unwrap();
            // Within the signature, which stands last.
            let (head, tail) = der.split_at(der.len() - 12);
            let flipped = if tail.starts_with('A') { "B" } else { "A" };
            let tail = format!("{flipped}{}", &tail[1..]);
            leaves[at] =
                format!("{before}\"certificate\":\"MI{head}{tail}\",\"epoch\"{after}").into_bytes();
        },
        "its CA's signature",
    ),
    (
        "a certificate issued twice",
        |leaves| {
            let again = leaves[last(leaves, "certificate.issued")].clone();
            leaves.push(again);
        },
        "has ended before",
    ),
    (
        "a serial number used twice",
        |leaves| {
            let again = leaves[last(leaves, "certificate.intent")].clone();
            leaves.push(again);
        },
        "its serial number was used before",
    ),
    (
        "an entry in another spelling",
        |leaves| {
            leaves.last_mut().unwrap().push(b' ');
        },
        "the JSON is not canonical",
    ),
    (
        "a heartbeat that counts one more",
        |leaves| {
            let at = last(leaves, "log.heartbeat");
            replace(&mut leaves[at], "\"entries\":", "\"entries\":1");
        },
        "it does not count the entries before it",
    ),
];

/// An audit directory that goes when this is dropped.
fn published(logs: &Logs) -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    let dir = memory.or_else(|_| tempfile::tempdir()).unwrap();
    publish(logs, dir.path(), SPLIT);
    dir
}

fn refused(python: &Tool, dir: &Path, what: &str, named: &str) {
    let (accepted, said) = verify(python, dir, &[]);
    assert!(!accepted && said.contains(named), "{what}: {said}");
    assert!(!said.contains("Traceback"), "{what}: {said}");
}

/// The logs in an audit directory.
fn logs_in(dir: &Path) -> Vec<PathBuf> {
    let below = |dir: PathBuf| {
        fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let mut logs: Vec<PathBuf> = below(dir.to_owned()).flat_map(below).collect();
    logs.sort();
    logs
}

fn both_accept(python: &Tool, logs: &Logs) {
    let dir = published(logs);
    let logs = logs_in(dir.path());
    // What `audit pull` and file managers leave beside the logs is none of them.
    for file in ["lock", "issuer/.DS_Store", "issuer/2008/refused"] {
        fs::write(dir.path().join(file), "").unwrap();
    }
    let (accepted, said) = verify(python, dir.path(), &[]);
    assert!(accepted, "{said}");
    assert!(
        said.contains("issuer/2009: ") && said.contains("lifecycle/keys: "),
        "{said}"
    );
    assert!(said.contains("get them in another way"), "{said}");
    let scratch = tempfile::tempdir().unwrap();
    let keys = scratch.path().join("keys.txt");
    let vkey = |log: &PathBuf| fs::read_to_string(log.join("vkey")).unwrap();
    fs::write(&keys, logs.iter().map(vkey).collect::<String>()).unwrap();
    let (accepted, said) = verify(python, dir.path(), &[Path::new("--keys"), &keys]);
    assert!(accepted && !said.contains("in another way"), "{said}");
    fs::write(&keys, "").unwrap();
    assert!(!verify(python, dir.path(), &[Path::new("--keys"), &keys]).0);

    if let Some(checker) = log_checker(scratch.path()) {
        for log in logs {
            let output = checker.command().arg(&log).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{}: {said}", log.display());
        }
    }
}

/// A log that its own key signed, of another history than those beside it.
fn another_history(python: &Tool, logs: &Logs, log: &str, kind: &str, named: &str) {
    let dir = published(logs);
    let mut other = logs.clone();
    let leaves = other.of_service(Service::Issuer);
    let at = leaves[..SPLIT]
        .iter()
        .position(|entry| is(entry, kind))
        .unwrap();
    replace(&mut leaves[at], "\"node\":\"", "\"node\":\"x");
    let other = published(&other);
    let place = format!("issuer/{log}");
    fs::remove_dir_all(dir.path().join(&place)).unwrap();
    fs::rename(other.path().join(&place), dir.path().join(&place)).unwrap();
    refused(python, dir.path(), log, named);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_are_not_ours_accept_the_logs_and_name_what_was_changed() {
    let Some(python) = python(&["cryptography"], "python3-cryptography") else {
        return;
    };
    let (logs, _) = lived().await;
    both_accept(&python, &logs);
    for (what, change, named) in OUTSIDE {
        let dir = published(&logs);
        change(dir.path());
        refused(&python, dir.path(), what, named);
    }
    for (what, change, named) in INSIDE {
        let mut changed = logs.clone();
        change(changed.of_service(Service::Issuer));
        refused(&python, published(&changed).path(), what, named);
    }
    another_history(&python, &logs, "2008", "crl.signed", "does not go on where");
    another_history(
        &python,
        &logs,
        "keys",
        "authority.created",
        "stand in no year's log",
    );
}
