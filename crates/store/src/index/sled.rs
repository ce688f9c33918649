//! sled as the index: fast to open after a kill, never trusted after a power cut.
//!
//! sled 0.34 does not sync its files, so after a power cut it may be empty, or damaged in ways that
//! it does not notice. Beside it a note says in which run of the system it was opened, or that it
//! was closed and synced; an index whose note says neither is dropped and rebuilt from the log. A
//! kill while sled opens can leave a half-made snapshot that it cannot read; those are removed.

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use parking_lot::RwLock;

use super::{IndexBase, META_KEY, Meta, Range};
use crate::{overlay::Changes, view::KeyRange};

const CLEAN: &str = "closed";

/// A sled directory with its note.
#[derive(Debug)]
pub(crate) struct SledIndex {
    db: RwLock<Option<sled::Db>>,
    dir: PathBuf,
    note: PathBuf,
}

impl SledIndex {
    /// Opens what is there, if it can be trusted; the error says why not.
    pub(crate) fn open(parent: &Path, cache: u64) -> Result<(Self, Option<Meta>), String> {
        let (dir, note) = (parent.join("index"), parent.join("index.state"));
        if dir.exists() {
            let state = fs::read_to_string(&note).unwrap_or_default();
            let state = state.trim_end();
            if state != CLEAN && boot().is_none_or(|boot| state != opened_in(&boot)) {
                return Err(
                    "the machine went down, or the index was moved, while it was open".to_owned(),
                );
            }
        }
        let opened = Self::create(dir, note, cache)?;
        let meta = match opened.get(META_KEY)? {
            Some(bytes) => Some(serde_json::from_slice(&bytes).map_err(|e| e.to_string())?),
            None => None,
        };
        Ok((opened, meta))
    }

    /// Drops what is there and begins anew.
    pub(crate) fn begin(parent: &Path, cache: u64) -> Result<Self, String> {
        let (dir, note) = (parent.join("index"), parent.join("index.state"));
        match fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(format!("cannot remove {}: {e}", dir.display()))
            }
            _ => Self::create(dir, note, cache),
        }
    }

    fn create(dir: PathBuf, note: PathBuf, cache: u64) -> Result<Self, String> {
        let prepare = || {
            fs::create_dir_all(&dir)?;
            remove_half_made_snapshots(&dir)?;
            let state = boot().map(|boot| opened_in(&boot)).unwrap_or_default();
            write_note(&note, &state)
        };
        prepare().map_err(|e| format!("cannot prepare {}: {e}", dir.display()))?;
        let config = sled::Config::new()
            .path(&dir)
            .mode(sled::Mode::HighThroughput)
            .cache_capacity(cache)
            .flush_every_ms(Some(1000));
        let db = guarded(|| config.open())?;
        Ok(Self {
            db: RwLock::new(Some(db)),
            dir,
            note,
        })
    }

    fn with<T>(&self, f: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, String> {
        match self.db.read().as_ref() {
            Some(db) => guarded(|| f(db)),
            None => Err("the index is closed".to_owned()),
        }
    }
}

impl IndexBase for SledIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        self.with(|db| db.get(key)).map(|v| v.map(|v| v.to_vec()))
    }

    fn range(&self, range: KeyRange) -> Range<'_> {
        match self.with(|db| Ok(db.range(range))) {
            Ok(items) => Box::new(Guarded {
                items,
                broken: false,
            }),
            Err(e) => Box::new(std::iter::once(Err(e))),
        }
    }

    fn write(&self, changes: &Changes, meta: &[u8]) -> Result<(), String> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        batch.insert(META_KEY, meta);
        self.with(|db| db.apply_batch(batch))
    }

    fn hand_over(&self) -> Result<(), String> {
        self.with(|db| db.flush().map(|_| ()))
    }

    fn close(&self) -> Result<(), String> {
        let Some(db) = self.db.write().take() else {
            return Ok(());
        };
        guarded(|| db.flush())?;
        // Its threads write until it is dropped; only then is there anything to sync.
        drop(db);
        let finish = || {
            sync_all(&self.dir)?;
            write_note(&self.note, CLEAN)
        };
        finish().map_err(|e: io::Error| format!("cannot sync {}: {e}", self.dir.display()))
    }
}

/// A key with its value, or what sled says instead.
type Found = Result<(Vec<u8>, Vec<u8>), String>;

/// Entries of a range; sled reads, and may panic over damaged files, only as they are asked for.
struct Guarded {
    items: sled::Iter,
    broken: bool,
}

impl Guarded {
    /// One more step; none after a failure, for what sled's iterator does then is unknown.
    fn step(
        &mut self,
        take: impl FnOnce(&mut sled::Iter) -> Option<sled::Result<(sled::IVec, sled::IVec)>>,
    ) -> Option<Found> {
        if self.broken {
            return None;
        }
        let item = guarded(|| take(&mut self.items).transpose()).transpose()?;
        self.broken = item.is_err();
        Some(item.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }
}

impl Iterator for Guarded {
    type Item = Found;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Iterator::next)
    }
}

impl DoubleEndedIterator for Guarded {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(DoubleEndedIterator::next_back)
    }
}

/// Runs a call into sled; its panics are failures like others.
fn guarded<T>(f: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("sled panicked".to_owned()),
    }
}

/// The system's name for this run of it; `None` where it has none.
fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

fn opened_in(boot: &str) -> String {
    format!("opened in {boot}")
}

fn write_note(path: &Path, state: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, format!("{state}\n"))?;
    File::open(&new)?.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn remove_half_made_snapshots(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Syncs every file and directory under `dir`.
fn sync_all(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}
