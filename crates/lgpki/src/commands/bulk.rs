//! `lgpki operator revoke-many`: many certificates, one decision.
//!
//! The selection is shown first, with a token that is a digest of it and of the reason; only with that
//! token is anything applied for. The request ids are made from the token and the serial numbers, so
//! the command may be given again after any interruption: what was taken is recognised. Certificates
//! that were revoked stay in the selection, so that its token stays the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use lgpki_domain::Serial;
use lgpki_proto::{
    convert::wire,
    v1::{
        self, CertificateState, application_service_client::ApplicationServiceClient,
        certificate_service_client::CertificateServiceClient, submit_application_request::Content,
        submit_applications_response::Outcome,
    },
};
use lgpki_x509::key::sha256;

use super::submit;
use crate::{
    cli::RevokeManyArgs,
    error::{CommandError, Refused},
    office::Office,
    output::{Output, table},
};

/// Refusals of what was applied for or revoked before: nothing is left to do about them.
const DONE: [&str; 3] = [
    "REVOCATION_IS_OPEN",
    "CERTIFICATE_REVOKED_BEFORE",
    "CERTIFICATE_EXPIRED",
];

/// One certificate of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    branch: String,
    kind: String,
    stands: bool,
}

/// The certificates that fit, by serial number.
#[derive(Debug, Default)]
struct Selection(BTreeMap<String, Target>);

impl Selection {
    fn add(&mut self, certificate: v1::Certificate) {
        let kind = certificate.kind().as_str_name();
        let kind = kind.trim_start_matches("CERTIFICATE_KIND_").to_lowercase();
        let ended = [CertificateState::Revoked, CertificateState::Expired];
        let target = Target {
            stands: !ended.contains(&certificate.state()),
            branch: certificate.branch,
            kind: kind.replace('_', "-"),
        };
        self.0.insert(certificate.serial, target);
    }

    /// A digest of the serial numbers and the reason.
    fn token(&self, reason: i32) -> String {
        let mut text = format!("revoke-many {reason}\n");
        for serial in self.0.keys() {
            text.push_str(serial);
            text.push('\n');
        }
        sha256(text.as_bytes()).to_string()[..16].to_owned()
    }

    /// Those that can still be revoked.
    fn standing(&self) -> impl Iterator<Item = (&String, &Target)> {
        self.0.iter().filter(|(_, target)| target.stands)
    }

    /// How many stand, by branch and kind.
    fn counts(&self) -> BTreeMap<(&str, &str), u64> {
        let mut counts = BTreeMap::new();
        for (_, target) in self.standing() {
            let key = (target.branch.as_str(), target.kind.as_str());
            *counts.entry(key).or_default() += 1;
        }
        counts
    }
}

/// Shows the selection or, once confirmed, applies for its revocation.
pub(crate) async fn run(
    office: &Office,
    args: &RevokeManyArgs,
    output: Output,
) -> Result<(), CommandError> {
    if args.examiner.request_id.is_some() {
        return Err(CommandError::new(
            "--request-id names one request; those of many are made from the token",
        ));
    }
    let selection = select(office, args, output).await?;
    let token = selection.token(wire(args.reason.0));
    match &args.confirm {
        None => {
            show(&selection, &token, output);
            Ok(())
        }
        Some(given) if *given == token => apply(office, args, &selection, &token, output).await,
        Some(given) => Err(CommandError::new(format!(
            "{given} confirms another selection or another reason; nothing was applied for"
        ))
        .hint(
            "give the command without --confirm: it shows what would be revoked now, and its token",
        )),
    }
}

