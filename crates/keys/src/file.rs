//! Writing a private file: never over another, readable by the owner alone, durable on return.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::error::KeyError;

/// Writes `bytes` to the new file `path` with mode 0600; on return the file and its name are on
/// disk. An existing file is refused, and a half-written one removed.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists {
                path: path.to_owned(),
            },
            _ => KeyError::file("create", path)(source),
        })?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(KeyError::file("write", path));
    if written.is_err() {
        // The write failed already; that the remains cannot be removed adds nothing to the report.
        let _ = fs::remove_file(path);
        return written;
    }
    sync_directory_of(path)
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
    fn an_existing_file_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write_private(&path, b"first").unwrap();
        let refused = write_private(&path, b"second").unwrap_err();
        assert!(matches!(refused, KeyError::Exists { .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }
}
