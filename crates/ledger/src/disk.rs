//! The disk as a port, so that tests can let it fail at a chosen write or sync.
//!
//! Only what durable files need: append, sync, read at a place, rename, and the sync of a
//! directory, without which a new name may be gone after a power cut.

use std::{
    fmt,
    fs::{File, OpenOptions, Permissions, TryLockError},
    io::{self, Read as _},
    os::unix::fs::{FileExt, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

/// A file system.
pub trait Disk: Send + Sync + fmt::Debug + 'static {
    /// Makes a directory and its parents, durably; nothing happens if it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// The names of the files and directories in a directory, in no particular order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a file that exists, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes an empty file, or empties the one that is there. Its name is durable only after
    /// [`sync_dir`](Self::sync_dir).
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Like [`create_dir`](Self::create_dir); what it makes, everybody may enter, whatever the process's
    /// mask says.
    fn create_public_dir(&self, dir: &Path) -> io::Result<()> {
        self.create_dir(dir)
    }

    /// Like [`create`](Self::create); everybody may read the file, whatever the process's mask says.
    fn create_public(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.create(path)
    }

    /// Gives a file another name, replacing the file of that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// The bytes of a file, which need not be writable.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The bytes of a file that somebody else may have put there: an error if it is none, such as a
    /// device or a pipe, or has more than `most` bytes.
    fn read_at_most(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        if bytes.len() > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes an exclusive lock on the file `path`, making it if it is missing, until what is
    /// returned is dropped or the process ends; `None` if somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>>;
}

/// A lock that is held while this lives.
pub trait Held: Send + Sync + fmt::Debug {}

/// The name of what stands directly in `dir` and is `path` or leads to it, for disks in memory.
#[must_use]
pub fn name_in(dir: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(dir).ok()?.components().next()?;
    below.as_os_str().to_str().map(str::to_owned)
}

/// All bytes of an open file, for disks in memory.
pub fn read_whole(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let size = usize::try_from(file.size()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; size];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// An open file.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Its size in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills `out` from byte `offset` on; an end of file before that is an error.
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` from byte `offset` on.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file to `size` bytes.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Returns when everything written so far would survive a power cut.
    fn sync(&self) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        make_dir(dir, None)
    }

    fn create_public_dir(&self, dir: &Path) -> io::Result<()> {
        make_dir(dir, Some(0o755))
    }

    fn create_public(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = private().truncate(true).open(path)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        Ok(Arc::new(OsFile(file)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Arc::new(OsFile(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = private().truncate(true).open(path)?;
        Ok(Arc::new(OsFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::remove_dir(dir)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn read_at_most(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        // It may have grown since, or have been another one.
        let mut bytes = Vec::new();
        let rest = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        File::open(path)?.take(rest).read_to_end(&mut bytes)?;
        if bytes.len() > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        let file = private().truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(OsFile(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

/// Makes a directory and its parents, durably; those that it makes have this mode, if one is given.
fn make_dir(dir: &Path, mode: Option<u32>) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
        make_dir(parent, mode)?;
    }
    match std::fs::create_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        outcome => {
            outcome?;
            if let Some(mode) = mode {
                std::fs::set_permissions(dir, Permissions::from_mode(mode))?;
            }
        }
    }
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Files of a service's data directory are for its own user only.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options
}

#[derive(Debug)]
struct OsFile(File);

impl Held for OsFile {}

impl DiskFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_others_may_have_put_there_is_read_within_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, [7; 9]).unwrap();
        assert_eq!(OsDisk.read_at_most(&path, 9).unwrap(), [7; 9]);
        assert!(OsDisk.read_at_most(&path, 8).is_err());
        let endless = dir.path().join("endless");
        std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
        assert!(OsDisk.read_at_most(&endless, 9).is_err());
        assert!(OsDisk.read_at_most(dir.path(), 9).is_err());
        let missing = OsDisk.read_at_most(&dir.path().join("missing"), 9);
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_public_can_be_read_by_others_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (private, public) = (dir.path().join("log"), dir.path().join("audit/2026/tile"));
        OsDisk.create_dir(&private).unwrap();
        OsDisk.create_public_dir(&public).unwrap();
        OsDisk.create(&private.join("entries")).unwrap();
        OsDisk.create_public(&public.join("000")).unwrap();
        assert_eq!(mode(&private.join("entries")), 0o600);
        assert_eq!(mode(&public.join("000")), 0o644);
        for made in ["audit", "audit/2026", "audit/2026/tile"] {
            assert_eq!(mode(&dir.path().join(made)), 0o755, "{made}");
        }
        // What was there before stays as it is.
        let before = mode(dir.path());
        OsDisk.create_public_dir(dir.path()).unwrap();
        assert_eq!(mode(dir.path()), before);
    }
}
