//! The demonstration's registration branches and its operator: submitting, examining, downloading.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lgpki_domain::{BodyCode, CertificateKind, Clock};
use lgpki_proto::v1::{
    self, application_service_client::ApplicationServiceClient,
    download_certificates_response::Outcome as Downloaded,
    examination_service_client::ExaminationServiceClient, submit_application_request::Content,
    submit_applications_response::Outcome as Submitted,
};
use lgpki_runtime::clock::SystemClock;
use lgpki_x509::key::sha256;
use tokio_stream::StreamExt;
use tonic::transport::Channel;

use super::{
    super::cirs,
    applicants::Applicant,
    world::{BRANCHES, World},
};
use crate::error::CommandError;

/// The application of some content, as a branch submits it.
pub(super) fn application(branch: BodyCode, content: Content) -> v1::SubmitApplicationRequest {
    let mut request = v1::SubmitApplicationRequest {
        request_id: String::new(),
        branch: branch.to_string(),
        examination: Some(v1::BranchExamination {
            office: String::from("総務課長"),
            examiner_name: String::from("模擬 太郎"),
            approved: true,
            decided_on: SystemClock.now().jst_date().to_string(),
        }),
        content: Some(content),
    };
    let digest = sha256(format!("{request:?}").as_bytes()).to_string();
    request.request_id = format!("demo-{}", &digest[..32]);
    request
}

/// Each branch streams its applications.
pub(super) async fn submit(
    world: &World,
    applicants: &mut [Applicant],
) -> Result<(), CommandError> {
    for code in BRANCHES {
        let office = world.office(&format!("branch-officer-{code}"))?;
        let mine: Vec<_> = applicants
            .iter_mut()
            .filter(|a| a.branch.to_string() == code)
            .collect();
        let requests: Vec<_> = mine
            .iter()
            .map(|a| application(a.branch, Content::Issue(a.content.clone())))
            .collect();
        let items = requests.clone().into_iter();
        let items = items.map(|a| v1::SubmitApplicationsRequest {
            application: Some(a),
        });
        let mut client = ApplicationServiceClient::new(office.channel());
        let mut answers = client
            .submit_applications(tokio_stream::iter(items))
            .await?
            .into_inner();
        let mut numbers = BTreeMap::new();
        while let Some(answer) = answers.next().await {
            let answer = answer?;
            match answer.outcome {
                Some(Submitted::Accepted(a)) => {
                    numbers.insert(answer.request_id, a.application.unwrap_or_default().id);
                }
                Some(Submitted::Refused(r)) => {
                    return Err(CommandError::new(cirs::refusal(&answer.request_id, &r)));
                }
                None => return Err(CommandError::new("an item was not answered")),
            }
        }
        for (applicant, request) in mine.into_iter().zip(requests) {
            applicant.application = numbers
                .get(&request.request_id)
                .and_then(|id| id.parse().ok());
            if applicant.application.is_none() {
                return Err(CommandError::new(format!(
                    "{} was not answered",
                    applicant.label
                )));
            }
        }
    }
    Ok(())
}

/// An operator finds exactly the official-duty application waiting, and approves it.
pub(super) async fn examine(world: &World, applicants: &[Applicant]) -> Result<(), CommandError> {
    let office = world.office("operator-1")?;
    let mut desk = ExaminationServiceClient::new(office.channel());
    let waiting = desk
        .list_examinations(v1::ListExaminationsRequest::default())
        .await?
        .into_inner();
    let ids: Vec<_> = waiting.applications.into_iter().map(|a| a.id).collect();
    let expected: Vec<_> = applicants
        .iter()
        .filter(|a| a.kind == CertificateKind::OfficialDuty)
        .map(Applicant::number)
        .collect();
    if ids != expected {
        return Err(CommandError::new(format!(
            "{ids:?} wait for examination, not {expected:?}"
        )));
    }
    let answer = desk
        .approve_applications(v1::ApproveApplicationsRequest { ids })
        .await?;
    for outcome in answer.into_inner().outcomes {
        if let Some(v1::examination_outcome::Outcome::Refused(why)) = outcome.outcome {
            return Err(CommandError::new(cirs::refusal(&outcome.id, &why)));
        }
    }
    Ok(())
}

/// Waits until every application is issued.
pub(super) async fn await_issue(
    world: &World,
    applicants: &mut [Applicant],
) -> Result<(), CommandError> {
    let office = world.office("auditor-1")?;
    let mut waiting: BTreeSet<_> = applicants.iter().map(Applicant::number).collect();
    let ids = waiting.iter().cloned().collect();
    let mut changes = ApplicationServiceClient::new(office.channel())
        .watch_applications(v1::WatchApplicationsRequest { filter: None, ids })
        .await?
        .into_inner();
    while !waiting.is_empty() {
        let change = changes.message().await?.and_then(|c| c.application);
        let application = change.ok_or_else(|| CommandError::new("the stream of changes ended"))?;
        match application.state() {
            v1::ApplicationState::Issued => {
                waiting.remove(&application.id);
            }
            v1::ApplicationState::Rejected
            | v1::ApplicationState::Failed
            | v1::ApplicationState::Withdrawn => {
                let message = format!("{} was not issued: {}", application.id, application.reason);
                return Err(CommandError::new(message));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Each branch downloads its certificates and confirms their delivery.
pub(super) async fn download(
    world: &World,
    applicants: &mut [Applicant],
) -> Result<(), CommandError> {
    for code in BRANCHES {
        let office = world.office(&format!("branch-officer-{code}"))?;
        let mut client = ApplicationServiceClient::new(office.channel());
        for applicant in applicants
            .iter_mut()
            .filter(|a| a.branch.to_string() == code)
        {
            let (id, certificate) = fetch(&mut client, applicant.number()).await?;
            let authority = applicant.kind.authority();
            let ca = authority
                .map(|a| world.authority(a))
                .transpose()?
                .unwrap_or_default();
            applicant.certificate = Some((certificate, ca));
            let request = v1::ConfirmDeliveryRequest {
                ids: vec![id.clone()],
            };
            let confirmed = client.confirm_delivery(request).await?.into_inner();
            if confirmed.delivered != [id] {
                return Err(CommandError::new(format!(
                    "{} was not delivered",
                    applicant.label
                )));
            }
        }
    }
    Ok(())
}

/// Downloads one certificate, waiting out the moment in which the inventory does not know it yet.
async fn fetch(
    client: &mut ApplicationServiceClient<Channel>,
    id: String,
) -> Result<(String, Vec<u8>), CommandError> {
    loop {
        let request = v1::DownloadCertificatesRequest {
            ids: vec![id.clone()],
        };
        let mut answers = client.download_certificates(request).await?.into_inner();
        let answer = answers.message().await?;
        let answer = answer.ok_or_else(|| CommandError::new("nothing was downloaded"))?;
        match answer.outcome {
            Some(Downloaded::Certificate(c)) => return Ok((c.id, c.certificate)),
            Some(Downloaded::Refused(r)) if r.retry_after_ms > 0 => {
                let wait = u64::try_from(r.retry_after_ms).unwrap_or_default();
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            Some(Downloaded::Refused(r)) => return Err(CommandError::new(cirs::refusal(&id, &r))),
            None => return Err(CommandError::new("the server gave no answer")),
        }
    }
}
