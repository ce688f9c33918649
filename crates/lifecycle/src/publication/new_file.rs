//! A file on its way to its place: written beside it, in pieces where it is still being made.
//!
//! Before anybody knows a CRL's signature its list can be written and hashed already, for only what
//! stands before the list depends on the signature's length. What was written is given to the disk as
//! it grows, so that little is left to be waited for in the end. Unless it is put in its place, the
//! file goes with this value.

use std::{
    fs::{self, File},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use lgpki_domain::Digest;
use lgpki_x509::key::{Digesting, sha256};

use super::failed;
use crate::error::LifecycleError;

/// Bytes after which what was written is given to the disk.
const STRIDE: usize = 12 * 1024 * 1024;

/// The file.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: File,
    path: PathBuf,
    /// What was written before the pieces.
    front: Vec<u8>,
    written: usize,
    synced: usize,
    digesting: Digesting,
    /// The digest of all of it, once it is durable.
    complete: Option<Digest>,
    placed: bool,
}

impl NewFile {
    pub(super) fn begin(path: PathBuf, front: Vec<u8>) -> Result<Self, LifecycleError> {
        let file = File::create(&path).map_err(failed("write", &path))?;
        let mut new = Self {
            file,
            path,
            front: Vec::new(),
            written: 0,
            synced: 0,
            digesting: Digesting::new(),
            complete: None,
            placed: false,
        };
        new.append(&front)?;
        new.front = front;
        Ok(new)
    }

    /// Writes one more piece.
    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<(), LifecycleError> {
        self.told(|new| {
            new.digesting.push(piece);
            new.file.write_all(piece)?;
            new.written += piece.len();
            if new.written - new.synced >= STRIDE {
                new.file.sync_data()?;
                new.synced = new.written;
            }
            Ok(())
        })
    }

    /// Makes it a file of these bytes, of which the pieces brought a part, and durable; tells their
    /// digest.
    pub(super) fn complete(&mut self, whole: &[u8]) -> Result<Digest, LifecycleError> {
        if let Some(digest) = self.complete {
            return Ok(digest);
        }
        self.told(|new| {
            let expected = new.written <= whole.len() && whole.starts_with(&new.front);
            let rest = if expected {
                &whole[new.written..]
            } else {
                // The signature is longer or shorter than such are.
                new.file.set_len(0)?;
                new.file.seek(SeekFrom::Start(0))?;
                whole
            };
            new.file.write_all(rest)?;
            let digest = if expected {
                let mut digesting = new.digesting.clone();
                digesting.push(rest);
                digesting.finish()
            } else {
                sha256(whole)
            };
            new.file.sync_all()?;
            new.complete = Some(digest);
            Ok(digest)
        })
    }

    /// Puts it in its place.
    pub(super) fn rename(mut self, place: &Path) -> Result<(), LifecycleError> {
        fs::rename(&self.path, place).map_err(failed("write", place))?;
        self.placed = true;
        Ok(())
    }

    fn told<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> io::Result<T>,
    ) -> Result<T, LifecycleError> {
        let done = work(self);
        done.map_err(failed("write", &self.path))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.placed {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_the_whole_whatever_was_expected_of_its_front() {
        let dir = tempfile::tempdir().unwrap();
        let (path, place) = (dir.path().join("0.new"), dir.path().join("place"));
        let whole = b"\x30\x03list, signature";
        for front in [&b"\x30\x03"[..], b"\x30\x04", b"\x30\x81\x03", b""] {
            let mut file = NewFile::begin(path.clone(), front.to_vec()).unwrap();
            let pieces: &[&[u8]] = if front.is_empty() {
                &[]
            } else {
                &[b"li", b"st"]
            };
            for piece in pieces {
                file.append(piece).unwrap();
            }
            assert_eq!(file.complete(whole).unwrap(), sha256(whole));
            assert_eq!(file.complete(whole).unwrap(), sha256(whole));
            file.rename(&place).unwrap();
            assert_eq!(fs::read(&place).unwrap(), whole);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing_and_its_place_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (path, place) = (dir.path().join("0.new"), dir.path().join("place"));
        fs::write(&place, b"before").unwrap();
        let mut file = NewFile::begin(path.clone(), b"front".to_vec()).unwrap();
        file.append(&vec![7; STRIDE]).unwrap();
        assert!(path.exists());
        drop(file);
        assert!(!path.exists());
        assert_eq!(fs::read(&place).unwrap(), b"before");
    }
}
