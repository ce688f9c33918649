//! Directories of logs that somebody changed who holds files or keys, as far as no service is needed for it.

use std::{path::PathBuf, sync::Arc};

use lgpki_ledger::{
    LogError, LogProof, NoteSigner as _, OsDisk, Publisher,
    merkle::{CompactRange, Hash, leaf},
    publisher::{Leaves, Place as Shelf},
};
use lgpki_testkit::log_signer;
use tempfile::TempDir;

use super::*;
use crate::proof::{check_proof, reader};

const BASE: &str = "lgpki.example/audit";
/// The seeds of the services' keys.
const SEEDS: [(Service, u8); 3] = [
    (Service::Issuer, 2),
    (Service::Intake, 1),
    (Service::Lifecycle, 3),
];

struct Entries(Vec<Vec<u8>>);

impl Leaves for Entries {
    fn leaves(&self, from: u64, most: usize, _: usize) -> Result<Vec<Vec<u8>>, LogError> {
        let from = usize::try_from(from).unwrap();
        Ok(self.0.iter().skip(from).take(most).cloned().collect())
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        let mut range = CompactRange::new();
        let size = usize::try_from(size).unwrap();
        self.0[..size]
            .iter()
            .for_each(|entry| range.push(leaf(entry)));
        Ok(Some(range.root()))
    }
}

fn entry(kind: &str, body: &str) -> Vec<u8> {
    format!(
        "{{\"actor\":\"node\",\"body\":{body},\"kind\":\"{kind}\",\"node\":\"node-1\",\
         \"time\":\"2011-02-04T08:00:00.000+09:00\",\"v\":1}}"
    )
    .into_bytes()
}

/// An opening entry and `count` that say nothing.
fn entries(origin: &str, count: usize) -> Vec<Vec<u8>> {
    let opening = entry(
        "log.opened",
        &format!("{{\"first\":0,\"log\":\"{origin}\"}}"),
    );
    let filler = entry("log.restored", "{\"held\":0,\"taken_back\":0}");
    let filler = std::iter::repeat_n(filler, count);
    std::iter::once(opening).chain(filler).collect()
}

fn name(origin: &str) -> lgpki_ledger::KeyName {
    origin.parse().unwrap()
}

/// Publishes entries in the place of a log, under a name and a key that may be another's.
fn publish(path: &Path, origin: &str, seed: u8, entries: Vec<Vec<u8>>) {
    let _ = fs::remove_dir_all(path);
    let entries = Entries(entries);
    let size = entries.0.len() as u64;
    let head = Checkpoint {
        origin: name(origin),
        size,
        root: entries.root_at(size).unwrap().unwrap(),
    };
    let place = Shelf {
        disk: Arc::new(OsDisk),
        dir: path.to_owned(),
        key: VerifierKey::new(name(origin), log_signer(seed).public_key()),
    };
    let (mut publisher, _) = Publisher::open(place, &entries).unwrap();
    let note = head.signed(&log_signer(seed));
    publisher.publish(&note, &entries).unwrap();
}

/// The logs of an installation in which nothing has happened.
fn installation() -> TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    let dir = memory.or_else(|_| tempfile::tempdir()).unwrap();
    for (service, seed) in SEEDS {
        for (log, count) in [(KEYS, 0), ("2011", 9)] {
            let origin = format!("{BASE}/{}/{log}", service.name());
            let path = dir.path().join(service.name()).join(log);
            publish(&path, &origin, seed, entries(&origin, count));
        }
    }
    dir
}

fn key(service: Service, seed: u8) -> VerifierKey {
    let origin = format!("{BASE}/{}", service.name());
    VerifierKey::new(name(&origin), log_signer(seed).public_key())
}

fn keys() -> Vec<VerifierKey> {
    SEEDS.map(|(service, seed)| key(service, seed)).into()
}

fn against(keys: Vec<VerifierKey>) -> Against {
    Against {
        keys,
        ..Against::default()
    }
}

fn verify(dir: &Path, against: &Against) -> Report {
    let published = Published::open(dir).unwrap();
    published.verify(against, &mut |_| {}).unwrap()
}

