//! Keys made ahead of loads. A key that was taken is gone from the disk before anything is sent with it, so that
//! none is ever certified twice, whatever interrupts a run.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use indicatif::ProgressBar;
use lgpki_domain::{KeyAlgorithm, Randomness};
use lgpki_keys::{Passphrase, SoftwareKey, write_private};
use lgpki_runtime::random::SystemRandomness;

use crate::error::CommandError;

/// Keys of a file at most.
const BATCH: usize = 1_000;
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----\n";
/// Before the number of keys, in a file's name.
const NAME: &str = "keys-";
const SUFFIX: &str = ".pem";

/// A directory of keys.
#[derive(Debug)]
pub(super) struct Pool {
    dir: PathBuf,
}

impl Pool {
    /// Opens it, and makes it if it is not there.
    pub(super) fn open(dir: &Path) -> Result<Self, CommandError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|e| CommandError::file("make", dir, &e))?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// How many keys lie there.
    pub(super) fn stock(&self) -> Result<usize, CommandError> {
        Ok(self.files()?.iter().map(|(_, count)| count).sum())
    }

    /// Makes keys until there are `wanted`; `bar` counts those made.
    pub(super) fn fill(&self, wanted: usize, bar: &ProgressBar) -> Result<(), CommandError> {
        let mut missing = wanted.saturating_sub(self.stock()?);
        bar.set_length(missing as u64);
        while missing > 0 {
            let mut keys = Vec::with_capacity(missing.min(BATCH));
            for _ in 0..missing.min(BATCH) {
                let key = SoftwareKey::generate(KeyAlgorithm::P256);
                keys.push(key.map_err(|e| CommandError::from_error("a key", &e))?);
                bar.inc(1);
            }
            self.keep(&keys)?;
            missing -= keys.len();
        }
        Ok(())
    }

    /// Takes `count` keys out, and makes those that are missing.
    pub(super) fn take(
        &self,
        count: usize,
        bar: &ProgressBar,
    ) -> Result<Vec<SoftwareKey>, CommandError> {
        self.fill(count, bar)?;
        let mut taken = Vec::with_capacity(count);
        for (path, _) in self.files()? {
            if taken.len() >= count {
                break;
            }
            let keys = self.read(&path)?;
            match fs::remove_file(&path) {
                Ok(()) => taken.extend(keys),
                // Another run was faster; they are its own.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(CommandError::file("remove", &path, &e)),
            }
        }
        if taken.len() < count {
            return Err(CommandError::new("another run took keys from the pool")
                .hint("try again, or name another directory with --pool"));
        }
        self.keep(&taken.split_off(count))?;
        // What was removed stays so after a power cut.
        let synced = fs::File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|e| CommandError::file("sync", &self.dir, &e))?;
        Ok(taken)
    }

    /// Files with the number of their keys, in order.
    fn files(&self) -> Result<Vec<(PathBuf, usize)>, CommandError> {
        let listed = |e: io::Error| CommandError::file("read", &self.dir, &e);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(listed)? {
            let path = entry.map_err(listed)?.path();
            let name = path.file_name().map(|name| name.to_string_lossy());
            let count = name.as_deref().and_then(|name| {
                let rest = name.strip_prefix(NAME)?.strip_suffix(SUFFIX)?;
                rest.split('-').next()?.parse().ok()
            });
            if let Some(count) = count {
                files.push((path, count));
            }
        }
        files.sort();
        Ok(files)
    }

    fn keep(&self, keys: &[SoftwareKey]) -> Result<(), CommandError> {
        let passphrase = passphrase()?;
        for keys in keys.chunks(BATCH) {
            let mut text = String::new();
            for key in keys {
                let pem = key.to_encrypted_pkcs8_pem_with(&passphrase, 1);
                text.push_str(&pem.map_err(|e| CommandError::from_error("a key", &e))?);
            }
            let name = format!("{NAME}{:04}-{}{SUFFIX}", keys.len(), drawn()?);
            write_private(&self.dir.join(name), text.as_bytes())
                .map_err(|e| CommandError::from_error("the pool of keys", &e))?;
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Vec<SoftwareKey>, CommandError> {
        let passphrase = passphrase()?;
        let text = match fs::read_to_string(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text.map_err(|e| CommandError::file("read", path, &e))?,
        };
        let blocks = text
            .split_inclusive(END)
            .filter(|block| block.ends_with(END));
        let keys =
            blocks.map(|block| SoftwareKey::from_encrypted_pkcs8(block.as_bytes(), &passphrase));
        keys.collect::<Result<_, _>>().map_err(|e| {
            CommandError::from_error(&path.display().to_string(), &e)
                .hint(format!("delete {}; new keys are made", self.dir.display()))
        })
    }
}

/// The keys are made up for a measurement and vouch for nobody; the file format asks for a passphrase.
fn passphrase() -> Result<Passphrase, CommandError> {
    let text = b"subscribers of a load".to_vec();
    Passphrase::try_new(text.into(), "the pool of keys")
        .map_err(|e| CommandError::from_error("the pool of keys", &e))
}

/// Eight digits that no other file or run has.
pub(super) fn drawn() -> Result<String, CommandError> {
    let mut bytes = [0; 4];
    SystemRandomness::new()
        .fill(&mut bytes)
        .map_err(|e| CommandError::from_error("a name", &e))?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lgpki_keys::Signer as _;

    use super::*;

    #[test]
    fn a_key_is_taken_once_and_what_is_left_waits_for_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let pool = Pool::open(&dir.path().join("pool")).unwrap();
        let bar = ProgressBar::hidden();
        pool.fill(5, &bar).unwrap();
        assert_eq!(pool.stock().unwrap(), 5);
        let mut seen = BTreeSet::new();
        let mut take = |count, left| {
            let keys = pool.take(count, &bar).unwrap();
            assert_eq!((keys.len(), pool.stock().unwrap()), (count, left));
            for key in keys {
                assert!(
                    seen.insert(key.public_key().der().to_vec()),
                    "a key came twice"
                );
            }
        };
        take(3, 2);
        take(2, 0);
        take(4, 0);
    }

    #[test]
    fn what_lies_beside_the_keys_is_left_alone_and_what_is_no_key_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let pool = Pool::open(dir.path()).unwrap();
        fs::write(dir.path().join("notes.pem"), "mine").unwrap();
        assert_eq!(pool.stock().unwrap(), 0);
        let text = format!("nonsense\n{END}");
        fs::write(dir.path().join("keys-0001-x.pem"), text).unwrap();
        let error = pool.take(1, &ProgressBar::hidden()).unwrap_err();
        assert!(error.to_string().contains("keys-0001-x.pem"), "{error}");
    }
}
