//! What a witness has cosigned stays cosigned, whatever its disk does and whenever it is killed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{io::ErrorKind, path::Path, sync::Arc};

use lgpki_ledger::{
    Checkpoint, Disk, NoteSigner as _, OsDisk, Submission, VerifierKey, WitnessKey,
    merkle::{CompactRange, Hash, leaf},
    note::NoteSignature,
    proof::{HashReader, consistency, shows_fork},
    published::TreeError,
    witness::{Book, BookError, Cosigned, Unsigned},
};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_signer};

const DIR: &str = "/witness";
const SERVICE: &str = "lgpki.example/audit/issuer";

struct Log(&'static str);

impl HashReader for Log {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        let mut range = CompactRange::new();
        for entry in index << level..(index + 1) << level {
            range.push(leaf(format!("{}{entry}", self.0).as_bytes()));
        }
        Ok(range.root())
    }
}

impl Log {
    fn submission(&self, old: u64, size: u64) -> Submission {
        let root = lgpki_ledger::proof::root(self, (0, size)).unwrap();
        let proof = match old {
            0 => Vec::new(),
            old => consistency(self, old, size).unwrap(),
        };
        let origin = format!("{SERVICE}/2026").parse().unwrap();
        let note = Checkpoint { origin, size, root }.signed(&log_signer(1));
        Submission { old, proof, note }
    }
}

const LOG: Log = Log("");
const FORK: Log = Log("x");

fn logs() -> Vec<VerifierKey> {
    let public = log_signer(1).public_key();
    vec![VerifierKey::new(SERVICE.parse().unwrap(), public)]
}

fn key() -> WitnessKey {
    WitnessKey::new("w.example".parse().unwrap(), log_signer(2).public_key())
}

fn open(disk: &FaultyDisk) -> Result<Book, BookError> {
    Book::open(Arc::new(disk.clone()), Path::new(DIR), key())
}

fn cosign(book: &mut Book, submission: &Submission, time: u64) -> Result<Cosigned, Unsigned> {
    book.cosign(submission, &logs(), time, &log_signer(2))
}

#[test]
fn a_witness_goes_on_after_a_restart_where_it_was() {
    let disk = FaultyDisk::new();
    Book::begin(&disk, Path::new(DIR)).unwrap();
    let mut book = open(&disk).unwrap();
    assert_eq!(book.logs().len(), 0);
    let first = cosign(&mut book, &LOG.submission(0, 3), 100).unwrap();
    assert_eq!(first.before, None);
    let text = LOG.submission(0, 3).note.text().to_owned();
    assert_eq!(key().time_of(&text, &first.signature), Some(100));
    cosign(&mut book, &LOG.submission(3, 8), 101).unwrap();
    drop(book);
    let mut book = open(&disk).unwrap();
    let (origin, seen) = book.logs().next().unwrap();
    assert_eq!(origin.as_str(), format!("{SERVICE}/2026"));
    assert_eq!((seen.size, seen.time), (8, 101));
    let fork = cosign(&mut book, &FORK.submission(8, 8), 102).unwrap_err();
    assert!(fork.to_string().starts_with("FORK"), "{fork}");
    let back = cosign(&mut book, &LOG.submission(3, 5), 104).unwrap_err();
    assert!(back.to_string().starts_with("ROLLBACK"), "{back}");
    // The same tree again has a new time after a while; then the log goes on.
    let again = cosign(&mut book, &LOG.submission(8, 8), 205).unwrap();
    assert_eq!((again.now.size, again.now.time), (8, 205));
    cosign(&mut book, &LOG.submission(8, 20), 206).unwrap();
}

#[test]
fn one_process_is_the_witness() {
    let disk = FaultyDisk::new();
    Book::begin(&disk, Path::new(DIR)).unwrap();
    let held = open(&disk).unwrap();
    assert!(matches!(open(&disk), Err(BookError::Taken(_))));
    drop(held);
    open(&disk).unwrap();
}

