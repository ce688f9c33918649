//! The front ends: several branches, each applying for all its certificates at once.
//!
//! A branch submits over one stream, watches for what is issued, downloads that in bulk and confirms
//! the delivery, all at the same time. Its CPU time is this process's and is not counted.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::Path,
    time::Duration,
};

use lgpki_domain::{ApplicationId, CertificateKind, Clock, KeyMedium};
use lgpki_proto::{
    convert::wire,
    v1::{
        self, ApplicationState, admission_service_client::AdmissionServiceClient,
        application_service_client::ApplicationServiceClient, directory_change::Change,
        directory_service_client::DirectoryServiceClient,
        download_certificates_response::Outcome as Downloaded, submit_application_request::Content,
        submit_applications_response::Outcome as Submitted,
    },
};
use lgpki_runtime::clock::SystemClock;
use tokio::{sync::mpsc, task::JoinHandle, time};
use tonic::transport::Channel;

use crate::{
    Failure, office,
    scene::{Branch, UNITS},
};

/// Certificates downloaded with one call at most.
const PAGE: usize = 500;
/// How long a branch gathers what is issued before it downloads fewer than a page.
const GATHER: Duration = Duration::from_millis(100);
/// How long nothing may happen before the measurement is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A certificate that a branch holds in the end.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Its application.
    pub id: String,
    /// Which of the branch's orders it answers.
    pub order: usize,
    /// DER.
    pub certificate: Vec<u8>,
    /// As the answer names it.
    pub serial: String,
}

/// Registers the units of every branch, as its LGWAN officer.
pub async fn register(ca: &Path, branches: &[Branch]) -> Result<(), Failure> {
    for branch in branches {
        let channel = office::connect(ca, &format!("lgwan-officer-{}", branch.code))?;
        let changes = UNITS.map(|(en, ja)| {
            let names = Some(v1::Names {
                en: en.into(),
                ja: ja.into(),
            });
            let change = Some(Change::RegisterOrganization(v1::Organization { names }));
            v1::DirectoryChange { change }
        });
        let request = v1::ChangeEntriesRequest {
            body: branch.code.to_string(),
            changes: changes.into(),
        };
        DirectoryServiceClient::new(channel)
            .change_entries(request)
            .await?;
    }
    Ok(())
}

/// Lets any number of applications in, as an operator: what is measured is the path, not the wait
/// before it. Admission is asked all the same.
pub async fn lift_limits(ca: &Path) -> Result<(), Failure> {
    let mut desk = AdmissionServiceClient::new(office::connect(ca, "operator-1")?);
    let standing = desk.get_limits(v1::GetLimitsRequest {}).await?.into_inner();
    let most = lgpki_domain::limits::MOST;
    let limits = v1::Limits {
        branch_per_hour: most,
        branch_burst: most,
        caller_per_hour: most,
        caller_burst: most,
        all_per_second: most,
        all_burst: most,
        queue: most,
        ..standing.limits.unwrap_or_default()
    };
    let request = v1::ChangeLimitsRequest {
        limits: Some(limits),
        revision: standing.revision,
    };
    desk.change_limits(request).await?;
    Ok(())
}

/// The connections of all branch officers, made before anything is measured.
pub async fn log_in(ca: &Path, branches: &[Branch]) -> Result<Vec<Channel>, Failure> {
    let mut channels = Vec::new();
    for branch in branches {
        let channel = office::connect(ca, &format!("branch-officer-{}", branch.code))?;
        let request = v1::ListApplicationsRequest {
            page_size: 1,
            ..Default::default()
        };
        ApplicationServiceClient::new(channel.clone())
            .list_applications(request)
            .await?;
        channels.push(channel);
    }
    Ok(channels)
}

/// The requests of a branch as they go over the wire.
#[must_use]
pub fn requests(branch: &Branch) -> Vec<v1::SubmitApplicationsRequest> {
    let today = SystemClock.now().jst_date().to_string();
    let request = |(number, order): (usize, &crate::scene::Order)| v1::SubmitApplicationRequest {
        request_id: format!("bench-{number:06}"),
        branch: branch.code.to_string(),
        examination: Some(v1::BranchExamination {
            office: String::from("総務課長"),
            examiner_name: String::new(),
            approved: true,
            decided_on: today.clone(),
        }),
        content: Some(Content::Issue(v1::IssueContent {
            kind: wire(CertificateKind::OfficialDuty),
            subject: Some(v1::Subject::from(&order.subject)),
            csr: order.csr.clone(),
            medium: wire(KeyMedium::IcCard),
            dns_names: Vec::new(),
            mail_address: String::new(),
            login_role: 0,
        })),
    };
    branch
        .orders
        .iter()
        .enumerate()
        .map(request)
        .map(|application| v1::SubmitApplicationsRequest {
            application: Some(application),
        })
        .collect()
}

/// Drives one branch until it holds a confirmed certificate for every request.
pub async fn drive(
    channel: Channel,
    requests: Vec<v1::SubmitApplicationsRequest>,
) -> Result<Vec<Delivered>, Failure> {
    let wanted = requests.len();
    let mut client = ApplicationServiceClient::new(channel);
    let (sender, mut issued) = mpsc::unbounded_channel();
    let watching = tokio::spawn(watch(client.clone(), sender, wanted));
    let submitting: JoinHandle<Result<_, Failure>> = tokio::spawn(submit(client.clone(), requests));
    let mut waiting = VecDeque::new();
    let mut held = Vec::with_capacity(wanted);
    while held.len() < wanted {
        gather(&mut issued, &mut waiting, wanted - held.len()).await?;
        let ids: Vec<String> = waiting.drain(..waiting.len().min(PAGE)).collect();
        let (downloaded, again) = download(&mut client, ids).await?;
        if !again.is_empty() {
            waiting.extend(again);
            time::sleep(GATHER).await;
        }
        confirm(&mut client, &downloaded).await?;
        held.extend(downloaded);
    }
    let orders = submitting.await??;
    watching.abort();
    for one in &mut held {
        let order = orders.get(&one.id).copied();
        one.order = order.ok_or_else(|| format!("{} was issued but not accepted", one.id))?;
    }
    Ok(held)
}

