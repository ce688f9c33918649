//! The command line: what can be asked, with examples. It decides nothing.

mod addressee;
mod audit;
mod backup;
mod ceremony;
mod cirs;
mod inventory;
mod kit;
mod load;
mod operator;
mod renew;
mod surge;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use addressee::{
    AddresseeCommand, AddresseeDesk, AddresseeListArgs, AddresseeRead, ContentArgs, EndArgs,
};
pub(crate) use audit::{
    AuditCommand, CheckArgs, CheckProofArgs, ExportArgs, ExportFormat, FindArgs, LogsArgs,
    PolicyArgs, ProveArgs, SourceArgs, VerifyArgs, WatchArgs, WitnessArgs, WitnessPassphrase,
};
pub(crate) use backup::{
    BackupArgs, BackupCommand, HealArgs, InstallationArgs, MirrorArgs, RestoreArgs, RestoreCommand,
    UnsealArgs,
};
pub(crate) use ceremony::{CrossArgs, RolloverArgs};
pub(crate) use cirs::{CirsCommand, Examiner, OneRequest, SubmitArgs};
pub(crate) use inventory::{
    Apart, CertificateArgs, ForecastArgs, ListArgs, NoticesArgs, SlotsArgs, Span,
};
pub(crate) use kit::{KitCommand, PcArgs, PinArgs, RequestArgs};
pub(crate) use load::{LoadArgs, PrepareArgs};
pub(crate) use operator::{DirectoryCommand, OperatorCommand, QueueCommand, RevokeManyArgs};
pub(crate) use renew::{RenewArgs, RenewLoginArgs};
pub(crate) use surge::{PlanArgs, ReplayArgs, SurgeCommand};
pub(crate) use values::{
    BodyOffice, Ca, CaKey, CardOrToken, HabitChoice, Kind, Medium, OrderChoice, ProfileChoice,
    Reason, SubscriberKey,
};

use lgpki_domain::{Authority, BodyCode, CrlOptions, KeyAlgorithm};
use lgpki_proto::ServiceName;

/// The certificate authority of LGPKI, the local governments' public key infrastructure.
#[derive(Debug, Parser)]
#[command(
    name = "lgpki",
    version,
    after_help = "Examples:\n  lgpki demo                          see everything once, in a throw-away directory\n  \
                  lgpki init ca                       make a certificate authority\n  \
                  lgpki serve --config ca/lgpki.toml  run it"
)]
pub(crate) struct Cli {
    /// Print results as JSON on standard output, and an error as one line of JSON on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results and errors only.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything once, end to end, in a throw-away directory, and check it.
    Demo(DemoArgs),
    /// Make a certificate authority: keys, certificates, directories, configuration.
    Init(InitArgs),
    /// Acts with the CA keys while the issuer does not run.
    #[command(subcommand)]
    Ceremony(CeremonyCommand),
    /// Run the services.
    Serve(ServeArgs),
    /// The subscriber's standard system (証明書発行支援標準システム): key media, CSRs, storing.
    #[command(subcommand)]
    Kit(KitCommand),
    /// The registration branch's front end (CIRS).
    Cirs {
        #[command(flatten)]
        office: OfficeArgs,
        #[command(subcommand)]
        command: CirsCommand,
    },
    /// The operator's desk: examination, directories, CRLs; LGWAN officers keep their directory here.
    Operator {
        #[command(flatten)]
        office: OfficeArgs,
        #[command(subcommand)]
        command: OperatorCommand,
    },
    /// Workloads: how long a surge of renewals takes, and what absorbs it.
    Surge {
        #[command(flatten)]
        office: OfficeArgs,
        #[command(subcommand)]
        command: SurgeCommand,
    },
    /// The auditor's tool: holds the published logs against every rule, trusting nobody.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Copy an installation while it runs: logs, keys as they stand, names, configuration.
    Backup(BackupArgs),
    /// Restore a backup, and take back from what was published what was recorded since.
    Restore(RestoreArgs),
    /// Print shell completions.
    #[command(after_help = "Example:\n  lgpki completions bash > /etc/bash_completion.d/lgpki")]
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// See everything once.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lgpki demo\n  lgpki demo --out /tmp/lgpki-demo && \
                        openssl crl -inform DER -in /tmp/lgpki-demo/crl/organization.crl -noout -text"
)]
pub(crate) struct DemoArgs {
    /// Leave certificates, CSRs, CRLs and a summary in this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The CA keys' algorithm.
    #[arg(long, value_enum, default_value_t = CaKey(KeyAlgorithm::Rsa2048))]
    pub(crate) ca_key: CaKey,
}