async fn select(
    office: &Office,
    args: &RevokeManyArgs,
    output: Output,
) -> Result<Selection, CommandError> {
    let mut listed = match &args.serials {
        Some(path) => {
            let text =
                fs::read_to_string(path).map_err(|e| CommandError::file("read", path, &e))?;
            let wrong = |why| CommandError::new(format!("{}, {why}", path.display()));
            Some(parse_serials(&text).map_err(wrong)?)
        }
        None => None,
    };
    let day = |day: Option<lgpki_domain::JstDate>| day.map(|d| d.to_string()).unwrap_or_default();
    let mut client = CertificateServiceClient::new(office.channel());
    let bar = output.progress(0, "selecting");
    let (mut selection, mut page_token) = (Selection::default(), String::new());
    loop {
        let request = v1::ListCertificatesRequest {
            branch: args.branch.map(|b| b.to_string()).unwrap_or_default(),
            key_digest: args.key.map(|k| k.to_string()).unwrap_or_default(),
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
                selection.add(certificate);
            }
        }
        page_token = page.next_page_token;
        let all_found = listed.as_ref().is_some_and(BTreeSet::is_empty);
        if page_token.is_empty() || all_found {
            break;
        }
    }
    bar.finish_and_clear();
    match listed.as_ref().and_then(BTreeSet::first) {
        Some(missing) => Err(CommandError::new(format!(
            "{} listed certificates do not exist or do not fit the other conditions, such as {missing}; \
             nothing was applied for",
            listed.as_ref().map_or(0, BTreeSet::len)
        ))
        .hint("correct the list")),
        None if selection.0.is_empty() => Err(CommandError::new("no certificate fits")),
        None => Ok(selection),
    }
}

