//! `lgpki operator`: what the operator and the LGWAN officer do.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use lgpki_domain::{ApplicationId, BodyCode, CertificateKind, Digest, JstDate, Serial};

use super::{
    AddresseeDesk, Ca, Examiner, ForecastArgs, ListArgs, NoticesArgs, OneRequest, Reason,
    RenewLoginArgs, SlotsArgs,
};

/// What the operator does.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// List the applications that wait for examination, in the order in which to take them.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        most: usize,
    },
    /// Show one application.
    Show {
        /// Its number.
        id: ApplicationId,
    },
    /// Approve applications; where a kind needs two persons, another operator must approve too.
    #[command(
        after_help = "Examples:\n  lgpki operator --as offices/operator-1 approve 01ARZ3NDEKTSV4RRFFQ69G5FAV\n  \
                            lgpki operator --as offices/operator-1 approve --all"
    )]
    Approve {
        /// Their numbers.
        #[arg(required_unless_present = "all")]
        ids: Vec<ApplicationId>,
        /// Everything that waits now; what this operator approved before is passed over.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Reject applications, with a reason that the branch will read.
    Reject {
        /// Their numbers.
        #[arg(required = true)]
        ids: Vec<ApplicationId>,
        /// Why, and what the branch should do.
        #[arg(long)]
        reason: String,
    },
    /// Publish new CRLs now.
    Crl {
        /// Only of this CA.
        #[arg(long, value_enum)]
        ca: Option<Ca>,
    },
    /// List certificates by expiry, or count them.
    #[command(
        after_help = "Examples:\n  lgpki operator --as offices/operator-1 certificates --branch 01001 --state valid\n  \
                            lgpki operator certificates --expires-from 2011-01-01 --expires-to 2011-02-28 --count\n  \
                            lgpki operator certificates --ca application --kind web-server --issued-from 2008-02-04"
    )]
    Certificates {
        /// Only of this branch.
        #[arg(long, value_name = "CODE")]
        branch: Option<BodyCode>,
        #[command(flatten)]
        list: Box<ListArgs>,
    },
    /// Tell what enters the renewal window, expires soon, has expired, was revoked.
    #[command(
        after_help = "Examples:\n  lgpki operator notices --since 2011-01-01\n  lgpki operator notices --watch\n\n\
                            enters-window: renewal may be applied for; expires-soon: 30 days are left; expired; revoked.\n\
                            With --watch --json each notice is one line, with the cursor to go on from after it."
    )]
    Notices {
        /// Only of this branch.
        #[arg(long, value_name = "CODE")]
        branch: Option<BodyCode>,
        #[command(flatten)]
        which: NoticesArgs,
    },
    /// Show when certificates expire: in the terminal, as SVG, as CSV.
    #[command(
        after_help = "Examples:\n  lgpki operator --as offices/operator-1 forecast\n  \
                            lgpki operator forecast --by week --from 2010-12-01 --to 2011-03-31 --svg surge.svg --csv surge.csv\n  \
                            lgpki operator forecast --branch 01001 --group kind\n\nRevoked certificates are counted apart."
    )]
    Forecast(Box<ForecastArgs>),
    /// Show how the business days are loaded with renewal slots: in the terminal, as SVG.
    #[command(
        after_help = "Examples:\n  lgpki operator --as offices/operator-1 slots --by week\n  \
                            lgpki operator slots --from 2010-08-01 --to 2011-02-28 --by day --svg slots.svg\n\nLight bars: applications \
                            expected without a slot. [lifecycle.slots] in lgpki.toml says what can be examined in a day; a day over 100 % \
                            has more than that."
    )]
    Slots(SlotsArgs),
    /// Show one certificate.
    Certificate {
        /// Its serial number.
        serial: Serial,
    },
    /// Apply for revocation of a certificate: of any branch, above all of a closed one (R8), or of an
    /// operator's or auditor's lost login card.
    #[command(
        after_help = "Examples:\n  lgpki operator --as offices/operator-1 revoke 4d62828befea89b3ab79b7ec4bdbc316 \
                            --reason key-compromise --examined-by 運営主体\n  \
                            lgpki operator --as offices/operator-1 revoke 4d62828befea89b3ab79b7ec4bdbc316 \
                            --reason superseded --branch 01001 --examined-by 運営主体\n\nkey-compromise is \
                            carried out without examination and published at once."
    )]
    Revoke {
        /// The certificate's serial number.
        serial: Serial,
        /// Why.
        #[arg(long, value_enum)]
        reason: Reason,
        /// The branch that the certificate was issued to, by its body's code; looked up if not given.
        #[arg(long, value_name = "CODE")]
        branch: Option<BodyCode>,
        #[command(flatten)]
        one: OneRequest,
    },
    /// Apply for revocation of many certificates at once: first shown, then confirmed.
    #[command(
        after_help = "Example, for a branch that was merged:\n  lgpki operator --as offices/operator-1 revoke-many --branch 01001 \
                            --reason affiliation-changed --examined-by 運営主体\n  … the same with --confirm and the token \
                            that was shown\n\nIt may be given again after an interruption: what was taken is not taken \
                            twice. Certificates between CAs, OCSP responders' and the login in use are left out unless \
                            --serials names them.\nlost or stolen keys: key-compromise (without examination, published at once); post or \
                            organization changed: affiliation-changed; replaced: superseded; no longer used: \
                            cessation-of-operation"
    )]
    RevokeMany(Box<RevokeManyArgs>),
    /// Apply for abolition of a certificate: of any branch, above all of a closed one (R8), or of none.
    Abolish {
        /// The certificate's serial number.
        serial: Serial,
        /// The branch that the certificate was issued to, by its body's code; looked up if not given.
        #[arg(long, value_name = "CODE")]
        branch: Option<BodyCode>,
        #[command(flatten)]
        one: OneRequest,
    },
    /// Renew the login certificate in use: an operator's, an auditor's, an LGWAN or a branch officer's.
    #[command(
        after_help = "Example:\n  lgpki operator --as offices/operator-1 renew-login --examined-by 運営主体\n  \
                            lgpki operator --as offices/operator-2 approve --all\n  \
                            lgpki operator --as offices/operator-1 renew-login --examined-by 運営主体\n\nIt makes a new key \
                            and applies; another operator approves; given again it fetches the new login and puts it into \
                            office.toml, and the old one is revoked. Possible from six months before expiry. From the \
                            application until then the old login only reads, watches, withdraws, downloads and confirms. A \
                            branch officer is let in the same way: lgpki operator --as offices/branch-officer-01001 \
                            renew-login --examined-by 総務課長"
    )]
    RenewLogin(Box<RenewLoginArgs>),
    /// Show at one look whether anything needs a human: CRLs with their age, alarms, what waits.
    #[command(
        after_help = "Example:\n  lgpki operator --as offices/operator-1 status\n\nAn alarm says what happened and what \
                            to do; the same alarms count in the metric lgpki_lifecycle_alarms."
    )]
    Status,
    /// Rebuild the inventory from lifecycle's log and the issuer's feed, and compare it with the one
    /// that serves.
    #[command(
        after_help = "Examples:\n  lgpki operator --as offices/operator-1 rebuild-inventory\n  \
                            lgpki operator --as offices/operator-1 rebuild-inventory --apply\n\nIt ends with 1 if \
                            anything differs that was not put right. The services go on meanwhile; lifecycle needs as \
                            much memory again as its inventory has. Logs are never changed."
    )]
    RebuildInventory {
        /// Put the index right if it differs.
        #[arg(long)]
        apply: bool,
    },
    /// Show how long the queues are and when they will be clear, or why an application stands where it
    /// stands.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  lgpki operator --as offices/operator-1 queue\n  \
                            lgpki operator queue explain 01ARZ3NDEKTSV4RRFFQ69G5FAV\n\nClasses: emergency (a lost key), \
                            overdue (waited past its patience), at-risk (would expire before its turn), share (its branch's \
                            turn), oldest (received first), reserve (no date, reserved share)."
    )]
    Queue {
        #[command(subcommand)]
        command: Option<QueueCommand>,
    },
    /// Show how many applications may enter and how much else may be asked, or change it at once and for good.
    #[command(
        after_help = "Examples:\n  lgpki operator --as offices/operator-1 limits\n  \
                            lgpki operator limits --set branch_burst=1000 --set all_per_second=500\n  \
                            lgpki operator limits --set reads_per_second=1000"
    )]
    Limits {
        /// A limit and its new value; may be repeated. The others stay as they are.
        #[arg(long = "set", value_name = "NAME=NUMBER", value_parser = limit)]
        set: Vec<(String, u32)>,
    },
    /// Show the CAs and how fresh their CRLs are.
    Authorities,
    /// Erase the name of a branch's examiner; the audit log keeps only a commitment to it.
    EraseExaminerName {
        /// The application's number.
        id: ApplicationId,
    },
    /// Addressees of the document exchange (文書交換付帯情報): list, follow, end.
    #[command(subcommand)]
    Addressee(AddresseeDesk),
    /// Bodies, branches, organizations and accounts.
    #[command(subcommand)]
    Directory(DirectoryCommand),
}

