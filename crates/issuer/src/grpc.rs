//! IssuerService on the wire: decode, call, encode. Nothing is decided here.

mod decode;
mod encode;

use std::{pin::Pin, sync::Arc, time::Duration};

use lgpki_domain::{ErrorClass, Faults};
use lgpki_proto::{
    Failure, convert,
    v1::{self, sign_crl_request::Part},
};
use lgpki_runtime::{Rpc, Shutdown};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    app::{Answer, App, CrlOrder},
    error::{CrlRefused, IssuerError, StoreError},
    ports::{AuthorityRecord, IssuerStore},
};
use decode::Decoded;

/// CRLs that may be coming in at the same time, each of up to 128 MiB.
const CRL_STREAMS: usize = 2;
/// When to try again what could not be done for now.
const RETRY: Duration = Duration::from_secs(1);

/// The service's handlers.
#[derive(Debug)]
pub(crate) struct IssuerApi<S> {
    app: Arc<App<S>>,
    shutdown: Shutdown,
    crl_streams: tokio::sync::Semaphore,
}

impl<S: IssuerStore> IssuerApi<S> {
    pub(crate) fn new(app: Arc<App<S>>, shutdown: Shutdown) -> Self {
        Self {
            app,
            shutdown,
            crl_streams: tokio::sync::Semaphore::new(CRL_STREAMS),
        }
    }
}

impl From<IssuerError> for Failure {
    fn from(error: IssuerError) -> Self {
        let (class, reason) = (error.class(), error.reason());
        let text = lgpki_runtime::error::chain(&error);
        match error {
            IssuerError::Refused(faults) => Self::invalid(reason, "the order is refused", faults),
            IssuerError::Store(StoreError::Engine(_) | StoreError::Log(_))
                if class == ErrorClass::Unavailable =>
            {
                tracing::error!(error = text, "the store does not answer");
                Self::unavailable(reason, "the issuer cannot record now; try again", RETRY)
            }
            _ if class == ErrorClass::Unavailable => Self::unavailable(reason, text, RETRY),
            _ => Self::new(class, reason, text),
        }
    }
}

impl<S: IssuerStore> IssuerApi<S> {
    /// Takes a tbsCertList in; nothing may follow its end.
    async fn receive(
        &self,
        rpc: &Rpc,
        mut parts: Streaming<v1::SignCrlRequest>,
    ) -> Result<CrlOrder, Status> {
        let misplaced = || rpc.refuse(IssuerError::from(CrlRefused::Header));
        let Some(Part::Header(header)) = parts.message().await?.and_then(|m| m.part) else {
            return Err(misplaced());
        };
        let announced = decode::crl_header(&header).map_err(|f| rpc.refuse(f))?;
        let incoming = self.app.receive_crl(announced);
        let mut incoming = incoming.map_err(|e| rpc.refuse(e))?;
        loop {
            match parts.message().await?.map(|m| m.part) {
                Some(Some(Part::Chunk(piece))) => {
                    incoming.take(&piece).map_err(|e| rpc.refuse(e))?;
                }
                Some(Some(Part::End(end))) => {
                    let digest = decode::crl_end(&end).map_err(|f| rpc.refuse(f))?;
                    if parts.message().await?.is_some() {
                        return Err(misplaced());
                    }
                    return incoming.finish(digest).map_err(|e| rpc.refuse(e));
                }
                Some(_) => return Err(misplaced()),
                None => return Err(rpc.refuse(incoming.break_off())),
            }
        }
    }
}

type Feed = Pin<Box<dyn Stream<Item = Result<v1::FollowIssuanceResponse, Status>> + Send>>;

#[tonic::async_trait]
impl<S: IssuerStore> v1::issuer_service_server::IssuerService for IssuerApi<S> {
    type FollowIssuanceStream = Feed;

