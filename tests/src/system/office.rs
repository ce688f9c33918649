//! An office at its front end: it applies, watches, downloads, confirms, revokes, looks up; an
//! operator examines.
//!
//! A call that finds a service away is sent again, as the contract tells front ends to do, with the
//! same request id; what is refused is given back.

use std::future::Future;

use lgpki_domain::Clock;
use lgpki_proto::{
    RemoteError,
    v1::{
        self, application_service_client::ApplicationServiceClient,
        certificate_service_client::CertificateServiceClient,
        directory_service_client::DirectoryServiceClient,
        examination_service_client::ExaminationServiceClient, submit_application_request::Content,
    },
};
use lgpki_testkit::ManualClock;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::transport::Channel;

use super::{
    order::Order,
    running::{LOOK_AGAIN, PATIENCE},
};
use crate::request;

/// An answer, or why it was refused.
pub type Reply<T> = Result<T, RemoteError>;

/// An office with its connection to intake.
#[derive(Clone, Debug)]
pub struct Office {
    branch: Option<&'static str>,
    clock: ManualClock,
    channel: Channel,
}

/// A certificate that arrived at the branch.
#[derive(Clone, Debug)]
pub struct Downloaded {
    /// The application's number.
    pub application: String,
    /// The serial number.
    pub serial: String,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The CA's, DER.
    pub ca: Vec<u8>,
}

impl Office {
    pub(super) const fn new(
        branch: Option<&'static str>,
        clock: ManualClock,
        channel: Channel,
    ) -> Self {
        Self {
            branch,
            clock,
            channel,
        }
    }

