//! A published log before the eyes of a program that we did not write: Go's x/mod/sumdb, the code of
//! the Go checksum database.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{fmt::Write as _, fs, path::Path, process::Output, sync::Arc};

use lgpki_ledger::{
    Checkpoint, LogError, LogSigner, NoteSigner, OsDisk, Publisher, TileReader, VerifierKey,
    merkle::{CompactRange, Hash, leaf},
    proof,
    published::Directory,
    publisher::{Leaves, Place},
};
use lgpki_testkit::tool::{Tool, log_checker};

struct Log(Vec<Vec<u8>>);

impl Log {
    fn of(size: u64) -> Self {
        let entry = |i| format!(r#"{{"entry":{i}}}"#).into_bytes();
        Self((0..size).map(entry).collect())
    }

    fn root(&self) -> Hash {
        let mut range = CompactRange::new();
        for entry in &self.0 {
            range.push(leaf(entry));
        }
        range.root()
    }
}

impl Leaves for Log {
    fn leaves(&self, from: u64, entries: usize, _: usize) -> Result<Vec<Vec<u8>>, LogError> {
        let from = usize::try_from(from).unwrap().min(self.0.len());
        let end = self.0.len().min(from + entries);
        Ok(self.0[from..end].to_vec())
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        let size = usize::try_from(size).unwrap();
        let before = |entries: &[Vec<u8>]| Self(entries.to_vec()).root();
        Ok(self.0.get(..size).map(before))
    }
}

fn signer() -> LogSigner {
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend_from_slice(&[7; 32]);
    LogSigner::from_pkcs8(&der).unwrap()
}

fn key() -> VerifierKey {
    let name = "lgpki.example/audit/issuer/2026".parse().unwrap();
    VerifierKey::new(name, signer().public_key())
}

fn publish(dir: &Path, size: u64) -> TileReader {
    let log = Log::of(size);
    let place = Place {
        disk: Arc::new(OsDisk),
        dir: dir.to_owned(),
        key: key(),
    };
    let (mut publisher, _) = Publisher::open(place, &log).unwrap();
    let checkpoint = Checkpoint {
        origin: key().name().clone(),
        size,
        root: log.root(),
    };
    publisher
        .publish(&checkpoint.signed(&signer()), &log)
        .unwrap();
    let source = Arc::new(Directory::new(Arc::new(OsDisk), dir));
    TileReader::open(source, &key()).unwrap().0
}

fn checked(checker: &Tool, dir: &Path) -> Output {
    checker.command().arg(dir).output().unwrap()
}

/// A line of the checker, made from our own proofs.
fn ours(reader: &TileReader, line: &str) -> String {
    let mut words = line.split(' ');
    let (kind, number) = (words.next().unwrap(), words.next().unwrap());
    let n = number.parse().unwrap();
    let hashes = match kind {
        "record" => proof::inclusion(reader, n, reader.size()),
        _ => proof::consistency(reader, n, reader.size()),
    };
    let mut out = format!("{kind} {number}");
    for hash in hashes.unwrap() {
        write!(out, " {}", lgpki_domain::Digest(hash)).unwrap();
    }
    out
}

#[test]
fn the_code_of_the_go_checksum_database_accepts_a_log_and_makes_the_same_proofs() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(checker) = log_checker(scratch.path()) else {
        return;
    };
    let dir = scratch.path().join("log");
    for size in [1, 5, 255, 256, 257, 1000, 66_000] {
        let reader = publish(&dir, size);
        let output = checked(&checker, &dir);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{size}: {told}");
        let proofs = String::from_utf8(output.stdout).unwrap();
        assert!(proofs.lines().count() >= 2);
        for line in proofs.lines() {
            assert_eq!(ours(&reader, line), line, "{size}");
        }
    }
}

#[test]
fn the_code_of_the_go_checksum_database_refuses_a_log_that_was_changed() {
    let scratch = tempfile::tempdir().unwrap();
    let Some(checker) = log_checker(scratch.path()) else {
        return;
    };
    let dir = scratch.path().join("log");
    publish(&dir, 300);
    for file in [
        "checkpoint",
        "tile/entries/000",
        "tile/entries/001.p/44",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
    ] {
        let path = dir.join(file);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        fs::write(&path, &changed).unwrap();
        let output = checked(&checker, &dir);
        assert!(!output.status.success(), "{file}");
        fs::write(&path, &whole).unwrap();
    }
    assert!(checked(&checker, &dir).status.success());
}
