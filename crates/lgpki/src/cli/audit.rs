//! The auditor's commands.

mod find;
mod pull;

pub(crate) use find::FindArgs;
pub(crate) use pull::{SourceArgs, WatchArgs};

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use lgpki_domain::Serial;
use lgpki_ledger::{KeyName, WitnessKey};
use lgpki_runtime::config::ListenAddress;

use super::{OfficeArgs, ServiceChoice};

/// What an auditor asks.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Bring a copy of the published logs up to date, if they continue it.
    #[command(after_help = pull::PULL)]
    Pull(SourceArgs),
    /// Follow the published logs live: tell their entries, raise an alarm if one stands still or is rewritten.
    #[command(after_help = pull::WATCH)]
    Watch(WatchArgs),
    /// Check everything in a directory of published logs: signatures, trees, entries, certificates, CRLs.
    #[command(after_help = "Examples:\n  lgpki audit verify demo/audit\n  \
                      lgpki audit verify audit --key vkeys.txt --against last-month --remember this-month\n  \
                      lgpki audit verify audit --key vkeys.txt --witness audit-office.example/w1+…+…\n  \
                      lgpki audit verify audit --crls /srv/saved-crls --json > report.json\n\n\
                      Ends with status 1 if anything is found. Verifier keys beside the logs are believed only where none \
                      are given; compare the digests of the CA certificates that the report shows with those published \
                      elsewhere.")]
    Verify(VerifyArgs),
    /// Write a proof that a certificate was recorded: one small file that stands alone.
    #[command(after_help = "Example:\n  lgpki audit prove 5f0c… --logs audit --out 5f0c.proof")]
    Prove(ProveArgs),
    /// Check such a proof; needs nothing but the log's verifier key.
    #[command(
        name = "check-proof",
        after_help = "Example:\n  lgpki audit check-proof 5f0c.proof --key vkeys.txt"
    )]
    CheckProof(CheckProofArgs),
    /// Check whether a certificate or CRL is accounted for, or was signed outside the system.
    #[command(
        after_help = "Example:\n  lgpki audit check found-somewhere.pem --logs audit\n\nEnds with status 1 if a CA key \
                      signed it and the logs do not hold it, if that cannot be judged, or if the logs' own \
                      signatures or trees do not hold."
    )]
    Check(CheckArgs),
    /// Find the certificates that an incident is about, by any property of the logs' entries.
    #[command(after_help = find::HELP)]
    Find(Box<FindArgs>),
    /// Write all entries as tables, with a manifest of what they were made from.
    #[command(after_help = "Example:\n  lgpki audit export audit --format parquet --out tables")]
    Export(ExportArgs),
    /// Be a witness of logs: cosign each tree that continues the one before, and refuse forks and rollbacks.
    #[command(
        after_help = "Examples:\n  lgpki audit witness --data w1 --name audit-office.example/w1 --log-keys vkeys.txt \\\n    \
                      --listen 0.0.0.0:7450 --passphrase-file pw\n  lgpki audit witness --data w1 --log-keys vkeys.txt \
                      --passphrase-file pw --json\n\nThe first start makes the witness's key and prints its public part, which \
                      the operator enters in [audit.witness] and `audit verify --witness` takes.\nRun it on a machine that is \
                      not the operator's, and keep its directory: a witness that forgot what it cosigned must be begun anew."
    )]
    Witness(WitnessArgs),
    /// Show which logs a running system has published, and how far they are.
    #[command(
        after_help = "Examples:\n  lgpki audit logs --as ca/offices/auditor-1\n  \
                      lgpki audit logs --as ca/offices/operator-1 --json\n\n\
                      Ends with status 1 if a service could not be asked."
    )]
    Logs(LogsArgs),
    /// Print the schema of the entries, JSON.
    #[command(after_help = "Example:\n  lgpki audit schema > entries.json")]
    Schema,
}

