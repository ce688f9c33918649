//! Publishing a log: what stands in the directory after each step, and after each step that fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use lgpki_ledger::{
    Checkpoint, Disk, LogError, LogSigner, NoteSigner, OsDisk, PublishError, Publisher, SignedNote,
    Tile, TileReader, VerifierKey,
    merkle::{CompactRange, Hash, leaf},
    note::NoteSignature,
    proof::{check_consistency, check_inclusion},
    published::Directory,
    publisher::{Leaves, Place},
};
use lgpki_testkit::{Fault, FaultyDisk, Persisted};
use proptest::prelude::*;

const DIR: &str = "/audit/issuer/2026";
const ORIGIN: &str = "lgpki.example/audit/issuer/2026";

fn signer() -> LogSigner {
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend_from_slice(&[7; 32]);
    LogSigner::from_pkcs8(&der).unwrap()
}

fn key() -> VerifierKey {
    VerifierKey::new(ORIGIN.parse().unwrap(), signer().public_key())
}

fn entry(i: u64) -> Vec<u8> {
    format!(
        r#"{{"i":{i},"x":"{}"}}"#,
        "y".repeat(usize::try_from(i % 50).unwrap())
    )
    .into_bytes()
}

/// The same few roots are asked for thousands of times.
static ROOTS: Mutex<BTreeMap<u64, Hash>> = Mutex::new(BTreeMap::new());

/// A log of entries that say their number, with a head wherever one is asked for.
struct Log {
    size: u64,
    /// Whether its entries are others than they were.
    forked: bool,
}

impl Log {
    fn of(size: u64) -> Self {
        Self {
            size,
            forked: false,
        }
    }

    fn entry(&self, i: u64) -> Vec<u8> {
        entry(if self.forked { i + 1 } else { i })
    }

    fn root(&self, size: u64) -> Hash {
        let root = |leaf_of: &dyn Fn(u64) -> Hash| {
            let mut range = CompactRange::new();
            (0..size).for_each(|i| range.push(leaf_of(i)));
            range.root()
        };
        if self.forked {
            return root(&|i| leaf(&self.entry(i)));
        }
        let mut roots = ROOTS.lock().unwrap();
        *roots
            .entry(size)
            .or_insert_with(|| root(&|i| leaf(&entry(i))))
    }

    fn note(&self) -> SignedNote {
        let checkpoint = Checkpoint {
            origin: ORIGIN.parse().unwrap(),
            size: self.size,
            root: self.root(self.size),
        };
        checkpoint.signed(&signer())
    }
}

impl Leaves for Log {
    fn leaves(&self, from: u64, entries: usize, bytes: usize) -> Result<Vec<Vec<u8>>, LogError> {
        let end = self.size.min(from + entries as u64);
        let mut room = bytes;
        let mut out = Vec::new();
        for i in from..end {
            let entry = self.entry(i);
            if entry.len() > room && !out.is_empty() {
                break;
            }
            room = room.saturating_sub(entry.len());
            out.push(entry);
        }
        Ok(out)
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        Ok((size <= self.size).then(|| self.root(size)))
    }
}

fn place(disk: &FaultyDisk) -> Place {
    Place {
        disk: Arc::new(disk.clone()),
        dir: PathBuf::from(DIR),
        key: key(),
    }
}

fn directory(disk: &FaultyDisk) -> Arc<Directory> {
    Arc::new(Directory::new(Arc::new(disk.clone()), DIR))
}

fn reader(disk: &FaultyDisk) -> TileReader {
    TileReader::open(directory(disk), &key()).unwrap().0
}

/// Everything that the directory says, checked against the log.
fn check(disk: &FaultyDisk, size: u64, what: &str) {
    let reader = reader(disk);
    assert_eq!(reader.size(), size, "{what}");
    let mut next = 0;
    for index in 0..reader.bundles() {
        for found in reader.bundle(index).unwrap().iter() {
            assert_eq!(found, entry(next), "{what}");
            next += 1;
        }
    }
    assert_eq!(next, size, "{what}");
}

/// The full tiles and the checkpoint that stand in the directory.
fn full_tiles(disk: &FaultyDisk) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in disk.paths() {
        let name = path.strip_prefix(DIR).unwrap().to_str().unwrap();
        if name.parse::<Tile>().is_ok_and(|tile| tile.is_full()) {
            found.insert(name.to_owned(), disk.read(&path).unwrap());
        }
    }
    found
}

