//! AuditLogService for auditors and operators: intake's own logs, and those of the others from them.

mod find;

use std::pin::Pin;

use lgpki_proto::{
    RemoteError, ServiceName,
    v1::{self, audit_log_service_server::AuditLogService},
};
use lgpki_runtime::{
    audit_log::{Found, Wanted, log_owner},
    rpc::Rpc,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, async_trait};

use super::{
    Handlers,
    certificate::{fresh, relayed},
};
use crate::{peers::within_deadline, ports::IntakeStore};

type Entries = Pin<Box<dyn Stream<Item = Result<v1::ReadEntriesResponse, Status>> + Send>>;

/// Asks the service whose log is named, be it ourselves.
macro_rules! forwarded {
    ($self:ident, $request:ident, $method:ident) => {{
        let rpc = Rpc::of(&$request)?;
        let owner = log_owner($request.get_ref().name.as_ref());
        let owner = owner.map_err(|failure| rpc.refuse(failure))?;
        match $self.app.peers().audit_logs(owner) {
            None => $self.logs.$method($request).await,
            Some(mut logs) => {
                let asked = within_deadline($request.into_inner());
                let answer = logs.$method(asked).await;
                answer.map(fresh).map_err(|status| relayed(&rpc, &status))
            }
        }
    }};
}

#[async_trait]
impl<S: IntakeStore> AuditLogService for Handlers<S> {
    async fn list_logs(
        &self,
        request: Request<v1::ListLogsRequest>,
    ) -> Result<Response<v1::ListLogsResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let service = request.get_ref().service.clone();
        let mut told = v1::ListLogsResponse::default();
        if !service.is_empty() {
            let name = v1::LogName {
                service: service.clone(),
                log: String::new(),
            };
            log_owner(Some(&name)).map_err(|failure| rpc.refuse(failure))?;
        }
        let wanted = |owner: &ServiceName| service.is_empty() || owner.name() == service;
        for owner in ServiceName::ALL.into_iter().filter(wanted) {
            let Some(mut logs) = self.app.peers().audit_logs(owner) else {
                continue;
            };
            let asked = v1::ListLogsRequest {
                service: owner.name().to_owned(),
            };
            match logs.list_logs(within_deadline(asked)).await {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    told.logs.extend(answer.logs);
                    told.publications.extend(answer.publications);
                }
                Err(status) => {
                    let why = RemoteError::from(&status);
                    tracing::warn!(service = %owner, %why, "a service does not list its logs");
                    told.away.push(owner.name().to_owned());
                }
            }
        }
        let own = self.logs.list_logs(request).await?.into_inner();
        told.logs.extend(own.logs);
        told.publications.extend(own.publications);
        Ok(Response::new(told))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        forwarded!(self, request, get_checkpoint)
    }

    type ReadEntriesStream = Entries;

    async fn read_entries(
        &self,
        request: Request<v1::ReadEntriesRequest>,
    ) -> Result<Response<Entries>, Status> {
        let rpc = Rpc::of(&request)?;
        let owner = log_owner(request.get_ref().name.as_ref());
        let owner = owner.map_err(|failure| rpc.refuse(failure))?;
        let Some(mut logs) = self.app.peers().audit_logs(owner) else {
            return self.logs.read_entries(request).await;
        };
        // However long it takes: the caller sees how far it is, and the gate ends it with the login.
        let answer = logs.read_entries(request.into_inner()).await;
        let told = answer
            .map_err(|status| relayed(&rpc, &status))?
            .into_inner();
        let told = told.map(move |message| message.map_err(|status| relayed(&rpc, &status)));
        Ok(Response::new(Box::pin(told)))
    }

    type FindEntriesStream = Found;

    async fn find_entries(
        &self,
        request: Request<v1::FindEntriesRequest>,
    ) -> Result<Response<Found>, Status> {
        let rpc = Rpc::of(&request)?;
        let wanted = Wanted::read(request.get_ref()).map_err(|failure| rpc.refuse(failure))?;
        let found = find::find(self, &rpc, wanted).await?;
        let found: Vec<_> = found.into_iter().map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(found)))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        forwarded!(self, request, get_inclusion_proof)
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        forwarded!(self, request, get_consistency_proof)
    }
}
