//! Pulling from sources that fail, that lie, and onto disks that fail at every step.

mod lies;
mod trust;

use std::{collections::BTreeMap, io::ErrorKind, path::Path, sync::Arc};

use lgpki_ledger::{
    Checkpoint, Disk, KeyName, LogError, NoteSigner, Publisher, Tile, TileReader, VerifierKey,
    merkle::{CompactRange, Hash, leaf},
    published::Directory,
    publisher::{Leaves, Place},
    tile::Layer,
};
use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_signer};

use super::*;

const DIR: &str = "/mirror";

/// A log as its service publishes it: every entry says its number, and which history it is of.
#[derive(Clone)]
struct History {
    log: &'static str,
    size: u64,
    seed: u8,
    /// From this entry on it is another one.
    fork: u64,
}

impl History {
    const fn of(size: u64) -> Self {
        Self {
            log: "issuer/2011",
            size,
            seed: 7,
            fork: u64::MAX,
        }
    }

    fn origin(&self) -> KeyName {
        format!("lgpki.example/audit/{}", self.log).parse().unwrap()
    }

    fn key(&self) -> VerifierKey {
        VerifierKey::new(self.origin(), log_signer(self.seed).public_key())
    }

    fn entry(&self, i: u64) -> Vec<u8> {
        let more = if i < self.fork { "" } else { ",\"other\":1" };
        format!("{{\"i\":{i}{more}}}").into_bytes()
    }

    fn head(&self) -> Checkpoint {
        Checkpoint {
            origin: self.origin(),
            size: self.size,
            root: self.root_of(self.size),
        }
    }

    fn root_of(&self, size: u64) -> Hash {
        let mut range = CompactRange::new();
        (0..size).for_each(|i| range.push(leaf(&self.entry(i))));
        range.root()
    }
}

impl Leaves for History {
    fn leaves(&self, from: u64, most: usize, _: usize) -> Result<Vec<Vec<u8>>, LogError> {
        let end = self.size.min(from + most as u64);
        Ok((from..end).map(|i| self.entry(i)).collect())
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        Ok(Some(self.root_of(size)))
    }
}

/// The published files of some logs.
#[derive(Clone)]
struct Shelf {
    disk: FaultyDisk,
    logs: Vec<String>,
    /// Whether it hands out the tiles of hashes.
    hashes: bool,
    /// It answers questions for proofs with this.
    junk: Option<Vec<Hash>>,
    /// It fails at this question from now on.
    fails_at: Option<usize>,
    /// The files that were asked for.
    asked: Vec<String>,
}

impl Shelf {
    fn of(history: &History) -> Self {
        let mut shelf = Self {
            disk: FaultyDisk::new(),
            logs: Vec::new(),
            hashes: true,
            junk: None,
            fails_at: None,
            asked: Vec::new(),
        };
        shelf.publish(history);
        shelf
    }

    fn publish(&mut self, history: &History) {
        let place = Place {
            disk: Arc::new(self.disk.clone()),
            dir: Path::new("/").join(history.log),
            key: history.key(),
        };
        let note = history.head().signed(&log_signer(history.seed));
        let (mut publisher, _) = Publisher::open(place, history).unwrap();
        publisher.publish(&note, history).unwrap();
        self.logs.push(history.log.to_owned());
    }

    fn bare(mut self) -> Self {
        self.hashes = false;
        self
    }

    fn file(&mut self, path: String) -> Result<Option<Vec<u8>>, SourceError> {
        self.asked.push(path.clone());
        if self.fails_at.is_some_and(|at| self.asked.len() >= at) {
            return Err(SourceError::away("nobody is there"));
        }
        Ok(self.disk.read(&Path::new("/").join(path)).ok())
    }

