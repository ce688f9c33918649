//! `lgpki restore`: puts a backup back, sealed, and brings it to where the logs once were.
//!
//! A backup is older than what was recorded last. Were a service to run on it, it would forget: who was
//! revoked, which serial and CRL numbers were used. So the seal is durable before the first file is
//! written, no store opens under it, and it goes only when the log holds everything that was published.

mod gap;
mod heal;
mod hearing;
mod mirrors;
mod patient;
mod unseal;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use lgpki_domain::Clock;
use lgpki_proto::ServiceName;
use lgpki_runtime::clock::SystemClock;
use lgpki_store::seal::{Seal, Stage};
use serde_json::json;

use self::hearing::Hearing;
use super::backup::{
    Kept, Manifest, Source, checked, copy, digest, disk, make_parent, named, sync_tree,
};
use crate::{
    cli::{RestoreArgs, RestoreCommand, ServiceChoice},
    config::{Audit, Config},
    error::CommandError,
    output::{Output, table},
    witnesses::witnessing,
};

/// Runs it.
pub(super) fn run(args: RestoreArgs, output: Output) -> Result<(), CommandError> {
    match (args.command, args.backup, args.into) {
        (Some(RestoreCommand::Heal(args)), ..) => heal::run(&args, output),
        (Some(RestoreCommand::Unseal(args)), ..) => unseal::run(&args, output),
        (None, Some(backup), Some(into)) => {
            let only = args.only.map(ServiceChoice::service);
            restore(&backup, &into, only, output)
        }
        (None, ..) => Err(CommandError::new(
            "name the backup, and with --into the directory to restore it to",
        )),
    }
}

/// A file of the backup and where it goes.
struct Move {
    kept: Kept,
    to: PathBuf,
}

/// What is to be done.
struct Plan {
    /// The services, their data directories, and how many entries their logs will hold.
    services: Vec<(ServiceName, PathBuf, u64)>,
    /// Files of data directories.
    data: Vec<Move>,
    /// The configuration and what it names.
    others: Vec<Move>,
    /// How the logs are witnessed.
    audit: Audit,
}

