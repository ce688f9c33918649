//! `lgpki ceremony`: acts with the CA keys while the issuer does not run.
//!
//! The issuer's directory lock keeps a running issuer out. Every certificate goes the same way as any
//! other: intent, lint, signature, record; lifecycle learns of it from the feed when the issuer runs
//! again.

use std::sync::Arc;

use lgpki_issuer::{Ceremony, IssuerError, Ports, Settings, error::StoreError as IssuerStoreError};
use lgpki_ledger::LogError;
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
    cli::{CeremonyCommand, LoginArgs},
    config::Config,
    error::CommandError,
    output::Output,
};

/// Runs one act.
pub(crate) async fn run(command: CeremonyCommand, output: Output) -> Result<(), CommandError> {
    let CeremonyCommand::Login(args) = command;
    login(args, output).await
}

async fn login(args: LoginArgs, output: Output) -> Result<(), CommandError> {
    let config = Config::load(&args.config)?;
    let issuer = config
        .issuer
        .as_ref()
        .ok_or_else(|| CommandError::new("the configuration has no section [issuer]"))?;
    let wanted = offices::wanted(Offices {
        operators: &args.operators,
        auditors: &args.auditors,
        branches: &args.branches,
    })?;
    let dir = std::path::absolute(&args.config).unwrap_or_else(|_| args.config.clone());
    let dir = dir.parent().unwrap_or(&dir).to_owned();
    offices::none_exists(&dir, &wanted)?;
    let passphrase = ca_passphrase(&args.passphrase, &config)?;
    let settings = Settings::try_new(&issuer.shared.node, &issuer.shared.data, &issuer.settings)
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
    let outcome = offices::issue(&ceremony, wanted).await;
    ceremony
        .close()
        .await
        .map_err(|e| CommandError::from_error("the ceremony cannot end", &e))?;
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
