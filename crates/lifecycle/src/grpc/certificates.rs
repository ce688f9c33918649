//! CertificateService: what exists and in which state.

use lgpki_domain::{Faults, Serial};
use lgpki_proto::{
    convert::required_text,
    v1::{self, certificate_service_server::CertificateService},
};
use lgpki_runtime::rpc::Rpc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Handlers, encode, filter, histogram, rebuild};
use crate::ports::LifecycleStore;

#[tonic::async_trait]
impl<S: LifecycleStore> CertificateService for Handlers<S> {
    async fn get_certificate(
        &self,
        request: Request<v1::GetCertificateRequest>,
    ) -> Result<Response<v1::GetCertificateResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut faults = Faults::new();
        let serial = required_text::<Serial>(&mut faults, "serial", &request.get_ref().serial);
        let serial = serial.ok_or_else(|| rpc.refuse(faults))?;
        let found = self
            .app
            .certificate(serial)
            .await
            .map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::GetCertificateResponse {
            certificate: Some(encode::certificate(found, self.app.clock.now())),
        }))
    }

    async fn list_certificates(
        &self,
        request: Request<v1::ListCertificatesRequest>,
    ) -> Result<Response<v1::ListCertificatesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let now = self.app.clock.now();
        let asked = request.get_ref();
        let (filter, after) = filter::page(asked, now).map_err(|faults| rpc.refuse(faults))?;
        let page = self.app.page(filter, after, asked.page_size).await;
        let (found, next) = page.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::ListCertificatesResponse {
            certificates: found
                .into_iter()
                .map(|certificate| encode::certificate(certificate, now))
                .collect(),
            next_page_token: next.map_or_else(String::new, filter::write_token),
        }))
    }

    async fn count_certificates(
        &self,
        request: Request<v1::CountCertificatesRequest>,
    ) -> Result<Response<v1::CountCertificatesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let now = self.app.clock.now();
        let filter = filter::count(request.into_inner(), now).map_err(|e| rpc.refuse(e))?;
        let counts = self.app.store.counts(filter, now).await;
        let counts = counts.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(histogram::counts(&counts)))
    }

    async fn get_expiry_histogram(
        &self,
        request: Request<v1::GetExpiryHistogramRequest>,
    ) -> Result<Response<v1::GetExpiryHistogramResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let today = self.app.clock.now().jst_date();
        let query = histogram::query(request.get_ref(), today).map_err(|e| rpc.refuse(e))?;
        let histogram = self.app.histogram(query).await.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(histogram::encode(histogram)))
    }

    type RebuildInventoryStream = ReceiverStream<Result<v1::RebuildInventoryResponse, Status>>;

    async fn rebuild_inventory(
        &self,
        request: Request<v1::RebuildInventoryRequest>,
    ) -> Result<Response<Self::RebuildInventoryStream>, Status> {
        let rpc = Rpc::of(&request)?;
        let apply = request.get_ref().apply;
        Ok(Response::new(rebuild::rebuild(self, rpc, apply).await?))
    }

    async fn list_authorities(
        &self,
        request: Request<v1::ListAuthoritiesRequest>,
    ) -> Result<Response<v1::ListAuthoritiesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let found = self.app.authorities().await.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::ListAuthoritiesResponse {
            authorities: found.iter().map(encode::authority).collect(),
        }))
    }
}