fn publish(disk: &FaultyDisk, sizes: &[u64]) -> Result<(), PublishError> {
    let last = Log::of(*sizes.last().unwrap());
    let (mut publisher, _) = Publisher::open(place(disk), &last)?;
    for size in sizes
        .iter()
        .filter(|size| **size > publisher.size())
        .copied()
        .collect::<Vec<_>>()
    {
        let log = Log::of(size);
        publisher.publish(&log.note(), &log)?;
    }
    Ok(())
}

#[test]
fn the_published_files_are_those_of_the_specification() {
    let disk = FaultyDisk::new();
    publish(&disk, &[1, 3, 300, 600]).unwrap();
    let paths: Vec<String> = disk
        .paths()
        .iter()
        .map(|path| path.strip_prefix(DIR).unwrap().display().to_string())
        .collect();
    assert_eq!(
        paths,
        [
            "checkpoint",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/88",
            // A level's partial tiles stay until it is full, for whoever holds an older checkpoint.
            "tile/1/000.p/1",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/88",
            "vkey",
        ]
    );
    check(&disk, 600, "600");
    let vkey = disk.read(Path::new("/audit/issuer/2026/vkey")).unwrap();
    assert_eq!(vkey, format!("{}\n", key()).into_bytes());
}

#[test]
fn publishing_goes_on_after_each_opening_and_at_every_kind_of_size() {
    let disk = FaultyDisk::new();
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 1000, 66_000] {
        let log = Log::of(size);
        let (mut publisher, opened) = Publisher::open(place(&disk), &log).unwrap();
        assert_eq!(opened.mended, 0, "{size}");
        let before = opened.size;
        assert_eq!(publisher.publish(&log.note(), &log).unwrap(), size - before);
        assert_eq!(publisher.publish(&log.note(), &log).unwrap(), 0);
        assert_eq!(publisher.size(), size);
        check(&disk, size, &size.to_string());
    }
}

#[test]
fn proofs_made_from_tiles_hold_and_an_older_head_can_still_be_read() {
    let disk = FaultyDisk::new();
    publish(&disk, &[200, 700, 66_000]).unwrap();
    let reader = reader(&disk);
    let root = reader.root_at(66_000).unwrap();
    for index in [0, 1, 255, 256, 511, 65_535, 65_536, 65_999] {
        let proof = reader.inclusion(index).unwrap();
        check_inclusion(&leaf(&entry(index)), index, (66_000, &root), &proof).unwrap();
        assert_eq!(reader.entry(index).unwrap(), entry(index));
    }
    assert!(reader.inclusion(66_000).is_err());
    assert!(reader.entry(66_000).is_err());
    for old in [1, 200, 256, 700, 65_536, 65_537, 66_000] {
        let before = reader.root_at(old).unwrap();
        assert_eq!(before, Log::of(old).root(old));
        let proof = reader.consistency(old).unwrap();
        check_consistency((old, &before), (66_000, &root), &proof).unwrap();
        // Full tiles stand for the partial ones that they superseded.
        let source = directory(&disk);
        let then = TileReader::at(source, old, &before).unwrap();
        assert_eq!(then.entry(old - 1).unwrap(), entry(old - 1));
        assert!(then.entry(old).is_err());
    }
}

#[test]
fn no_changed_byte_of_any_file_is_believed() {
    let disk = FaultyDisk::new();
    publish(&disk, &[700]).unwrap();
    for path in disk.paths() {
        if path.ends_with("vkey") {
            continue;
        }
        let size = disk.read(&path).unwrap().len();
        for at in [0, size / 2, size - 1] {
            disk.edit(&path, |bytes| bytes[at] ^= 1).unwrap();
            let source = directory(&disk);
            let read = TileReader::open(source, &key()).and_then(|(reader, _, _)| {
                (0..reader.bundles()).try_for_each(|i| reader.bundle(i).map(drop))
            });
            assert!(read.is_err(), "{} at {at}", path.display());
            disk.edit(&path, |bytes| bytes[at] ^= 1).unwrap();
        }
    }
    check(&disk, 700, "as it was");
}

