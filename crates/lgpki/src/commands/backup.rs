//! `lgpki backup`: a copy of an installation, taken while it runs.
//!
//! Of each service: its log as far as it is durable, and what no log can give back: the openings of
//! names, the encrypted key files, the practice statement. Then the configuration and what it names.
//! Callers are copied before those they call, so that no copy knows an answer that the one who gave it
//! does not. The index is left out, for the log rebuilds it; passphrases and login cards are left out,
//! for whoever has the copy must not have them too.

mod files;
mod manifest;

use std::{fs, os::unix::fs::DirBuilderExt as _, path::Path, sync::Arc};

use lgpki_domain::Clock;
use lgpki_ledger::{Disk, LogReader, OsDisk, Snapshot};
use lgpki_proto::ServiceName;
use lgpki_runtime::clock::SystemClock;

pub(super) use self::{
    files::{Source, copy, digest, named, sync_tree},
    manifest::{Kept, Manifest},
};
use crate::{
    cli::{BackupArgs, BackupCommand, InstallationArgs, ServiceChoice},
    config::Config,
    error::CommandError,
    log_key,
    output::{Output, sheet, table},
};

/// Callers before those they call.
const ORDER: [ServiceName; 3] = [
    ServiceName::Intake,
    ServiceName::Lifecycle,
    ServiceName::Issuer,
];

/// Bytes that the progress bar counts as one.
const KIB: u64 = 1024;

/// Runs it.
pub(super) fn run(args: BackupArgs, output: Output) -> Result<(), CommandError> {
    match (args.command, args.out) {
        (Some(BackupCommand::Verify { backup }), _) => verify(&backup, output),
        (None, Some(out)) => backup(&args.of, &out, output),
        (None, None) => Err(CommandError::new("name the directory to make with --out")),
    }
}

/// The services of an installation whose data are on this machine, or the one that was chosen.
pub(super) fn services(
    config: &Config,
    args: &InstallationArgs,
) -> Result<Vec<ServiceName>, CommandError> {
    let here = |service: &ServiceName| config.shared(*service).is_some_and(|s| s.data.is_dir());
    let found: Vec<_> = match args.only.map(ServiceChoice::service) {
        Some(one) => ORDER.into_iter().filter(|s| *s == one).collect(),
        None => ORDER.into_iter().filter(here).collect(),
    };
    if let Some(missing) = found.iter().find(|s| !here(s)) {
        let what = format!("the data directory of {missing} is not here");
        return Err(CommandError::new(what).hint("run this where the service runs"));
    }
    if found.is_empty() {
        let what = format!(
            "no data directory that {} names is here",
            args.config.display()
        );
        return Err(CommandError::new(what).hint("run this where the services run"));
    }
    Ok(found)
}

fn backup(of: &InstallationArgs, out: &Path, output: Output) -> Result<(), CommandError> {
    let config = Config::load(&of.config)?;
    let services = services(&config, of)?;
    let passphrase = log_key::services_passphrase(&config)?;
    new_directory(out)?;
    let mut manifest = Manifest::new(&config, SystemClock.now());
    let bar = output.progress(expected(&config, &services), "copying, KiB");
    let tick = |bytes: u64| bar.inc(bytes / KIB);
    for service in &services {
        let Some(shared) = config.shared(*service) else {
            continue;
        };
        let identity = log_key::load(&config, *service, shared, &passphrase)?;
        let snapshot = Snapshot::take(&shared.data, &OsDisk, &identity)
            .map_err(|e| CommandError::from_error(&format!("{service} cannot be copied"), &e))?;
        if let Some(snapshot) = &snapshot {
            whole(*service, &snapshot.reader(), &mut |_| {})?;
        }
        manifest.add(*service, snapshot.as_ref(), &identity)?;
        let log = snapshot.iter().flat_map(Snapshot::files);
        let mut sources: Vec<Source> = log
            .map(|(path, length)| Source::part(*service, path, *length))
            .collect();
        // After the log, so that whatever an entry stands upon is there.
        sources.extend(files::beside_the_log(*service, &shared.data)?);
        for source in sources {
            manifest.files.push(copy(&source, out, &tick)?);
        }
    }
    for source in files::of_configuration(&config, &of.config, &services)? {
        manifest.files.push(copy(&source, out, &tick)?);
    }
    // A backup without its manifest is none.
    sync_tree(out)?;
    manifest.write(out)?;
    bar.finish_and_clear();
    let value = serde_json::json!({ "backup": out.display().to_string(), "manifest": manifest });
    output.result(&value, || told(&manifest, out));
    output.say(
        "\nNot in it: passphrases (secrets/), login cards (offices/), the service CA's key (service-ca/), the indexes, \
         which the logs rebuild. Key files are in it, encrypted as they stand.",
    );
    output.say(format!(
        "Keep it where neither this machine nor its passphrases are.\nnext: lgpki backup verify {}",
        out.display()
    ));
    Ok(())
}

