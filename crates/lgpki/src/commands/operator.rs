//! `lgpki operator`: examination, certificates, CRLs.

use std::collections::HashSet;

use lgpki_domain::{ApplicationId, BodyCode, Serial};
use lgpki_proto::{
    convert::wire,
    v1::{
        self, certificate_service_client::CertificateServiceClient, examination_outcome::Outcome,
        examination_service_client::ExaminationServiceClient, submit_application_request::Content,
    },
};
use serde::Serialize;
use tonic::transport::Channel;

use super::{
    addressee,
    application::{
        ApplicationView, CertificateView, applications_table, certificate_sheet, short_time,
    },
    bulk, cirs, directory, forecast, inventory, limits, login, notices, queue, rebuild, slots,
    status, submit,
};
use crate::{
    cli::{OfficeArgs, OperatorCommand},
    error::{CommandError, Refused},
    office::Office,
    output::{Output, table},
};

/// Runs one command of the operator's desk.
pub(crate) async fn run(
    args: OfficeArgs,
    command: OperatorCommand,
    output: Output,
) -> Result<(), CommandError> {
    let office = Office::open(&args)?;
    carry_out(&office, command, output)
        .await
        .map_err(|error| error.at(office.server()))
}

async fn carry_out(
    office: &Office,
    command: OperatorCommand,
    output: Output,
) -> Result<(), CommandError> {
    let mut desk = ExaminationServiceClient::new(office.channel());
    match command {
        OperatorCommand::List { most } => list(office, &mut desk, most, output).await,
        OperatorCommand::Show { id } => {
            let request = v1::GetApplicationRequest {
                id: id.to_string(),
                ..Default::default()
            };
            cirs::show(office, request, output).await
        }
        OperatorCommand::Approve { ids, all } => {
            let ids = if all {
                waiting(&mut desk).await?
            } else {
                texts(&ids)
            };
            approve(&mut desk, &ids, all, output).await
        }
        OperatorCommand::Reject { ids, reason } => {
            reject(&mut desk, &texts(&ids), &reason, output).await
        }
        OperatorCommand::Crl { ca } => {
            let authority = ca.map(|ca| wire(ca.0)).unwrap_or_default();
            let answer = desk
                .publish_crl_now(v1::PublishCrlNowRequest { authority })
                .await?;
            show_crls(&answer.into_inner().published, output);
            Ok(())
        }
        OperatorCommand::Certificates { branch, list } => {
            let branch = branch.map(|b| b.to_string());
            inventory::certificates(office, branch, *list, output).await
        }
        OperatorCommand::Notices { branch, which } => {
            notices::run(office, branch.map(|b| b.to_string()), which, output).await
        }
        OperatorCommand::Forecast(args) => forecast::run(office, *args, output).await,
        OperatorCommand::Slots(args) => slots::run(office, args, output).await,
        OperatorCommand::Certificate { serial } => {
            let certificate = certificate(office, serial).await?;
            output.result(&CertificateView::from(&certificate), || {
                certificate_sheet(&certificate)
            });
            Ok(())
        }
        OperatorCommand::Revoke {
            serial,
            reason,
            branch,
            one,
        } => {
            let content = v1::RevokeContent {
                serial: serial.to_string(),
                reason: wire(reason.0),
            };
            let branch = owner(office, serial, branch).await?;
            let request = submit::named(branch, &one, Content::Revoke(content))?;
            cirs::apply(office, request, "operator show", output).await
        }
        OperatorCommand::RevokeMany(args) => bulk::run(office, &args, output).await,
        OperatorCommand::Abolish {
            serial,
            branch,
            one,
        } => {
            let content = v1::AbolishContent {
                serial: serial.to_string(),
            };
            let branch = owner(office, serial, branch).await?;
            let request = submit::named(branch, &one, Content::Abolish(content))?;
            cirs::apply(office, request, "operator show", output).await
        }
        OperatorCommand::RebuildInventory { apply } => rebuild::run(office, apply, output).await,
        OperatorCommand::RenewLogin(args) => login::run(office, &args, output).await,
        OperatorCommand::Status => status::show(office, output).await,
        OperatorCommand::Queue { command } => queue::run(office, command, output).await,
        OperatorCommand::Limits { set } => limits::run(office, &set, output).await,
        OperatorCommand::Authorities => authorities(office, output).await,
        OperatorCommand::EraseExaminerName { id } => {
            let request = v1::EraseExaminerNameRequest { id: id.to_string() };
            let erased = desk.erase_examiner_name(request).await?.into_inner().erased;
            output.result(&serde_json::json!({ "erased": erased }), || {
                String::from(if erased {
                    "the name is erased"
                } else {
                    "there was no name to erase"
                })
            });
            Ok(())
        }
        OperatorCommand::Addressee(command) => addressee::desk(office, command, output).await,
        OperatorCommand::Directory(command) => directory::run(office, command, output).await,
    }
}

