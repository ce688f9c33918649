//! `lgpki cirs`: what a registration branch asks for.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use lgpki_domain::{ApplicationId, BodyCode, JstDate, RequestId, Serial};

use super::{AddresseeCommand, BodyOffice, Kind, ListArgs, Medium, NoticesArgs, Reason, RenewArgs};

/// What a registration branch does.
#[derive(Debug, Subcommand)]
pub(crate) enum CirsCommand {
    /// Submit applications for new certificates.
    #[command(
        after_help = "Examples:\n  lgpki cirs --as offices/branch-officer-01001 submit --form request.json --examined-by 総務課長\n  \
                            lgpki cirs submit --csr www.csr --kind web-server --medium server --name-en www.city.example.lg.jp \
                            --name-ja 公式サイト --dns www.city.example.lg.jp --examined-by 総務課長"
    )]
    Submit(Box<SubmitArgs>),
    /// Show one application.
    #[command(
        after_help = "Examples:\n  lgpki cirs status 01ARZ3NDEKTSV4RRFFQ69G5FAV\n  lgpki cirs status --request-id www-2008-0001"
    )]
    Status {
        /// Its number.
        #[arg(required_unless_present = "request_id", conflicts_with = "request_id")]
        id: Option<ApplicationId>,
        /// The request id under which it was submitted.
        #[arg(long, value_name = "ID")]
        request_id: Option<RequestId>,
    },
    /// List the branch's applications.
    List {
        /// Only those in this state, such as `queued`; may be repeated.
        #[arg(long = "state")]
        states: Vec<String>,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        most: usize,
    },
    /// Follow applications as they move, until all named ones are issued or have ended.
    #[command(
        after_help = "Exits with 0 if all named ones are issued, delivered or completed. With --json each change is one line."
    )]
    Watch {
        /// Their numbers; none means every open application of the branch, without end.
        ids: Vec<ApplicationId>,
        /// Give up after this many seconds.
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// Download certificates, and confirm their delivery; may be repeated.
    #[command(
        after_help = "Example:\n  lgpki cirs download 01ARZ3NDEKTSV4RRFFQ69G5FAV --to certs/"
    )]
    Download {
        /// The applications' numbers.
        #[arg(required = true)]
        ids: Vec<ApplicationId>,
        /// The directory to write `<application>.pem` and `<ca>.pem` to.
        #[arg(long, value_name = "DIR", default_value = ".")]
        to: PathBuf,
        /// Do not confirm delivery yet.
        #[arg(long)]
        no_confirm: bool,
    },
    /// Apply for revocation (失効).
    #[command(
        after_help = "Example:\n  lgpki cirs revoke 4d62828befea89b3ab79b7ec4bdbc316 --reason key-compromise --examined-by 総務課長\n\nkey-compromise is carried out without examination and published at once."
    )]
    Revoke {
        /// The certificate's serial number.
        serial: Serial,
        /// Why.
        #[arg(long, value_enum)]
        reason: Reason,
        #[command(flatten)]
        one: OneRequest,
    },
    /// Apply for abolition (廃止) of a certificate that is no longer needed.
    Abolish {
        /// The certificate's serial number.
        serial: Serial,
        #[command(flatten)]
        one: OneRequest,
    },
    /// List what is due for renewal (更新), under renewal, or due soon.
    #[command(after_help = "Example:\n  lgpki cirs renewals --days 60")]
    Renewals {
        /// Also those whose window opens within this many days.
        #[arg(long, default_value_t = 30)]
        days: u16,
    },
    /// Apply for the renewal of a certificate with a new key, or of all that are due.
    #[command(
        after_help = "Examples:\n  lgpki cirs renew 4d62828befea89b3ab79b7ec4bdbc316 --form mayor.json --examined-by 総務課長\n  \
                            lgpki cirs renew --all-due --media cards/* --examined-by 総務課長\n  \
                            lgpki cirs renew --all-due --media cards/* --examined-by 総務課長 --destroy-keys --media-pin-file pin\n  \
                            lgpki cirs renew --all-due --in-slot --media cards/* --examined-by 総務課長 --destroy-keys\n\n\
                            --all-due shows what it would do; with --destroy-keys it formats each medium, makes a new key pair \
                            and submits. Run again, it goes on where it stopped. --in-slot takes only what has its slot today \
                            (see `lgpki cirs renewals`). The login in use is renewed with `lgpki operator renew-login`, which \
                            puts the new one into its place before the old one is revoked."
    )]
    Renew(Box<RenewArgs>),
    /// Withdraw an application that has not been claimed for issue.
    Withdraw {
        /// Its number.
        id: ApplicationId,
    },
    /// List the branch's certificates, or count them.
    #[command(
        after_help = "Examples:\n  lgpki cirs certificates --state valid --expires-to 2011-03-31\n  \
                            lgpki cirs certificates --unit 総務部 --name 市長\n  lgpki cirs certificates --count"
    )]
    Certificates(Box<ListArgs>),
    /// Tell what enters the renewal window, expires soon, has expired, was revoked.
    #[command(
        after_help = "Examples:\n  lgpki cirs notices --since 2011-01-01\n  lgpki cirs notices --watch\n\n\
                            enters-window: renewal may be applied for; expires-soon: 30 days are left; expired; revoked.\n\
                            With --watch --json each notice is one line, with the cursor to go on from after it."
    )]
    Notices(NoticesArgs),
    /// Addressees of the document exchange (文書交換付帯情報): register, change, end, list, follow.
    #[command(subcommand)]
    Addressee(AddresseeCommand),
}

