//! A disk in memory that fails at a chosen step and can lose its power.
//!
//! It knows what has been synced and what has not, contents and names apart, so that a power cut
//! leaves what a real disk may leave: synced bytes for certain, unsynced ones in part or not at
//! all, a new name only once its directory was synced.

mod content;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use lgpki_ledger::{
    Disk, DiskFile, Held,
    disk::{name_in, read_whole},
};

use self::content::Content;

/// How a persisting step (write, sync, truncate, create, rename, remove, directory sync) fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails before it has done anything.
    Before(io::ErrorKind),
    /// It is done, and yet reported as failed.
    After(io::ErrorKind),
    /// A write keeps this many of its bytes and fails; other steps fail before.
    Torn(usize, io::ErrorKind),
}

/// What a power cut leaves of the bytes that were never synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persisted {
    /// None of them.
    Nothing,
    /// Those of them that come first in each file, up to this many.
    Bytes(usize),
    /// All of them, and all names.
    Everything,
}

/// A disk in memory that fails when told. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    files: Vec<Content>,
    locks: BTreeSet<PathBuf>,
    steps: u64,
    fault: Option<(u64, Fault)>,
    /// Syncs of files wait.
    paused: bool,
    /// Syncs that wait.
    waiting: usize,
    /// Counts the power cuts; files and locks of an earlier life do nothing.
    life: u64,
}

#[derive(Debug)]
struct File(FaultyDisk, usize, u64);

#[derive(Debug)]
struct Lock(FaultyDisk, PathBuf, u64);

impl Held for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        if inner.life == self.2 {
            inner.locks.remove(&self.1);
        }
    }
}

impl FaultyDisk {
    /// A disk without files or faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the `step`th persisting step from now on fail (1 is the next one).
    pub fn fail_at(&self, step: u64, fault: Fault) {
        let mut inner = self.inner();
        inner.fault = Some((inner.steps + step, fault));
    }

    /// Persisting steps taken so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.inner().steps
    }

    /// Lets syncs of files wait from now on.
    pub fn pause_syncs(&self) {
        self.inner().paused = true;
    }

    /// Returns when a sync of a file waits.
    pub fn wait_for_a_sync(&self) {
        drop(self.wait_while(|inner| inner.waiting == 0));
    }

    /// Lets the waiting syncs, and later ones, go on.
    pub fn resume_syncs(&self) {
        self.inner().paused = false;
        self.0.changed.notify_all();
    }

    fn wait_while(&self, waits: impl Fn(&Inner) -> bool) -> MutexGuard<'_, Inner> {
        let wait = self
            .0
            .changed
            .wait_while(self.inner(), |inner| waits(inner));
        wait.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a planned fault has yet to happen.
    #[must_use]
    pub fn fault_pending(&self) -> bool {
        self.inner().fault.is_some()
    }

    /// Cuts the power and turns it on again: what was not synced is lost but for `persisted`,
    /// locks are free, files that were open do nothing any more, planned faults are forgotten.
    pub fn power_cut(&self, persisted: Persisted) {
        let mut inner = self.inner();
        inner.life += 1;
        inner.locks.clear();
        inner.fault = None;
        if persisted == Persisted::Everything {
            inner.durable_names = inner.names.clone();
        } else {
            inner.names = inner.durable_names.clone();
        }
        for file in &mut inner.files {
            file.lose_power(persisted);
        }
    }

    /// The bytes of a file, to damage them.
    pub fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut inner = self.inner();
        let number = *inner.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let file = inner.file(number)?;
        edit(&mut file.now);
        file.synced.clone_from(&file.now);
        Ok(())
    }

    /// The paths of all files.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.inner().names.keys().cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one persisting step.
    fn step<T>(&self, step: impl FnOnce(&mut Inner) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.inner();
        match inner.due() {
            None => step(&mut inner),
            Some(Fault::Before(kind) | Fault::Torn(_, kind)) => Err(kind.into()),
            Some(Fault::After(kind)) => {
                step(&mut inner)?;
                Err(kind.into())
            }
        }
    }
}

impl Inner {
    /// Counts a step and says how it is to fail.
    fn due(&mut self) -> Option<Fault> {
        self.steps += 1;
        let steps = self.steps;
        self.fault.take_if(|(at, _)| *at == steps).map(|(_, f)| f)
    }

