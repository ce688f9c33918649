//! Which files belong into a backup, and how one is copied.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use lgpki_domain::Digest;
use lgpki_proto::ServiceName;
use ring::digest::{Context, SHA256};

use super::{Kept, make_parent};
use crate::{config::Config, error::CommandError};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// A file to be copied.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path in the backup.
    pub(crate) to: String,
    /// Where it lies.
    pub(crate) from: PathBuf,
    /// How much of it; all if not told.
    pub(crate) length: Option<u64>,
}

impl Source {
    /// The beginning of a file of a service's log.
    pub(super) fn part(service: ServiceName, path: &Path, length: u64) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            to: format!("{service}/log/{name}"),
            from: path.to_owned(),
            length: Some(length),
        }
    }

    fn whole(to: String, from: PathBuf) -> Self {
        Self {
            to,
            from,
            length: None,
        }
    }
}

/// What of a service's data directory no log gives back.
pub(super) fn beside_the_log(
    service: ServiceName,
    data: &Path,
) -> Result<Vec<Source>, CommandError> {
    let one = |file: &str| {
        let from = data.join(file);
        from.is_file()
            .then(|| Source::whole(format!("{service}/{file}"), from))
    };
    Ok(match service {
        ServiceName::Intake => one("openings/openings").into_iter().collect(),
        ServiceName::Lifecycle => one("publication/cps.txt").into_iter().collect(),
        ServiceName::Issuer => files_in(&data.join("keys"), "issuer/keys")?,
    })
}

/// The files in a directory; none if it is not there.
fn files_in(dir: &Path, to: &str) -> Result<Vec<Source>, CommandError> {
    let mut found = Vec::new();
    if !dir.is_dir() {
        return Ok(found);
    }
    let failed = |e: &std::io::Error| CommandError::file("read", dir, e);
    for entry in fs::read_dir(dir).map_err(|e| failed(&e))? {
        let entry = entry.map_err(|e| failed(&e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_file() {
            found.push(Source::whole(format!("{to}/{name}"), entry.path()));
        }
    }
    found.sort_by(|a, b| a.to.cmp(&b.to));
    Ok(found)
}

/// The files that a configuration names, each under the key that names it.
pub(crate) fn named(config: &Config, services: &[ServiceName]) -> Vec<(String, PathBuf)> {
    let mut files = vec![("tls.service_ca".to_owned(), config.tls.service_ca.clone())];
    for service in services {
        let Some(shared) = config.shared(*service) else {
            continue;
        };
        for (key, path) in [
            ("certificate", &shared.certificate),
            ("key", &shared.key),
            ("log_key", &shared.log_key),
        ] {
            files.push((format!("{service}.{key}"), path.clone()));
        }
        if let (ServiceName::Intake, Some(intake)) = (service, &config.intake) {
            let path = intake.own.organization_ca.clone();
            files.push(("intake.organization_ca".to_owned(), path));
        }
    }
    files
}

/// The configuration, what it names, and what `init` left beside it for auditors and relying parties.
pub(super) fn of_configuration(
    config: &Config,
    path: &Path,
    services: &[ServiceName],
) -> Result<Vec<Source>, CommandError> {
    let base = path.parent().unwrap_or(Path::new(""));
    let mut sources = vec![Source::whole(
        "config/lgpki.toml".to_owned(),
        path.to_owned(),
    )];
    for (key, path) in named(config, services) {
        sources.push(Source::whole(format!("named/{key}"), path));
    }
    for dir in ["audit-keys", "ca"] {
        sources.extend(files_in(&base.join(dir), &format!("config/{dir}"))?);
    }
    Ok(sources)
}

/// Copies a file below `dir`, durably but for its name; `tick` is told of the bytes.
pub(crate) fn copy(source: &Source, dir: &Path, tick: &dyn Fn(u64)) -> Result<Kept, CommandError> {
    let to = dir.join(&source.to);
    make_parent(&to)?;
    let reading = |e: &std::io::Error| CommandError::file("read", &source.from, e);
    let writing = |e: &std::io::Error| CommandError::file("write", &to, e);
    let mut from = File::open(&source.from).map_err(|e| reading(&e))?;
    let metadata = from.metadata().map_err(|e| reading(&e))?;
    let mode = metadata.permissions().mode() & 0o777;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode | 0o200)
        .open(&to)
        .map_err(|e| writing(&e))?;
    let mut left = source.length.unwrap_or(metadata.len());
    let (mut context, mut bytes) = (Context::new(&SHA256), 0);
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let room = chunk.get_mut(..most).unwrap_or_default();
        from.read_exact(room).map_err(|e| reading(&e))?;
        file.write_all(room).map_err(|e| writing(&e))?;
        context.update(room);
        left -= most as u64;
        bytes += most as u64;
        tick(most as u64);
    }
    file.sync_all().map_err(|e| writing(&e))?;
    Ok(Kept {
        path: source.to.clone(),
        bytes,
        sha256: hexadecimal(context),
        mode,
    })
}

/// The length and the SHA-256 of a file; `tick` is told of the bytes.
pub(crate) fn digest(path: &Path, tick: &dyn Fn(u64)) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut context, mut bytes) = (Context::new(&SHA256), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok((bytes, hexadecimal(context)));
        }
        context.update(chunk.get(..read).unwrap_or_default());
        bytes += read as u64;
        tick(read as u64);
    }
}

fn hexadecimal(context: Context) -> String {
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Digest(digest).to_string()
}

/// Makes the names in a directory and in those below it durable.
pub(crate) fn sync_tree(dir: &Path) -> Result<(), CommandError> {
    let failed = |e: &std::io::Error| CommandError::file("sync", dir, e);
    for entry in fs::read_dir(dir).map_err(|e| failed(&e))? {
        let path = entry.map_err(|e| failed(&e))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        }
    }
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|e| failed(&e))
}
