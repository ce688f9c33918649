//! Backing up and restoring.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ServiceChoice;

/// Copy an installation, or check a copy.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  lgpki backup --config ca/lgpki.toml --out backup-2011-02-01\n  \
                  lgpki backup verify backup-2011-02-01\n\n\
                  Services may run on. Passphrases and login cards are never in it."
)]
pub(crate) struct BackupArgs {
    #[command(subcommand)]
    pub(crate) command: Option<BackupCommand>,
    #[command(flatten)]
    pub(crate) of: InstallationArgs,
    /// The directory to make; must not exist or be empty.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) out: Option<PathBuf>,
}

/// What else may be done with a backup.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Check that a backup is whole: every file against the manifest.
    #[command(after_help = "Example:\n  lgpki backup verify backup-2011-02-01")]
    Verify {
        /// The backup.
        backup: PathBuf,
    },
}

/// Which installation, and what of it.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstallationArgs {
    /// The configuration file that `init` wrote.
    #[arg(long, value_name = "FILE", default_value = "lgpki.toml")]
    pub(crate) config: PathBuf,
    /// One service alone; otherwise all whose data are on this machine.
    #[arg(long, value_name = "SERVICE")]
    pub(crate) only: Option<ServiceChoice>,
}

/// Restore a backup, or go on with what was restored.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  lgpki restore backup-2011-02-01 --into ca\n  \
                  lgpki restore heal --config ca/lgpki.toml --mirror /mnt/old/data\n  \
                  lgpki restore unseal --config ca/lgpki.toml\n\n\
                  What is restored is sealed: no service runs on it until it has everything that was published."
)]
pub(crate) struct RestoreArgs {
    #[command(subcommand)]
    pub(crate) command: Option<RestoreCommand>,
    /// The backup.
    #[arg(required = true)]
    pub(crate) backup: Option<PathBuf>,
    /// Where lgpki.toml goes; what it names by a relative path lies below, the rest where it says.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) into: Option<PathBuf>,
    /// One service's data alone.
    #[arg(long, value_name = "SERVICE")]
    pub(crate) only: Option<ServiceChoice>,
}

/// What is done with what was restored.
#[derive(Debug, Subcommand)]
pub(crate) enum RestoreCommand {
    /// Compare the logs with published copies of them, take back what is missing, and unseal what is whole.
    #[command(after_help = "Examples:\n  \
                      lgpki restore heal --config ca/lgpki.toml --mirror /mnt/old/data --list\n  \
                      lgpki restore heal --config ca/lgpki.toml --mirror /mnt/old/data --mirror /srv/auditor/logs\n\n\
                      A copy is what a service publishes to `audit` in its data directory, or what an auditor fetched. Of several \
                      the longest is used. The services must not run. Cut off, the command is given again and goes on.\n\n\
                      Every witness in [audit.witness] is asked how much of the logs it has seen; what was restored stays sealed until \
                      each has answered and none has seen more.")]
    Heal(HealArgs),
    /// Let services run on what was restored, once nothing that was published is missing.
    #[command(
        after_help = "Examples:\n  lgpki restore unseal --config ca/lgpki.toml\n  \
                      lgpki restore unseal --config ca/lgpki.toml --without-witness audit-office.example/w1\n  \
                      lgpki restore unseal --config ca/lgpki.toml --only issuer --accept-loss\n\n\
                      --accept-loss is for when no copy exists at all: what was recorded after the backup is then gone, and \
                      the log says so for ever. It shows what to confirm first."
    )]
    Unseal(UnsealArgs),
}

/// Copies of the published logs.
#[derive(Clone, Debug, Args)]
pub(crate) struct MirrorArgs {
    /// A directory of published logs: `issuer/2011` and so on, a `data` directory of an installation, or one service's
    /// `audit`; may be repeated. What lies in the service's own data directory is always looked at.
    #[arg(long = "mirror", value_name = "DIR")]
    pub(crate) mirrors: Vec<PathBuf>,
}

/// What to heal, and from what.
#[derive(Clone, Debug, Args)]
pub(crate) struct HealArgs {
    #[command(flatten)]
    pub(crate) of: InstallationArgs,
    #[command(flatten)]
    pub(crate) mirrors: MirrorArgs,
    /// Only list what is missing; change nothing.
    #[arg(long)]
    pub(crate) list: bool,
}

/// What to unseal.
#[derive(Clone, Debug, Args)]
pub(crate) struct UnsealArgs {
    #[command(flatten)]
    pub(crate) of: InstallationArgs,
    #[command(flatten)]
    pub(crate) mirrors: MirrorArgs,
    /// Go on without what was recorded after the backup, of which there is no copy; needs --only.
    #[arg(long, requires = "only")]
    pub(crate) accept_loss: bool,
    /// What --accept-loss asks to be confirmed, such as issuer@1234.
    #[arg(long, value_name = "TEXT", requires = "accept_loss")]
    pub(crate) confirm: Option<String>,
    /// Go on without the word of this witness, which does not answer; the log says so for ever. May be repeated. With
    /// --accept-loss also of one that has seen more, and that will dispute the log from then on.
    #[arg(long, value_name = "NAME")]
    pub(crate) without_witness: Vec<String>,
}