#[test]
fn a_note_that_does_not_follow_from_the_log_is_not_published() {
    let disk = FaultyDisk::new();
    let log = Log::of(300);
    let (mut publisher, _) = Publisher::open(place(&disk), &log).unwrap();
    publisher.publish(&log.note(), &log).unwrap();
    let before = full_tiles(&disk);
    let longer = Log::of(400);
    let forked = Log {
        size: 400,
        forked: true,
    };
    // Other entries; entries that are not there; fewer entries; a foreign signature.
    for (note, log) in [
        (longer.note(), &forked),
        (forked.note(), &longer),
        (longer.note(), &log),
        (Log::of(299).note(), &log),
    ] {
        let refused = publisher.publish(&note, log).unwrap_err();
        let named = matches!(
            refused,
            PublishError::Unfit { .. } | PublishError::Altered { .. }
        );
        assert!(named, "{refused}");
    }
    let mut foreign = Checkpoint::parse(longer.note().text()).unwrap();
    foreign.origin = "elsewhere".parse().unwrap();
    assert!(
        publisher
            .publish(&foreign.signed(&signer()), &longer)
            .is_err()
    );
    check(&disk, 300, "as it was");
    assert_eq!(full_tiles(&disk), before);
    publisher.publish(&longer.note(), &longer).unwrap();
    check(&disk, 400, "in the end");
}

#[test]
fn signatures_of_others_are_added_and_stay() {
    let disk = FaultyDisk::new();
    let log = Log::of(3);
    let (mut publisher, _) = Publisher::open(place(&disk), &log).unwrap();
    publisher.publish(&log.note(), &log).unwrap();
    let witness = NoteSignature::try_new("witness.example".parse().unwrap(), 7, vec![1; 72]);
    let mut note = log.note();
    note.add(witness.unwrap()).unwrap();
    publisher.publish(&note, &log).unwrap();
    publisher.publish(&log.note(), &log).unwrap();
    assert_eq!(publisher.checkpoint(), Some(&note));
    let (publisher, _) = Publisher::open(place(&disk), &log).unwrap();
    assert_eq!(publisher.checkpoint(), Some(&note));
}

#[test]
fn a_log_behind_or_beside_what_it_published_is_refused() {
    let disk = FaultyDisk::new();
    publish(&disk, &[300]).unwrap();
    for log in [
        Log::of(299),
        Log {
            size: 400,
            forked: true,
        },
    ] {
        let refused = Publisher::open(place(&disk), &log).unwrap_err();
        assert!(
            matches!(refused, PublishError::SetBack { size: 300, .. }),
            "{refused}"
        );
        assert!(refused.to_string().contains("set back"), "{refused}");
    }
    let mut other = place(&disk);
    other.key = VerifierKey::new(ORIGIN.parse().unwrap(), [1; 32]);
    let refused = Publisher::open(other, &Log::of(300)).unwrap_err();
    assert!(matches!(refused, PublishError::Foreign { .. }), "{refused}");
}

#[test]
fn missing_and_damaged_files_are_written_anew_from_the_log() {
    let disk = FaultyDisk::new();
    let log = Log::of(700);
    publish(&disk, &[5, 700]).unwrap();
    let whole: BTreeMap<_, _> = disk
        .paths()
        .into_iter()
        .map(|p| (p.clone(), disk.read(&p).unwrap()))
        .collect();
    for path in whole.keys().filter(|path| !path.ends_with("checkpoint")) {
        disk.remove(path).unwrap();
        let (mut publisher, opened) = Publisher::open(place(&disk), &log).unwrap();
        let is_tile = !path.ends_with("vkey");
        assert_eq!(opened.mended, u64::from(is_tile), "{}", path.display());
        assert_eq!(disk.read(path).unwrap(), whole[path]);
        // Damage is found by whoever reads everything; on the right edge, at once.
        disk.edit(path, |bytes| bytes[3] ^= 1).unwrap();
        let mended = publisher.mend(&log).unwrap();
        assert_eq!(mended, u64::from(is_tile), "{}", path.display());
        Publisher::open(place(&disk), &log).unwrap();
        assert_eq!(disk.read(path).unwrap(), whole[path]);
    }
    check(&disk, 700, "in the end");
}

