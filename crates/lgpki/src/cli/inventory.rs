//! Which certificates a command means, and how a forecast is wanted.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use lgpki_domain::{BodyCode, CertificateKind, Digest, JstDate};
use lgpki_proto::v1;

use super::Ca;

/// Which certificates; all that is given must fit.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CertificateArgs {
    /// Only of this kind; may be repeated.
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    pub(crate) kinds: Vec<CertificateKind>,
    /// Only in this state today: valid, renewing, revoked, expired.
    #[arg(long, value_parser = state)]
    pub(crate) state: Option<v1::CertificateState>,
    /// Only those that expire on this day or later.
    #[arg(long, value_name = "DATE")]
    pub(crate) expires_from: Option<JstDate>,
    /// Only those that expire on this day or earlier.
    #[arg(long, value_name = "DATE")]
    pub(crate) expires_to: Option<JstDate>,
    /// Only those issued on this day or later.
    #[arg(long, value_name = "DATE")]
    pub(crate) issued_from: Option<JstDate>,
    /// Only those issued on this day or earlier.
    #[arg(long, value_name = "DATE")]
    pub(crate) issued_to: Option<JstDate>,
    /// Only of the key with this SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) key: Option<Digest>,
    /// Only of this CA.
    #[arg(long, value_enum)]
    pub(crate) ca: Option<Ca>,
    /// Only with this body in the subject, in English or Japanese, spelled in full.
    #[arg(long, value_name = "NAME")]
    pub(crate) body: Option<String>,
    /// Only with this unit.
    #[arg(long, value_name = "NAME")]
    pub(crate) unit: Option<String>,
    /// Only with this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// A list of certificates.
#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) which: CertificateArgs,
    /// Count them by kind and state instead of listing them.
    #[arg(long)]
    pub(crate) count: bool,
    /// How many at most.
    #[arg(long, default_value_t = 100, conflicts_with = "count")]
    pub(crate) most: usize,
}

/// Which notices.
#[derive(Clone, Debug, Args)]
pub(crate) struct NoticesArgs {
    /// Only what happened on this day or later. If not given: the last 90 days, and with --watch nothing of
    /// the past.
    #[arg(long, value_name = "DATE", conflicts_with = "cursor")]
    pub(crate) since: Option<JstDate>,
    /// Go on from a cursor that an earlier call printed.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// Stay, and tell each notice when its time comes.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// What a bar of the forecast stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Span {
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A calendar month.
    Month,
}

/// What has bars of its own in the forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Apart {
    /// Each branch.
    Branch,
    /// Each kind.
    Kind,
}

/// How a forecast is wanted.
#[derive(Clone, Debug, Args)]
pub(crate) struct ForecastArgs {
    /// What a bar stands for.
    #[arg(long, value_enum, default_value_t = Span::Month)]
    pub(crate) by: Span,
    /// The first day of expiry; today if not given.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<JstDate>,
    /// The last day of expiry; the last on which anything expires if not given.
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<JstDate>,
    /// Only of this branch.
    #[arg(long, value_name = "CODE")]
    pub(crate) branch: Option<BodyCode>,
    /// Only of this kind; may be repeated.
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    pub(crate) kinds: Vec<CertificateKind>,
    /// Tell each branch or each kind apart.
    #[arg(long, value_enum)]
    pub(crate) group: Option<Apart>,
    /// Write the chart to this file, SVG.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Write the numbers to this file, CSV.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
}

/// Which days, and how they are shown.
#[derive(Clone, Debug, Args)]
pub(crate) struct SlotsArgs {
    /// What a bar stands for.
    #[arg(long, value_enum, default_value_t = Span::Day)]
    pub(crate) by: Span,
    /// The first day; today if not given.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<JstDate>,
    /// The last day; the last with a slot if not given.
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<JstDate>,
    /// Write the chart to this file, SVG.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

pub(super) fn kind(text: &str) -> Result<CertificateKind, String> {
    CertificateKind::parse(text).ok_or_else(|| {
        let names = CertificateKind::ALL.map(CertificateKind::name);
        format!("the kinds are {}", names.join(", "))
    })
}

fn state(text: &str) -> Result<v1::CertificateState, String> {
    let name = format!(
        "CERTIFICATE_STATE_{}",
        text.to_uppercase().replace('-', "_")
    );
    v1::CertificateState::from_str_name(&name)
        .filter(|state| *state != v1::CertificateState::Unspecified)
        .ok_or_else(|| String::from("the states are valid, renewing, revoked, expired"))
}
