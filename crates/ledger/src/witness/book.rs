//! What a witness has cosigned, on its disk.
//!
//! One file for each log, `logs/<SHA-256 of its name>`: the largest checkpoint that was cosigned, with the
//! log's signature and the cosignature. It is written and synced before the cosignature leaves, so that no kill and no power
//! cut makes the witness forget what it stood for. A directory without it is no witness any more: its
//! key would sign a second past. Nor is one with files of other names: a copy laid beside would be an
//! older past.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::{Digest, ErrorClass};

use super::{Refused, Seen, Submission, evidence, judge, open};
use crate::{
    checkpoint::Checkpoint,
    cosignature::WitnessKey,
    disk::{Disk, Held},
    merkle::sha256,
    note::{KeyName, NoteError, NoteSignature, NoteSigner, SignedNote, VerifierKey},
};

const LOGS: &str = "logs";
/// The file among the logs that is there from the beginning.
const BEGUN: &str = "begun";
/// For how many seconds the same tree gets the cosignature that it has; then it gets a new one, which says
/// that the log stood still until then. Anybody may ask for it as often as they like.
const SAME: u64 = 60;
/// What a file ends with until it has its name.
const UNNAMED: &str = "unnamed";

/// The witness's directory is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// Another process is this witness.
    #[error("another process is the witness in {0}: two would sign two pasts")]
    Taken(PathBuf),
    /// There is a key, and not what it signed.
    #[error(
        "{0} is not there: what this witness cosigned is lost. It must not go on under this key; begin \
         a new witness in another directory, and tell those who rely on it its new key"
    )]
    Lost(PathBuf),
    /// A file is not as it was written.
    #[error("{path} is damaged: what this witness cosigned is not known; restore the file")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: NoteError,
    },
    /// A file has a name that the book never gave.
    #[error(
        "{0} is no file of this book, where each log has one, named by the SHA-256 of the log's name: if it is \
         a copy, keep it elsewhere; if it is the only one of its log, give it back the name that it had"
    )]
    Foreign(PathBuf),
    /// Input or output.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl BookError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Taken(_) | Self::Foreign(_) => ErrorClass::WrongState,
            Self::Lost(_) | Self::Damaged { .. } => ErrorClass::Corrupt,
            Self::Io { .. } => ErrorClass::Unavailable,
        }
    }
}

/// Why there is no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// It is not given.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be recorded, and so does not leave.
    #[error("the cosignature cannot be recorded")]
    Unrecorded(#[from] BookError),
}

/// A cosignature that may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The log.
    pub origin: KeyName,
    /// What was cosigned of it before; none for the first time.
    pub before: Option<Seen>,
    /// What is cosigned.
    pub now: Seen,
    /// The cosignature.
    pub signature: NoteSignature,
    /// Whether it was given before: nothing was signed or written.
    pub repeated: bool,
}

/// What was cosigned of a log last.
#[derive(Clone, Debug)]
struct Page {
    seen: Seen,
    /// The checkpoint, with the log's signature and the cosignature.
    note: SignedNote,
    cosignature: NoteSignature,
}

/// What a witness has cosigned.
#[derive(Debug)]
pub struct Book {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    key: WitnessKey,
    logs: BTreeMap<KeyName, Page>,
    _lock: Box<dyn Held>,
}

impl Book {
    /// Makes an empty book in `dir`, durably, which a witness does before it makes its key.
    pub fn begin(disk: &dyn Disk, dir: &Path) -> Result<(), BookError> {
        let logs = dir.join(LOGS);
        let made = disk.create_dir(&logs);
        made.map_err(|e| failed("create", &logs, e))?;
        write(disk, &logs.join(BEGUN), b"")
    }

