//! Where logs are pulled from, and how they are watched.

use std::path::PathBuf;

use clap::Args;
use lgpki_ledger::WitnessKey;
use lgpki_runtime::http_client::HttpUrl;

use crate::cli::ServiceChoice;

pub(super) const PULL: &str = "\
Examples:
  lgpki audit pull --as offices/auditor-1 --key vkeys.txt --out audit
  lgpki audit pull --http http://127.0.0.1:7447 --http http://127.0.0.1:7448 --http http://127.0.0.1:7449 \\
      --key vkeys.txt --out audit
  lgpki audit verify audit --key vkeys.txt

Given again, it goes on where it was, after an interruption too. A log must continue what was pulled before: \
one that was set back or rewritten is refused by name, and what was kept stays as it was (status 4). Without \
--key a service's key is believed when it is first seen, which is said, and held on to.";

pub(super) const WATCH: &str = "\
Examples:
  lgpki audit watch --as offices/auditor-1 --out audit --kind certificate.revoked --kind certificate.issued
  lgpki audit watch --http http://127.0.0.1:7447 --http http://127.0.0.1:7448 --key vkeys.txt --stale 30 --json

Each new checkpoint is held against the kept one, with all entries between them, before one is told. Ends with \
status 3 if a service's newest log has no entry younger than --stale minutes, or nobody can be reached for so \
long (without --stale: if a log that was fetched has stood still for twice as long as its newest heartbeat \
promises), and with status 4 if a log does not continue what was kept. `lgpki audit schema` lists the kinds.";

/// Where logs come from.
#[derive(Clone, Debug, Args)]
pub(crate) struct SourceArgs {
    /// Fetch the published files over HTTP from this address, such as a service's `audit` in lgpki.toml; may
    /// be repeated, one for each service.
    #[arg(long = "http", value_name = "URL", required_unless_present = "office")]
    pub(crate) http: Vec<HttpUrl>,
    /// Ask intake for the logs of all services, logged in as this office: a directory with `office.toml`.
    #[arg(long = "as", value_name = "DIR", conflicts_with = "http")]
    pub(crate) office: Option<PathBuf>,
    /// Read the login card's PIN from this file instead of the place that `office.toml` names.
    #[arg(long, value_name = "FILE", requires = "office")]
    pub(crate) pin_file: Option<PathBuf>,
    /// Only the logs of this service; may be repeated.
    #[arg(long = "service", value_enum, value_name = "SERVICE")]
    pub(crate) services: Vec<ServiceChoice>,
    /// Where the logs are kept, as `lgpki audit verify` reads them.
    #[arg(long, value_name = "DIR", default_value = "audit")]
    pub(crate) out: PathBuf,
    /// A file of verifier keys, one a line; may be repeated. Without it a service's key is believed when it
    /// is first seen.
    #[arg(long = "key", value_name = "FILE")]
    pub(crate) keys: Vec<PathBuf>,
    /// A witness's key, as `audit witness` printed it; may be repeated. Then only cosignatures that one of them
    /// made are kept; without it a few of whomever, until `verify --witness` judges them.
    #[arg(long = "witness", value_name = "VKEY")]
    pub(crate) witnesses: Vec<WitnessKey>,
}

/// How logs are watched.
#[derive(Clone, Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Tell entries of this kind only, such as certificate.revoked; may be repeated.
    #[arg(long = "kind", value_name = "KIND")]
    pub(crate) kinds: Vec<String>,
    /// How often to look.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
    /// Raise an alarm if a service has recorded nothing for so long; without this, for twice as long as its
    /// heartbeats promise.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) stale: Option<u32>,
    /// Tell what was recorded before the first visit, too.
    #[arg(long)]
    pub(crate) history: bool,
    /// Look once and end.
    #[arg(long)]
    pub(crate) once: bool,
}
