//! `lgpki ceremony`: acts with the CA keys while the issuer does not run.
//!
//! The issuer's directory lock keeps a running issuer out. Every certificate goes the same way as any
//! other: intent, lint, signature, record; lifecycle learns of it from the feed when the issuer runs
//! again.

mod cross;
mod replace;
mod rollover;

pub(crate) use replace::replace;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_issuer::{Ceremony, IssuerError, Ports, Settings, error::StoreError as IssuerStoreError};
use lgpki_ledger::LogError;
use lgpki_proto::ServiceName;
use lgpki_runtime::{clock::SystemClock, random::SystemRandomness};
use lgpki_store::StoreError;

use super::{
    init::{
        SERVER_NAME,
        offices::{self, Handout, Offices},
    },
    serve::ca_passphrase,
};
use crate::{
    cli::{CeremonyCommand, LoginArgs, PassphraseArgs},
    config::Config,
    error::CommandError,
    log_key,
    output::Output,
};

/// Runs one act.
pub(crate) async fn run(command: CeremonyCommand, output: Output) -> Result<(), CommandError> {
    match command {
        CeremonyCommand::Login(args) => login(args, output).await,
        CeremonyCommand::Rollover(args) => rollover::run(args, output).await,
        CeremonyCommand::Cross(args) => cross::run(*args, output).await,
    }
}

/// A ceremony that is being held, and what it was opened with.
struct Held {
    config: Config,
    /// The directory of the configuration, in which `ca/` and `offices/` lie.
    dir: PathBuf,
    ceremony: Ceremony,
    randomness: Arc<SystemRandomness>,
}

/// Opens the issuer's directory with the CA keys.
async fn hold(path: &Path, passphrase: &PassphraseArgs) -> Result<Held, CommandError> {
    let config = Config::load(path)?;
    let issuer = config
        .issuer
        .as_ref()
        .ok_or_else(|| CommandError::new("the configuration has no section [issuer]"))?;
    let dir = directory(path);
    let passphrase = ca_passphrase(passphrase, &config)?;
    let secret = log_key::services_passphrase(&config)?;
    let log = log_key::load(&config, ServiceName::Issuer, &issuer.shared, &secret)?;
    let settings = Settings::try_new(log, &issuer.shared.data, &issuer.settings)
        .map_err(|e| CommandError::from_error("settings", &e))?;
    let randomness = Arc::new(SystemRandomness::new());
    let ports = Ports {
        clock: Arc::new(SystemClock),
        randomness: randomness.clone(),
    };
    let ceremony = Ceremony::open(&settings, ports, passphrase)
        .await
        .map_err(|e| {
            let error = CommandError::from_error("the ceremony cannot begin", &e);
            match e {
                IssuerError::Store(IssuerStoreError::Engine(StoreError::Log(LogError::InUse(
                    _,
                )))) => error
                    .hint("stop the issuer first; it is started again when the ceremony has ended"),
                _ => error,
            }
        })?;
    Ok(Held {
        config,
        dir,
        ceremony,
        randomness,
    })
}

/// Ends a ceremony and releases the directory.
async fn end(ceremony: Ceremony) -> Result<(), CommandError> {
    let closed = ceremony.close().await;
    closed.map_err(|e| CommandError::from_error("the ceremony cannot end", &e))
}

/// The directory of a file.
fn directory(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.parent().unwrap_or(&path).to_owned()
}

async fn login(args: LoginArgs, output: Output) -> Result<(), CommandError> {
    let wanted = offices::wanted(Offices {
        operators: &args.operators,
        auditors: &args.auditors,
        branches: &args.branches,
    })?;
    offices::none_exists(&directory(&args.config), &wanted)?;
    let Held {
        config,
        dir,
        ceremony,
        randomness,
    } = hold(&args.config, &args.passphrase).await?;
    let outcome = offices::issue(&ceremony, wanted).await;
    end(ceremony).await?;
    let cards = outcome?;
    let port = config
        .intake
        .as_ref()
        .map_or(7440, |s| s.shared.listen.socket().port());
    let handout = Handout {
        dir: &dir,
        server: &format!("{SERVER_NAME}:{port}"),
        form: args.login_form,
    };
    offices::hand_out(handout, &cards, randomness.as_ref())?;
    let made: Vec<_> = cards
        .iter()
        .map(|card| dir.join("offices").join(&card.name).display().to_string())
        .collect();
    output.result(&serde_json::json!({ "offices": made }), || made.join("\n"));
    output.say("Each PIN lies beside its card in `pin`; hand card and PIN over apart, and delete the file.");
    output.say("next: start the issuer again");
    Ok(())
}