    /// Opens the book of the witness with this key, for as long as this lives.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, key: WitnessKey) -> Result<Self, BookError> {
        let path = dir.join("lock");
        let lock = disk.lock(&path).map_err(|e| failed("lock", &path, e))?;
        let lock = lock.ok_or_else(|| BookError::Taken(dir.to_owned()))?;
        let path = dir.join(LOGS);
        let names = match disk.list(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names.map_err(|e| failed("read", &path, e))?,
        };
        if !names.iter().any(|name| name == BEGUN) {
            return Err(BookError::Lost(path));
        }
        let mut logs = BTreeMap::new();
        for name in names.iter().filter(|name| !is_beside(name)) {
            let path = path.join(name);
            if !is_name(name) {
                return Err(BookError::Foreign(path));
            }
            let bytes = disk.read(&path).map_err(|e| failed("read", &path, e))?;
            let (origin, page) = match read(&bytes, &key) {
                Ok(read) => read,
                Err(source) => return Err(BookError::Damaged { path, source }),
            };
            // So no log has two files: of the older one nothing must be believed.
            if *name != name_of(origin.as_str()) {
                return Err(BookError::Foreign(path));
            }
            logs.insert(origin, page);
        }
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            key,
            logs,
            _lock: lock,
        })
    }

    /// The witness's key.
    #[must_use]
    pub const fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// What was cosigned of each log.
    #[must_use]
    pub fn logs(&self) -> impl ExactSizeIterator<Item = (&KeyName, &Seen)> {
        self.logs.iter().map(|(origin, page)| (origin, &page.seen))
    }

    /// The checkpoint that was cosigned last of the log that a submission names, with the log's own
    /// signature.
    #[must_use]
    pub fn last(&self, submission: &Submission) -> Option<&SignedNote> {
        let checkpoint = Checkpoint::parse(submission.note.text()).ok()?;
        self.logs.get(&checkpoint.origin).map(|page| &page.note)
    }

    /// Cosigns a checkpoint as of `time`, in seconds since 1970, if one of the logs with these keys signed
    /// it and it continues what was cosigned before. The cosignature is durable when this returns; of the
    /// tree that was cosigned within a minute it is the one that was given then.
    pub fn cosign(
        &mut self,
        submission: &Submission,
        logs: &[VerifierKey],
        time: u64,
        signer: &dyn NoteSigner,
    ) -> Result<Cosigned, Unsigned> {
        let (checkpoint, by_log) = open(submission, logs)?;
        let before = self.logs.get(&checkpoint.origin);
        // Of what else is sent, nothing is kept.
        let mut note = SignedNote::of_valid(submission.note.text().to_owned(), by_log);
        let seen = before.map(|page| page.seen);
        if let Err(refused) = judge(&checkpoint, submission, seen.as_ref()) {
            if let Some(known) = before {
                let submission = Submission {
                    note,
                    ..submission.clone()
                };
                let place = (self.disk.as_ref(), self.dir.as_path());
                evidence::keep(place, &refused, &known.note, &submission)?;
            }
            return Err(refused.into());
        }
        let Checkpoint { origin, size, root } = checkpoint;
        if let Some(page) = before
            && page.seen.size == size
            && page.seen.time.abs_diff(time) < SAME
        {
            return Ok(Cosigned {
                origin,
                before: seen,
                now: page.seen,
                signature: page.cosignature.clone(),
                repeated: true,
            });
        }
        let signature = self.key.cosign(note.text(), time, signer);
        note.add(signature.clone()).map_err(Refused::from)?;
        let path = self.dir.join(LOGS).join(name_of(origin.as_str()));
        write(self.disk.as_ref(), &path, note.to_string().as_bytes())?;
        let now = Seen { size, root, time };
        let page = Page {
            seen: now,
            note,
            cosignature: signature.clone(),
        };
        self.logs.insert(origin.clone(), page);
        Ok(Cosigned {
            origin,
            before: seen,
            now,
            signature,
            repeated: false,
        })
    }
}

/// A whole file under its name, durably.
pub(super) fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), BookError> {
    let write = || {
        let unnamed = path.with_extension(UNNAMED);
        let file = disk.create(&unnamed)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        disk.rename(&unnamed, path)?;
        disk.sync_dir(path.parent().unwrap_or(path))
    };
    write().map_err(|e| failed("write", path, e))
}

/// The name of the file that is about this text.
pub(super) fn name_of(text: &str) -> String {
    Digest(sha256(&[text.as_bytes()])).to_string()
}

/// Whether a name may be such a file's.
fn is_name(name: &str) -> bool {
    name.parse::<Digest>()
        .is_ok_and(|digest| digest.to_string() == name)
}

/// Whether a file may stand among the logs and is of none: the first one, and what was not finished.
fn is_beside(name: &str) -> bool {
    let unfinished = name.strip_suffix(UNNAMED);
    let unfinished = unfinished.and_then(|name| name.strip_suffix('.'));
    name == BEGUN || unfinished.is_some_and(|of| of == BEGUN || is_name(of))
}

/// What a file of the book says, if the witness itself signed it.
fn read(bytes: &[u8], key: &WitnessKey) -> Result<(KeyName, Page), NoteError> {
    let text = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
    let note = SignedNote::parse(text)?;
    let time = key.verify(&note)?;
    let mut ours = note.signatures().iter();
    let is_it = |signature: &&NoteSignature| key.time_of(note.text(), signature) == Some(time);
    let cosignature = ours
        .find(is_it)
        .cloned()
        .ok_or_else(|| NoteError::NotSigned(key.name().to_string()))?;
    let Checkpoint { origin, size, root } = Checkpoint::parse(note.text())?;
    let page = Page {
        seen: Seen { size, root, time },
        note,
        cosignature,
    };
    Ok((origin, page))
}

pub(super) fn failed(doing: &'static str, path: &Path, source: io::Error) -> BookError {
    let path = path.to_owned();
    BookError::Io {
        doing,
        path,
        source,
    }
}
