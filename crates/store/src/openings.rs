//! Salted commitments for what must be erasable: persons' names.
//!
//! An entry of the log is for ever, so it holds only SHA-256(salt || text); the salt and the text,
//! the opening, live in a file of their own, from which they can be erased. Without the salt a
//! commitment says nothing. An opening must be durable before the entry that names it. Erasing
//! takes the opening out of the file; it cannot reach copies of the file or a medium's old blocks.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::Randomness;
use lgpki_ledger::{
    Disk, DiskFile, Held,
    serial::{base64url, bytes},
};
use parking_lot::{Mutex, MutexGuard, RwLock};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::StoreError;

const NAME: &str = "openings";
const SALT_BYTES: usize = 16;

/// A commitment with what opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// What stands in the log: base64url of SHA-256(salt || UTF-8 text).
    pub commitment: String,
    /// 16 random bytes.
    #[serde(with = "bytes")]
    pub salt: Vec<u8>,
    /// The text.
    pub text: String,
}

/// The text is personal and stays out of logs.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("commitment", &self.commitment)
            .finish_non_exhaustive()
    }
}

impl Opening {
    /// Whether salt and text make the commitment.
    #[must_use]
    pub fn holds(&self) -> bool {
        digest(&self.salt, &self.text) == self.commitment
    }
}

/// Commits to a text with a fresh salt.
pub fn commit(random: &dyn Randomness, text: &str) -> Result<Opening, StoreError> {
    let mut salt = vec![0; SALT_BYTES];
    random.fill(&mut salt)?;
    Ok(Opening {
        commitment: digest(&salt, text),
        salt,
        text: text.to_owned(),
    })
}

fn digest(salt: &[u8], text: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(salt);
    context.update(text.as_bytes());
    base64url(context.finish().as_ref())
}

/// The file of openings; one process at a time, any number of threads.
#[derive(Debug)]
pub struct OpeningStore {
    dir: PathBuf,
    path: PathBuf,
    disk: Arc<dyn Disk>,
    inner: Mutex<Inner>,
    /// What the file holds; apart, so that nobody who reads waits for the disk.
    known: RwLock<HashMap<String, Opening>>,
    /// Why nothing more is written, once that is so.
    failure: watch::Sender<Option<String>>,
    _lock: Box<dyn Held>,
}

#[derive(Debug)]
struct Inner {
    file: Arc<dyn DiskFile>,
    end: u64,
}