#[test]
fn a_book_that_is_gone_or_damaged_is_no_new_witness() {
    let disk = FaultyDisk::new();
    disk.create_dir(Path::new(DIR)).unwrap();
    assert!(matches!(open(&disk), Err(BookError::Lost(_))));
    Book::begin(&disk, Path::new(DIR)).unwrap();
    let mut book = open(&disk).unwrap();
    cosign(&mut book, &LOG.submission(0, 3), 100).unwrap();
    drop(book);
    let logs = Path::new(DIR).join("logs");
    let names = disk.list(&logs).unwrap();
    let name = names.iter().find(|name| name.len() == 64).unwrap();
    disk.edit(&logs.join(name), |bytes| bytes[30] ^= 1).unwrap();
    assert!(matches!(open(&disk), Err(BookError::Damaged { .. })));
}

#[test]
fn whoever_sends_a_public_checkpoint_again_costs_the_witness_neither_a_signature_nor_a_write() {
    let disk = FaultyDisk::new();
    Book::begin(&disk, Path::new(DIR)).unwrap();
    let mut book = open(&disk).unwrap();
    let first = cosign(&mut book, &LOG.submission(0, 8), 100).unwrap();
    drop(book);
    let mut book = open(&disk).unwrap();
    // Whatever would be done to the disk fails.
    disk.fail_at(1, Fault::Before(ErrorKind::Other));
    for time in [100, 101, 159, 99, 41] {
        let again = cosign(&mut book, &LOG.submission(8, 8), time).unwrap();
        assert!(again.repeated);
        assert_eq!((again.now.time, &again.signature), (100, &first.signature));
        let old = cosign(&mut book, &LOG.submission(3, 5), time).unwrap_err();
        assert!(old.to_string().starts_with("ROLLBACK"), "{old}");
    }
    assert!(disk.fault_pending());
    // After a minute it would sign anew, and must write that first.
    let failed = cosign(&mut book, &LOG.submission(8, 8), 160).unwrap_err();
    assert!(matches!(failed, Unsigned::Unrecorded(_)), "{failed}");
}

/// Reads a file of evidence as anybody would who has nothing but the log's key, and gives both sizes.
fn proved(text: &str) -> (u64, u64) {
    let key = VerifierKey::new(
        format!("{SERVICE}/2026").parse().unwrap(),
        log_signer(1).public_key(),
    );
    let at = text.find("\n\nold ").unwrap();
    let (known, _) = Checkpoint::open(&text[..=at], &key).unwrap();
    let sent: Submission = text[at + 2..].parse().unwrap();
    let (other, _) = Checkpoint::open(&sent.note.to_string(), &key).unwrap();
    let (before, after) = ((known.size, &known.root), (other.size, &other.root));
    assert!(shows_fork(before, after, &sent.proof));
    (known.size, other.size)
}

#[test]
fn a_fork_is_kept_so_that_the_logs_own_signatures_prove_it_to_anybody() {
    let disk = FaultyDisk::new();
    Book::begin(&disk, Path::new(DIR)).unwrap();
    let mut book = open(&disk).unwrap();
    cosign(&mut book, &LOG.submission(0, 3), 100).unwrap();
    cosign(&mut book, &LOG.submission(3, 7), 101).unwrap();
    drop(book);
    let mut book = open(&disk).unwrap();
    for _ in 0..2 {
        for fork in [FORK.submission(3, 7), FORK.submission(7, 11)] {
            let refused = cosign(&mut book, &fork, 102).unwrap_err();
            assert!(refused.to_string().starts_with("FORK"), "{refused}");
        }
    }
    let dir = Path::new(DIR).join("evidence");
    let mut forks = Vec::new();
    for name in disk.list(&dir).unwrap() {
        let text = disk.read(&dir.join(name)).unwrap();
        forks.push(proved(std::str::from_utf8(&text).unwrap()));
    }
    forks.sort_unstable();
    assert_eq!(forks, [(7, 7), (7, 11)]);
}

