//! `lgpki cirs submit`: forms and CSRs become applications, one or many.
//!
//! The request id is made from the content unless one is given, so that a command repeated after a
//! lost connection finds the application it made.

use std::{fs, path::Path};

use lgpki_domain::{CertificateKind, KeyMedium, RequestId};
use lgpki_proto::{
    convert::wire,
    v1::{self, application_service_client::ApplicationServiceClient},
};
use lgpki_x509::key::sha256;
use tonic::transport::Channel;

use super::{
    application::{ApplicationView, applications_table, ended, state},
    cirs,
};
use crate::{
    cli::{Examiner, OneRequest, SubmitArgs},
    error::{CommandError, Refused},
    form::ApplicationForm,
    office::{self, Office},
    output::Output,
};

/// Submits what `args` names.
pub(crate) async fn run(
    office: &Office,
    args: SubmitArgs,
    output: Output,
) -> Result<(), CommandError> {
    let requests = requests(office, &args)?;
    let total = requests.len();
    let mut client = ApplicationServiceClient::new(office.channel());
    let Sent {
        accepted,
        repeated,
        refused,
    } = if total == 1 {
        one(&mut client, requests).await?
    } else {
        many(&mut client, requests, output).await?
    };
    let views: Vec<_> = accepted.iter().map(ApplicationView::from).collect();
    let told: Vec<_> = refused.iter().map(|r| r.to_json("request_id")).collect();
    output.result(
        &serde_json::json!({ "accepted": views, "repeated": repeated, "refused": told }),
        || applications_table(&accepted),
    );
    if !repeated.is_empty() {
        output.say(format!(
            "submitted before, nothing new was stored: {}; to apply anew give --request-id",
            repeated.join(" ")
        ));
    }
    if !refused.is_empty() {
        let message = format!("{} of {total} applications were refused", refused.len());
        return Err(CommandError::new(message)
            .refusing(refused)
            .hint("correct what is named and submit those again; the others are stored"));
    }
    let mut ids: Vec<_> = accepted.into_iter().map(|a| a.id).collect();
    ids.dedup();
    if args.wait {
        return cirs::watch(office, ids, None, output).await;
    }
    let rest = format!("watch {}", ids.join(" "));
    output.say(format!("next: {}", office.command("cirs", &rest)));
    Ok(())
}

/// Why nothing will come of an application that was sent before, if it ended without what was asked for.
pub(crate) fn gone_before(answer: &v1::SubmitApplicationResponse) -> Option<v1::Refusal> {
    let found = answer.application.as_ref().filter(|_| answer.repeated)?;
    ended(found).then(|| v1::Refusal {
        code: i32::from(tonic::Code::FailedPrecondition),
        reason: "SENT_BEFORE_AND_ENDED".to_owned(),
        message: format!(
            "the same was submitted before as application {}, which was {}{}; to apply anew give --request-id",
            found.id,
            state(found),
            match found.reason.as_str() {
                "" => String::new(),
                why => format!(" ({why})"),
            }
        ),
        ..v1::Refusal::default()
    })
}

/// What became of the applications sent.
#[derive(Default)]
struct Sent {
    accepted: Vec<v1::Application>,
    /// The numbers of those accepted that the server had before.
    repeated: Vec<String>,
    refused: Vec<Refused>,
}

impl Sent {
    fn accept(&mut self, answer: v1::SubmitApplicationResponse) {
        if let Some(refusal) = gone_before(&answer) {
            let id = answer.application.unwrap_or_default().request_id;
            self.refused.push(Refused::new(id, Some(refusal)));
            return;
        }
        if answer.repeated {
            self.repeated
                .extend(answer.application.iter().map(|a| a.id.clone()));
        }
        self.accepted.extend(answer.application);
    }
}

async fn one(
    client: &mut ApplicationServiceClient<Channel>,
    requests: Vec<v1::SubmitApplicationRequest>,
) -> Result<Sent, CommandError> {
    let mut sent = Sent::default();
    for request in requests {
        sent.accept(client.submit_application(request).await?.into_inner());
    }
    Ok(sent)
}

async fn many(
    client: &mut ApplicationServiceClient<Channel>,
    requests: Vec<v1::SubmitApplicationRequest>,
    output: Output,
) -> Result<Sent, CommandError> {
    let bar = output.progress(requests.len() as u64, "submitting");
    let items = tokio_stream::iter(requests.into_iter().map(|a| v1::SubmitApplicationsRequest {
        application: Some(a),
    }));
    let mut answers = client.submit_applications(items).await?.into_inner();
    let mut sent = Sent::default();
    while let Some(answer) = answers.message().await? {
        bar.inc(1);
        match answer.outcome {
            Some(v1::submit_applications_response::Outcome::Accepted(a)) => sent.accept(a),
            Some(v1::submit_applications_response::Outcome::Refused(r)) => {
                sent.refused.push(Refused::new(answer.request_id, Some(r)));
            }
            None => sent.refused.push(Refused::new(answer.request_id, None)),
        }
    }
    bar.finish_and_clear();
    sent.accepted.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(sent)
}

