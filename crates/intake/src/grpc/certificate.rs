//! CertificateService for officers: lifecycle's answers, confined to what the caller may see.

use lgpki_domain::{BodyCode, Faults, Serial};
use lgpki_proto::{
    RemoteError, convert,
    v1::{self, certificate_service_server::CertificateService},
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status, async_trait};

use super::{Handlers, decoded, feed::Feed, rebuild};
use crate::{
    app::{AppError, confined_to, visible_branch},
    peers::within_deadline,
    ports::IntakeStore,
};

#[async_trait]
impl<S: IntakeStore> CertificateService for Handlers<S> {
    async fn get_certificate(
        &self,
        request: Request<v1::GetCertificateRequest>,
    ) -> Result<Response<v1::GetCertificateResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut faults = Faults::new();
        let serial = convert::required_text(&mut faults, "serial", &request.get_ref().serial);
        let serial: Serial = decoded(&rpc, faults, serial)?;
        let asked = within_deadline(request.into_inner());
        let answer = self.app.peers().certificates().get_certificate(asked).await;
        let answer = answer
            .map_err(|status| relayed(&rpc, &status))?
            .into_inner();
        let branch = answer.certificate.as_ref().map(|c| c.branch.clone());
        let hidden = confined_to(rpc.caller())
            .is_some_and(|own| branch.unwrap_or_default() != own.to_string());
        if hidden {
            return Err(rpc.refuse(AppError::NotFound {
                // As lifecycle says it of one that does not exist.
                reason: "CERTIFICATE_UNKNOWN",
                message: format!("no certificate with the serial number {serial} is known here"),
            }));
        }
        Ok(Response::new(answer))
    }

    async fn list_certificates(
        &self,
        request: Request<v1::ListCertificatesRequest>,
    ) -> Result<Response<v1::ListCertificatesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut request = request.into_inner();
        confine(&rpc, &mut request.branch)?;
        let asked = within_deadline(request);
        let mut inventory = self.app.peers().certificates();
        let answer = inventory.list_certificates(asked).await;
        answer.map(fresh).map_err(|status| relayed(&rpc, &status))
    }

    async fn count_certificates(
        &self,
        request: Request<v1::CountCertificatesRequest>,
    ) -> Result<Response<v1::CountCertificatesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut request = request.into_inner();
        confine(&rpc, &mut request.branch)?;
        let asked = within_deadline(request);
        let mut inventory = self.app.peers().certificates();
        let answer = inventory.count_certificates(asked).await;
        answer.map(fresh).map_err(|status| relayed(&rpc, &status))
    }

    async fn get_expiry_histogram(
        &self,
        request: Request<v1::GetExpiryHistogramRequest>,
    ) -> Result<Response<v1::GetExpiryHistogramResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut request = request.into_inner();
        confine(&rpc, &mut request.branch)?;
        let asked = within_deadline(request);
        let mut inventory = self.app.peers().certificates();
        let answer = inventory.get_expiry_histogram(asked).await;
        answer.map(fresh).map_err(|status| relayed(&rpc, &status))
    }

    type RebuildInventoryStream = Feed<v1::RebuildInventoryResponse>;

    async fn rebuild_inventory(
        &self,
        request: Request<v1::RebuildInventoryRequest>,
    ) -> Result<Response<Self::RebuildInventoryStream>, Status> {
        let rpc = Rpc::of(&request)?;
        let told = rebuild::rebuild(self, rpc, request.into_inner()).await?;
        Ok(Response::new(told))
    }

    async fn list_authorities(
        &self,
        request: Request<v1::ListAuthoritiesRequest>,
    ) -> Result<Response<v1::ListAuthoritiesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = within_deadline(request.into_inner());
        let mut inventory = self.app.peers().certificates();
        let answer = inventory.list_authorities(asked).await;
        answer.map(fresh).map_err(|status| relayed(&rpc, &status))
    }
}

/// Puts the branch that the caller may see in the place of the one asked for.
pub(super) fn confine(rpc: &Rpc, branch: &mut String) -> Result<(), Status> {
    let mut faults = Faults::new();
    let asked: Option<BodyCode> = convert::optional_text(&mut faults, "branch", branch);
    decoded(rpc, faults, Some(()))?;
    let visible = visible_branch(rpc.caller(), asked).map_err(|error| rpc.refuse(error))?;
    *branch = visible.map(|branch| branch.to_string()).unwrap_or_default();
    Ok(())
}

/// The message alone: lifecycle's transport metadata is no answer of ours.
pub(super) fn fresh<T>(answer: Response<T>) -> Response<T> {
    Response::new(answer.into_inner())
}

/// Lifecycle's refusal as ours.
pub(super) fn relayed(rpc: &Rpc, status: &Status) -> Status {
    rpc.refuse(AppError::from(RemoteError::from(status)))
}
