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
    application::{ApplicationView, applications_table},
    cirs,
};
use crate::{
    cli::{Examiner, SubmitArgs},
    error::CommandError,
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
    let (accepted, refused) = if total == 1 {
        one(&mut client, requests).await?
    } else {
        many(&mut client, requests, output).await?
    };
    let views: Vec<_> = accepted.iter().map(ApplicationView::from).collect();
    output.result(
        &serde_json::json!({ "accepted": views, "refused": refused }),
        || applications_table(&accepted),
    );
    if !refused.is_empty() {
        let list = refused.join(
            "
  ",
        );
        return Err(CommandError::new(format!(
            "{} of {total} applications were refused:\n  {list}",
            refused.len()
        ))
        .hint("correct what is named and submit those again; the others are stored"));
    }
    let ids: Vec<_> = accepted.into_iter().map(|a| a.id).collect();
    if args.wait {
        return cirs::watch(office, ids, None, output).await;
    }
    output.say(format!("next: lgpki cirs watch {}", ids.join(" ")));
    Ok(())
}

type Sent = (Vec<v1::Application>, Vec<String>);

async fn one(
    client: &mut ApplicationServiceClient<Channel>,
    requests: Vec<v1::SubmitApplicationRequest>,
) -> Result<Sent, CommandError> {
    let mut accepted = Vec::new();
    for request in requests {
        accepted.extend(
            client
                .submit_application(request)
                .await?
                .into_inner()
                .application,
        );
    }
    Ok((accepted, Vec::new()))
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
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    while let Some(answer) = answers.message().await? {
        bar.inc(1);
        match answer.outcome {
            Some(v1::submit_applications_response::Outcome::Accepted(a)) => {
                accepted.extend(a.application);
            }
            Some(v1::submit_applications_response::Outcome::Refused(r)) => {
                refused.push(cirs::refusal(&answer.request_id, &r));
            }
            None => refused.push(format!("{}: the server gave no answer", answer.request_id)),
        }
    }
    bar.finish_and_clear();
    accepted.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((accepted, refused))
}

fn requests(
    office: &Office,
    args: &SubmitArgs,
) -> Result<Vec<v1::SubmitApplicationRequest>, CommandError> {
    if args.forms.is_empty() {
        return Ok(vec![request(
            office,
            &args.examiner,
            by_hand(office, args)?,
        )?]);
    }
    if args.forms.len() > 1 && args.examiner.request_id.is_some() {
        return Err(CommandError::new(
            "--request-id names one request, but several forms are given",
        ));
    }
    args.forms
        .iter()
        .map(|path| request(office, &args.examiner, form(path)?))
        .collect()
}

/// The application that a form from the standard system asks for.
fn form(path: &Path) -> Result<v1::IssueContent, CommandError> {
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
    examiner: &Examiner,
    content: v1::IssueContent,
) -> Result<v1::SubmitApplicationRequest, CommandError> {
    let content = v1::submit_application_request::Content::Issue(content);
    build(office, examiner, content)
}

/// A request with the branch's examination and a request id.
pub(crate) fn build(
    office: &Office,
    examiner: &Examiner,
    content: v1::submit_application_request::Content,
) -> Result<v1::SubmitApplicationRequest, CommandError> {
    let mut request = v1::SubmitApplicationRequest {
        request_id: String::new(),
        branch: office.branch()?,
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
    request.request_id = match &examiner.request_id {
        Some(id) => id.to_string(),
        None => request_id(&request)?.to_string(),
    };
    Ok(request)
}

/// A request id made from the content.
fn request_id(request: &v1::SubmitApplicationRequest) -> Result<RequestId, CommandError> {
    // The derived form of a message lists every field in a fixed order.
    let digest = sha256(format!("{request:?}").as_bytes()).to_string();
    format!("cli-{}", &digest[..32])
        .parse()
        .map_err(|e| CommandError::from_error("request id", &e))
}