fn requests(
    office: &Office,
    args: &SubmitArgs,
) -> Result<Vec<v1::SubmitApplicationRequest>, CommandError> {
    if args.forms.is_empty() {
        let content = by_hand(office, args)?;
        return Ok(vec![request(office, args, content)?]);
    }
    if args.forms.len() > 1 && args.one.request_id.is_some() {
        return Err(CommandError::new(
            "--request-id names one request, but several forms are given",
        ));
    }
    args.forms
        .iter()
        .map(|path| request(office, args, form(path)?))
        .collect()
}

/// The application that a form from the standard system asks for.
pub(crate) fn form(path: &Path) -> Result<v1::IssueContent, CommandError> {
    let text = fs::read(path).map_err(|e| CommandError::file("read", path, &e))?;
    ApplicationForm::parse(&text)
        .and_then(|form| form.content())
        .map_err(|error| {
            CommandError::from_error(
                &format!("{} is not an application form", path.display()),
                &error,
            )
            .hint("a form is the .json file that `lgpki kit request` writes beside the CSR")
        })
}

fn by_hand(office: &Office, args: &SubmitArgs) -> Result<v1::IssueContent, CommandError> {
    let missing =
        || CommandError::new("--csr, --kind, --name-en and --name-ja are needed without --form");
    let csr = args.csr.as_deref().ok_or_else(missing)?;
    let names = |en: &Option<String>, ja: &Option<String>| {
        en.clone()
            .zip(ja.clone())
            .map(|(en, ja)| v1::Names { en, ja })
    };
    Ok(v1::IssueContent {
        kind: wire::<CertificateKind>(args.kind.ok_or_else(missing)?.0),
        subject: Some(v1::Subject {
            body: office.body_names(),
            unit: names(&args.unit_en, &args.unit_ja),
            name: Some(names(&args.name_en, &args.name_ja).ok_or_else(missing)?),
        }),
        csr: fs::read(csr).map_err(|e| CommandError::file("read", csr, &e))?,
        medium: wire::<KeyMedium>(args.medium.0),
        dns_names: args.dns_names.clone(),
        mail_address: args.mail.clone().unwrap_or_default(),
        login_role: args.login_role.map(|r| wire(r.0)).unwrap_or_default(),
    })
}

fn request(
    office: &Office,
    args: &SubmitArgs,
    content: v1::IssueContent,
) -> Result<v1::SubmitApplicationRequest, CommandError> {
    let content = v1::submit_application_request::Content::Issue(content);
    let branch = match args.branch {
        Some(branch) => branch.to_string(),
        None => office.branch()?,
    };
    named(branch, &args.one, content)
}

/// A request for a branch, under the name that it was given.
pub(crate) fn named(
    branch: String,
    one: &OneRequest,
    content: v1::submit_application_request::Content,
) -> Result<v1::SubmitApplicationRequest, CommandError> {
    let mut request = build(branch, &one.examiner, content)?;
    if let Some(id) = &one.request_id {
        request.request_id = id.to_string();
    }
    Ok(request)
}

/// A request for a branch, with the examination and a request id made from the content.
pub(crate) fn build(
    branch: String,
    examiner: &Examiner,
    content: v1::submit_application_request::Content,
) -> Result<v1::SubmitApplicationRequest, CommandError> {
    let mut request = v1::SubmitApplicationRequest {
        request_id: String::new(),
        branch,
        examination: Some(v1::BranchExamination {
            office: examiner.examined_by.clone(),
            examiner_name: examiner.person.clone().unwrap_or_default(),
            approved: true,
            decided_on: examiner
                .examined_on
                .unwrap_or_else(office::today)
                .to_string(),
        }),
        content: Some(content),
    };
    request.request_id = request_id(&request)?.to_string();
    Ok(request)
}

/// A request id made from the content. It stands in the audit log for ever, and the examiner's name must
/// not be found again from it by trying names, so the name has no part in it.
fn request_id(request: &v1::SubmitApplicationRequest) -> Result<RequestId, CommandError> {
    let mut request = request.clone();
    if let Some(examination) = &mut request.examination {
        examination.examiner_name.clear();
    }
    // Asked for anew, a token may differ.
    if let Some(v1::submit_application_request::Content::Renew(renew)) = &mut request.content {
        renew.slot_token.clear();
    }
    // The derived form of a message lists every field in a fixed order.
    let digest = sha256(format!("{request:?}").as_bytes()).to_string();
    format!("cli-{}", &digest[..32])
        .parse()
        .map_err(|e| CommandError::from_error("request id", &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_tells_nothing_of_the_examiner_and_differs_with_the_rest() {
        let id = |person: Option<&str>, serial: &str| {
            let examiner = Examiner {
                examined_by: "総務課長".to_owned(),
                person: person.map(str::to_owned),
                examined_on: Some("2008-02-04".parse().unwrap()),
            };
            let content = v1::AbolishContent {
                serial: serial.to_owned(),
            };
            let content = v1::submit_application_request::Content::Abolish(content);
            let request = build("01001".to_owned(), &examiner, content).unwrap();
            let named = request.examination.unwrap().examiner_name;
            assert_eq!(named, person.unwrap_or_default(), "the name itself travels");
            request.request_id
        };
        assert_eq!(id(Some("模擬花子"), "41"), id(None, "41"));
        assert_eq!(id(Some("模擬花子"), "41"), id(Some("模擬太郎"), "41"));
        assert_ne!(id(None, "41"), id(None, "42"));
    }
}