fn restore(
    backup: &Path,
    into: &Path,
    only: Option<ServiceName>,
    output: Output,
) -> Result<(), CommandError> {
    let manifest = checked(backup, output)?;
    fs::create_dir_all(into).map_err(|e| CommandError::file("make", into, &e))?;
    let into = fs::canonicalize(into).map_err(|e| CommandError::file("find", into, &e))?;
    let plan = plan(&manifest, (backup, &into), only)?;
    let now = SystemClock.now();
    let seal = |held, stage, why| Seal {
        held,
        since: now,
        stage,
        why,
    };
    for (_, data, entries) in &plan.services {
        let why = "files are being written back from a backup, or that was cut off: give the same \
                   `lgpki restore` again";
        make_parent(&data.join("sealed"))?;
        write_seal(&seal(*entries, Stage::Restoring, why.to_owned()), data)?;
    }
    let bar = output.progress(plan.data.len() as u64, "restoring files");
    for one in &plan.others {
        put(backup, one)?;
    }
    for one in &plan.data {
        put(backup, one)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    sync_tree(&into)?;
    let config = into.join("lgpki.toml");
    for (_, data, entries) in &plan.services {
        sync_tree(data)?;
        let why = format!(
            "it was restored from the backup of {}, whose log ends at {entries} entries; what was recorded since is \
             missing. Take it back with `lgpki restore heal --config {} --mirror DIR`, where DIR holds published logs",
            manifest.made,
            config.display(),
        );
        write_seal(&seal(*entries, Stage::Restored, why), data)?;
    }
    let hearing = ask(&plan, &manifest, output)?;
    tell((&plan, &hearing), &manifest, &config, output);
    Ok(())
}

/// Asks the witnesses how much of the logs they have seen that the backup has not. The seal stays, whatever
/// they say.
fn ask(plan: &Plan, manifest: &Manifest, output: Output) -> Result<Hearing, CommandError> {
    let Some(witnesses) = witnessing(&plan.audit)? else {
        return Ok(Hearing::default());
    };
    let parts = plan.services.iter().filter_map(|(service, ..)| {
        let part = manifest.services.get(service.name())?;
        Some(&part.checkpoints)
    });
    let checkpoints = parts.flatten();
    Ok(Hearing::of_checkpoints(&witnesses, checkpoints, output))
}

fn tell((plan, hearing): (&Plan, &Hearing), manifest: &Manifest, config: &Path, output: Output) {
    let services: Vec<_> = plan.services.iter().collect();
    let value: Vec<_> = services
        .iter()
        .map(|(service, data, entries)| {
            json!({
                "service": service.name(), "data": data.display().to_string(), "entries": entries, "sealed": true,
            })
        })
        .collect();
    let value = json!({
        "backup_made": manifest.made.to_string(), "services": value, "witnesses": hearing.to_json(),
    });
    output.result(&value, || {
        let rows = services.iter().map(|(service, data, entries)| {
            vec![
                service.name().to_owned(),
                entries.to_string(),
                data.display().to_string(),
            ]
        });
        table(&["sealed", "entries", "data directory"], rows)
    });
    let heard = [hearing.contradiction(&[]), hearing.silence(&[])];
    for heard in heard.into_iter().flatten() {
        output.say(format!("\n{heard}"));
    }
    output.say(format!(
        "\nThis is how things stood at {}. No service runs on it before it has what was recorded since.\n\
         Put back by hand what no backup holds: the passphrases, such as secrets/tls-passphrase.\n\
         next: lgpki restore heal --config {} --mirror DIR --list\n  \
         with DIR a copy of what the services published: `audit` in the old data directories, or an auditor's logs",
        manifest.made,
        config.display()
    ));
}

/// Where everything goes; refuses what is there already.
fn plan(
    manifest: &Manifest,
    (backup, into): (&Path, &Path),
    only: Option<ServiceName>,
) -> Result<Plan, CommandError> {
    let file = backup.join("config/lgpki.toml");
    let text = fs::read_to_string(&file).map_err(|e| CommandError::file("read", &file, &e))?;
    let config = Config::at(&text, into)?;
    let mut services = Vec::new();
    for (name, part) in &manifest.services {
        let service = ServiceName::ALL.into_iter().find(|s| s.name() == name);
        let shared = service.and_then(|service| Some((service, config.shared(service)?)));
        let Some((service, shared)) = shared else {
            let what = format!("lgpki.toml in the backup has no section [{name}]");
            return Err(CommandError::new(what));
        };
        if only.is_none_or(|only| only == service) {
            free(&shared.data)?;
            services.push((service, shared.data.clone(), part.entries));
        }
    }
    if services.is_empty() {
        return Err(CommandError::new("the backup does not hold that service"));
    }
    let all: Vec<_> = services.iter().map(|(service, ..)| *service).collect();
    let names = named(&config, &ServiceName::ALL);
    let mut plan = Plan {
        services,
        data: Vec::new(),
        others: Vec::new(),
        audit: config.audit.clone(),
    };
    let mut differ = Vec::new();
    for kept in manifest.files.iter().cloned() {
        let (first, rest) = kept.path.split_once('/').unwrap_or((&kept.path, ""));
        let of = all.iter().find(|service| service.name() == first);
        if let Some(shared) = of.and_then(|service| config.shared(*service)) {
            let to = shared.data.join(rest);
            plan.data.push(Move { kept, to });
            continue;
        }
        let to = match first {
            "config" => into.join(rest),
            "named" => match names.iter().find(|(key, _)| key == rest) {
                Some((_, path)) => path.clone(),
                None => continue,
            },
            _ => continue,
        };
        match digest(&to, &|_| {}) {
            Ok((_, found)) if found == kept.sha256 => {}
            // With one service alone the configuration here stands.
            Ok(_) if only.is_some() => {}
            Ok(_) => differ.push(to.display().to_string()),
            Err(_) => plan.others.push(Move { kept, to }),
        }
    }
    if differ.is_empty() {
        return Ok(plan);
    }
    let what = format!("there are other files already:\n  {}", differ.join("\n  "));
    Err(CommandError::new(what)
        .hint("name another directory with --into, or move them away; nothing was changed"))
}

/// Refuses a data directory with something in it, unless a restoration was cut off there.
fn free(data: &Path) -> Result<(), CommandError> {
    if fs::read_dir(data).is_ok_and(|mut found| found.next().is_none()) || !data.exists() {
        return Ok(());
    }
    let cut_off = matches!(
        Seal::read(data, disk().as_ref()),
        Ok(Some(Seal {
            stage: Stage::Restoring,
            ..
        }))
    );
    if cut_off {
        return Ok(());
    }
    let what = format!("the data directory {} is not empty", data.display());
    Err(CommandError::new(what).hint(
        "nothing is ever written over: move it away, and name its `audit` with --mirror afterwards; or take back what \
         it lacks with `lgpki restore heal`",
    ))
}

fn put(backup: &Path, one: &Move) -> Result<(), CommandError> {
    // What a restoration that was cut off has left.
    match fs::remove_file(&one.to) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(CommandError::file("write", &one.to, &e));
        }
        _ => {}
    }
    let source = Source {
        to: one.to.display().to_string(),
        from: backup.join(&one.kept.path),
        length: Some(one.kept.bytes),
    };
    // An absolute path takes the place of what it is joined to.
    let copied = copy(&source, Path::new("/"), &|_| {})?;
    if copied.sha256 != one.kept.sha256 {
        let what = format!("{} changed while it was read", source.from.display());
        return Err(CommandError::new(what));
    }
    let mode = fs::Permissions::from_mode(one.kept.mode);
    fs::set_permissions(&one.to, mode).map_err(|e| CommandError::file("write", &one.to, &e))
}

fn write_seal(seal: &Seal, data: &Path) -> Result<(), CommandError> {
    seal.write(data, disk().as_ref())
        .map_err(|e| CommandError::from_error("the data directory cannot be sealed", &e))
}