/// The findings as `rule: place: what`.
fn told(report: &Report) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn names(told: &[String], rule: &str, words: &str) {
    let mut found = told.iter();
    let found = found.any(|what| what.starts_with(rule) && what.contains(words));
    assert!(found, "no {rule} of {words:?} in {told:#?}");
}

fn issuer(dir: &TempDir) -> PathBuf {
    dir.path().join("issuer/2011")
}

#[test]
fn the_logs_of_an_installation_in_which_nothing_happened_hold() {
    let dir = installation();
    for keys in [Vec::new(), keys()] {
        let report = verify(dir.path(), &against(keys));
        assert!(report.is_clean(), "{:#?}", told(&report));
        assert_eq!(report.logs.len(), 6);
    }
}

#[test]
fn a_key_of_one_service_signs_no_log_of_another() {
    let dir = installation();
    // Below the name of intake, with intake's key, and in the issuer's place.
    for log in ["2011", KEYS] {
        let origin = format!("{BASE}/intake/issuer/{log}");
        let path = dir.path().join("issuer").join(log);
        publish(&path, &origin, 1, entries(&origin, 9));
    }
    let report = told(&verify(dir.path(), &against(keys())));
    names(
        &report,
        "checkpoint: issuer/2011",
        "no verifier key is known",
    );
    // Whoever has no keys at least sees that the logs are not of one installation.
    let report = told(&verify(dir.path(), &Against::default()));
    names(&report, "checkpoint: ", "those beside it are of");
    let published = Published::open(dir.path()).unwrap();
    for keys in [Vec::new(), keys()] {
        let all = published
            .years(Service::Issuer)
            .chain(published.years(Service::Intake));
        let believed: Vec<_> = all.map(|log| reader(log, &keys).is_ok()).collect();
        assert_eq!(believed.iter().filter(|believed| **believed).count(), 1);
    }
    // A log in the place of another.
    let dir = installation();
    let origin = format!("{BASE}/intake/2011");
    publish(&issuer(&dir), &origin, 1, entries(&origin, 9));
    let report = told(&verify(dir.path(), &against(keys())));
    names(&report, "checkpoint: issuer/2011", "it is of the log");
    let published = Published::open(dir.path()).unwrap();
    let log = published.years(Service::Issuer).next().unwrap();
    assert!(reader(log, &keys()).is_err());
}

#[test]
fn a_proof_holds_for_what_the_service_of_its_log_may_write() {
    let dir = installation();
    let body = "{\"certificate\":\"MIIB\"}";
    for (service, seed, believed) in [(Service::Intake, 1, false), (Service::Issuer, 2, true)] {
        let origin = format!("{BASE}/{}/2011", service.name());
        let mut all = entries(&origin, 3);
        all.push(entry("certificate.issued", body));
        let path = dir.path().join(service.name()).join("2011");
        publish(&path, &origin, seed, all.clone());
        let published = Published::open(dir.path()).unwrap();
        let log = published.years(service).next().unwrap();
        let (tiles, _, checkpoint) = reader(log, &keys()).unwrap();
        let proof = LogProof {
            extra: all.last().cloned(),
            index: 4,
            hashes: tiles.inclusion(4).unwrap(),
            checkpoint,
        };
        let checked = check_proof(&proof, &keys());
        assert_eq!(checked.is_ok(), believed, "{checked:?}");
    }
}

#[test]
fn checkpoints_of_any_size_are_counted() {
    let dir = installation();
    for service in ["issuer", "intake", "lifecycle"] {
        let path = dir.path().join(service).join("2011/checkpoint");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\n10\n", &format!("\n{}\n", i64::MAX))).unwrap();
    }
    let published = Published::open(dir.path()).unwrap();
    assert_eq!(published.leaves(), u64::MAX);
    let report = told(&verify(dir.path(), &against(keys())));
    names(&report, "checkpoint: issuer/2011", "does not fit");
    names(&report, "missing: issuer/2011", "cannot be read");
}

fn append(path: &Path, more: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    bytes.extend_from_slice(more);
    fs::write(path, bytes).unwrap();
}

fn believes(dir: &TempDir) -> bool {
    let published = Published::open(dir.path()).unwrap();
    let log = published.years(Service::Issuer).next().unwrap();
    reader(log, &keys()).is_ok_and(|(tiles, ..)| tiles.bundle(0).is_ok())
}