/// Reads a log against its heads, so that nothing altered is copied or taken for whole.
pub(super) fn whole(
    service: ServiceName,
    log: &LogReader,
    progress: &mut dyn FnMut(u64),
) -> Result<(), CommandError> {
    let read = log.verify(progress);
    read.map_err(|e| CommandError::from_error(&format!("the log of {service} is not whole"), &e))
}

/// How much there is to copy, about.
fn expected(config: &Config, services: &[ServiceName]) -> u64 {
    let logs = services.iter().filter_map(|s| config.shared(*s));
    let files = logs.filter_map(|shared| fs::read_dir(shared.data.join("log")).ok());
    let sizes = files.flat_map(|files| files.flatten().filter_map(|f| f.metadata().ok()));
    sizes.map(|metadata| metadata.len() / KIB).sum()
}

fn told(manifest: &Manifest, dir: &Path) -> String {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let head = sheet(&[
        ("backup", dir.display().to_string()),
        ("made", manifest.made.to_string()),
        ("files", manifest.files.len().to_string()),
        ("bytes", bytes.to_string()),
    ]);
    let rows = manifest.services.iter().map(|(service, part)| {
        let of = |name: &str| name.split('/').next() == Some(service.as_str());
        let files = manifest.files.iter().filter(|file| of(&file.path));
        let bytes: u64 = files.map(|file| file.bytes).sum();
        vec![service.clone(), part.entries.to_string(), bytes.to_string()]
    });
    format!("{head}\n{}", table(&["service", "entries", "bytes"], rows))
}

/// Checks a backup, and gives its manifest.
pub(super) fn checked(backup: &Path, output: Output) -> Result<Manifest, CommandError> {
    let manifest = Manifest::read(backup)?;
    let total: u64 = manifest.files.iter().map(|file| file.bytes / KIB).sum();
    let bar = output.progress(total, "checking, KiB");
    let mut wrong = Vec::new();
    for file in &manifest.files {
        let path = backup.join(&file.path);
        match digest(&path, &|bytes| bar.inc(bytes / KIB)) {
            Ok(found) if found == (file.bytes, file.sha256.clone()) => {}
            Ok(_) => wrong.push(format!("{} is not what was copied", file.path)),
            Err(error) => wrong.push(format!("{}: {error}", file.path)),
        }
    }
    bar.finish_and_clear();
    if wrong.is_empty() {
        return Ok(manifest);
    }
    let count = wrong.len();
    wrong.truncate(20);
    let what = format!(
        "{} is damaged: {count} of {} files\n  {}",
        backup.display(),
        manifest.files.len(),
        wrong.join("\n  ")
    );
    Err(CommandError::new(what).hint("use another backup; nothing was changed"))
}

fn verify(backup: &Path, output: Output) -> Result<(), CommandError> {
    let manifest = checked(backup, output)?;
    let value = serde_json::json!({ "whole": true, "manifest": manifest });
    output.result(&value, || told(&manifest, backup));
    output.say(format!(
        "\nEvery file is as it was copied.\nto restore it: lgpki restore {} --into DIR",
        backup.display()
    ));
    Ok(())
}

/// The disk as stores see it.
pub(super) fn disk() -> Arc<dyn Disk> {
    Arc::new(OsDisk)
}

/// Makes the directory of a file.
pub(super) fn make_parent(path: &Path) -> Result<(), CommandError> {
    path.parent().map_or(Ok(()), private_directory)
}

/// Makes a directory that only its owner can enter, and those above it.
fn private_directory(dir: &Path) -> Result<(), CommandError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| CommandError::file("make", dir, &e))
}

/// Makes `dir`, or takes it if it is empty.
fn new_directory(dir: &Path) -> Result<(), CommandError> {
    if fs::read_dir(dir).is_ok_and(|mut found| found.next().is_some()) {
        let what = format!("{} is not empty", dir.display());
        return Err(CommandError::new(what).hint("name a new directory for each backup"));
    }
    private_directory(dir)
}