/// Who witnesses what.
#[derive(Clone, Debug, Args)]
pub(crate) struct WitnessArgs {
    /// The witness's directory: its key and what it cosigned.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Where logs' checkpoints are taken over HTTP.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7450")]
    pub(crate) listen: ListenAddress,
    /// A file of the verifier keys of the logs to witness, one a line; may be repeated.
    #[arg(long = "log-keys", value_name = "FILE", required = true)]
    pub(crate) log_keys: Vec<PathBuf>,
    /// The witness's name, a URL without https://; given once, when it begins.
    #[arg(long)]
    pub(crate) name: Option<KeyName>,
    #[command(flatten)]
    pub(crate) passphrase: WitnessPassphrase,
}

/// Where the passphrase of the witness's key comes from; never from an argument.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub(crate) struct WitnessPassphrase {
    /// Read the passphrase of the witness's key from this file (mode 600).
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Read it from this open file descriptor.
    #[arg(long, value_name = "N")]
    pub(crate) passphrase_fd: Option<u32>,
}

/// Verifier keys known from elsewhere.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyArgs {
    /// A file of verifier keys, one a line; may be repeated. Without it the keys beside the logs are
    /// believed.
    #[arg(long = "key", value_name = "FILE")]
    pub(crate) keys: Vec<PathBuf>,
}

/// What to verify, and against what.
#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The directory with `intake`, `issuer` and `lifecycle`.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// A directory with checkpoints seen before; a log that does not extend them is found. It must be signed
    /// and whole as logs are.
    #[arg(long, value_name = "DIR")]
    pub(crate) against: Option<PathBuf>,
    /// Leave the checkpoints here for the next time, of each log whose tree holds, whatever is found in its
    /// entries; of others, what --against knows.
    #[arg(long, value_name = "DIR")]
    pub(crate) remember: Option<PathBuf>,
    /// A CRL in DER, or a directory of `.crl` files: one that was never published is found, and what is
    /// missing from one is named; may be repeated.
    #[arg(long = "crls", value_name = "PATH")]
    pub(crate) crls: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) witnesses: PolicyArgs,
}

/// Whose cosignatures the checkpoints must bear.
#[derive(Clone, Debug, Args)]
pub(crate) struct PolicyArgs {
    /// A witness's key, as `audit witness` printed it; may be repeated. All of them must have cosigned,
    /// or as many as --require says.
    #[arg(long = "witness", value_name = "VKEY")]
    pub(crate) witnesses: Vec<WitnessKey>,
    /// How many of the witnesses must have cosigned each checkpoint.
    #[arg(long, value_name = "N", requires = "witnesses")]
    pub(crate) require: Option<usize>,
    /// A C2SP tlog-policy file: lines `witness NAME VKEY`, `group NAME all|any|N MEMBERS`, `quorum NAME`.
    #[arg(long, value_name = "FILE", conflicts_with = "witnesses")]
    pub(crate) witness_policy: Option<PathBuf>,
}

/// What to prove.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProveArgs {
    /// The certificate's serial number, in hexadecimal.
    pub(crate) serial: Serial,
    /// The directory with the logs.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) logs: PathBuf,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// Write the proof here instead of to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Which proof to check.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckProofArgs {
    /// The proof.
    pub(crate) file: PathBuf,
    /// A file of verifier keys, one a line; may be repeated.
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub(crate) keys: Vec<PathBuf>,
    /// Leave the certificate here, DER.
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
}

/// What to look up.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    /// A certificate or CRL, PEM or DER.
    pub(crate) file: PathBuf,
    /// The directory with the logs.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) logs: PathBuf,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
}

/// What to export.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExportArgs {
    /// The directory with the logs.
    pub(crate) dir: PathBuf,
    /// The files' form.
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub(crate) format: ExportFormat,
    /// Where to write the files.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
}

/// Whose logs to show.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) office: OfficeArgs,
    /// Only this service's.
    #[arg(long, value_enum)]
    pub(crate) service: Option<ServiceChoice>,
}

/// The form of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A line of JSON for each entry.
    Jsonl,
    /// A row for each entry.
    Csv,
    /// The same rows as Apache Parquet, with numbers and times as such.
    Parquet,
}