/// The serial numbers of a list, one to a line.
fn parse_serials(text: &str) -> Result<BTreeSet<String>, String> {
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

fn show(selection: &Selection, token: &str, output: Output) {
    let counts = selection.counts();
    let total: u64 = counts.values().sum();
    let ended = selection.0.len() as u64 - total;
    let rows: Vec<_> = counts
        .iter()
        .map(|((branch, kind), count)| {
            serde_json::json!({ "branch": branch, "kind": kind, "count": count })
        })
        .collect();
    output.result(
        &serde_json::json!({ "token": token, "to_revoke": total, "ended_before": ended, "counts": rows }),
        || {
            let mut text = table(
                &["branch", "kind", "certificates"],
                counts.iter().map(|((branch, kind), count)| {
                    vec![(*branch).to_owned(), (*kind).to_owned(), count.to_string()]
                }),
            );
            let _ = write!(text, "\n{total} to revoke; {ended} revoked or expired before");
            text
        },
    );
    output.say(format!(
        "nothing was applied for; to do it, give the same command with --confirm {token}"
    ));
}

/// What became of the applications.
#[derive(Debug, Default)]
struct Sent {
    accepted: usize,
    /// Applied for or revoked before.
    before: usize,
    waiting: usize,
    refused: Vec<Refused>,
}

impl Sent {
    fn count(&mut self, answer: v1::SubmitApplicationsResponse) {
        match answer.outcome {
            Some(Outcome::Accepted(accepted)) => {
                let state = accepted.application.unwrap_or_default().state();
                self.waiting += usize::from(state == v1::ApplicationState::Examining);
                if accepted.repeated {
                    self.before += 1;
                } else {
                    self.accepted += 1;
                }
            }
            Some(Outcome::Refused(refusal)) if is_done(&refusal) => self.before += 1,
            Some(Outcome::Refused(refusal)) => {
                let refused = Refused::new(answer.request_id, Some(refusal));
                self.refused.push(refused);
            }
            None => self.refused.push(Refused::new(answer.request_id, None)),
        }
    }
}

/// Whether nothing is left to do: its own application stands already, or another one, or it has ended.
fn is_done(refusal: &v1::Refusal) -> bool {
    let faults = &refusal.faults;
    // The same request id with another day or office of examination.
    refusal.reason == "REQUEST_ID_TAKEN"
        || (!faults.is_empty() && faults.iter().all(|f| DONE.contains(&f.reason.as_str())))
}

/// The name of one application; always the same for the same selection and reason.
fn request_id(token: &str, serial: &str) -> String {
    format!("bulk-{token}-{serial}")
}

async fn apply(
    office: &Office,
    args: &RevokeManyArgs,
    selection: &Selection,
    token: &str,
    output: Output,
) -> Result<(), CommandError> {
    let requests = selection.standing().map(|(serial, target)| {
        let content = v1::RevokeContent {
            serial: serial.clone(),
            reason: wire(args.reason.0),
        };
        let content = Content::Revoke(content);
        let mut request = submit::build(target.branch.clone(), &args.examiner, content)?;
        request.request_id = request_id(token, serial);
        Ok(v1::SubmitApplicationsRequest {
            application: Some(request),
        })
    });
    let requests = requests.collect::<Result<Vec<_>, CommandError>>()?;
    let total = requests.len();
    let bar = output.progress(total as u64, "applying");
    let mut client = ApplicationServiceClient::new(office.channel());
    let answers = client
        .submit_applications(tokio_stream::iter(requests))
        .await;
    let mut answers = answers?.into_inner();
    let mut sent = Sent::default();
    loop {
        match answers.message().await {
            Ok(Some(answer)) => sent.count(answer),
            Ok(None) => break,
            Err(status) => {
                let done = sent.accepted + sent.before;
                return Err(CommandError::from(status)
                    .during(&format!("{done} of {total} were taken"))
                    .hint("give the same command again: what was taken is not taken twice"));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let told: Vec<_> = sent
        .refused
        .iter()
        .map(|r| r.to_json("request_id"))
        .collect();
    let answered = sent.accepted + sent.before + sent.refused.len();
    output.result(
        &serde_json::json!({
            "accepted": sent.accepted, "before": sent.before, "waiting": sent.waiting, "refused": told,
        }),
        || {
            format!(
                "{} applied for; {} applied for or revoked before",
                sent.accepted, sent.before
            )
        },
    );
    if sent.waiting > 0 {
        output.say(format!(
            "{} wait for examination; next: {}",
            sent.waiting,
            office.command("operator", "approve --all")
        ));
    }
    if sent.refused.is_empty() && answered == total {
        return Ok(());
    }
    let left = total - (answered - sent.refused.len());
    let message = format!("{left} of {total} were not taken");
    Err(CommandError::new(message).refusing(sent.refused).hint(
        "correct what is named, or give the same command again: what was taken is not taken twice",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(serial: &str, branch: &str, state: CertificateState) -> v1::Certificate {
        v1::Certificate {
            serial: serial.to_owned(),
            branch: branch.to_owned(),
            kind: v1::CertificateKind::WebServer.into(),
            state: state.into(),
            ..Default::default()
        }
    }

    fn selection(last: CertificateState) -> Selection {
        let mut selection = Selection::default();
        selection.add(certificate("42", "01001", CertificateState::Valid));
        selection.add(certificate("41", "01002", CertificateState::Renewing));
        selection.add(certificate("43", "01001", last));
        selection
    }

    #[test]
    fn a_token_stays_the_same_while_its_certificates_are_revoked_and_stands_for_nothing_else() {
        let whole = selection(CertificateState::Valid);
        let begun = selection(CertificateState::Revoked);
        assert_eq!(whole.token(4), begun.token(4));
        assert_ne!(whole.token(4), whole.token(1));
        let mut more = selection(CertificateState::Valid);
        more.add(certificate("44", "01001", CertificateState::Expired));
        assert_ne!(whole.token(4), more.token(4));
        assert_eq!((whole.standing().count(), begun.standing().count()), (3, 2));
        let counts = whole.counts();
        assert_eq!(counts[&("01001", "web-server")], 2);
        assert_eq!(counts[&("01002", "web-server")], 1);
    }

    #[test]
    fn request_ids_are_ones_that_the_contract_takes() {
        let token = selection(CertificateState::Valid).token(4);
        let id = request_id(&token, &"4d".repeat(16));
        assert_eq!(id, request_id(&token, &"4d".repeat(16)));
        assert!(id.parse::<lgpki_domain::RequestId>().is_ok(), "{id}");
    }

    #[test]
    fn what_was_taken_before_counts_as_done_and_nothing_else_does() {
        let refusal = |reason: &str, faults: &[&str]| v1::Refusal {
            reason: reason.to_owned(),
            faults: faults
                .iter()
                .map(|reason| v1::FieldFault {
                    reason: (*reason).to_owned(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        assert!(is_done(&refusal("REQUEST_ID_TAKEN", &[])));
        assert!(is_done(&refusal(
            "APPLICATION_REFUSED",
            &["REVOCATION_IS_OPEN"]
        )));
        let other = ["REVOCATION_IS_OPEN", "EXAMINER_MISSING"];
        assert!(!is_done(&refusal("APPLICATION_REFUSED", &other)));
        assert!(!is_done(&refusal("STORE_BUSY", &[])));
    }

    #[test]
    fn a_list_of_serials_names_the_line_that_is_none() {
        let serial = "4d".repeat(16);
        let text = format!("\u{feff}# lost\n{serial} # a card\n\n{serial}\n");
        assert_eq!(parse_serials(&text).unwrap().len(), 1);
        assert!(parse_serials("\n12").unwrap_err().starts_with("line 2: "));
    }
}