impl OpeningStore {
    /// Opens or begins the file in `dir`, and cuts what a crash left unfinished at its end.
    pub fn open(dir: &Path, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let path = dir.join(NAME);
        let failed = |doing| {
            let path = path.clone();
            move |source| StoreError::Openings {
                doing,
                path,
                source,
            }
        };
        disk.create_dir(dir).map_err(failed("create"))?;
        let lock = disk
            .lock(&dir.join("openings.lock"))
            .map_err(failed("lock"))?
            .ok_or_else(|| lgpki_ledger::LogError::InUse(dir.to_owned()))?;
        let file = match disk.open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let made = disk.create(&path).map_err(failed("create"))?;
                disk.sync_dir(dir).map_err(failed("create"))?;
                made
            }
            other => other.map_err(failed("open"))?,
        };
        let size = file.size().map_err(failed("read"))?;
        let mut content = vec![0; usize::try_from(size).unwrap_or_default()];
        file.read_at(&mut content, 0).map_err(failed("read"))?;
        let (known, end) = parse(&content);
        if end < size {
            if looks_whole_later(&content, end) {
                return Err(StoreError::Corrupt(format!(
                    "{} is damaged at byte {end}, with whole records behind it",
                    path.display()
                )));
            }
            file.truncate(end).map_err(failed("cut"))?;
        }
        file.sync().map_err(failed("sync"))?;
        Ok(Self {
            dir: dir.to_owned(),
            path,
            disk,
            inner: Mutex::new(Inner { file, end }),
            known: RwLock::new(known),
            failure: watch::Sender::new(None),
            _lock: lock,
        })
    }

    /// Keeps openings; returns when they are durable.
    pub fn put(&self, openings: &[Opening]) -> Result<(), StoreError> {
        if openings.is_empty() {
            return Ok(());
        }
        let record = self.record(openings)?;
        let mut inner = self.usable()?;
        let written = inner
            .file
            .write_at(&record, inner.end)
            .and_then(|()| inner.file.sync());
        if let Err(e) = written {
            return Err(self.fail("write", e));
        }
        inner.end += record.len() as u64;
        let kept = openings.iter();
        let kept = kept.map(|opening| (opening.commitment.clone(), opening.clone()));
        self.known.write().extend(kept);
        Ok(())
    }

    /// The opening of a commitment; `None` if it was erased or never kept.
    #[must_use]
    pub fn get(&self, commitment: &str) -> Option<Opening> {
        self.known.read().get(commitment).cloned()
    }

    /// The commitments of all openings that are kept.
    #[must_use]
    pub fn commitments(&self) -> Vec<String> {
        self.known.read().keys().cloned().collect()
    }

    /// How many openings are kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.known.read().len()
    }

    /// Erases openings by their commitments: writes the file anew without them, and returns when
    /// that is durable. Unknown commitments are passed over.
    pub fn erase(&self, commitments: &[String]) -> Result<(), StoreError> {
        let mut inner = self.usable()?;
        let gone: HashSet<&String> = commitments.iter().collect();
        // Only whoever holds the file changes what is known.
        let known = self.known.read();
        if !gone.iter().any(|c| known.contains_key(*c)) {
            return Ok(());
        }
        let mut kept: Vec<&Opening> = known
            .values()
            .filter(|opening| !gone.contains(&opening.commitment))
            .collect();
        kept.sort_unstable_by(|a, b| a.commitment.cmp(&b.commitment));
        let record = if kept.is_empty() {
            Vec::new()
        } else {
            self.record(&kept)?
        };
        drop(known);
        let new = self.dir.join("openings.new");
        let rewrite = || {
            let file = self.disk.create(&new)?;
            file.write_at(&record, 0)?;
            file.sync()?;
            self.disk.rename(&new, &self.path)?;
            self.disk.sync_dir(&self.dir)?;
            Ok(file)
        };
        match rewrite() {
            Ok(file) => inner.file = file,
            Err(e) => {
                return Err(self.fail("rewrite", e));
            }
        }
        inner.end = record.len() as u64;
        self.known.write().retain(|key, _| !gone.contains(key));
        Ok(())
    }

    /// Returns only if a write fails, with its error: nobody knows then what the file holds, and
    /// whoever holds the store must open it anew.
    pub async fn failed(&self) -> StoreError {
        let mut failure = self.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(why) => self.error(
                "write",
                std::io::Error::other(why.clone().unwrap_or_default()),
            ),
            // The other end lives as long as this handle.
            Err(_) => StoreError::Closed,
        }
    }

    fn usable(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.inner.lock();
        if let Some(why) = self.failure.borrow().as_ref() {
            let what = std::io::Error::other(format!("an earlier write failed: {why}"));
            return Err(self.error("write", what));
        }
        Ok(inner)
    }

    /// Notes that the file is unusable from now on.
    fn fail(&self, doing: &'static str, source: std::io::Error) -> StoreError {
        self.failure.send_replace(Some(source.to_string()));
        self.error(doing, source)
    }

    fn error(&self, doing: &'static str, source: std::io::Error) -> StoreError {
        StoreError::Openings {
            doing,
            path: self.path.clone(),
            source,
        }
    }

    /// Length, checksum, JSON.
    fn record<T: Serialize>(&self, openings: &[T]) -> Result<Vec<u8>, StoreError> {
        let json = serde_json::to_vec(openings).map_err(|e| self.error("write", e.into()))?;
        let length =
            u32::try_from(json.len()).map_err(|e| self.error("write", std::io::Error::other(e)))?;
        let mut record = length.to_be_bytes().to_vec();
        record.extend_from_slice(&checksum(&json));
        record.extend_from_slice(&json);
        Ok(record)
    }
}

/// The first eight bytes of the SHA-256.
fn checksum(json: &[u8]) -> [u8; 8] {
    let digest = ring::digest::digest(&SHA256, json);
    let mut out = [0; 8];
    out.copy_from_slice(digest.as_ref().get(..8).unwrap_or_default());
    out
}

/// The record at the beginning of `bytes`, and its length.
fn record_at(bytes: &[u8]) -> Option<(Vec<Opening>, usize)> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let json = bytes.get(12..length.checked_add(12)?)?;
    if bytes.get(4..12)? != checksum(json) {
        return None;
    }
    Some((serde_json::from_slice(json).ok()?, 12 + length))
}

/// The openings of all whole records, and where they end.
fn parse(content: &[u8]) -> (HashMap<String, Opening>, u64) {
    let mut known = HashMap::new();
    let mut at = 0;
    while let Some((openings, length)) = content.get(at..).and_then(record_at) {
        known.extend(openings.into_iter().map(|o| (o.commitment.clone(), o)));
        at += length;
    }
    (known, at as u64)
}

/// Whether a whole record stands anywhere behind the damage at `end`. A record begins with its
/// length, checksum and `[{`, so few places need a closer look.
fn looks_whole_later(content: &[u8], end: u64) -> bool {
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    let rest = content.get(end..).unwrap_or_default();
    (1..rest.len()).any(|at| {
        let record = rest.get(at..).unwrap_or_default();
        record.get(12..14) == Some(b"[{") && record_at(record).is_some()
    })
}