/// Where a passphrase comes from; never from an argument.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PassphraseArgs {
    /// Read the passphrase of the CA keys from this file (mode 600).
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Read it from this open file descriptor.
    #[arg(long, value_name = "N")]
    pub(crate) passphrase_fd: Option<u32>,
}

/// Make a certificate authority.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lgpki init ca\n  lgpki init ca --passphrase-file pw --organization-key rsa-4096 \
                        --branch 01001 --branch 13001\n  lgpki init ca --crl-partitions application=16 --crl-delta application \
                        --crl-delta organization\n\nHow a CA publishes its CRLs stands in every certificate and \
                        stays so when its key is rolled over.\nWithout --passphrase-file or --passphrase-fd the passphrase is asked for."
)]
pub(crate) struct InitArgs {
    /// The directory to make; must not exist or be empty.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    /// The Organization CA's key.
    #[arg(long, value_enum, default_value_t = CaKey(KeyAlgorithm::Rsa2048))]
    pub(crate) organization_key: CaKey,
    /// The Application CA's key.
    #[arg(long, value_enum, default_value_t = CaKey(KeyAlgorithm::Rsa2048))]
    pub(crate) application_key: CaKey,
    /// A branch whose officers get their first login cards now; may be repeated.
    #[arg(long = "branch", value_name = "CODE", default_values = ["01001", "13001", "47001"])]
    pub(crate) branches: Vec<BodyCode>,
    /// How many operators get login cards (two-person approval needs two).
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) operators: u8,
    /// How many auditors get login cards.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=20))]
    pub(crate) auditors: u8,
    /// Divide a CA's CRL of user certificates into partitions (2 to 256), fixed in its certificates; such
    /// as `application=16`; may be repeated.
    #[arg(long = "crl-partitions", value_name = "CA=N", value_parser = crl_partitions)]
    pub(crate) crl_partitions: Vec<(Authority, u16)>,
    /// Have a CA publish delta CRLs (差分CRL) every few hours beside its complete ones, and point to them
    /// in its certificates, such as `organization`; may be repeated.
    #[arg(long = "crl-delta", value_name = "CA", value_parser = delta_ca)]
    pub(crate) crl_delta: Vec<Authority>,
    /// What the officers log in with.
    #[arg(long, value_enum, default_value_t = LoginForm::Card)]
    pub(crate) login_form: LoginForm,
    /// Host names and addresses under which front ends reach intake, beside localhost.
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    /// The first of the ten ports that the services listen on.
    #[arg(long, default_value_t = 7440, value_parser = clap::value_parser!(u16).range(1024..=65000))]
    pub(crate) first_port: u16,
    /// Where relying parties fetch CRLs and CA certificates; fixed in every certificate for its life.
    /// The default is this machine's publication port.
    #[arg(long, value_name = "URL")]
    pub(crate) publication_url: Option<String>,
    /// What the names of the audit logs begin with: a URL without https://, such as lgpki.example/audit; fixed
    /// for the logs' life. The default follows from the publication URL.
    #[arg(long, value_name = "NAME", value_parser = crate::log_key::log_origin)]
    pub(crate) log_origin: Option<lgpki_ledger::KeyName>,
}

/// Reads `application=16`.
fn crl_partitions(text: &str) -> Result<(Authority, u16), String> {
    let read = text.split_once('=').and_then(|(ca, number)| {
        let options = CrlOptions {
            partitions: number.parse().ok()?,
            delta: false,
        };
        let partitions = Some(options.partitions).filter(|n| *n > 0 && options.are_possible())?;
        Some((Authority::parse(ca)?, partitions))
    });
    read.ok_or_else(|| {
        "write organization=N or application=N with 2 to 256 partitions, such as application=16"
            .to_owned()
    })
}

/// Reads `organization`.
fn delta_ca(text: &str) -> Result<Authority, String> {
    Authority::parse(text).ok_or_else(|| "write organization or application".to_owned())
}

/// What an officer logs in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoginForm {
    /// A login card (ログイン用カード), simulated.
    Card,
    /// Login data (ログイン用データ): a certificate and an encrypted key, for any gRPC client.
    Data,
}

