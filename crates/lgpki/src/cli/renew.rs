//! `lgpki cirs renewals` and `lgpki cirs renew`.

use std::path::PathBuf;

use clap::Args;
use lgpki_domain::{KeyMedium, Serial};

use super::{Examiner, Medium, OneRequest, PcArgs};

/// What to renew, and with which key.
#[derive(Debug, Args)]
pub(crate) struct RenewArgs {
    /// The certificate's serial number.
    #[arg(required_unless_present = "all_due", conflicts_with = "all_due")]
    pub(crate) serial: Option<Serial>,
    /// The form that `kit request` wrote for the new key.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["csr", "all_due"])]
    pub(crate) form: Option<PathBuf>,
    /// A CSR of the new key, PEM or DER.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["form", "all_due"], conflicts_with = "all_due")]
    pub(crate) csr: Option<PathBuf>,
    /// Where the new key of --csr lives.
    #[arg(long, value_enum, default_value_t = Medium(KeyMedium::IcCard))]
    pub(crate) medium: Medium,
    /// Renew every due certificate whose key medium is at hand.
    #[arg(long, requires = "media", conflicts_with = "request_id")]
    pub(crate) all_due: bool,
    /// Only if its slot is today, with the slot's token: the quotas of admission do not hold it up.
    #[arg(long)]
    pub(crate) in_slot: bool,
    /// The media at hand, each a directory that stands for a card; for --all-due.
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "all_due")]
    pub(crate) media: Vec<PathBuf>,
    /// Format the media, which destroys the old keys, and submit; without this the plan is shown only.
    #[arg(long, requires = "all_due")]
    pub(crate) destroy_keys: bool,
    /// Read the PIN that the media get from this file (mode 600); asked for if not given.
    #[arg(long, value_name = "FILE", requires = "all_due")]
    pub(crate) media_pin_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pc: PcArgs,
    #[command(flatten)]
    pub(crate) one: OneRequest,
}

/// How the login certificate in use is renewed.
#[derive(Debug, Args)]
pub(crate) struct RenewLoginArgs {
    /// Wait for the examination and the issue, and go on then.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Begin again with a new key, after an application that was rejected, withdrawn or failed.
    #[arg(long)]
    pub(crate) anew: bool,
    #[command(flatten)]
    pub(crate) examiner: Examiner,
}
