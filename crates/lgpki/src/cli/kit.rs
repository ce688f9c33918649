//! `lgpki kit`: the subscriber's standard system.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use lgpki_domain::BodyCode;

use super::{BodyOffice, CardOrToken, Kind, SubscriberKey};

/// The PC on which the standard system is installed.
#[derive(Clone, Debug, Args)]
pub(crate) struct PcArgs {
    /// The directory that stands for the PC's installation of the standard system.
    #[arg(long, value_name = "DIR", default_value = "lgpki-pc")]
    pub(crate) pc: PathBuf,
    /// The PC's name, if not this machine's.
    #[arg(long, value_name = "NAME")]
    pub(crate) pc_name: Option<String>,
    /// The OS login, if not this user's.
    #[arg(long, value_name = "USER")]
    pub(crate) os_login: Option<String>,
}

/// Where a PIN comes from; never from an argument.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PinArgs {
    /// Read the PIN from this file (mode 600).
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
    /// Read it from this open file descriptor.
    #[arg(long, value_name = "N")]
    pub(crate) pin_fd: Option<u32>,
}

/// What a subscriber does.
#[derive(Debug, Subcommand)]
pub(crate) enum KitCommand {
    /// Set the PC up for a body (設定ファイル情報更新).
    #[command(
        after_help = "Example:\n  lgpki kit setup --code 01001 --body-en 'Hokkaido Synthetic Body 001' \
                            --body-ja 北海道模擬団体001 --login-certificate login.pem\n\nA body whose login has expired \
                            or is lost gives the expired one or none: the PC then requests login certificates only, \
                            until it is set up again with the new one."
    )]
    Setup {
        #[command(flatten)]
        pc: PcArgs,
        /// The body's code.
        #[arg(long)]
        code: BodyCode,
        /// The body's English name, exactly as in the body name list.
        #[arg(long)]
        body_en: String,
        /// The body's Japanese name, exactly as in the body name list.
        #[arg(long)]
        body_ja: String,
        /// A login certificate of the body, PEM; left out where it has none any more.
        #[arg(long, value_name = "FILE")]
        login_certificate: Option<PathBuf>,
    },
    /// Format a key medium and set its PIN; a new one too (R4).
    #[command(
        after_help = "Examples:\n  lgpki kit format card\n  lgpki kit format token --as usb-token --pin-file pin\n\nWithout --pin-file or --pin-fd the PIN is asked for: 4 to 16 letters and digits. Ten wrong PINs lock a medium."
    )]
    Format {
        #[command(flatten)]
        pc: PcArgs,
        /// The directory that stands for the medium.
        medium: PathBuf,
        /// What it is.
        #[arg(long = "as", value_enum, default_value_t = CardOrToken(lgpki_domain::KeyMedium::IcCard))]
        sort: CardOrToken,
        #[command(flatten)]
        pin: PinArgs,
        /// Destroy the key that is on it; its certificate must be revoked and applied for anew.
        #[arg(long)]
        destroy_key: bool,
    },
    /// Make a key pair on the medium, a CSR and an application form.
    #[command(
        after_help = "Examples:\n  lgpki kit request card --kind official-duty --unit-en 'General Affairs Department' \
                            --unit-ja 総務部 --name-en Mayor --name-ja 市長 --out mayor\n  \
                            lgpki kit request card --kind login --login-role branch-officer --name-en 'Branch Officer' --name-ja 登録分局責任者 --out officer"
    )]
    Request(Box<RequestArgs>),
    /// Store the certificate on the medium that made its key (R5).
    #[command(
        after_help = "Example:\n  lgpki kit store card --certificate 01ARZ3NDEKTSV4RRFFQ69G5FAV.pem"
    )]
    Store {
        #[command(flatten)]
        pc: PcArgs,
        /// The medium.
        medium: PathBuf,
        /// The certificate, PEM.
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
        #[command(flatten)]
        pin: PinArgs,
    },
    /// Show what is on a medium.
    Show {
        #[command(flatten)]
        pc: PcArgs,
        /// The medium.
        medium: PathBuf,
    },
    /// Import a certificate into the PC's own certificate store, as a double click does; it can then
    /// no longer be stored on its medium (R5).
    Import {
        #[command(flatten)]
        pc: PcArgs,
        /// The certificate, PEM.
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
    },
}

/// What to request.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    pub(crate) pc: PcArgs,
    /// The medium.
    pub(crate) medium: PathBuf,
    /// The kind; a web server makes its key pair and CSR itself (R6).
    #[arg(long, value_enum)]
    pub(crate) kind: Kind,
    /// The unit in English, as in the organization directory.
    #[arg(long, requires = "unit_ja")]
    pub(crate) unit_en: Option<String>,
    /// The unit in Japanese.
    #[arg(long, requires = "unit_en")]
    pub(crate) unit_ja: Option<String>,
    /// The name in English.
    #[arg(long)]
    pub(crate) name_en: String,
    /// The name in Japanese.
    #[arg(long)]
    pub(crate) name_ja: String,
    /// Mail: the address.
    #[arg(long)]
    pub(crate) mail: Option<String>,
    /// Login: the office.
    #[arg(long, value_enum)]
    pub(crate) login_role: Option<BodyOffice>,
    /// The key's algorithm.
    #[arg(long, value_enum, default_value_t = SubscriberKey(lgpki_domain::KeyAlgorithm::Rsa2048))]
    pub(crate) key: SubscriberKey,
    /// Write `<OUT>.csr` and `<OUT>.json`, the application form; for login also `<OUT>.login.json`,
    /// the login-data request file.
    #[arg(long, value_name = "OUT", default_value = "request")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) pin: PinArgs,
}