#[test]
fn a_file_holds_what_its_name_says_and_only_a_full_one_stands_for_another() {
    for (file, more) in [
        ("tile/entries/000.p/10", &[0, 2, b'{', b'}'][..]),
        ("tile/entries/000.p/10", &[0, 2, b'{']),
        ("tile/0/000.p/10", &[7; 32]),
        ("tile/0/000.p/10", &[7; 246 * 32]),
    ] {
        let dir = installation();
        assert!(believes(&dir));
        append(&issuer(&dir).join(file), more);
        let report = told(&verify(dir.path(), &against(keys())));
        assert!(!report.is_empty(), "{file} {}", more.len());
        assert!(!believes(&dir), "{file} {}", more.len());
    }
    // The full files came before the checkpoint that counts what they hold.
    let (dir, later) = (installation(), installation());
    let origin = format!("{BASE}/issuer/2011");
    publish(&issuer(&later), &origin, 2, entries(&origin, 300));
    for layer in ["entries", "0"] {
        let place = Path::new("tile").join(layer);
        fs::remove_dir_all(issuer(&dir).join(&place).join("000.p")).unwrap();
        let full = place.join("000");
        fs::copy(issuer(&later).join(&full), issuer(&dir).join(&full)).unwrap();
    }
    let report = verify(dir.path(), &against(keys()));
    assert!(report.is_clean(), "{:#?}", told(&report));
    assert!(believes(&dir));
}

#[test]
fn a_file_without_an_end_is_none() {
    let dir = installation();
    for file in ["tile/0/000.p/10", "vkey"] {
        let path = issuer(&dir).join(file);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    }
    let report = told(&verify(dir.path(), &against(keys())));
    names(
        &report,
        "missing: issuer/2011",
        "tile/0/000.p/10 is not there",
    );
    assert!(!believes(&dir));
}

/// What is held against the logs of a later visit.
fn remembered(seen: &TempDir) -> Against {
    Against {
        seen: Some(seen.path().to_owned()),
        ..against(keys())
    }
}

/// The names of the logs that were not remembered.
fn remember(dir: &TempDir, against: &Against, to: &TempDir) -> Vec<String> {
    let published = Published::open(dir.path()).unwrap();
    let report = published.verify(against, &mut |_| {}).unwrap();
    published.remember(to.path(), against, &report).unwrap()
}

fn sizes(seen: &TempDir) -> Vec<u64> {
    let seen = Published::open(seen.path()).unwrap();
    let all = seen.logs().map(|log| log.head.as_ref().unwrap().size);
    all.collect()
}

#[test]
fn a_memory_that_was_changed_is_no_memory() {
    let (dir, seen) = (installation(), tempfile::tempdir().unwrap());
    assert!(remember(&dir, &against(keys()), &seen).is_empty());
    for keys in [keys(), Vec::new()] {
        let against = Against {
            keys,
            ..remembered(&seen)
        };
        let report = verify(dir.path(), &against);
        assert!(report.is_clean(), "{:#?}", told(&report));
    }
    let path = seen.path().join("issuer/2011/checkpoint");
    let whole = fs::read_to_string(&path).unwrap();
    let other = fs::read_to_string(dir.path().join("intake/2011/checkpoint")).unwrap();
    let published = Published::open(dir.path()).unwrap();
    for changed in [
        String::new(),
        whole[..40].to_owned(),
        whole.replace("\n10\n", "\n4\n"),
        other,
    ] {
        fs::write(&path, changed).unwrap();
        for keys in [keys(), Vec::new()] {
            let against = Against {
                keys,
                ..remembered(&seen)
            };
            let error = published.verify(&against, &mut |_| {}).unwrap_err();
            assert_eq!(error.class(), lgpki_domain::ErrorClass::Corrupt, "{error}");
        }
    }
    fs::remove_file(&path).unwrap();
    assert!(published.verify(&remembered(&seen), &mut |_| {}).is_err());
    // What is gone from it is named.
    for gone in ["issuer/2011", "issuer/keys", "lifecycle"] {
        let seen = tempfile::tempdir().unwrap();
        remember(&dir, &against(keys()), &seen);
        fs::remove_dir_all(seen.path().join(gone)).unwrap();
        let report = told(&verify(dir.path(), &remembered(&seen)));
        let place = format!("set-back: {gone}");
        names(&report, &place, "nothing is remembered of it");
        // And remembered from now on, but for what holds no more.
        assert!(remember(&dir, &remembered(&seen), &seen).is_empty());
        assert!(verify(dir.path(), &remembered(&seen)).is_clean());
    }
}

