//! What a front end does with a branch's connection: it submits applications, fetches certificates, and confirms that they
//! arrived. What finds a service away is sent again, as the contract tells front ends to do; what is refused is given back.

use std::{collections::BTreeMap, future::Future, time::Duration};

use lgpki_domain::ErrorClass;
use lgpki_proto::{
    RemoteError,
    v1::{
        self, application_service_client::ApplicationServiceClient,
        submit_applications_response::Outcome,
    },
};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use crate::error::CommandError;

/// Nothing takes longer than that, in the machine's own time.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);
/// Between two tries, in the machine's own time.
pub(super) const AGAIN: Duration = Duration::from_millis(1);
/// The most items of one call.
pub(super) const AT_ONCE: usize = 1_000;

/// What became of a submission.
pub(super) type Submitted = Result<v1::Application, RemoteError>;

/// Submits applications of one branch; the outcomes stand in their order.
pub(super) async fn submit(
    channel: Channel,
    mut requests: Vec<v1::SubmitApplicationRequest>,
) -> Result<Vec<Submitted>, CommandError> {
    if requests.len() == 1
        && let Some(request) = requests.pop()
    {
        let answer = persist(|| {
            let (mut client, request) = (
                ApplicationServiceClient::new(channel.clone()),
                request.clone(),
            );
            async move { client.submit_application(request).await }
        });
        let application = answer.await.map(|a| a.application.unwrap_or_default());
        return Ok(vec![application]);
    }
    let ids: Vec<_> = requests.iter().map(|r| r.request_id.clone()).collect();
    let items = requests.into_iter().map(|application| {
        let application = Some(application);
        v1::SubmitApplicationsRequest { application }
    });
    let mut client = ApplicationServiceClient::new(channel);
    let mut answers = client
        .submit_applications(tokio_stream::iter(items))
        .await?
        .into_inner();
    let mut outcomes = BTreeMap::new();
    while let Some(answer) = answers.message().await? {
        let outcome = match answer.outcome {
            Some(Outcome::Accepted(accepted)) => Ok(accepted.application.unwrap_or_default()),
            Some(Outcome::Refused(refusal)) => Err(RemoteError::from(refusal)),
            None => continue,
        };
        outcomes.insert(answer.request_id, outcome);
    }
    let unanswered = || CommandError::new("an application was not answered");
    ids.iter()
        .map(|id| outcomes.remove(id).ok_or_else(unanswered))
        .collect()
}

/// Downloads the certificates of applications and confirms that they arrived; gives their serial numbers.
pub(super) async fn deliver(
    channel: Channel,
    ids: Vec<String>,
) -> Result<Vec<(String, String)>, CommandError> {
    let mut arrived = Vec::with_capacity(ids.len());
    for ids in ids.chunks(AT_ONCE) {
        let mut missing = ids.to_vec();
        let deadline = Instant::now() + PATIENCE;
        while !missing.is_empty() {
            let wanted = std::mem::take(&mut missing);
            for (id, outcome) in download(channel.clone(), wanted).await? {
                match outcome {
                    Ok(serial) => arrived.push((id, serial)),
                    // About to enter the inventory.
                    Err(refused) if is_away(&refused) && Instant::now() < deadline => {
                        missing.push(id);
                    }
                    Err(refused) => return Err(CommandError::from(refused).during(&id)),
                }
            }
            if !missing.is_empty() {
                sleep(AGAIN).await;
            }
        }
        let confirmed = persist(|| {
            let mut client = ApplicationServiceClient::new(channel.clone());
            let ids = ids.to_vec();
            async move {
                let request = v1::ConfirmDeliveryRequest { ids };
                client.confirm_delivery(request).await
            }
        });
        if let Some(item) = confirmed.await?.refused.into_iter().next() {
            let refusal = item.refusal.unwrap_or_default();
            return Err(CommandError::from(RemoteError::from(refusal)).during(&item.id));
        }
    }
    Ok(arrived)
}

async fn download(
    channel: Channel,
    ids: Vec<String>,
) -> Result<Vec<(String, Result<String, RemoteError>)>, CommandError> {
    use v1::download_certificates_response::Outcome;
    let mut client = ApplicationServiceClient::new(channel);
    let request = v1::DownloadCertificatesRequest { ids };
    let mut answers = client.download_certificates(request).await?.into_inner();
    let mut outcomes = Vec::new();
    while let Some(answer) = answers.message().await? {
        match answer.outcome {
            Some(Outcome::Certificate(got)) => outcomes.push((answer.id, Ok(got.serial))),
            Some(Outcome::Refused(refusal)) => outcomes.push((answer.id, Err(refusal.into()))),
            None => {}
        }
    }
    Ok(outcomes)
}

/// Makes a call until it is answered or refused.
pub(super) async fn persist<T, F>(call: impl Fn() -> F) -> Result<T, RemoteError>
where
    F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => {
                let refused = RemoteError::from(status);
                if !is_away(&refused) || Instant::now() > deadline {
                    return Err(refused);
                }
            }
        }
        sleep(AGAIN).await;
    }
}

/// Whether a service is away, or not as far yet; not whether it is full, for that passes with the replay's own time.
fn is_away(refused: &RemoteError) -> bool {
    refused.class() == ErrorClass::Unavailable
}