/// What is asked of the queues.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Say why an application stands where it stands.
    Explain {
        /// Its number, as `operator list` and `cirs submit` show it.
        id: ApplicationId,
    },
}

/// Reads `NAME=NUMBER`.
fn limit(text: &str) -> Result<(String, u32), String> {
    let (name, number) = text
        .split_once('=')
        .ok_or("give a name and a number, such as branch_burst=500")?;
    let number = number
        .trim()
        .parse()
        .map_err(|_| format!("{number:?} is no whole number that a limit may be"))?;
    Ok((name.trim().to_owned(), number))
}

/// Which certificates, and why; all that is given must fit.
#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = true, args = ["serials", "branch", "key", "issued_from", "issued_to"])]
pub(crate) struct RevokeManyArgs {
    /// Those listed in this file, one serial number to a line; `#` begins a comment.
    #[arg(long, value_name = "FILE")]
    pub(crate) serials: Option<PathBuf>,
    /// Those of this branch, by its body's code.
    #[arg(long, value_name = "CODE")]
    pub(crate) branch: Option<BodyCode>,
    /// Those of the key with this SHA-256.
    #[arg(long, value_name = "SHA256")]
    pub(crate) key: Option<Digest>,
    /// Those issued on this day or later.
    #[arg(long, value_name = "DAY")]
    pub(crate) issued_from: Option<JstDate>,
    /// Those issued on this day or earlier.
    #[arg(long, value_name = "DAY")]
    pub(crate) issued_to: Option<JstDate>,
    /// Only those of this kind; may be repeated.
    #[arg(long = "kind", value_name = "KIND", value_parser = super::inventory::kind)]
    pub(crate) kinds: Vec<CertificateKind>,
    /// Why.
    #[arg(long, value_enum)]
    pub(crate) reason: Reason,
    /// Apply once more for what was applied for and rejected before: 1, then 2 and so on.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) again: u32,
    /// Only show what would be revoked, and the token that confirms it; this is also what happens
    /// without --confirm.
    #[arg(long, conflicts_with = "confirm")]
    pub(crate) dry_run: bool,
    /// The token that was shown for exactly these certificates and this reason.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) confirm: Option<String>,
    #[command(flatten)]
    pub(crate) examiner: Examiner,
}

