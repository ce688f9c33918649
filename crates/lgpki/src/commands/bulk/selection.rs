//! Which certificates `revoke-many` means, and the token that stands for exactly these.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
};

use indicatif::ProgressBar;
use lgpki_domain::Serial;
use lgpki_proto::{
    convert::wire,
    v1::{
        self, CertificateKind, CertificateState,
        certificate_service_client::CertificateServiceClient,
    },
};
use lgpki_x509::key::sha256;
use serde::Serialize;

use super::lookup::look_up;
use crate::{
    cli::RevokeManyArgs, commands::application::spell, error::CommandError, office::Office,
    output::Output,
};

/// One certificate of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) branch: String,
    pub(super) kind: String,
    stands: bool,
    /// The one that the caller is logged in with.
    own: bool,
}

impl Target {
    /// When it is sent: the logins of operators and auditors last, the caller's own after all.
    fn turn(&self) -> u8 {
        match self {
            Self { own: true, .. } => 2,
            _ if self.branch.is_empty() && self.kind == "login" => 1,
            _ => 0,
        }
    }
}

/// A certificate that would fit but is not revoked along with many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct LeftOut {
    pub(super) serial: String,
    pub(super) kind: String,
    pub(super) why: &'static str,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { serial, kind, why } = self;
        write!(
            f,
            "left out: {serial} ({kind}), for {why}; --serials names it if it is meant"
        )
    }
}

/// The certificates that fit, by serial number.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) targets: BTreeMap<String, Target>,
    pub(super) left_out: Vec<LeftOut>,
}

impl Selection {
    /// Adds a certificate, unless it is one that must be named: `listed` says that it was; `own` is
    /// the serial number of the caller's login certificate.
    pub(super) fn add(&mut self, certificate: v1::Certificate, own: Option<&String>, listed: bool) {
        let kind = spell(certificate.kind().as_str_name(), "CERTIFICATE_KIND_");
        let ended = [CertificateState::Revoked, CertificateState::Expired];
        let target = Target {
            stands: !ended.contains(&certificate.state()),
            own: own == Some(&certificate.serial),
            kind,
            branch: certificate.branch.clone(),
        };
        let why = match certificate.kind() {
            CertificateKind::Link | CertificateKind::Cross => Some("it links CAs"),
            CertificateKind::OcspResponder => Some("it signs OCSP answers"),
            _ if target.own => Some("you are logged in with it"),
            _ => None,
        };
        match why.filter(|_| !listed) {
            None => {
                self.targets.insert(certificate.serial, target);
            }
            Some(why) if target.stands => self.left_out.push(LeftOut {
                serial: certificate.serial,
                kind: target.kind,
                why,
            }),
            Some(_) => {}
        }
    }

    /// A digest of the serial numbers, the reason and how often the same was decided before.
    pub(super) fn token(&self, reason: i32, again: u32) -> String {
        let mut text = format!("revoke-many {reason} {again}\n");
        for serial in self.targets.keys() {
            text.push_str(serial);
            text.push('\n');
        }
        sha256(text.as_bytes()).to_string()[..16].to_owned()
    }

    /// Those that can still be revoked, in the order of sending.
    pub(super) fn standing(&self) -> Vec<(&String, &Target)> {
        let mut standing: Vec<_> = self.targets.iter().filter(|(_, t)| t.stands).collect();
        standing.sort_by_key(|(_, target)| target.turn());
        standing
    }

    /// How many stand, by branch and kind.
    pub(super) fn counts(&self) -> BTreeMap<(&str, &str), u64> {
        let mut counts = BTreeMap::new();
        for (_, target) in self.standing() {
            let key = (target.branch.as_str(), target.kind.as_str());
            *counts.entry(key).or_default() += 1;
        }
        counts
    }
}

/// Finds what the caller asks for.
pub(super) async fn select(
    office: &Office,
    args: &RevokeManyArgs,
    output: Output,
) -> Result<Selection, CommandError> {
    let listed = match &args.serials {
        Some(path) => {
            let text =
                fs::read_to_string(path).map_err(|e| CommandError::file("read", path, &e))?;
            let wrong = |why| CommandError::new(format!("{}, {why}", path.display()));
            Some(parse_serials(&text).map_err(wrong)?)
        }
        None => None,
    };
    let bar = output.progress(0, "selecting");
    let (selection, missing) = match listed {
        Some(listed) if !args.narrows() => look_up(office, listed, &bar).await?,
        listed => search(office, args, listed, &bar).await?,
    };
    bar.finish_and_clear();
    match missing.first() {
        Some(first) => Err(CommandError::new(format!(
            "{} listed certificates do not exist or do not fit the other conditions, such as {first}; \
             nothing was applied for",
            missing.len()
        ))
        .hint("correct the list")),
        None if selection.targets.is_empty() => {
            let left_out: Vec<_> = selection.left_out.iter().map(LeftOut::to_string).collect();
            let mut message = vec!["no certificate fits".to_owned()];
            message.extend(left_out);
            Err(CommandError::new(message.join("\n")))
        }
        None => Ok(selection),
    }
}

/// What fits the conditions and is listed, if there is a list; and what of the list was not found.
async fn search(
    office: &Office,
    args: &RevokeManyArgs,
    mut listed: Option<BTreeSet<String>>,
    bar: &ProgressBar,
) -> Result<(Selection, BTreeSet<String>), CommandError> {
    let day = |day: Option<lgpki_domain::JstDate>| day.map(|d| d.to_string()).unwrap_or_default();
    let mut client = CertificateServiceClient::new(office.channel());
    let (mut selection, mut page_token) = (Selection::default(), String::new());
    loop {
        let request = v1::ListCertificatesRequest {
            branch: args.branch.map(|b| b.to_string()).unwrap_or_default(),
            key_digest: args.key.map(|k| k.to_string()).unwrap_or_default(),
            kinds: args.kinds.iter().copied().map(wire).collect(),
            issued_from: day(args.issued_from),
            issued_to: day(args.issued_to),
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = client.list_certificates(request).await?.into_inner();
        bar.inc(page.certificates.len() as u64);
        for certificate in page.certificates {
            let wanted = listed
                .as_mut()
                .is_none_or(|listed| listed.remove(&certificate.serial));
            if wanted {
                selection.add(certificate, office.serial(), listed.is_some());
            }
        }
        page_token = page.next_page_token;
        let all_found = listed.as_ref().is_some_and(BTreeSet::is_empty);
        if page_token.is_empty() || all_found {
            break;
        }
    }
    Ok((selection, listed.unwrap_or_default()))
}

/// The serial numbers of a list, one to a line.
pub(super) fn parse_serials(text: &str) -> Result<BTreeSet<String>, String> {
    let mut serials = BTreeSet::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_start_matches('\u{feff}');
        let serial = line.split('#').next().unwrap_or_default().trim();
        if serial.is_empty() {
            continue;
        }
        let serial: Serial = serial.parse().map_err(|e| format!("line {number}: {e}"))?;
        serials.insert(serial.to_string());
    }
    Ok(serials)
}