#[test]
fn what_anybody_can_make_up_keeps_no_evidence_out() {
    let disk = FaultyDisk::new();
    Book::begin(&disk, Path::new(DIR)).unwrap();
    let mut book = open(&disk).unwrap();
    cosign(&mut book, &LOG.submission(0, 7), 100).unwrap();
    // Honest checkpoints, which are public, with proofs of nothing, and with junk among the signatures.
    for size in 8..120 {
        let mut sent = Submission {
            proof: vec![[0; 32]],
            ..LOG.submission(7, size)
        };
        let junk = NoteSignature::try_new("junk".parse().unwrap(), 1, vec![1]);
        sent.note.add(junk.unwrap()).unwrap();
        let refused = cosign(&mut book, &sent, 101).unwrap_err().to_string();
        assert!(refused.starts_with("NOT PROVED"), "{refused}");
    }
    let list = |name: &str| disk.list(&Path::new(DIR).join(name)).unwrap_or_default();
    assert_eq!((list("evidence").len(), list("unproved").len()), (0, 100));
    for name in list("unproved") {
        let path = Path::new(DIR).join("unproved").join(name);
        let text = disk.read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("junk"));
    }
    cosign(&mut book, &FORK.submission(7, 11), 102).unwrap_err();
    assert_eq!((list("evidence").len(), list("unproved").len()), (1, 100));
}

#[test]
fn a_copy_among_the_files_does_not_set_the_witness_back() {
    let disk = FaultyDisk::new();
    Book::begin(&disk, Path::new(DIR)).unwrap();
    let mut book = open(&disk).unwrap();
    cosign(&mut book, &LOG.submission(0, 3), 100).unwrap();
    let logs = Path::new(DIR).join("logs");
    let names = disk.list(&logs).unwrap();
    let name = names.iter().find(|name| name.len() == 64).unwrap();
    let older = disk.read(&logs.join(name)).unwrap();
    cosign(&mut book, &LOG.submission(3, 8), 101).unwrap();
    drop(book);
    // Before and after it in any order, as the name of another log's file, and in other letters.
    let upper = name.to_uppercase();
    for copy in [
        "0000-backup",
        "zzzz-backup",
        &"f".repeat(64),
        &upper,
        "x.unnamed",
    ] {
        let path = logs.join(copy);
        disk.create(&path).unwrap().write_at(&older, 0).unwrap();
        let refused = open(&disk).unwrap_err();
        assert!(
            matches!(&refused, BookError::Foreign(foreign) if *foreign == path),
            "{refused}"
        );
        disk.remove(&path).unwrap();
    }
    // The only file of its log under another name: nothing is begun anew.
    disk.rename(&logs.join(name), &logs.join("aside")).unwrap();
    assert!(matches!(open(&disk), Err(BookError::Foreign(_))));
    disk.rename(&logs.join("aside"), &logs.join(name)).unwrap();
    // What a power cut left unfinished is none.
    let unfinished = logs.join(format!("{name}.unnamed"));
    disk.create(&unfinished).unwrap();
    let book = open(&disk).unwrap();
    assert_eq!(book.logs().next().unwrap().1.size, 8);
}

#[test]
fn no_cosignature_leaves_before_it_is_durable() {
    for persisted in [Persisted::Nothing, Persisted::Everything] {
        for fault in [
            Fault::Before(ErrorKind::Other),
            Fault::After(ErrorKind::Other),
        ] {
            let mut step = 1;
            loop {
                let disk = FaultyDisk::new();
                Book::begin(&disk, Path::new(DIR)).unwrap();
                let mut book = open(&disk).unwrap();
                cosign(&mut book, &LOG.submission(0, 3), 100).unwrap();
                disk.fail_at(step, fault);
                let left = cosign(&mut book, &LOG.submission(3, 8), 101).is_ok();
                let done = disk.fault_pending();
                drop(book);
                disk.power_cut(persisted);
                let book = open(&disk).unwrap();
                let (_, seen) = book.logs().next().unwrap();
                // What left is remembered; what is remembered is of the log.
                assert!(
                    seen.size == 8 || (seen.size == 3 && !left),
                    "{step} {seen:?}"
                );
                if done {
                    assert!(left && seen.size == 8);
                    break;
                }
                step += 1;
            }
            assert!(step > 4, "only {step} steps failed");
        }
    }
}

#[test]
fn a_witness_lives_on_a_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    Book::begin(&OsDisk, dir.path()).unwrap();
    let open = || Book::open(Arc::new(OsDisk), dir.path(), key());
    let mut book = open().unwrap();
    cosign(&mut book, &LOG.submission(0, 3), 100).unwrap();
    assert!(matches!(open(), Err(BookError::Taken(_))));
    drop(book);
    assert_eq!(open().unwrap().logs().next().unwrap().1.size, 3);
}
