//! The files of a new certificate authority: what is secret is readable by its owner alone.

use std::{fs, io, os::unix::fs::DirBuilderExt, path::Path};

use lgpki_keys::write_private;

use super::to_pem;
use crate::error::CommandError;

/// Makes `dir`, or takes it if it is empty.
pub(super) fn empty_directory(dir: &Path) -> Result<(), CommandError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(CommandError::new(format!("{} is not empty", dir.display()))
                .hint("name a new directory; an existing CA is never overwritten")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => private_directory(dir),
        Err(error) => Err(CommandError::file("use", dir, &error)),
    }
}

/// Makes a directory that only its owner can enter, and those above it.
pub(super) fn private_directory(dir: &Path) -> Result<(), CommandError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| CommandError::file("make", dir, &e))
}

/// Writes a secret file.
pub(super) fn private(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    if let Some(dir) = path.parent() {
        private_directory(dir)?;
    }
    write_private(path, bytes)
        .map_err(|e| CommandError::from_error(&format!("cannot write {}", path.display()), &e))
}

/// Writes a file that is no secret.
pub(super) fn public(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    if let Some(dir) = path.parent() {
        private_directory(dir)?;
    }
    fs::write(path, bytes).map_err(|e| CommandError::file("write", path, &e))
}

/// Writes a certificate as PEM.
pub(super) fn certificate(path: &Path, der: &[u8]) -> Result<(), CommandError> {
    public(path, to_pem(der)?.as_bytes())
}