#[test]
fn whichever_step_fails_tiles_stay_as_they_are_and_the_checkpoint_never_runs_ahead() {
    let sizes = [2, 250, 258];
    let clean = FaultyDisk::new();
    publish(&clean, &sizes).unwrap();
    let steps = clean.steps();
    assert!(steps > 50, "{steps}");
    let kinds = [
        Fault::Before(ErrorKind::StorageFull),
        Fault::After(ErrorKind::Other),
        Fault::Torn(30, ErrorKind::StorageFull),
    ];
    let cuts = [None, Some(Persisted::Nothing), Some(Persisted::Bytes(20))];
    for step in 1..=steps {
        for fault in kinds {
            for cut in cuts {
                let what = format!("step {step} of {steps}, {fault:?}, {cut:?}");
                let disk = FaultyDisk::new();
                disk.fail_at(step, fault);
                let failed = publish(&disk, &sizes);
                assert!(failed.is_err() && !disk.fault_pending(), "{what}");
                if let Some(cut) = cut {
                    disk.power_cut(cut);
                }
                after_a_fault(&disk, &sizes, &what);
            }
        }
    }
}

fn after_a_fault(disk: &FaultyDisk, sizes: &[u64], what: &str) {
    // Whoever looks now sees a whole log, if any.
    if disk.read(&Path::new(DIR).join("checkpoint")).is_ok() {
        let size = reader(disk).size();
        assert!(sizes.contains(&size), "{what}");
        check(disk, size, what);
    }
    let before = full_tiles(disk);
    publish(disk, sizes).unwrap_or_else(|e| panic!("{what}: {e}"));
    let after = full_tiles(disk);
    for (name, bytes) in before {
        assert_eq!(after[&name], bytes, "{what}: {name}");
    }
    check(disk, 258, what);
    let (publisher, opened) = Publisher::open(place(disk), &Log::of(258)).unwrap();
    assert_eq!((opened.mended, publisher.size()), (0, 258), "{what}");
    let left: Vec<_> = disk
        .paths()
        .into_iter()
        .filter(|path| path.display().to_string().contains("000.p"))
        .collect();
    assert!(
        left.iter()
            .all(|path| path.starts_with("/audit/issuer/2026/tile/1")),
        "{what}: {left:?}"
    );
}

#[test]
fn a_publisher_that_failed_may_try_again_itself() {
    let clean = FaultyDisk::new();
    publish(&clean, &[200, 600]).unwrap();
    for step in 1..clean.steps() {
        let disk = FaultyDisk::new();
        let log = Log::of(600);
        let (mut publisher, _) = Publisher::open(place(&disk), &log).unwrap();
        disk.fail_at(step, Fault::Before(ErrorKind::StorageFull));
        let mut failures = 0;
        for size in [200, 600] {
            let log = Log::of(size);
            while let Err(e) = publisher.publish(&log.note(), &log) {
                assert!(matches!(e, PublishError::DiskFull { .. }), "{e}");
                failures += 1;
            }
            check(&disk, size, &format!("step {step}"));
        }
        assert!(failures == 1 || disk.fault_pending());
        check(&disk, 600, &format!("step {step}"));
    }
}

#[test]
fn superseded_partial_tiles_leave_no_directories_behind_on_a_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    let at = |size: u64| {
        let log = Log::of(size);
        let place = Place {
            disk: Arc::new(OsDisk),
            dir: dir.path().join("audit/issuer/2026"),
            key: key(),
        };
        let (mut publisher, opened) = Publisher::open(place, &log).unwrap();
        assert_eq!(opened.mended, 0);
        publisher.publish(&log.note(), &log).unwrap();
    };
    for size in [100, 200, 300] {
        at(size);
    }
    let entries = OsDisk.list(&dir.path().join("audit/issuer/2026/tile/entries"));
    let mut names = entries.unwrap();
    names.sort();
    assert_eq!(names, ["000", "001.p"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_published_when_the_directory_is_the_same_in_the_end(
        mut sizes in proptest::collection::btree_set(1_u64..1500, 1..8),
    ) {
        sizes.insert(1500);
        let sizes: Vec<u64> = sizes.into_iter().collect();
        let (one, many) = (FaultyDisk::new(), FaultyDisk::new());
        publish(&one, &[1500]).unwrap();
        publish(&many, &sizes).unwrap();
        check(&many, 1500, "many");
        for path in one.paths() {
            prop_assert_eq!(one.read(&path).unwrap(), many.read(&path).unwrap());
        }
    }
}