/// Acts with the CA keys.
#[derive(Debug, Subcommand)]
pub(crate) enum CeremonyCommand {
    /// Issue the first login cards of more offices, as `init` does; stop the issuer first.
    #[command(
        after_help = "Example:\n  lgpki ceremony login --config ca/lgpki.toml --passphrase-file pw --branch 02001 --branch 02002"
    )]
    Login(LoginArgs),
    /// Make the next generation of a CA's key, linked with the one before; stop the issuer first.
    #[command(
        after_help = "Examples:\n  lgpki ceremony rollover --config ca/lgpki.toml --passphrase-file pw --authority organization\n  \
                      lgpki ceremony rollover --config ca/lgpki.toml --authority organization --from 2015-02-01 --key rsa-3072\n\n\
                      A CA certificate is valid for ten years and issues for seven. Cut off anywhere, the same command is \
                      given again: it goes on where it was and makes no further key. A second rollover within a year \
                      takes place with --generation only."
    )]
    Rollover(RolloverArgs),
    /// Certify another operator's CA (相互認証証明書), within constraints; stop the issuer first.
    #[command(
        after_help = "Example:\n  lgpki ceremony cross --config ca/lgpki.toml --passphrase-file pw --authority organization \\\n    \
                      --certificate bridge.pem --key-digest 2c6f…  --name-en 'GPKI Bridge CA' --name-ja 政府認証基盤ブリッジ認証局 \\\n    \
                      --permit 'dn:C=JP,O=Japanese Government' --permit dns:go.jp --exclude dns:lg.jp \\\n    \
                      --policy 2.999.392.1.1 --map 2.999.392.1.1=2.999.7.1 --inhibit-any 0"
    )]
    Cross(Box<CrossArgs>),
}

/// First logins for more offices.
#[derive(Debug, Args)]
#[group(id = "who", required = true, multiple = true, args = ["branches", "operators", "auditors"])]
pub(crate) struct LoginArgs {
    /// The configuration file that `init` wrote.
    #[arg(long, value_name = "FILE", default_value = "lgpki.toml")]
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    /// A branch whose officers get their first login; may be repeated.
    #[arg(long = "branch", value_name = "CODE")]
    pub(crate) branches: Vec<BodyCode>,
    /// The number of an operator who gets a login, such as 3; may be repeated.
    #[arg(long = "operator", value_name = "NUMBER")]
    pub(crate) operators: Vec<u8>,
    /// The number of an auditor who gets a login; may be repeated.
    #[arg(long = "auditor", value_name = "NUMBER")]
    pub(crate) auditors: Vec<u8>,
    /// What the officers log in with.
    #[arg(long, value_enum, default_value_t = LoginForm::Card)]
    pub(crate) login_form: LoginForm,
}

/// Run the services.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lgpki serve --config ca/lgpki.toml\n  lgpki serve --config ca/lgpki.toml --check\n  \
                        lgpki serve --config ca/lgpki.toml --only issuer --passphrase-fd 3 3<pw"
)]
pub(crate) struct ServeArgs {
    /// The configuration file that `init` wrote.
    #[arg(long, value_name = "FILE", default_value = "lgpki.toml")]
    pub(crate) config: PathBuf,
    /// Run one service alone.
    #[arg(long, value_name = "SERVICE")]
    pub(crate) only: Option<ServiceChoice>,
    /// Check the configuration, the keys and the data directories, and exit.
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

/// One of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceChoice {
    /// Takes applications in.
    Intake,
    /// Holds the CA keys.
    Issuer,
    /// Keeps the inventory and publishes CRLs.
    Lifecycle,
}

impl ServiceChoice {
    /// The service.
    pub(crate) const fn service(self) -> ServiceName {
        match self {
            Self::Intake => ServiceName::Intake,
            Self::Issuer => ServiceName::Issuer,
            Self::Lifecycle => ServiceName::Lifecycle,
        }
    }
}

/// In whose name to call.
#[derive(Clone, Debug, Args)]
pub(crate) struct OfficeArgs {
    /// The office: a directory with `office.toml` and the login card, as `init` makes under `offices/`.
    #[arg(long = "as", value_name = "DIR", global = true, default_value = ".")]
    pub(crate) office: PathBuf,
    /// Read the login card's PIN from this file instead of the place that `office.toml` names.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) pin_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_request_id_is_offered_only_where_a_single_request_is_made() {
        let takes = |path: [&str; 2]| {
            let whole = Cli::command();
            let found = path.iter().fold(&whole, |command, name| {
                command.find_subcommand(name).unwrap()
            });
            let mut arguments = found.get_arguments();
            arguments.any(|argument| argument.get_id() == "request_id")
        };
        for path in [
            ["cirs", "submit"],
            ["cirs", "revoke"],
            ["cirs", "abolish"],
            ["cirs", "renew"],
            ["operator", "revoke"],
            ["operator", "abolish"],
        ] {
            assert!(takes(path), "{path:?}");
        }
        for path in [["operator", "revoke-many"], ["operator", "renew-login"]] {
            assert!(!takes(path), "{path:?}");
        }
        let renew = "lgpki cirs --as x renew --media card --examined-by x --request-id request-1";
        let renew = |more: &'static str| Cli::try_parse_from(renew.split(' ').chain([more]));
        let refused = renew("--all-due").unwrap_err();
        assert_eq!(refused.kind(), clap::error::ErrorKind::ArgumentConflict);
    }
}