async fn certificate(office: &Office, serial: Serial) -> Result<v1::Certificate, CommandError> {
    let request = v1::GetCertificateRequest {
        serial: serial.to_string(),
    };
    let answer = CertificateServiceClient::new(office.channel())
        .get_certificate(request)
        .await?;
    Ok(answer.into_inner().certificate.unwrap_or_default())
}

/// The branch that a certificate was issued to, as given or as the inventory has it; empty for none.
async fn owner(
    office: &Office,
    serial: Serial,
    given: Option<BodyCode>,
) -> Result<String, CommandError> {
    match given {
        Some(branch) => Ok(branch.to_string()),
        None => Ok(certificate(office, serial).await?.branch),
    }
}

fn texts(ids: &[ApplicationId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

async fn list(
    office: &Office,
    desk: &mut ExaminationServiceClient<Channel>,
    most: usize,
    output: Output,
) -> Result<(), CommandError> {
    let mut found = Vec::new();
    let mut known = HashSet::new();
    let mut page_token = String::new();
    let waiting = loop {
        let page_size = cirs::page_size(most.saturating_sub(found.len()).max(1));
        let mut page = desk
            .list_examinations(v1::ListExaminationsRequest {
                page_size,
                page_token,
            })
            .await?
            .into_inner();
        page.applications.retain(|a| known.insert(a.id.clone()));
        found.append(&mut page.applications);
        page_token = page.next_page_token;
        if page_token.is_empty() || found.len() >= most {
            break page.waiting;
        }
    };
    let views: Vec<_> = found.iter().map(ApplicationView::from).collect();
    output.result(
        &serde_json::json!({ "waiting": waiting, "applications": views }),
        || applications_table(&found),
    );
    if waiting > 0 {
        output.say(format!(
            "{waiting} waiting; next: {}, approve ID… or reject ID… --reason …",
            office.command("operator", "show ID")
        ));
    }
    Ok(())
}

/// The numbers of what waits for examination.
async fn waiting(
    desk: &mut ExaminationServiceClient<Channel>,
) -> Result<Vec<String>, CommandError> {
    let mut ids = Vec::new();
    // The order moves on between two pages, so that one may come twice.
    let mut known = HashSet::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListExaminationsRequest {
            page_size: 1000,
            page_token,
        };
        let page = desk.list_examinations(request).await?.into_inner();
        let found = page.applications.into_iter().map(|a| a.id);
        ids.extend(found.filter(|id| known.insert(id.clone())));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(ids);
        }
    }
}

