//! `lgpki init`: makes a certificate authority from nothing.
//!
//! Keys and certificates of the service CA and the services' TLS identities; the LGPKI CAs and the
//! first login certificates, by a key ceremony that the issuer's log records; the synthetic body name
//! list in intake's store; the configuration. A directory that is not empty is refused, and one that
//! could not be finished is left as it is, to be looked at and removed.

mod files;
pub(crate) mod offices;
mod services;

use std::{
    net::Ipv6Addr,
    path::{Path, PathBuf},
};

use lgpki_domain::{Authority, CrlOptions, JstDate, Timestamp, prefecture::synthetic_bodies};
use lgpki_intake::store::EngineStore;
use lgpki_issuer::{Ceremony, IssuerConfig, Ports, Settings};
use lgpki_keys::{KeyError, Passphrase, PassphraseSource};
use lgpki_ledger::Identity;
use lgpki_proto::ServiceName;
use lgpki_x509::pem;

use offices::{Handout, Offices};

use crate::{
    cli::{InitArgs, PassphraseArgs},
    config::{EXAMINATION, Template, render},
    error::CommandError,
    log_key,
    output::{Output, sheet},
};

/// The name in every service's TLS certificate, beside the hosts given.
pub(crate) const SERVER_NAME: &str = "localhost";

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// The directories of the offices, under `offices/`.
    pub(crate) offices: Vec<String>,
    /// Where the CRLs are published.
    pub(crate) publication_url: String,
}

/// Makes a certificate authority and says what was made.
pub(crate) async fn run(args: InitArgs, output: Output) -> Result<(), CommandError> {
    let passphrase = new_passphrase(&args.passphrase)?;
    let dir = args.dir.clone();
    let bar = output.progress(5, "making the CA");
    let made = make(&args, passphrase, EXAMINATION, &super::machine(), || {
        bar.inc(1);
    })
    .await?;
    bar.finish_and_clear();
    let json = serde_json::json!({
        "directory": dir, "configuration": dir.join("lgpki.toml"), "offices": made.offices,
        "publication_url": made.publication_url,
    });
    output.result(&json, || {
        sheet(&[
            (
                "configuration",
                dir.join("lgpki.toml").display().to_string(),
            ),
            ("CA certificates", dir.join("ca").display().to_string()),
            (
                "login cards",
                made.offices
                    .iter()
                    .map(|o| format!("{}/offices/{o}", dir.display()))
                    .collect::<Vec<_>>()
                    .join(
                        "
",
                    ),
            ),
            ("CRLs", made.publication_url.clone()),
        ])
    });
    output.say("\nEach login card's PIN lies beside it in `pin`; hand card and PIN over apart, and delete the file.");
    output.say(
        "The service CA's key lies in `service-ca/`; keep it apart from the running services.",
    );
    output.say("Give the keys in `audit-keys/` to the auditors: with them they verify what the services' logs say.");
    output.say(format!(
        "next: lgpki serve --config {}",
        dir.join("lgpki.toml").display()
    ));
    Ok(())
}

/// The passphrase of keys to be made; where it is asked for, it is asked for twice, for what is
/// mistyped once is lost with the keys.
pub(crate) fn new_passphrase(args: &PassphraseArgs) -> Result<Passphrase, CommandError> {
    let ask = |question: &str| PassphraseSource::Prompt(question.to_owned()).read();
    let failed = |e: KeyError| {
        CommandError::from_error("cannot read the passphrase", &e)
            .hint("put a passphrase of your choice into a file (mode 600) and name it with --passphrase-file, or give --passphrase-fd N")
    };
    if let Some(source) = source(args) {
        return source.read().map_err(failed);
    }
    let passphrase = ask("New passphrase of the CA keys: ").map_err(failed)?;
    if ask("The same again: ").map_err(failed)? != passphrase {
        return Err(
            CommandError::new("the two passphrases differ; nothing was made")
                .hint("give the command again"),
        );
    }
    Ok(passphrase)
}

/// Where the passphrase of the CA keys comes from, if it was said.
pub(crate) fn source(args: &PassphraseArgs) -> Option<PassphraseSource> {
    match (&args.passphrase_file, args.passphrase_fd) {
        (Some(path), _) => Some(PassphraseSource::File(path.clone())),
        (None, Some(fd)) => Some(PassphraseSource::Fd(fd)),
        (None, None) => None,
    }
}

