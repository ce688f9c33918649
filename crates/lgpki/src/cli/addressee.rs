//! `addressee`: the registry of addressees of the document exchange, at the branch's and the operator's
//! desk.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use lgpki_domain::{BodyCode, JstDate, RequestId, addressee::AddresseeId};

/// What a branch does with the registry.
#[derive(Debug, Subcommand)]
pub(crate) enum AddresseeCommand {
    /// Register an entry of the own body.
    #[command(
        after_help = "Examples:\n  lgpki cirs --as offices/branch-officer-01001 addressee register --form soumu.json\n  \
                            lgpki cirs addressee register --unit-en 'General Affairs Department' --unit-ja 総務部 \\\n    \
                            --name-en 'Documents Section' --name-ja 総務部文書係 --address soumu.city-001 \\\n    \
                            --mail soumu@city-001.lg.jp --valid-since 2008-04-01\n\nThe unit stands in the organization \
                            directory, equal in both languages. A form is JSON; `addressee show ID --form` prints one."
    )]
    Register(Box<ContentArgs>),
    /// Change an entry of the own body: what is given replaces what it says, all else stays.
    #[command(
        after_help = "Examples:\n  lgpki cirs addressee change 01001-0001 --mail bunsho@city-001.lg.jp\n  \
                            lgpki cirs addressee change 01001-0001 --address bunsho.city-001 --valid-since 2008-04-01"
    )]
    Change {
        /// Its number.
        id: AddresseeId,
        #[command(flatten)]
        content: Box<ContentArgs>,
    },
    /// End (withdraw) an entry of the own body.
    #[command(after_help = END_HELP)]
    End(EndArgs),
    #[command(flatten)]
    Read(AddresseeRead),
}

/// What the operator and the auditor do with the registry.
#[derive(Debug, Subcommand)]
pub(crate) enum AddresseeDesk {
    /// End an entry of any body, above all of a closed branch (R8).
    #[command(after_help = END_HELP)]
    End(EndArgs),
    #[command(flatten)]
    Read(AddresseeRead),
}

const END_HELP: &str = "Example:\n  … addressee end 01001-0001 --reason 'replaced by 01001-0004'\n\nEvery subscriber \
     reads the reason.";

/// What everybody may read.
#[derive(Debug, Subcommand)]
pub(crate) enum AddresseeRead {
    /// Show one entry.
    #[command(
        after_help = "Examples:\n  … addressee show 01001-0001\n  … addressee show 01001-0001 --form > soumu.json"
    )]
    Show {
        /// Its number.
        id: AddresseeId,
        /// Print it as a form, for `change` or `register`.
        #[arg(long)]
        form: bool,
    },
    /// List the entries of all bodies.
    #[command(
        after_help = "Examples:\n  … addressee list --branch 13001\n  … addressee list --unit 総務部 --changed-since 2008-04-01\n  \
                            … addressee list --address soumu.city-001 --ended"
    )]
    List(AddresseeListArgs),
    /// List all versions of one entry, oldest first.
    #[command(after_help = "Example:\n  … addressee history 01001-0001")]
    History {
        /// Its number.
        id: AddresseeId,
    },
    /// Tell every entry, then each as it changes, without end.
    #[command(
        after_help = "Examples:\n  … addressee watch\n  … addressee watch --cursor 41207\n\nWith --json each entry is one line; \
                            the last of those that came together carries the cursor to go on from."
    )]
    Watch {
        /// Only of this body.
        #[arg(long, value_name = "CODE")]
        branch: Option<BodyCode>,
        /// Go on from a cursor that an earlier call printed.
        #[arg(long, value_name = "CURSOR")]
        cursor: Option<String>,
    },
}

/// What an entry says.
#[derive(Debug, Default, Args)]
pub(crate) struct ContentArgs {
    /// A form, JSON; what is given beside it counts instead.
    #[arg(long, value_name = "FILE")]
    pub(crate) form: Option<PathBuf>,
    /// The unit in English, as in the organization directory.
    #[arg(long, value_name = "NAME")]
    pub(crate) unit_en: Option<String>,
    /// The unit in Japanese.
    #[arg(long, value_name = "NAME")]
    pub(crate) unit_ja: Option<String>,
    /// The name to address (宛名) in English.
    #[arg(long, value_name = "NAME")]
    pub(crate) name_en: Option<String>,
    /// The name to address in Japanese.
    #[arg(long, value_name = "NAME")]
    pub(crate) name_ja: Option<String>,
    /// The document-exchange address, such as soumu.city-001.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// Whom to ask: a mail address under lg.jp.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mail: Option<String>,
    /// The person who answers for the entry; kept apart from the audit log, seen by the own body only, and
    /// erased with the next version.
    #[arg(long, value_name = "NAME")]
    pub(crate) contact_person: Option<String>,
    /// No person answers for it any more.
    #[arg(long, conflicts_with = "contact_person")]
    pub(crate) no_contact_person: bool,
    /// From which day on it holds; today if not given.
    #[arg(long, value_name = "DATE")]
    pub(crate) valid_since: Option<JstDate>,
    /// The request id; by default made from the content and the day, so that the same command given again
    /// the same day finds what it made.
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<RequestId>,
}

/// Which entry ends, and why.
#[derive(Debug, Args)]
pub(crate) struct EndArgs {
    /// Its number.
    pub(crate) id: AddresseeId,
    /// Why, and which entry takes its place.
    #[arg(long)]
    pub(crate) reason: String,
    /// The request id; by default made from the entry's version and the reason.
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<RequestId>,
}

/// Which entries; all that is given must fit.
#[derive(Debug, Args)]
pub(crate) struct AddresseeListArgs {
    /// Only of this body.
    #[arg(long, value_name = "CODE")]
    pub(crate) branch: Option<BodyCode>,
    /// Only of the unit of this name, in English or Japanese, spelled in full.
    #[arg(long, value_name = "NAME")]
    pub(crate) unit: Option<String>,
    /// Only with this document-exchange address.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// Only those that were changed on this day or later.
    #[arg(long, value_name = "DATE")]
    pub(crate) changed_since: Option<JstDate>,
    /// Also those that ended.
    #[arg(long)]
    pub(crate) ended: bool,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    pub(crate) most: usize,
}