    fn text(&mut self, path: String) -> Result<String, SourceError> {
        let bytes = self.file(path)?;
        let bytes = bytes.ok_or_else(|| SourceError::answer("there is none"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn edit(&self, path: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        self.disk
            .edit(&Path::new("/issuer/2011").join(path), edit)
            .unwrap();
    }
}

impl LogSource for Shelf {
    fn logs(&mut self) -> Result<Vec<String>, SourceError> {
        Ok(self.logs.clone())
    }

    fn checkpoint(&mut self, log: &str) -> Result<String, SourceError> {
        self.text(format!("{log}/checkpoint"))
    }

    fn key(&mut self, log: &str) -> Result<String, SourceError> {
        self.text(format!("{log}/vkey"))
    }

    fn files(&mut self, log: &str, tiles: &[Tile]) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        assert!(self.hashes || tiles.iter().all(|tile| tile.layer() == Layer::Entries));
        tiles
            .iter()
            .map(|tile| self.file(format!("{log}/{tile}")))
            .collect()
    }

    fn has_hashes(&self) -> bool {
        self.hashes
    }

    fn consistency(
        &mut self,
        log: &str,
        old: u64,
        head: &Checkpoint,
    ) -> Result<Vec<Hash>, SourceError> {
        if let Some(junk) = &self.junk {
            return Ok(junk.clone());
        }
        let source = Directory::new(Arc::new(self.disk.clone()), Path::new("/").join(log));
        let proof = TileReader::at(Arc::new(source), head.size, &head.root)
            .and_then(|reader| reader.consistency(old));
        proof.map_err(|error| SourceError::answer(error.to_string()))
    }
}

fn mirror(disk: &FaultyDisk) -> Mirror {
    Mirror::open(Arc::new(disk.clone()), Path::new(DIR), Vec::new()).unwrap()
}

fn pull(disk: &FaultyDisk, shelf: &mut Shelf) -> Result<Pulled, PullError> {
    let pulled = mirror(disk).pull(shelf, "issuer/2011", &mut |_| {});
    pulled.map(Option::unwrap)
}

/// What is kept is the history, whole.
fn holds(disk: &FaultyDisk, history: &History) {
    let source = Directory::new(Arc::new(disk.clone()), Path::new(DIR).join(history.log));
    let (reader, head, _) = TileReader::open(Arc::new(source), &history.key()).unwrap();
    assert_eq!(head, history.head());
    let mut next = 0;
    for index in 0..reader.bundles() {
        for entry in reader.bundle(index).unwrap().iter() {
            assert_eq!(entry, history.entry(next));
            next += 1;
        }
    }
    assert_eq!(next, history.size);
    assert!(incoming::is_whole(disk, &Path::new(DIR).join(history.log), next).unwrap());
}

/// The files that are kept, but for what was put aside.
fn kept(disk: &FaultyDisk) -> BTreeMap<String, Vec<u8>> {
    let named = disk.paths().into_iter().map(|path| {
        let bytes = disk.read(&path).unwrap();
        (path.display().to_string(), bytes)
    });
    let aside = |name: &str| name.contains("/incoming/") || name.ends_with("/refused");
    named.filter(|(name, _)| !aside(name)).collect()
}

#[test]
fn a_log_is_pulled_as_it_is_published_and_goes_on_from_there() {
    let disk = FaultyDisk::new();
    for size in [1, 3, 256, 700] {
        let history = History::of(size);
        let mut shelf = Shelf::of(&history);
        let first = pull(&disk, &mut shelf).unwrap();
        assert_eq!(first.head, history.head());
        holds(&disk, &history);
        shelf.asked.clear();
        let again = pull(&disk, &mut shelf).unwrap();
        assert_eq!((again.before, again.fetched), (size, 0));
        assert_eq!(shelf.asked, ["issuer/2011/checkpoint"], "nothing is new");
    }
    let more = History::of(1100);
    let mut shelf = Shelf::of(&more);
    let pulled = pull(&disk, &mut shelf).unwrap();
    assert_eq!(
        (pulled.before, pulled.fetched, pulled.trust),
        (700, 3, Trust::Kept)
    );
    let mut told = Vec::new();
    let each = &mut |leaf, entry: &[u8]| told.push((leaf, entry.to_vec()));
    mirror(&disk).each_new(&pulled, each).unwrap();
    let expected: Vec<_> = (700..1100).map(|i| (i, more.entry(i))).collect();
    assert_eq!(told, expected);
    assert_eq!(mirror(&disk).last(&pulled).unwrap(), Some(more.entry(1099)));
    let whole = |tile: &str| shelf.asked.iter().any(|asked| asked.ends_with(tile));
    assert!(
        !whole("tile/entries/000") && !whole("tile/0/001"),
        "{:?}",
        shelf.asked
    );
    // A source without tiles of hashes gives the very same files.
    let bare = FaultyDisk::new();
    pull(&bare, &mut Shelf::of(&more).bare()).unwrap();
    let fresh = FaultyDisk::new();
    pull(&fresh, &mut Shelf::of(&more)).unwrap();
    assert_eq!(kept(&bare), kept(&fresh));
}

/// The full bundles that lie somewhere on the disk.
fn bundles(disk: &FaultyDisk) -> Vec<String> {
    let whole = |path: &std::path::PathBuf| {
        let name = path.display().to_string();
        let bytes = disk.read(path).unwrap();
        let full = lgpki_ledger::tile::Bundle::parse(bytes).is_some_and(|b| b.len() == 256);
        let (_, tile) = name.split_once("/tile/entries/")?;
        full.then(|| format!("issuer/2011/tile/entries/{tile}"))
    };
    disk.paths().iter().filter_map(whole).collect()
}

#[test]
fn a_pull_killed_at_any_step_leaves_what_was_kept_or_the_new_log_and_is_resumed() {
    let (old, new) = (History::of(200), History::of(600));
    let (before, after) = (
        Fault::Before(ErrorKind::StorageFull),
        Fault::After(ErrorKind::Other),
    );
    let (published_old, published) = (Shelf::of(&old), Shelf::of(&new));
    for (fault, persisted) in [
        (before, Persisted::Nothing),
        (before, Persisted::Everything),
        (after, Persisted::Nothing),
        (after, Persisted::Everything),
        (Fault::Torn(11, ErrorKind::Other), Persisted::Bytes(100)),
    ] {
        for step in 1.. {
            let disk = FaultyDisk::new();
            pull(&disk, &mut published_old.clone()).unwrap();
            disk.fail_at(step, fault);
            let done = pull(&disk, &mut published.clone());
            if disk.fault_pending() {
                assert!(done.is_ok() && step > 30, "{step} {done:?}");
                break;
            }
            disk.power_cut(persisted);
            let source = Directory::new(Arc::new(disk.clone()), Path::new(DIR).join(old.log));
            let (reader, ..) = TileReader::open(Arc::new(source), &old.key()).unwrap();
            holds(&disk, if reader.size() == 200 { &old } else { &new });
            let here = bundles(&disk);
            let mut shelf = published.clone();
            pull(&disk, &mut shelf).unwrap();
            holds(&disk, &new);
            let twice = here.iter().find(|bundle| shelf.asked.contains(bundle));
            assert_eq!(twice, None, "{step} {fault:?} {persisted:?}");
            assert!(
                disk.paths()
                    .iter()
                    .all(|p| !p.display().to_string().contains("incoming"))
            );
        }
    }
}

#[test]
fn a_pull_whose_source_goes_away_goes_on_where_it_was() {
    let new = History::of(9000);
    let published = Shelf::of(&new);
    let disk = FaultyDisk::new();
    for at in [1, 2, 5, 30, 45, 40] {
        let mut shelf = published.clone();
        shelf.fails_at = Some(at);
        let error = pull(&disk, &mut shelf).unwrap_err();
        assert!(
            matches!(&error, PullError::Source(source) if source.is_away()),
            "{error}"
        );
        assert!(mirror(&disk).logs().unwrap().is_empty());
    }
    let aside = bundles(&disk).len() as u64;
    assert!(aside >= 32, "{aside}");
    let pulled = pull(&disk, &mut published.clone()).unwrap();
    assert_eq!(
        (pulled.resumed, pulled.resumed + pulled.fetched),
        (aside, 36)
    );
    holds(&disk, &new);
}

#[test]
fn two_processes_never_pull_into_one_directory() {
    let disk = FaultyDisk::new();
    let held = mirror(&disk);
    let other = Mirror::open(Arc::new(disk.clone()), Path::new(DIR), Vec::new());
    assert!(matches!(other, Err(PullError::Busy(_))));
    drop(held);
    let _ = mirror(&disk);
}