/// Makes everything; `examination` is what stands in `[intake.examination]`, and `step` is called after
/// each of the five parts.
pub(crate) async fn make(
    args: &InitArgs,
    passphrase: Passphrase,
    examination: &str,
    ports: &Ports,
    step: impl Fn(),
) -> Result<Made, CommandError> {
    let dir = args.dir.as_path();
    let numbers = |count: u8| (1..=count).collect::<Vec<_>>();
    let wanted = offices::wanted(Offices {
        operators: &numbers(args.operators),
        auditors: &numbers(args.auditors),
        branches: &args.branches,
    })?;
    files::empty_directory(dir)?;
    let secret = services::make(dir, &args.hosts, &passphrase, ports)?;
    let url = publication_url(args);
    let origin = match &args.log_origin {
        Some(origin) => origin.clone(),
        None => log_key::usual_origin(&url)?,
    };
    let log = |service| services::log_key(dir, &origin, service, &secret);
    let (issuer, intake) = (log(ServiceName::Issuer)?, log(ServiceName::Intake)?);
    log(ServiceName::Lifecycle)?;
    step();

    let settings = Settings::try_new(issuer, dir.join("data/issuer"), &IssuerConfig::default())
        .map_err(|e| CommandError::from_error("settings", &e))?;
    let ceremony = Ceremony::open(&settings, ports.clone(), passphrase)
        .await
        .map_err(|e| CommandError::from_error("the key ceremony cannot begin", &e))?;
    let today = ports.clock.now().jst_date();
    authorities(args, &ceremony, &url, today).await?;
    step();
    let cards = offices::issue(&ceremony, wanted).await?;
    ceremony
        .close()
        .await
        .map_err(|e| CommandError::from_error("the key ceremony cannot end", &e))?;
    step();
    let handout = Handout {
        dir,
        server: &server_address(args),
        form: args.login_form,
    };
    offices::hand_out(handout, &cards, ports.randomness.as_ref())?;
    step();

    directory(dir, intake, ports.clock.now()).await?;
    files::private_directory(&dir.join("data/lifecycle"))?;
    let host = if args.hosts.is_empty() {
        "127.0.0.1"
    } else {
        "0.0.0.0"
    };
    let text = render(&Template {
        first_port: args.first_port,
        public_host: host,
        publication_url: &url,
        server_name: SERVER_NAME,
        log_origin: origin.as_str(),
        examination,
    });
    files::public(&dir.join("lgpki.toml"), text.as_bytes())?;
    step();
    Ok(Made {
        offices: cards.into_iter().map(|card| card.name).collect(),
        publication_url: url,
    })
}

/// Where the offices find intake: at the first host given.
fn server_address(args: &InitArgs) -> String {
    let host = args.hosts.first().map_or(SERVER_NAME, String::as_str);
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("[{host}]:{}", args.first_port)
    } else {
        format!("{host}:{}", args.first_port)
    }
}

fn publication_url(args: &InitArgs) -> String {
    args.publication_url.clone().map_or_else(
        || {
            let host = args.hosts.first().map_or("127.0.0.1", String::as_str);
            format!("http://{host}:{}", args.first_port + 6)
        },
        |url| url.trim_end_matches('/').to_owned(),
    )
}

/// Creates both CAs and writes their certificates for people and services to read.
async fn authorities(
    args: &InitArgs,
    ceremony: &Ceremony,
    url: &str,
    today: JstDate,
) -> Result<(), CommandError> {
    for authority in Authority::ALL {
        let algorithm = match authority {
            Authority::Organization => args.organization_key.0,
            Authority::Application => args.application_key.0,
        };
        let parts = args.crl_partitions.iter();
        let crl = CrlOptions {
            partitions: parts
                .rev()
                .find(|(ca, _)| *ca == authority)
                .map_or(0, |(_, n)| *n),
            delta: args.crl_delta.contains(&authority),
        };
        let record = ceremony
            .create_authority_publishing(authority, algorithm, today, &[url.to_owned()], crl)
            .await
            .map_err(|e| {
                CommandError::from_error(&format!("cannot create the {authority} CA"), &e)
            })?;
        files::certificate(&ca_file(&args.dir, authority), &record.certificate)?;
    }
    Ok(())
}

/// Where a CA's certificate lies.
pub(crate) fn ca_file(dir: &Path, authority: Authority) -> PathBuf {
    dir.join("ca").join(format!("{authority}.pem"))
}

/// Writes the synthetic body name list into intake's store.
async fn directory(dir: &Path, log: Identity, now: Timestamp) -> Result<(), CommandError> {
    use lgpki_intake::ports::IntakeStore;
    let failed = |e: lgpki_intake::error::StoreError| {
        CommandError::from_error("cannot write the directory", &e)
    };
    let data = dir.join("data/intake");
    let options = lgpki_store::Options::new(log);
    let opened = tokio::task::spawn_blocking(move || EngineStore::open_embedded(&data, options))
        .await
        .map_err(|e| CommandError::from_error("cannot write the directory", &e))?;
    let (store, _report) = opened.map_err(failed)?;
    store
        .import_bodies(synthetic_bodies(), String::from("init"), now)
        .await
        .map_err(failed)?;
    store.close().await;
    Ok(())
}

/// A certificate as PEM text.
pub(crate) fn to_pem(der: &[u8]) -> Result<String, CommandError> {
    pem::encode(pem::Label::Certificate, der)
        .map_err(|e| CommandError::from_error("a certificate cannot be written as PEM", &e))
}
