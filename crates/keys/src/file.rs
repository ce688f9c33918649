//! Writing a private file: never over another, readable by the owner alone, durable on return.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::error::KeyError;

/// Writes `bytes` to the new file `path` with mode 0600; on return the file and its name are on
/// disk. An existing file is refused. It is written beside its place and gets its name when it is whole,
/// so that a crash leaves no half of a key under it.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    // What an earlier crash left there never had a name.
    let _ = fs::remove_file(beside);
    let named = write_new(beside, bytes)
        .map_err(KeyError::file("write", path))
        // Unlike a rename, a link refuses a name that is taken.
        .and_then(|()| {
            fs::hard_link(beside, path).map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => KeyError::Exists {
                    path: path.to_owned(),
                },
                _ => KeyError::file("create", path)(source),
            })
        });
    // Where something failed already, that the remains cannot be removed adds nothing to the report.
    let removed = fs::remove_file(beside);
    named?;
    removed.map_err(KeyError::file("remove", beside))?;
    sync_directory_of(path)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory_of(path: &Path) -> Result<(), KeyError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(KeyError::file("sync the directory", directory))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_is_readable_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write_private(&path, b"secret").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read(&path).unwrap(), b"secret");
    }

    #[test]
    fn what_a_crash_left_of_a_file_is_not_under_its_name_and_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        fs::write(dir.path().join("key.pem.new"), b"sec").unwrap();
        write_private(&path, b"secret").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let names = fs::read_dir(dir.path()).unwrap();
        assert_eq!(names.count(), 1);
        // As where there is no directory to write in.
        let nowhere = dir.path().join("none").join("key.pem");
        assert!(write_private(&nowhere, b"secret").is_err());
    }

    #[test]
    fn an_existing_file_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write_private(&path, b"first").unwrap();
        let refused = write_private(&path, b"second").unwrap_err();
        assert!(matches!(refused, KeyError::Exists { .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }
}
