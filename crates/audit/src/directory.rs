//! A directory of published logs: `<service>/<year>` and `<service>/keys`, each with its checkpoint,
//! its verifier key and its tiles, as services leave them and as they are fetched.

pub(crate) mod keys;
mod memory;
mod walk;
mod witness;

pub(crate) use self::walk::key_of;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use lgpki_ledger::{
    Checkpoint, Disk as _, OsDisk, SignedNote, VerifierKey, WitnessPolicy,
    note::MAX_NOTE_BYTES,
    published::{CHECKPOINT, VKEY},
};
use lgpki_x509::{crl::RevocationList, key::sha256};

use crate::{
    auditor::Auditor,
    error::AuditError,
    fact::Service,
    finding::{Place, Rule},
    report::Report,
    rules::CrlFile,
};

/// The log of keys and ceremonies.
pub const KEYS: &str = "keys";

/// A published log.
#[derive(Clone, Debug)]
pub struct LogDir {
    /// The service.
    pub service: Service,
    /// Its name, such as `2008` or `keys`.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What its checkpoint says, unchecked; none if it cannot be read.
    pub head: Option<Checkpoint>,
    /// The checkpoint as it stands.
    pub note: Option<String>,
    /// The key that stands beside it.
    pub key: Option<VerifierKey>,
    /// What is wrong with its name: it is not that of its place, or not of the installation of the others.
    pub(crate) misplaced: Option<String>,
}

impl LogDir {
    fn open(service: Service, name: &str, path: PathBuf) -> Self {
        let note = text(&path.join(CHECKPOINT));
        let signed = note
            .as_deref()
            .and_then(|note| SignedNote::parse(note).ok());
        let key = text(&path.join(VKEY));
        Self {
            service,
            name: name.to_owned(),
            path,
            head: signed.and_then(|note| Checkpoint::parse(note.text()).ok()),
            note,
            key: key.and_then(|line| line.trim_end().parse().ok()),
            misplaced: None,
        }
    }

    /// What the names of all logs of its installation begin with; none where its name does not end with
    /// service and log.
    fn base(&self) -> Option<String> {
        let origin = self.head.as_ref()?.origin.as_str();
        let base = origin.strip_suffix(&format!("/{}/{}", self.service.name(), self.name));
        base.map(str::to_owned)
    }

    /// The key that must have signed its checkpoint: of these or, with none, the one beside it.
    pub(crate) fn signer(&self, keys: &[VerifierKey]) -> Result<VerifierKey, AuditError> {
        let wrong = |why: &str| AuditError::Unreadable {
            path: self.path.clone(),
            why: why.to_owned(),
        };
        if let Some(what) = &self.misplaced {
            return Err(wrong(what));
        }
        let origin = self.head.as_ref().map(|head| &head.origin);
        let beside = self.key.as_ref().filter(|_| keys.is_empty());
        let key = origin.and_then(|origin| match beside {
            Some(key) => key_of(std::slice::from_ref(key), origin),
            None => key_of(keys, origin),
        });
        key.ok_or_else(|| wrong("no verifier key of this log is known"))
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            service: self.service.name().to_owned(),
            log: self.name.clone(),
            ..Place::default()
        }
    }

    /// The year; none of the log of keys.
    #[must_use]
    pub fn year(&self) -> Option<i16> {
        self.name.parse().ok()
    }
}

/// What an audit is held against besides the logs themselves.
#[derive(Clone, Debug, Default)]
pub struct Against {
    /// Verifier keys known from elsewhere; with none, those beside the logs are believed.
    pub keys: Vec<VerifierKey>,
    /// A directory of the same form with checkpoints seen before.
    pub seen: Option<PathBuf>,
    /// Files or directories of CRLs.
    pub crls: Vec<PathBuf>,
    /// The witnesses that must have cosigned the checkpoints, if that is wanted.
    pub witnesses: Option<WitnessPolicy>,
}

/// The logs in a directory.
#[derive(Debug)]
pub struct Published {
    dir: PathBuf,
    logs: BTreeMap<(Service, String), LogDir>,
}

