//! ApplicationService.

use lgpki_domain::Faults;
use lgpki_proto::{
    convert,
    v1::{self, application_service_server::ApplicationService},
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{
    Handlers, checked, decode, decoded, encode, feed::Feed, id, ids, refusal, slot::slot_use,
    submit, watch,
};
use crate::{
    app::{
        AppError,
        deliver::Download,
        read::{Named, Page, page_size},
    },
    ports::{Application, IntakeStore},
};

impl<S: IntakeStore> Handlers<S> {
    /// An application as this caller may see it.
    pub(super) fn shown(&self, rpc: &Rpc, application: &Application) -> v1::Application {
        let name = self.app.examiner_name(rpc.caller(), application);
        encode::application(application, name)
    }

    pub(super) fn shown_page(&self, rpc: &Rpc, page: &Page) -> (Vec<v1::Application>, String) {
        let shown = page.applications.iter().map(|a| self.shown(rpc, a));
        let next = page.next.map(|id| id.to_string()).unwrap_or_default();
        (shown.collect(), next)
    }
}

#[async_trait]
impl<S: IntakeStore> ApplicationService for Handlers<S> {
    async fn submit_application(
        &self,
        request: Request<v1::SubmitApplicationRequest>,
    ) -> Result<Response<v1::SubmitApplicationResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let submission = decode::submission(request.into_inner(), self.app.now());
        let outcomes = self.app.submit(rpc.caller(), vec![submission]).await;
        let mut outcomes = outcomes.map_err(|error| rpc.refuse(error))?;
        let lost = || Err(AppError::Internal("no outcome".to_owned()));
        let accepted = outcomes
            .pop()
            .unwrap_or_else(lost)
            .map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::SubmitApplicationResponse {
            application: Some(self.shown(&rpc, &accepted.application)),
            repeated: accepted.repeated,
            slot: slot_use(accepted.slot),
        }))
    }

    type SubmitApplicationsStream = Feed<v1::SubmitApplicationsResponse>;

    async fn submit_applications(
        &self,
        request: Request<Streaming<v1::SubmitApplicationsRequest>>,
    ) -> Result<Response<Self::SubmitApplicationsStream>, Status> {
        let rpc = Rpc::of(&request)?;
        let answers = submit::stream(self.clone(), rpc, request.into_inner())?;
        Ok(Response::new(answers))
    }

    async fn get_application(
        &self,
        request: Request<v1::GetApplicationRequest>,
    ) -> Result<Response<v1::GetApplicationResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let mut faults = Faults::new();
        let named = if request.id.is_empty() && !request.request_id.is_empty() {
            let branch = convert::optional_text(&mut faults, "branch", &request.branch);
            let name = convert::required_text(&mut faults, "request_id", &request.request_id);
            name.map(|name| Named::Request(branch, name))
        } else {
            convert::required_text(&mut faults, "id", &request.id).map(Named::Id)
        };
        let named = decoded(&rpc, faults, named)?;
        let application = self.app.application(rpc.caller(), named).await;
        let application = application.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::GetApplicationResponse {
            application: Some(self.shown(&rpc, &application)),
        }))
    }

    async fn list_applications(
        &self,
        request: Request<v1::ListApplicationsRequest>,
    ) -> Result<Response<v1::ListApplicationsResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let mut faults = Faults::new();
        let filter = decode::filter(&mut faults, request.filter);
        let after = convert::optional_text(&mut faults, "page_token", &request.page_token);
        checked(&rpc, faults)?;
        let most = page_size(request.page_size);
        let page = self.app.applications(rpc.caller(), filter, after, most);
        let page = page.await.map_err(|error| rpc.refuse(error))?;
        let (applications, next_page_token) = self.shown_page(&rpc, &page);
        Ok(Response::new(v1::ListApplicationsResponse {
            applications,
            next_page_token,
        }))
    }

    type WatchApplicationsStream = Feed<v1::WatchApplicationsResponse>;

    async fn watch_applications(
        &self,
        request: Request<v1::WatchApplicationsRequest>,
    ) -> Result<Response<Self::WatchApplicationsStream>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let mut faults = Faults::new();
        let filter = decode::filter(&mut faults, request.filter);
        checked(&rpc, faults)?;
        let wanted = if request.ids.is_empty() {
            Vec::new()
        } else {
            ids(&rpc, &request.ids)?
        };
        let watcher = self.app.watch(rpc.caller(), filter, wanted).await;
        let watcher = watcher.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(watch::stream(self.clone(), rpc, watcher)))
    }

    async fn withdraw_application(
        &self,
        request: Request<v1::WithdrawApplicationRequest>,
    ) -> Result<Response<v1::WithdrawApplicationResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let id = id(&rpc, &request.get_ref().id)?;
        let withdrawn = self.app.withdraw(rpc.caller(), id).await;
        let application = withdrawn.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::WithdrawApplicationResponse {
            application: Some(self.shown(&rpc, &application)),
        }))
    }

    async fn download_certificate(
        &self,
        request: Request<v1::DownloadCertificateRequest>,
    ) -> Result<Response<v1::DownloadCertificateResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let id = id(&rpc, &request.get_ref().id)?;
        let downloads = self.app.download(rpc.caller(), vec![id]).await;
        let mut downloads = downloads.map_err(|error| rpc.refuse(error))?;
        let lost = || Err(AppError::no_such_application(id));
        let download = downloads
            .pop()
            .unwrap_or_else(lost)
            .map_err(|error| rpc.refuse(error))?;
        let ca_certificate = download.ca_certificate.to_vec();
        Ok(Response::new(handed_out(download, ca_certificate)))
    }

    type DownloadCertificatesStream =
        tokio_stream::Iter<std::vec::IntoIter<Result<v1::DownloadCertificatesResponse, Status>>>;

    async fn download_certificates(
        &self,
        request: Request<v1::DownloadCertificatesRequest>,
    ) -> Result<Response<Self::DownloadCertificatesStream>, Status> {
        use v1::download_certificates_response::Outcome;
        let rpc = Rpc::of(&request)?;
        let ids = ids(&rpc, &request.get_ref().ids)?;
        let downloads = self.app.download(rpc.caller(), ids.clone()).await;
        let downloads = downloads.map_err(|error| rpc.refuse(error))?;
        let mut chains = Vec::new();
        let mut answers = Vec::with_capacity(ids.len());
        for (id, download) in ids.into_iter().zip(downloads) {
            let outcome = match download {
                Ok(download) => {
                    let mut ca_certificate = Vec::new();
                    if !chains.contains(&download.ca_certificate) {
                        ca_certificate = download.ca_certificate.to_vec();
                        chains.push(download.ca_certificate.clone());
                    }
                    Outcome::Certificate(handed_out(download, ca_certificate))
                }
                Err(error) => Outcome::Refused(refusal(&rpc, error)),
            };
            answers.push(Ok(v1::DownloadCertificatesResponse {
                id: id.to_string(),
                outcome: Some(outcome),
            }));
        }
        Ok(Response::new(tokio_stream::iter(answers)))
    }

    async fn confirm_delivery(
        &self,
        request: Request<v1::ConfirmDeliveryRequest>,
    ) -> Result<Response<v1::ConfirmDeliveryResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let ids = ids(&rpc, &request.get_ref().ids)?;
        let outcomes = self.app.confirm_delivery(rpc.caller(), ids).await;
        let outcomes = outcomes.map_err(|error| rpc.refuse(error))?;
        let mut answer = v1::ConfirmDeliveryResponse::default();
        for (id, outcome) in outcomes {
            match outcome {
                Ok(_) => answer.delivered.push(id.to_string()),
                Err(error) => answer.refused.push(v1::ConfirmDeliveryRefusal {
                    id: id.to_string(),
                    refusal: Some(refusal(&rpc, error)),
                }),
            }
        }
        Ok(Response::new(answer))
    }
}

fn handed_out(download: Download, ca_certificate: Vec<u8>) -> v1::DownloadCertificateResponse {
    v1::DownloadCertificateResponse {
        id: download.stored.id.to_string(),
        certificate: download.stored.certificate,
        ca_certificate,
        serial: download.stored.serial.to_string(),
    }
}