impl RevokeManyArgs {
    /// The branch, where all of its certificates are meant.
    pub(crate) const fn whole_branch(&self) -> Option<BodyCode> {
        let narrower = self.serials.is_some()
            || self.key.is_some()
            || self.issued_from.is_some()
            || self.issued_to.is_some()
            || !self.kinds.is_empty();
        if narrower { None } else { self.branch }
    }

    /// Whether anything but a list says which certificates are meant.
    pub(crate) const fn narrows(&self) -> bool {
        self.branch.is_some()
            || self.key.is_some()
            || self.issued_from.is_some()
            || self.issued_to.is_some()
            || !self.kinds.is_empty()
    }
}

/// What is done with the directories.
#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryCommand {
    /// List bodies and their branches.
    Bodies {
        /// Only of this prefecture, 1 to 47.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=47))]
        prefecture: Option<u32>,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        most: usize,
    },
    /// List a body's organizations and accounts.
    Show {
        /// The body's code.
        body: BodyCode,
    },
    /// Register a unit in the organization directory (組織管理システム).
    RegisterOrganization {
        /// The body's code.
        body: BodyCode,
        /// Its name in English.
        #[arg(long)]
        en: String,
        /// Its name in Japanese.
        #[arg(long)]
        ja: String,
    },
    /// Rename a unit; its accounts follow.
    RenameOrganization {
        /// The body's code.
        body: BodyCode,
        /// Its present English name.
        #[arg(long)]
        from: String,
        /// Its new name in English.
        #[arg(long)]
        en: String,
        /// Its new name in Japanese.
        #[arg(long)]
        ja: String,
    },
    /// Remove a unit and its accounts.
    RemoveOrganization {
        /// The body's code.
        body: BodyCode,
        /// Its English name.
        #[arg(long)]
        en: String,
    },
    /// Register a role in the account directory (アカウント等管理システム).
    RegisterAccount {
        /// The body's code.
        body: BodyCode,
        /// The unit's English name.
        #[arg(long)]
        unit: String,
        /// Its name in English, ending in -lgacc.
        #[arg(long)]
        en: String,
        /// Its name in Japanese, ending in （利用者）.
        #[arg(long)]
        ja: String,
    },
    /// Remove a role.
    RemoveAccount {
        /// The body's code.
        body: BodyCode,
        /// The unit's English name.
        #[arg(long)]
        unit: String,
        /// The role's English name.
        #[arg(long)]
        en: String,
    },
    /// Register many units and roles from a CSV file.
    #[command(
        after_help = "Each line is `body,unit_en,unit_ja` for a unit or `body,unit_en,unit_ja,account_en,account_ja` for\n\
                            a unit and one of its roles; lines that begin with # are passed over.\n\nExample:\n  \
                            lgpki operator --as offices/operator-1 directory import units.csv"
    )]
    Import {
        /// The file, UTF-8.
        file: PathBuf,
    },
    /// Deactivate a branch after a merger or closure (R8).
    Deactivate {
        /// The body's code.
        body: BodyCode,
        /// Why, and which body succeeds it.
        #[arg(long)]
        reason: String,
    },
}