async fn approve(
    desk: &mut ExaminationServiceClient<Channel>,
    ids: &[String],
    all: bool,
    output: Output,
) -> Result<(), CommandError> {
    let bar = output.progress(ids.len() as u64, "approving");
    let mut outcomes = Vec::new();
    for chunk in ids.chunks(500) {
        let request = v1::ApproveApplicationsRequest {
            ids: chunk.to_vec(),
        };
        outcomes.extend(
            desk.approve_applications(request)
                .await?
                .into_inner()
                .outcomes,
        );
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    if all {
        // Between the listing and the approval somebody else may have settled some; and of those that
        // need two persons, this operator may have been the first.
        let before = outcomes.len();
        outcomes.retain(|outcome| !is_in_another_state(outcome));
        let passed_over = before - outcomes.len();
        if before == 0 {
            output.say("nothing waits for examination");
        } else if passed_over > 0 {
            output.say(format!(
                "{passed_over} passed over: approved by this operator before and waiting for another \
                 one, or settled meanwhile"
            ));
        }
    }
    let next =
        "approved; what still stands as examining waits for another operator, the rest is queued";
    report(outcomes, next, output)
}

async fn reject(
    desk: &mut ExaminationServiceClient<Channel>,
    ids: &[String],
    reason: &str,
    output: Output,
) -> Result<(), CommandError> {
    let mut outcomes = Vec::new();
    for ids in ids.chunks(1000) {
        let request = v1::RejectApplicationsRequest {
            ids: ids.to_vec(),
            reason: reason.to_owned(),
        };
        let answer = desk.reject_applications(request).await?;
        outcomes.extend(answer.into_inner().outcomes);
    }
    report(outcomes, "rejected; the branch reads the reason", output)
}

/// Whether an approval was refused for nothing but where the application stands.
fn is_in_another_state(outcome: &v1::ExaminationOutcome) -> bool {
    matches!(&outcome.outcome, Some(Outcome::Refused(why)) if why.reason == "APPLICATION_WRONG_STATE")
}

/// Shows what became of each application and says `next`; an error if something was not done.
fn report(
    outcomes: Vec<v1::ExaminationOutcome>,
    next: &str,
    output: Output,
) -> Result<(), CommandError> {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    let total = outcomes.len();
    for outcome in outcomes {
        match outcome.outcome {
            Some(Outcome::Application(application)) => done.push(application),
            Some(Outcome::Refused(why)) => refused.push(Refused::new(outcome.id, Some(why))),
            None => refused.push(Refused::new(outcome.id, None)),
        }
    }
    let views: Vec<_> = done.iter().map(ApplicationView::from).collect();
    let told: Vec<_> = refused.iter().map(|r| r.to_json("id")).collect();
    output.result(
        &serde_json::json!({ "done": views, "refused": told }),
        || applications_table(&done),
    );
    if !done.is_empty() {
        output.say(format!("{} {next}", done.len()));
    }
    if refused.is_empty() {
        return Ok(());
    }
    let message = format!("{} of {total} were refused", refused.len());
    Err(CommandError::new(message).refusing(refused))
}

/// A published CRL in JSON results.
#[derive(Serialize)]
pub(crate) struct CrlView {
    authority: String,
    key_generation: u32,
    scope: String,
    number: u64,
    /// Delta CRLs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_number: Option<u64>,
    this_update: String,
    next_update: String,
    entries: u64,
    digest: String,
    url: String,
}

impl CrlView {
    /// The CA.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Which list: its scope, and what a delta adds to.
    pub(crate) fn list(&self) -> String {
        match self.base_number {
            Some(base) => format!("{} delta since {base}", self.scope),
            None => self.scope.clone(),
        }
    }
}

impl From<&v1::PublishedCrl> for CrlView {
    fn from(crl: &v1::PublishedCrl) -> Self {
        let authority = crl
            .authority()
            .as_str_name()
            .trim_start_matches("AUTHORITY_")
            .to_lowercase();
        Self {
            authority,
            key_generation: crl.key_generation,
            scope: crl.scope.clone(),
            number: crl.number,
            base_number: (crl.base_number > 0).then_some(crl.base_number),
            this_update: crl.this_update.clone(),
            next_update: crl.next_update.clone(),
            entries: crl.entries,
            digest: crl.digest.clone(),
            url: crl.url.clone(),
        }
    }
}

fn show_crls(published: &[v1::PublishedCrl], output: Output) {
    let views: Vec<_> = published.iter().map(CrlView::from).collect();
    output.result(&views, || {
        table(
            &[
                "CA",
                "CRL",
                "number",
                "entries",
                "this update",
                "next update",
                "address",
            ],
            views.iter().map(|c| {
                vec![
                    c.authority.clone(),
                    c.list(),
                    c.number.to_string(),
                    c.entries.to_string(),
                    short_time(&c.this_update),
                    short_time(&c.next_update),
                    c.url.clone(),
                ]
            }),
        )
    });
}

async fn authorities(office: &Office, output: Output) -> Result<(), CommandError> {
    let answer = CertificateServiceClient::new(office.channel())
        .list_authorities(v1::ListAuthoritiesRequest {})
        .await?
        .into_inner();
    let rows: Vec<_> = answer
        .authorities
        .iter()
        .map(|a| {
            let name = a
                .authority()
                .as_str_name()
                .trim_start_matches("AUTHORITY_")
                .to_lowercase();
            (
                name,
                a.crl_number,
                a.crl_next_update.clone(),
                a.crl_url.clone(),
            )
        })
        .collect();
    let views: Vec<_> = rows
        .iter()
        .map(|(ca, number, next, url)| {
            serde_json::json!({ "authority": ca, "crl_number": number, "crl_next_update": next, "crl_url": url })
        })
        .collect();
    output.result(&views, || {
        table(
            &["CA", "CRL number", "next update", "address"],
            rows.iter().map(|(ca, number, next, url)| {
                vec![
                    ca.clone(),
                    number.to_string(),
                    short_time(next),
                    url.clone(),
                ]
            }),
        )
    });
    Ok(())
}
