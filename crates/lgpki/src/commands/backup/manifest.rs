//! The list of what is in a backup: every file with its length and SHA-256, and how far each log went.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path},
};

use lgpki_domain::Timestamp;
use lgpki_ledger::{Identity, Snapshot, serial::text};
use lgpki_proto::ServiceName;
use serde::{Deserialize, Serialize};

use crate::{config::Config, error::CommandError};

/// The manifest's file.
pub(crate) const MANIFEST: &str = "manifest.json";

const FORM: &str = "lgpki-backup/1";

/// What is in a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The form of the backup.
    pub(crate) form: String,
    /// The program that made it.
    pub(crate) program: String,
    /// When it was begun.
    #[serde(with = "text")]
    pub(crate) made: Timestamp,
    /// What the names of all logs begin with.
    pub(crate) log_origin: String,
    /// The services in it.
    pub(crate) services: BTreeMap<String, Part>,
    /// Every file.
    pub(crate) files: Vec<Kept>,
}

/// One service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// How many entries its log holds.
    pub(crate) entries: u64,
    /// The signed checkpoints of its logs at their ends.
    pub(crate) checkpoints: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// Its path in the backup: below `config` as it lay beside lgpki.toml, below `named` under the key that
    /// names it there, below a service's name as it lay in its data directory.
    pub(crate) path: String,
    /// Its length.
    pub(crate) bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub(crate) sha256: String,
    /// Its permissions.
    pub(crate) mode: u32,
}

impl Manifest {
    pub(super) fn new(config: &Config, made: Timestamp) -> Self {
        Self {
            form: FORM.to_owned(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made,
            log_origin: config.audit.log_origin.to_string(),
            services: BTreeMap::new(),
            files: Vec::new(),
        }
    }

    /// Notes how far a service's log goes.
    pub(super) fn add(
        &mut self,
        service: ServiceName,
        snapshot: Option<&Snapshot>,
        identity: &Identity,
    ) -> Result<(), CommandError> {
        let mut part = Part {
            entries: 0,
            checkpoints: Vec::new(),
        };
        if let Some(reader) = snapshot.map(Snapshot::reader) {
            part.entries = reader.durable();
            for log in reader.logs() {
                let head = reader
                    .head(log)
                    .map_err(|e| CommandError::from_error("a log cannot be read", &e))?;
                let note = head.map(|head| identity.checkpoint(log, &head).to_string());
                part.checkpoints.extend(note);
            }
        }
        self.services.insert(service.name().to_owned(), part);
        Ok(())
    }

    /// Writes it, durably, as the last of a backup.
    pub(super) fn write(&self, dir: &Path) -> Result<(), CommandError> {
        let path = dir.join(MANIFEST);
        let failed = |e: &std::io::Error| CommandError::file("write", &path, e);
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| failed(&e.into()))?;
        fs::write(&path, bytes).map_err(|e| failed(&e))?;
        let synced = fs::File::open(&path).and_then(|file| file.sync_all());
        let synced = synced.and_then(|()| fs::File::open(dir)?.sync_all());
        synced.map_err(|e| failed(&e))
    }

    /// Reads the manifest of a backup.
    pub(super) fn read(dir: &Path) -> Result<Self, CommandError> {
        let path = dir.join(MANIFEST);
        let bytes = fs::read(&path).map_err(|e| {
            CommandError::file("read", &path, &e).hint(
                "name a directory that `lgpki backup --out` made; one without a manifest was not finished",
            )
        })?;
        let wrong = |why: String| CommandError::new(format!("{} {why}", path.display()));
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|e| wrong(format!("is no manifest of a backup: {e}")))?;
        if manifest.form != FORM {
            let why = format!(
                "is of the form {}; this program reads {FORM}",
                manifest.form
            );
            return Err(wrong(why));
        }
        // What it names is joined to directories.
        let plain = |file: &Kept| {
            let mut parts = Path::new(&file.path).components();
            parts.all(|part| matches!(part, Component::Normal(_)))
        };
        match manifest.files.iter().find(|file| !plain(file)) {
            Some(file) => Err(wrong(format!(
                "names a file outside the backup: {}",
                file.path
            ))),
            None => Ok(manifest),
        }
    }
}
