//! `lgpki ceremony rollover`: a new key generation of a CA, linked with the one before.
//!
//! The certificates are written beside the first one for people and services to read; the file that
//! intake trusts for logins then holds all generations, for older logins stay good. All of it is written
//! from what is recorded, so the command given again writes what a crash left out.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use lgpki_domain::{Authority, Clock, ErrorClass, JstDate, Timestamp};
use lgpki_issuer::ceremony::{RollOver, RolledOver};
use lgpki_runtime::clock::SystemClock;
use lgpki_x509::{certificate::Certificate, issuer::link_file, pem};

use super::{Held, hold, replace};
use crate::{
    cli::RolloverArgs,
    commands::init::{ca_file, to_pem},
    error::CommandError,
    output::{Output, sheet},
};

/// Makes, or finishes, a generation.
pub(super) async fn run(args: RolloverArgs, output: Output) -> Result<(), CommandError> {
    let authority = args.authority.0;
    let wanted = RollOver {
        authority,
        generation: args.generation,
        algorithm: args.key.map(|key| key.0),
        day: args.from,
    };
    let Held {
        config,
        dir,
        ceremony,
        ..
    } = hold(&args.config, &args.passphrase).await?;
    let outcome = ceremony.roll_over(wanted).await;
    super::end(ceremony).await?;
    let rolled = outcome.map_err(|e| {
        let error = CommandError::from_error("the key is not rolled over", &e);
        match e.class() {
            // Refused before anything began; the message says what to change.
            ErrorClass::InvalidInput | ErrorClass::WrongState => error,
            _ => error.hint("what was begun is kept: give the command again to finish it"),
        }
    })?;
    let made = write(&dir, authority, &rolled)?;
    let mut trusted = vec![ca_file(&dir, authority)];
    if let (Authority::Organization, Some(intake)) = (authority, &config.intake) {
        let path = intake.own.organization_ca.clone();
        if path != trusted[0] {
            trusted.push(path);
        }
    }
    for path in &trusted {
        trust(path, &rolled, SystemClock.now())?;
    }
    let shown = |paths: &[PathBuf]| -> Vec<String> {
        paths.iter().map(|p| p.display().to_string()).collect()
    };
    let json = serde_json::json!({
        "authority": authority.name(), "generation": rolled.record.generation,
        "from": first_day(&rolled)?.to_string(), "key_digest": rolled.record.key_digest.to_string(), "certificates": shown(&made),
        "trust_anchors": shown(&trusted),
    });
    output.result(&json, || {
        sheet(&[
            ("CA", authority.to_string()),
            ("generation", rolled.record.generation.to_string()),
            (
                "issues from",
                json["from"].as_str().unwrap_or_default().to_owned(),
            ),
            ("key", format!("SHA-256 {}", rolled.record.key_digest)),
            ("made", shown(&made).join("\n")),
            ("trust anchors", shown(&trusted).join("\n")),
        ])
    });
    if rolled.stood {
        output.say("it was made before; its files are in their places");
    }
    output.say(
        "next: start the issuer again. An intake on another machine needs the file of trust anchors \
         too, before the first day of the new key; a running one reads it again within ten seconds.",
    );
    Ok(())
}

/// The day from which the new key issues.
fn first_day(rolled: &RolledOver) -> Result<JstDate, CommandError> {
    let certificate = Certificate::parse(&rolled.record.certificate)
        .map_err(|e| CommandError::from_error("the new CA certificate", &e))?;
    Ok(certificate.not_before().jst_date())
}

/// Writes the new CA certificate and both links, PEM.
fn write(
    dir: &Path,
    authority: Authority,
    rolled: &RolledOver,
) -> Result<Vec<PathBuf>, CommandError> {
    let new = rolled.record.generation;
    let old = new - 1;
    let files = [
        (format!("{authority}-{new}.cer"), &rolled.record.certificate),
        (link_file(authority, old, new), &rolled.old_with_new.der),
        (link_file(authority, new, old), &rolled.new_with_old.der),
    ];
    let mut made = Vec::new();
    for (name, der) in files {
        let path = dir.join("ca").join(name).with_extension("pem");
        replace(&path, &to_pem(der)?)?;
        made.push(path);
    }
    Ok(made)
}

/// Adds the new certificate to a file of trust anchors, unless it stands there. One that is not there or
/// empty gets those of the older keys too, as far as they have not expired: logins under them stay good.
fn trust(path: &Path, rolled: &RolledOver, now: Timestamp) -> Result<(), CommandError> {
    let der = &rolled.record.certificate;
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(CommandError::file("read", path, &e)),
    };
    let mut all = if text.is_empty() {
        let older = rolled.older.iter().map(|record| &record.certificate);
        older.filter(|der| stands(der, now)).cloned().collect()
    } else {
        pem::decode_all(pem::Label::Certificate, &text)
            .map_err(|e| CommandError::from_error(&path.display().to_string(), &e))?
    };
    if all.contains(der) {
        return Ok(());
    }
    all.push(der.clone());
    let blocks = all
        .iter()
        .map(|der| to_pem(der))
        .collect::<Result<Vec<_>, _>>()?;
    replace(path, &blocks.concat())
}

/// Whether a certificate has not expired.
fn stands(der: &[u8], now: Timestamp) -> bool {
    Certificate::parse(der).is_ok_and(|certificate| now <= certificate.not_after())
}