/// Waits for a page of issued applications, or for fewer after a while.
async fn gather(
    issued: &mut mpsc::UnboundedReceiver<String>,
    waiting: &mut VecDeque<String>,
    missing: usize,
) -> Result<(), Failure> {
    let enough = PAGE.min(missing);
    if waiting.is_empty() {
        let first = time::timeout(PATIENCE, issued.recv()).await;
        let first = first.map_err(|_| "no certificate was issued for a minute")?;
        waiting.push_back(first.ok_or("watching the applications ended")?);
    }
    let deadline = time::Instant::now() + GATHER;
    while waiting.len() < enough {
        match time::timeout_at(deadline, issued.recv()).await {
            Ok(Some(id)) => waiting.push_back(id),
            Ok(None) | Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// Tells of every application of the branch as it is issued.
async fn watch(
    mut client: ApplicationServiceClient<Channel>,
    issued: mpsc::UnboundedSender<String>,
    wanted: usize,
) -> Result<(), Failure> {
    let states = [
        ApplicationState::Issued,
        ApplicationState::Failed,
        ApplicationState::Rejected,
    ];
    let filter = v1::ApplicationFilter {
        states: states.into_iter().map(i32::from).collect(),
        ..Default::default()
    };
    let request = v1::WatchApplicationsRequest {
        filter: Some(filter),
        ids: Vec::new(),
    };
    let mut changes = client.watch_applications(request).await?.into_inner();
    // A watcher hears the newest state of what changed, so it may hear the same state again.
    let mut told = HashSet::with_capacity(wanted);
    while told.len() < wanted {
        let change = changes
            .message()
            .await?
            .ok_or("watching the applications ended")?;
        let application = change
            .application
            .ok_or("a change without an application")?;
        if application.state() != ApplicationState::Issued {
            return Err(format!(
                "{} is {:?}: {}",
                application.id,
                application.state(),
                application.reason
            )
            .into());
        }
        if told.insert(application.id.clone()) {
            issued.send(application.id)?;
        }
    }
    Ok(())
}

/// Submits all and tells which application answers which request.
async fn submit(
    mut client: ApplicationServiceClient<Channel>,
    requests: Vec<v1::SubmitApplicationsRequest>,
) -> Result<HashMap<String, usize>, Failure> {
    let wanted = requests.len();
    let mut answers = client
        .submit_applications(tokio_stream::iter(requests))
        .await?
        .into_inner();
    let mut orders = HashMap::with_capacity(wanted);
    while let Some(answer) = answers.message().await? {
        match answer.outcome {
            Some(Submitted::Accepted(accepted)) => {
                let application = accepted
                    .application
                    .ok_or("accepted without an application")?;
                application.id.parse::<ApplicationId>()?;
                let number = application
                    .request_id
                    .trim_start_matches("bench-")
                    .parse()?;
                orders.insert(application.id, number);
            }
            Some(Submitted::Refused(refusal)) => {
                return Err(format!("{} was refused: {refusal:?}", answer.request_id).into());
            }
            None => return Err(format!("{} got no answer", answer.request_id).into()),
        }
    }
    if orders.len() == wanted {
        return Ok(orders);
    }
    Err(format!("{} of {wanted} applications were accepted", orders.len()).into())
}

/// Downloads certificates; what is not in the inventory yet comes back to be tried again.
async fn download(
    client: &mut ApplicationServiceClient<Channel>,
    ids: Vec<String>,
) -> Result<(Vec<Delivered>, Vec<String>), Failure> {
    let request = v1::DownloadCertificatesRequest { ids };
    let mut answers = client.download_certificates(request).await?.into_inner();
    let (mut downloaded, mut again) = (Vec::new(), Vec::new());
    while let Some(answer) = answers.message().await? {
        match answer.outcome {
            Some(Downloaded::Certificate(certificate)) => downloaded.push(Delivered {
                id: answer.id,
                order: 0,
                certificate: certificate.certificate,
                serial: certificate.serial,
            }),
            Some(Downloaded::Refused(refusal)) if refusal.retry_after_ms > 0 => {
                again.push(answer.id);
            }
            Some(Downloaded::Refused(refusal)) => {
                return Err(format!("{} cannot be downloaded: {refusal:?}", answer.id).into());
            }
            None => return Err(format!("{} got no answer", answer.id).into()),
        }
    }
    Ok((downloaded, again))
}

async fn confirm(
    client: &mut ApplicationServiceClient<Channel>,
    downloaded: &[Delivered],
) -> Result<(), Failure> {
    if downloaded.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = downloaded.iter().map(|d| d.id.clone()).collect();
    let answer = client
        .confirm_delivery(v1::ConfirmDeliveryRequest { ids })
        .await?
        .into_inner();
    if answer.delivered.len() == downloaded.len() {
        return Ok(());
    }
    Err(format!("deliveries were not confirmed: {:?}", answer.refused).into())
}