/// The branch's own examination.
#[derive(Clone, Debug, Args)]
pub(crate) struct Examiner {
    /// The office that examined, such as 総務課長.
    #[arg(long, value_name = "OFFICE")]
    pub(crate) examined_by: String,
    /// The examiner's name; it is kept apart from the audit log and can be erased.
    #[arg(long = "examiner-name", value_name = "NAME")]
    pub(crate) person: Option<String>,
    /// The day of the decision; today if not given.
    #[arg(long, value_name = "DATE")]
    pub(crate) examined_on: Option<JstDate>,
}

/// A single request, which may be named; those of many are named by what they ask for.
#[derive(Clone, Debug, Args)]
pub(crate) struct OneRequest {
    #[command(flatten)]
    pub(crate) examiner: Examiner,
    /// The request id; by default made from the content and the day of the decision, so that the same
    /// command given again the same day finds the same application.
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<RequestId>,
}

/// Applications for new certificates.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// An application form that `kit request` wrote; may be repeated.
    #[arg(long = "form", value_name = "FILE", conflicts_with_all = ["csr", "kind"])]
    pub(crate) forms: Vec<PathBuf>,
    /// The branch applied for, where an operator applies for a login certificate of a branch that can
    /// no longer log in; a branch officer's own, if not given.
    #[arg(long, value_name = "CODE")]
    pub(crate) branch: Option<BodyCode>,
    /// A CSR, PEM or DER.
    #[arg(long, value_name = "FILE", required_unless_present = "forms")]
    pub(crate) csr: Option<PathBuf>,
    /// The kind.
    #[arg(long, value_enum, required_unless_present = "forms")]
    pub(crate) kind: Option<Kind>,
    /// Where the key lives.
    #[arg(long, value_enum, default_value_t = Medium(lgpki_domain::KeyMedium::IcCard))]
    pub(crate) medium: Medium,
    /// The unit in English, as in the organization directory.
    #[arg(long, requires = "unit_ja")]
    pub(crate) unit_en: Option<String>,
    /// The unit in Japanese.
    #[arg(long, requires = "unit_en")]
    pub(crate) unit_ja: Option<String>,
    /// The name in English.
    #[arg(long, required_unless_present = "forms")]
    pub(crate) name_en: Option<String>,
    /// The name in Japanese.
    #[arg(long, required_unless_present = "forms")]
    pub(crate) name_ja: Option<String>,
    /// Web server: a host name; may be repeated.
    #[arg(long = "dns", value_name = "HOST")]
    pub(crate) dns_names: Vec<String>,
    /// Mail: the address.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mail: Option<String>,
    /// Login: the office.
    #[arg(long, value_enum)]
    pub(crate) login_role: Option<BodyOffice>,
    /// Wait until every application has ended or is issued.
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) one: OneRequest,
}