    fn file(&mut self, number: usize) -> io::Result<&mut Content> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        self.files.get_mut(number).ok_or_else(missing)
    }
}

impl Disk for FaultyDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let inner = self.inner();
        let here = inner.names.keys().filter_map(|path| name_in(dir, path));
        Ok(here.collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn remove_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        read_whole(self.open(path)?.as_ref())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inner = self.inner();
        let number = inner.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(File(self.clone(), *number, inner.life)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.step(|inner| {
            let number = inner.files.len();
            inner.files.push(Content::default());
            inner.names.insert(path.to_owned(), number);
            let life = inner.life;
            Ok(Arc::new(File(self.clone(), number, life)) as Arc<dyn DiskFile>)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|inner| {
            let number = inner.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            inner.names.insert(to.to_owned(), number);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|inner| {
            inner.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.step(|inner| {
            let here = |path: &PathBuf| path.parent() == Some(dir);
            inner.durable_names.retain(|path, _| !here(path));
            let names = inner.names.iter().filter(|(path, _)| here(path));
            let names: Vec<_> = names.map(|(path, n)| (path.clone(), *n)).collect();
            inner.durable_names.extend(names);
            Ok(())
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        let mut inner = self.inner();
        let life = inner.life;
        Ok(inner
            .locks
            .insert(path.to_owned())
            .then(|| Box::new(Lock(self.clone(), path.to_owned(), life)) as Box<dyn Held>))
    }
}

impl File {
    fn with<T>(&self, f: impl FnOnce(&mut Content) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.0.inner();
        self.alive(&inner)?;
        inner.file(self.1).and_then(f)
    }

    fn alive(&self, inner: &Inner) -> io::Result<()> {
        if inner.life == self.2 {
            Ok(())
        } else {
            Err(io::Error::other(
                "this file was opened before the power cut",
            ))
        }
    }
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        self.with(|content| Ok(content.now.len() as u64))
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let start = place(offset)?;
        self.with(|content| {
            let end = start.saturating_add(out.len());
            let bytes = content.now.get(start..end);
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = place(offset)?;
        let mut inner = self.0.inner();
        self.alive(&inner)?;
        let (kept, error) = match inner.due() {
            None => (bytes.len(), None),
            Some(Fault::Before(kind)) => (0, Some(kind)),
            Some(Fault::After(kind)) => (bytes.len(), Some(kind)),
            Some(Fault::Torn(kept, kind)) => (kept.min(bytes.len()), Some(kind)),
        };
        if kept > 0 {
            inner.file(self.1)?.write(&bytes[..kept], offset);
        }
        error.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let size = place(size)?;
        self.alive(&self.0.inner())?;
        self.0.step(|inner| {
            inner.file(self.1)?.truncate(size);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.0.inner().waiting += 1;
        self.0.0.changed.notify_all();
        self.0.wait_while(|inner| inner.paused).waiting -= 1;
        self.alive(&self.0.inner())?;
        self.0.step(|inner| {
            inner.file(self.1)?.sync();
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(disk: &FaultyDisk, path: &str) -> Option<Vec<u8>> {
        let file = disk.open(Path::new(path)).ok()?;
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(&mut bytes, 0).unwrap();
        Some(bytes)
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_loses_the_rest() {
        let disk = FaultyDisk::new();
        let file = disk.create(Path::new("/d/named")).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.create(Path::new("/d/unnamed")).unwrap();
        file.write_at(b"kept", 0).unwrap();
        file.sync().unwrap();
        file.write_at(b" lost", 4).unwrap();
        disk.power_cut(Persisted::Bytes(2));
        assert!(file.size().is_err());
        assert_eq!(content(&disk, "/d/named").unwrap(), b"kept l");
        assert_eq!(content(&disk, "/d/unnamed"), None);
    }

    #[test]
    fn a_fault_strikes_once_at_its_step() {
        let disk = FaultyDisk::new();
        let file = disk.create(Path::new("/f")).unwrap();
        disk.fail_at(2, Fault::Torn(3, io::ErrorKind::StorageFull));
        file.write_at(b"one", 0).unwrap();
        let error = file.write_at(b"twothree", 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(content(&disk, "/f").unwrap(), b"onetwo");
        file.sync().unwrap();
        assert!(!disk.fault_pending());
    }
}
