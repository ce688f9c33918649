//! Files that are replaced as a whole, durably, and read back strictly.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::error::KitError;

/// Replaces `path` by `bytes`, mode 0600: after a crash it holds the old content or the new.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), KitError> {
    let fresh = path.with_extension("new");
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(KitError::file("write", path))?;
    sync_directory(path.parent().unwrap_or_else(|| Path::new(".")))
}

/// Replaces `path` by `record` as JSON.
pub(crate) fn replace_json(path: &Path, record: &impl Serialize) -> Result<(), KitError> {
    let mut text =
        serde_json::to_vec_pretty(record).map_err(|why| KitError::damaged(path, &why))?;
    text.push(b'\n');
    replace(path, &text)
}

/// Reads a record; `None` if the file is not there.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, KitError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(KitError::file("read", path)(e)),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|why| KitError::damaged(path, &why))
}

/// Makes a directory that only its owner may enter, and its parents.
pub(crate) fn make_directory(path: &Path) -> Result<(), KitError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(KitError::file("make the directory", path))
}

fn sync_directory(path: &Path) -> Result<(), KitError> {
    File::open(path)
        .and_then(|d| d.sync_all())
        .map_err(KitError::file("sync the directory", path))
}