#[test]
fn a_new_year_is_no_gap_in_the_memory_and_another_key_is_seen() {
    let (dir, seen) = (installation(), tempfile::tempdir().unwrap());
    remember(&dir, &against(keys()), &seen);
    let origin = format!("{BASE}/issuer/2012");
    let path = dir.path().join("issuer/2012");
    publish(&path, &origin, 2, entries(&origin, 3));
    let report = told(&verify(dir.path(), &remembered(&seen)));
    assert!(
        !report.iter().any(|what| what.starts_with("set-back")),
        "{report:#?}"
    );
    // The same history, signed by another, where nobody gave a key.
    fs::remove_dir_all(path).unwrap();
    let origin = format!("{BASE}/issuer/2011");
    publish(&issuer(&dir), &origin, 9, entries(&origin, 9));
    let believing = Against {
        keys: Vec::new(),
        ..remembered(&seen)
    };
    let report = told(&verify(dir.path(), &believing));
    names(
        &report,
        "checkpoint: issuer/2011",
        "another than when it was seen",
    );
    assert!(verify(dir.path(), &Against::default()).is_clean());
}

#[test]
fn what_a_log_says_keeps_nobody_from_remembering_it_and_a_tree_that_does_not_hold_does() {
    let (dir, seen) = (installation(), tempfile::tempdir().unwrap());
    remember(&dir, &against(keys()), &seen);
    let origin = format!("{BASE}/issuer/2011");
    let mut all = entries(&origin, 9);
    all.push(b"{\"no\": \"entry\"}".to_vec());
    publish(&issuer(&dir), &origin, 2, all.clone());
    let report = told(&verify(dir.path(), &remembered(&seen)));
    names(&report, "canonical: issuer/2011", "");
    let (saying, forged) = (
        verify(dir.path(), &remembered(&seen)),
        verify(dir.path(), &against(vec![key(Service::Issuer, 9)])),
    );
    assert!(saying.trees_hold() && !forged.trees_hold());
    assert!(remember(&dir, &remembered(&seen), &seen).is_empty());
    assert_eq!(sizes(&seen), [10, 1, 11, 1, 10, 1]);
    // It is set back: what was seen stays, here and in another place.
    publish(&issuer(&dir), &origin, 2, entries(&origin, 9));
    let elsewhere = tempfile::tempdir().unwrap();
    for to in [&seen, &elsewhere] {
        assert_eq!(remember(&dir, &remembered(&seen), to), ["issuer/2011"]);
        assert_eq!(sizes(to), [10, 1, 11, 1, 10, 1]);
    }
    // So does it for whoever forgets to compare.
    let published = Published::open(dir.path()).unwrap();
    let report = published.verify(&against(keys()), &mut |_| {}).unwrap();
    let again = published.remember(seen.path(), &against(keys()), &report);
    assert!(matches!(again, Err(AuditError::Memory { .. })), "{again:?}");
    assert_eq!(sizes(&seen), [10, 1, 11, 1, 10, 1]);
    // And where the log is gone altogether.
    fs::remove_dir_all(issuer(&dir)).unwrap();
    let later = tempfile::tempdir().unwrap();
    let left = remember(&dir, &remembered(&seen), &later);
    assert_eq!(left, ["issuer/keys", "issuer/2011"]);
    assert_eq!(sizes(&later), [10, 1, 11, 1, 10, 1]);
    // A later checkpoint that holds takes the place.
    all.push(all[5].clone());
    publish(&issuer(&dir), &origin, 2, all);
    assert!(remember(&dir, &remembered(&later), &later).is_empty());
    assert_eq!(sizes(&later), [10, 1, 12, 1, 10, 1]);
}
