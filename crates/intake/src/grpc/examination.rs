//! ExaminationService.

use lgpki_domain::{ApplicationId, Authority, Faults};
use lgpki_proto::{
    RemoteError, convert,
    v1::{self, examination_outcome::Outcome, examination_service_server::ExaminationService},
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status, async_trait};

use super::{Handlers, checked, id, ids, refusal};
use crate::{
    app::{AppError, deliver::ActOutcomes, read::page_size},
    peers::within_deadline,
    ports::IntakeStore,
};

impl<S: IntakeStore> Handlers<S> {
    fn outcomes(
        &self,
        rpc: &Rpc,
        outcomes: Result<ActOutcomes, AppError>,
    ) -> Result<Vec<v1::ExaminationOutcome>, Status> {
        let outcomes = outcomes.map_err(|error| rpc.refuse(error))?;
        let outcome = |(id, outcome): (ApplicationId, _)| v1::ExaminationOutcome {
            id: id.to_string(),
            outcome: Some(match outcome {
                Ok(application) => Outcome::Application(self.shown(rpc, &application)),
                Err(error) => Outcome::Refused(refusal(rpc, error)),
            }),
        };
        Ok(outcomes.into_iter().map(outcome).collect())
    }
}

#[async_trait]
impl<S: IntakeStore> ExaminationService for Handlers<S> {
    async fn list_examinations(
        &self,
        request: Request<v1::ListExaminationsRequest>,
    ) -> Result<Response<v1::ListExaminationsResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let mut faults = Faults::new();
        let after = convert::optional_text(&mut faults, "page_token", &request.page_token);
        checked(&rpc, faults)?;
        let most = page_size(request.page_size);
        let page = self.app.examinations(after, most).await;
        let page = page.map_err(|error| rpc.refuse(error))?;
        let shown = page.applications.iter().map(|a| self.shown(&rpc, a));
        Ok(Response::new(v1::ListExaminationsResponse {
            applications: shown.collect(),
            next_page_token: convert::text_or_empty(page.next),
            waiting: u64::try_from(page.waiting).unwrap_or(u64::MAX),
        }))
    }

    async fn approve_applications(
        &self,
        request: Request<v1::ApproveApplicationsRequest>,
    ) -> Result<Response<v1::ApproveApplicationsResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let ids = ids(&rpc, &request.get_ref().ids)?;
        let outcomes = self.app.approve(rpc.caller(), ids).await;
        let outcomes = self.outcomes(&rpc, outcomes)?;
        Ok(Response::new(v1::ApproveApplicationsResponse { outcomes }))
    }

    async fn reject_applications(
        &self,
        request: Request<v1::RejectApplicationsRequest>,
    ) -> Result<Response<v1::RejectApplicationsResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let ids = ids(&rpc, &request.ids)?;
        let outcomes = self.app.reject(rpc.caller(), ids, request.reason).await;
        let outcomes = self.outcomes(&rpc, outcomes)?;
        Ok(Response::new(v1::RejectApplicationsResponse { outcomes }))
    }

    async fn publish_crl_now(
        &self,
        request: Request<v1::PublishCrlNowRequest>,
    ) -> Result<Response<v1::PublishCrlNowResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let authority = request.get_ref().authority;
        let mut faults = Faults::new();
        convert::optional::<Authority>(&mut faults, "authority", authority);
        checked(&rpc, faults)?;
        let order = within_deadline(v1::PublishCrlsRequest { authority });
        let answer = self.app.peers().lifecycle().publish_crls(order).await;
        let answer =
            answer.map_err(|status| rpc.refuse(AppError::from(RemoteError::from(status))))?;
        Ok(Response::new(v1::PublishCrlNowResponse {
            published: answer.into_inner().published,
        }))
    }

    async fn erase_examiner_name(
        &self,
        request: Request<v1::EraseExaminerNameRequest>,
    ) -> Result<Response<v1::EraseExaminerNameResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let id = id(&rpc, &request.get_ref().id)?;
        let erased = self.app.erase_examiner_name(rpc.caller(), id).await;
        let erased = erased.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::EraseExaminerNameResponse { erased }))
    }
}