    /// The office's branch.
    #[must_use]
    pub fn branch(&self) -> &'static str {
        self.branch.expect("an office of a branch")
    }

    /// The connection, for calls that are not made here.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Submits an application of the office's branch; gives it as it was stored.
    pub async fn submit(&self, content: Content) -> Reply<v1::Application> {
        self.submit_for(self.branch(), content).await
    }

    /// Submits an application for a branch.
    pub async fn submit_for(&self, branch: &str, content: Content) -> Reply<v1::Application> {
        self.send(self.request(branch, content)).await
    }

    /// An application that was approved today, under a request id of its own.
    #[must_use]
    pub fn request(&self, branch: &str, content: Content) -> v1::SubmitApplicationRequest {
        let mut request = request::application(branch, content);
        if let Some(examination) = &mut request.examination {
            examination.decided_on = self.clock.now().jst_date().to_string();
        }
        request
    }

    /// Sends a request until it is answered.
    pub async fn send(&self, request: v1::SubmitApplicationRequest) -> Reply<v1::Application> {
        let answer = persist(|| {
            let (mut client, request) = (self.applications(), request.clone());
            async move { client.submit_application(request).await }
        });
        Ok(answer.await?.application.unwrap_or_default())
    }

    /// Applies for a certificate.
    pub async fn apply(&self, order: &Order) -> Reply<v1::Application> {
        self.submit(Content::Issue(order.content.clone())).await
    }

    /// Applies for the renewal of a certificate with the key of `order`.
    pub async fn renew(&self, serial: &str, order: &Order) -> Reply<v1::Application> {
        self.submit(Content::Renew(order.renewal(serial))).await
    }

    /// Applies for a revocation.
    pub async fn revoke(
        &self,
        serial: &str,
        reason: v1::RevocationReason,
    ) -> Reply<v1::Application> {
        let content = v1::RevokeContent {
            serial: serial.to_owned(),
            reason: reason.into(),
        };
        self.submit(Content::Revoke(content)).await
    }

    /// Applies for an abolition.
    pub async fn abolish(&self, serial: &str) -> Reply<v1::Application> {
        let content = v1::AbolishContent {
            serial: serial.to_owned(),
        };
        self.submit(Content::Abolish(content)).await
    }

    /// Withdraws an application.
    pub async fn withdraw(&self, id: &str) -> Reply<v1::Application> {
        let answer = persist(|| {
            let mut client = self.applications();
            let request = v1::WithdrawApplicationRequest { id: id.to_owned() };
            async move { client.withdraw_application(request).await }
        });
        Ok(answer.await?.application.unwrap_or_default())
    }

    /// An application as it stands.
    pub async fn application(&self, id: &str) -> Reply<v1::Application> {
        let answer = persist(|| {
            let mut client = self.applications();
            let request = v1::GetApplicationRequest {
                id: id.to_owned(),
                ..v1::GetApplicationRequest::default()
            };
            async move { client.get_application(request).await }
        });
        Ok(answer.await?.application.unwrap_or_default())
    }

    /// The applications that match.
    pub async fn list(&self, filter: v1::ApplicationFilter) -> Reply<Vec<v1::Application>> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let answer = persist(|| {
                let mut client = self.applications();
                let request = v1::ListApplicationsRequest {
                    filter: Some(filter.clone()),
                    page_size: 1_000,
                    page_token: page_token.clone(),
                };
                async move { client.list_applications(request).await }
            });
            let page = answer.await?;
            found.extend(page.applications);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Watches an application until `reached` holds of it.
    pub async fn watch(
        &self,
        id: &str,
        reached: impl Fn(v1::ApplicationState) -> bool,
    ) -> Reply<v1::Application> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            let mut stream = persist(|| {
                let mut client = self.applications();
                let request = v1::WatchApplicationsRequest {
                    ids: vec![id.to_owned()],
                    ..v1::WatchApplicationsRequest::default()
                };
                async move { client.watch_applications(request).await }
            })
            .await?;
            loop {
                let Ok(message) = timeout_at(deadline, stream.message()).await else {
                    panic!("application {id} stays as it is: {last:?}");
                };
                // A stream that broke is opened again.
                let Ok(Some(message)) = message else { break };
                let application = message.application.unwrap_or_default();
                if reached(application.state()) {
                    return Ok(application);
                }
                last = Some(application.state());
            }
        }
    }

    /// Waits until an application has ended or its certificate can be downloaded.
    pub async fn outcome(&self, id: &str) -> Reply<v1::Application> {
        use v1::ApplicationState as State;
        let through = |state| {
            matches!(
                state,
                State::Issued
                    | State::Delivered
                    | State::Rejected
                    | State::Withdrawn
                    | State::Failed
                    | State::Completed
            )
        };
        self.watch(id, through).await
    }

    /// Downloads a certificate; not yet in the inventory, it is asked for again.
    pub async fn download(&self, id: &str) -> Reply<Downloaded> {
        let answer = persist(|| {
            let mut client = self.applications();
            let request = v1::DownloadCertificateRequest { id: id.to_owned() };
            async move { client.download_certificate(request).await }
        });
        let answer = answer.await?;
        Ok(Downloaded {
            application: answer.id,
            serial: answer.serial,
            certificate: answer.certificate,
            ca: answer.ca_certificate,
        })
    }

    /// Confirms that a certificate arrived.
    pub async fn confirm(&self, id: &str) -> Reply<()> {
        let answer = persist(|| {
            let mut client = self.applications();
            let ids = vec![id.to_owned()];
            async move {
                let request = v1::ConfirmDeliveryRequest { ids };
                client.confirm_delivery(request).await
            }
        });
        match answer.await?.refused.pop().and_then(|item| item.refusal) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(()),
        }
    }

    /// Waits for the certificate of an application, downloads it and confirms that it arrived.
    pub async fn fetch(&self, id: &str) -> Reply<Downloaded> {
        let stands = self.outcome(id).await?;
        let state = stands.state();
        assert_eq!(state, v1::ApplicationState::Issued, "{}", stands.reason);
        let downloaded = self.download(id).await?;
        self.confirm(id).await?;
        Ok(downloaded)
    }

    /// A certificate as the inventory has it.
    pub async fn certificate(&self, serial: &str) -> Reply<v1::Certificate> {
        let answer = persist(|| {
            let mut client = self.certificates();
            let serial = serial.to_owned();
            async move {
                let request = v1::GetCertificateRequest { serial };
                client.get_certificate(request).await
            }
        });
        Ok(answer.await?.certificate.unwrap_or_default())
    }

    /// The state of a certificate today.
    pub async fn state(&self, serial: &str) -> v1::CertificateState {
        let found = self.certificate(serial).await;
        found.expect("a certificate in the inventory").state()
    }

    /// All certificates of the inventory that the office may see.
    pub async fn inventory(&self) -> Reply<Vec<v1::Certificate>> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let answer = persist(|| {
                let mut client = self.certificates();
                let request = v1::ListCertificatesRequest {
                    page_size: 1_000,
                    page_token: page_token.clone(),
                    ..v1::ListCertificatesRequest::default()
                };
                async move { client.list_certificates(request).await }
            });
            let page = answer.await?;
            found.extend(page.certificates);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Approves applications, as an operator.
    pub async fn approve(&self, ids: &[String]) -> Reply<Vec<v1::ExaminationOutcome>> {
        let answer = persist(|| {
            let mut client = self.examinations();
            let request = v1::ApproveApplicationsRequest { ids: ids.to_vec() };
            async move { client.approve_applications(request).await }
        });
        Ok(answer.await?.outcomes)
    }

    /// Rejects applications, as an operator.
    pub async fn reject(&self, ids: &[String]) -> Reply<Vec<v1::ExaminationOutcome>> {
        let answer = persist(|| {
            let mut client = self.examinations();
            let request = v1::RejectApplicationsRequest {
                ids: ids.to_vec(),
                reason: "証明書の名義を確認してください".to_owned(),
            };
            async move { client.reject_applications(request).await }
        });
        Ok(answer.await?.outcomes)
    }

    /// Has the CRLs of all CAs published now, as an operator; see [`System::publish_crls`](super::System::publish_crls).
    pub(super) async fn publish_crls(&self) -> Reply<Vec<v1::PublishedCrl>> {
        let answer = persist(|| {
            let mut client = self.examinations();
            let request = v1::PublishCrlNowRequest::default();
            async move { client.publish_crl_now(request).await }
        });
        Ok(answer.await?.published)
    }

    /// Approves whatever waits for examination, as an operator; gives how many that were.
    pub async fn approve_all(&self) -> Reply<usize> {
        let filter = v1::ApplicationFilter {
            states: vec![v1::ApplicationState::Examining.into()],
            ..v1::ApplicationFilter::default()
        };
        let waiting = self.list(filter).await?;
        let ids: Vec<_> = waiting.into_iter().map(|found| found.id).collect();
        for ids in ids.chunks(1_000) {
            self.approve(ids).await?;
        }
        Ok(ids.len())
    }

    /// Registers a unit with a body, as an operator.
    pub(super) async fn register_unit(&self, body: &str, names: v1::Names) {
        use v1::directory_change::Change;
        let unit = v1::Organization { names: Some(names) };
        let request = v1::ChangeEntriesRequest {
            body: body.to_owned(),
            changes: vec![v1::DirectoryChange {
                change: Some(Change::RegisterOrganization(unit)),
            }],
        };
        let changed = persist(|| {
            let mut client = DirectoryServiceClient::new(self.channel());
            let request = request.clone();
            async move { client.change_entries(request).await }
        });
        changed.await.expect("the unit is registered");
    }

    fn applications(&self) -> ApplicationServiceClient<Channel> {
        ApplicationServiceClient::new(self.channel())
    }

    fn certificates(&self) -> CertificateServiceClient<Channel> {
        CertificateServiceClient::new(self.channel())
    }

    fn examinations(&self) -> ExaminationServiceClient<Channel> {
        ExaminationServiceClient::new(self.channel())
    }
}

/// Makes a call until it is answered or refused for good.
pub(super) async fn persist<T, F>(call: impl Fn() -> F) -> Reply<T>
where
    F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => {
                let refused = RemoteError::from(status);
                if !again(&refused) || Instant::now() > deadline {
                    return Err(refused);
                }
            }
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Whether a front end sends the same request again: the service is away, or the connection broke.
fn again(refused: &RemoteError) -> bool {
    refused.may_be_tried_again() || refused.reason == "TRANSPORT"
}