impl Published {
    /// Looks at what is in a directory.
    pub fn open(dir: &Path) -> Result<Self, AuditError> {
        let mut logs = BTreeMap::new();
        for service in Service::ALL {
            let of = dir.join(service.name());
            let Ok(found) = fs::read_dir(&of) else {
                continue;
            };
            for entry in found.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_year = name.len() == 4 && name.bytes().all(|b| b.is_ascii_digit());
                if (is_year || name == KEYS) && entry.path().is_dir() {
                    let log = LogDir::open(service, &name, entry.path());
                    logs.insert((service, name), log);
                }
            }
        }
        if logs.is_empty() {
            return Err(AuditError::NoLog(dir.to_owned()));
        }
        place(&mut logs);
        let dir = dir.to_owned();
        Ok(Self { dir, logs })
    }

    /// How many leaves the checkpoints speak of.
    #[must_use]
    pub fn leaves(&self) -> u64 {
        let heads = self.logs.values().filter_map(|log| log.head.as_ref());
        heads.fold(0, |sum, head| sum.saturating_add(head.size))
    }

    /// The logs.
    pub fn logs(&self) -> impl Iterator<Item = &LogDir> {
        self.logs.values()
    }

    /// A service's logs of the years, the oldest first.
    #[must_use]
    pub fn years(&self, service: Service) -> impl DoubleEndedIterator<Item = &LogDir> {
        let of = self.logs.values().filter(move |log| log.service == service);
        of.filter(|log| log.year().is_some())
    }

    /// A service's log of keys.
    #[must_use]
    pub fn keys(&self, service: Service) -> Option<&LogDir> {
        self.logs.get(&(service, KEYS.to_owned()))
    }

    /// Audits everything; `progress` is told how many leaves were read.
    pub fn verify(
        &self,
        against: &Against,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Report, AuditError> {
        let auditor = self.audit(&Service::ALL, against, progress)?;
        Ok(auditor.finish(&Service::ALL))
    }

    /// Audits the logs of some services, which stay open to questions.
    pub fn audit(
        &self,
        services: &[Service],
        against: &Against,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Auditor, AuditError> {
        let mut auditor = Auditor::new()?;
        for file in crl_files(&against.crls)? {
            auditor.add_file(file);
        }
        let seen = against
            .seen
            .as_deref()
            .map(|dir| memory::open(dir, against));
        let seen = seen.transpose()?;
        for service in Service::ALL
            .into_iter()
            .filter(|service| services.contains(service))
        {
            if self.years(service).next().is_none() {
                let place = Place {
                    service: service.name().to_owned(),
                    ..Place::default()
                };
                let what = format!("there is no log of {service:?} in {}", self.dir.display());
                auditor.find(Rule::Missing, place, what);
                continue;
            }
            let mut walk = walk::Walk {
                auditor: &mut auditor,
                against,
                seen: seen.as_ref(),
                progress: &mut *progress,
                wrong: 0,
            };
            walk.service(self, service);
        }
        if let Some(seen) = &seen {
            memory::compare((self, seen), services, &mut auditor);
        }
        Ok(auditor)
    }
}

/// A file that is no longer than a note may be; none if it cannot be read or is no text.
fn text(path: &Path) -> Option<String> {
    String::from_utf8(OsDisk.read_at_most(path, MAX_NOTE_BYTES).ok()?).ok()
}

/// Holds each log's name against its place, and against the installation of the first.
fn place(logs: &mut BTreeMap<(Service, String), LogDir>) {
    let base = logs.values().find_map(LogDir::base);
    for log in logs.values_mut() {
        let Some(head) = &log.head else { continue };
        let of = log.base();
        log.misplaced = match (&of, &base) {
            (Some(of), Some(base)) if of == base => None,
            (Some(_), Some(base)) => Some(format!(
                "it is of the log {}, and those beside it are of {base}",
                head.origin
            )),
            _ => Some(format!("it is of the log {}", head.origin)),
        };
    }
}

fn crl_files(paths: &[PathBuf]) -> Result<Vec<CrlFile>, AuditError> {
    let mut files = Vec::new();
    for path in paths {
        let all: Vec<PathBuf> = match fs::read_dir(path) {
            Ok(found) => {
                let found = found.flatten().map(|entry| entry.path());
                found
                    .filter(|p| p.extension().is_some_and(|e| e == "crl"))
                    .collect()
            }
            Err(_) => vec![path.clone()],
        };
        for path in all {
            let failed = |source| AuditError::File {
                doing: "read",
                path: path.clone(),
                source,
            };
            let der = fs::read(&path).map_err(failed)?;
            let list = RevocationList::parse(&der).map_err(|error| AuditError::Unreadable {
                path: path.clone(),
                why: error.to_string(),
            })?;
            let name = path.display().to_string();
            files.push(CrlFile {
                digest: sha256(&der),
                name,
                list,
            });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
