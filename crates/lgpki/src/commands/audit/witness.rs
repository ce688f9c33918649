//! `lgpki audit witness`: a witness that an auditor runs, on a machine that is not the operator's.
//!
//! It knows the public keys of logs, remembers the largest tree of each that it cosigned, and
//! cosigns whatever continues it (C2SP tlog-witness). Its directory holds its key, encrypted, its
//! public key for those who rely on it, and what it cosigned; whoever loses that begins a new witness.

mod door;
mod lines;

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use lgpki_domain::Timestamp;
use lgpki_keys::{Passphrase, PassphraseSource, SoftwareKey, write_private};
use lgpki_ledger::{
    Disk as _, KeyName, LogSigner, NoteSigner, OsDisk, VerifierKey, WitnessKey, witness::Book,
};
use lgpki_runtime::{
    clock::SystemClock,
    error::chain,
    listen,
    plain_http::{self, Limits, PublicLimits},
    shutdown,
};
use serde_json::json;

use self::door::{Desk, router};
use crate::{
    cli::{WitnessArgs, WitnessPassphrase},
    error::CommandError,
    log_key,
    output::Output,
};

/// Connections at the same time; one address has the share that it has at every public port.
const CONNECTIONS: usize = 256;
const KEY: &str = "witness.key.pem";
const PUBLIC: &str = "witness.vkey";

/// Runs until SIGTERM or SIGINT.
pub(super) async fn run(args: WitnessArgs, output: Output) -> Result<(), CommandError> {
    let logs = super::keys(&args.log_keys)?;
    if logs.is_empty() {
        return Err(CommandError::new(
            "no log is named: the files given with --log-keys are empty",
        )
        .hint("the operator's `lgpki init` wrote the logs' keys to audit-keys/"));
    }
    let passphrase = source(&args.passphrase)
        .read()
        .map_err(|e| CommandError::from_error("cannot read the witness's passphrase", &e))?;
    let (key, signer) = identity(&args.data, args.name.as_ref(), &passphrase)?;
    let book = Book::open(Arc::new(OsDisk), &args.data, key.clone())
        .map_err(|e| CommandError::new(chain(&e)))?;
    let (trigger, until) = shutdown::on_signals()
        .map_err(|e| CommandError::from_error("cannot watch for signals", &e))?;
    let listener = listen::bind("--listen", args.listen)
        .await
        .map_err(|e| CommandError::new(chain(&e)))?;
    let address = listener
        .local_addr()
        .map_err(|e| CommandError::from_error("cannot listen", &e))?;
    announce(&book, &address.to_string(), &logs, output);
    let desk = Desk {
        key,
        book: Mutex::new(book),
        logs,
        signer,
        clock: Arc::new(SystemClock),
        output,
        lines: Mutex::default(),
    };
    let limits = limits();
    plain_http::serve(listener, router(Arc::new(desk)), limits, until).await;
    drop(trigger);
    Ok(())
}

/// What the port allows.
fn limits() -> Limits {
    PublicLimits::default().of(CONNECTIONS, |_| {})
}

fn source(args: &WitnessPassphrase) -> PassphraseSource {
    match (&args.passphrase_file, args.passphrase_fd) {
        (Some(path), _) => PassphraseSource::File(path.clone()),
        (None, Some(fd)) => PassphraseSource::Fd(fd),
        (None, None) => PassphraseSource::Prompt(String::from("Passphrase of the witness's key: ")),
    }
}

/// The witness's key: as it was made, or a new one in a directory that holds none.
fn identity(
    dir: &Path,
    name: Option<&KeyName>,
    passphrase: &Passphrase,
) -> Result<(WitnessKey, Arc<dyn NoteSigner>), CommandError> {
    let path = dir.join(KEY);
    if !path.exists() {
        begin(dir, name, passphrase)?;
    }
    let key = SoftwareKey::load(&path, passphrase)
        .map_err(|e| CommandError::from_error(&path.display().to_string(), &e))?;
    let signer = signer(&key)?;
    let public = dir.join(PUBLIC);
    let line = fs::read_to_string(&public).map_err(|e| CommandError::file("read", &public, &e))?;
    let known: WitnessKey = line
        .trim()
        .parse()
        .map_err(|e| CommandError::from_error(&public.display().to_string(), &e))?;
    if *known.public() != signer.public_key() {
        let what = format!(
            "{} is not the public key of {}",
            public.display(),
            path.display()
        );
        return Err(CommandError::new(what));
    }
    if let Some(name) = name.filter(|name| *name != known.name()) {
        let what = format!("this witness is {}, not {name}", known.name());
        return Err(CommandError::new(what)
            .hint("leave --name out; a witness of another name needs a directory of its own"));
    }
    Ok((known, signer))
}

fn signer(key: &SoftwareKey) -> Result<Arc<dyn NoteSigner>, CommandError> {
    let failed =
        |e: &dyn std::error::Error| CommandError::from_error("the witness's key cannot be used", e);
    let der = key.to_pkcs8_der().map_err(|e| failed(&e))?;
    Ok(Arc::new(
        LogSigner::from_pkcs8(&der).map_err(|e| failed(&e))?,
    ))
}

/// Makes a witness: the book of what it cosigned first, so that a key is never without it; then the public
/// key; the key last.
fn begin(dir: &Path, name: Option<&KeyName>, passphrase: &Passphrase) -> Result<(), CommandError> {
    let name = name.ok_or_else(|| {
        CommandError::new(format!("{} holds no witness yet, and a new one needs a name", dir.display()))
            .hint("name it once with --name, a URL without https:// such as audit-office.example/witness-1")
    })?;
    let failed = |what: &str, e: &dyn std::error::Error| CommandError::from_error(what, e);
    OsDisk
        .create_dir(dir)
        .map_err(|e| CommandError::file("make", dir, &e))?;
    Book::begin(&OsDisk, dir).map_err(|e| CommandError::new(chain(&e)))?;
    let key = log_key::generate()?;
    let public = WitnessKey::new(name.clone(), signer(&key)?.public_key());
    let path = dir.join(PUBLIC);
    fs::write(&path, format!("{public}\n")).map_err(|e| CommandError::file("write", &path, &e))?;
    let pem = key
        .to_encrypted_pkcs8_pem(passphrase)
        .map_err(|e| failed("cannot encrypt the witness's key", &e))?;
    let path = dir.join(KEY);
    write_private(&path, pem.as_bytes())
        .map_err(|e| failed(&format!("cannot write {}", path.display()), &e))
}

fn announce(book: &Book, address: &str, logs: &[VerifierKey], output: Output) {
    let names: Vec<_> = logs.iter().map(|key| key.name().to_string()).collect();
    let known: Vec<_> = book
        .logs()
        .map(|(origin, seen)| {
            json!({ "log": origin.to_string(), "size": seen.size, "time": time(seen.time).to_string() })
        })
        .collect();
    let value = json!({
        "witness": book.key().name().to_string(), "vkey": book.key().to_string(), "listen": address,
        "logs": names, "cosigned": known,
    });
    output.notice(&value, || {
        let mut text = format!(
            "witness {} on http://{address}\n  {}\n  give this key to the operator and to whoever relies on it",
            book.key().name(),
            book.key()
        );
        for name in &names {
            let _ = write!(text, "\n  watches {name}");
        }
        for (origin, seen) in book.logs() {
            let _ = write!(text, "\n  cosigned {origin} up to {} entries", seen.size);
        }
        text
    });
}

/// A time in seconds since 1970.
fn time(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests;