    async fn issue_certificates(
        &self,
        request: Request<v1::IssueCertificatesRequest>,
    ) -> Result<Response<v1::IssueCertificatesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let orders = request.into_inner().orders;
        let mut results = Vec::with_capacity(orders.len());
        let mut well_formed = Vec::with_capacity(orders.len());
        for order in orders {
            match decode::order(order) {
                Decoded::Order(order) => {
                    results.push(None);
                    well_formed.push(*order);
                }
                Decoded::Nameless(result) => results.push(Some(result)),
            }
        }
        let ids: Vec<_> = well_formed.iter().map(|order| order.application).collect();
        let answers = self
            .app
            .issue(well_formed, rpc.caller().to_string())
            .await
            .map_err(|e| rpc.refuse(e))?;
        let mut answered = ids.into_iter().zip(answers);
        let results = results
            .into_iter()
            .filter_map(|nameless| {
                nameless.or_else(|| {
                    answered
                        .next()
                        .map(|(id, answer)| encode::answer(id, answer))
                })
            })
            .collect();
        Ok(Response::new(v1::IssueCertificatesResponse { results }))
    }

    async fn get_issuances(
        &self,
        request: Request<v1::GetIssuancesRequest>,
    ) -> Result<Response<v1::GetIssuancesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut faults = Faults::new();
        let texts = request.into_inner().application_ids;
        let ids = convert::all_texts(&mut faults, "application_ids", &texts);
        faults.into_result().map_err(|f| rpc.refuse(f))?;
        let issuances = self
            .app
            .issuances(ids.clone())
            .await
            .map_err(|e| rpc.refuse(e))?;
        let results = ids
            .into_iter()
            .zip(issuances)
            .map(|(id, issuance)| encode::issuance(id, issuance))
            .collect();
        Ok(Response::new(v1::GetIssuancesResponse { results }))
    }

    async fn follow_issuance(
        &self,
        request: Request<v1::FollowIssuanceRequest>,
    ) -> Result<Response<Feed>, Status> {
        let rpc = Rpc::of(&request)?;
        let from = request.into_inner().from_index;
        let pages = self
            .app
            .follow(from, self.shutdown.clone())
            .await
            .map_err(|e| rpc.refuse(e))?;
        let feed = ReceiverStream::new(pages)
            .map(move |page| page.map(encode::page).map_err(|e| rpc.refuse(e)));
        Ok(Response::new(Box::pin(feed)))
    }

    async fn list_issuers(
        &self,
        request: Request<v1::ListIssuersRequest>,
    ) -> Result<Response<v1::ListIssuersResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let records = self.app.authorities().await.map_err(|e| rpc.refuse(e))?;
        let issuer = |record: AuthorityRecord| {
            let unlinked = self.app.is_unlinked(record.key());
            encode::issuer(record, unlinked)
        };
        let issuers = records.into_iter().map(issuer).collect();
        Ok(Response::new(v1::ListIssuersResponse { issuers }))
    }

    async fn issue_responder_certificate(
        &self,
        request: Request<v1::IssueResponderCertificateRequest>,
    ) -> Result<Response<v1::IssueResponderCertificateResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let order = decode::responder(request.into_inner()).map_err(|f| rpc.refuse(f))?;
        let issued = self
            .app
            .issue_responder(order, rpc.caller().to_string())
            .await
            .and_then(Answer::into_certificate)
            .map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::IssueResponderCertificateResponse {
            issued: Some(encode::issued_certificate(issued)),
        }))
    }

    async fn sign_crl(
        &self,
        request: Request<Streaming<v1::SignCrlRequest>>,
    ) -> Result<Response<v1::SignCrlResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let _permit = self
            .crl_streams
            .acquire()
            .await
            .map_err(|_| rpc.refuse(IssuerError::ShuttingDown))?;
        let order = self.receive(&rpc, request.into_inner()).await?;
        let signed = self
            .app
            .sign_crl(order, rpc.caller().to_string())
            .await
            .map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::SignCrlResponse {
            signature: signed.signature,
            signature_algorithm: signed.algorithm,
            log_index: signed.index,
        }))
    }
}
