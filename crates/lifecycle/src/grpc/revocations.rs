//! LifecycleService: revocation, publication, and the feed of standings.

use lgpki_domain::{ApplicationId, Authority, BodyCode, Faults, RevocationReason, Serial};
use lgpki_proto::{
    convert::{optional, optional_text, required, required_text},
    v1::{self, lifecycle_service_server::LifecycleService},
};
use lgpki_runtime::rpc::Rpc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Handlers, encode, renewals, slots, standings};
use crate::ports::{CrlList, LifecycleStore, RevocationOrder};

/// Orders in one call at most.
const ORDERS: usize = 500;

#[tonic::async_trait]
impl<S: LifecycleStore> LifecycleService for Handlers<S> {
    type FollowStandingsStream = ReceiverStream<Result<v1::FollowStandingsResponse, Status>>;

    async fn revoke_certificates(
        &self,
        request: Request<v1::RevokeCertificatesRequest>,
    ) -> Result<Response<v1::RevokeCertificatesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = request.into_inner().orders;
        let orders = read_orders(&asked).map_err(|faults| rpc.refuse(faults))?;
        let outcomes = self.app.revoke(orders).await.map_err(|e| rpc.refuse(e))?;
        let results = asked.into_iter().zip(outcomes);
        Ok(Response::new(v1::RevokeCertificatesResponse {
            results: results
                .map(|(order, outcome)| encode::revocation(order.command_id, outcome))
                .collect(),
        }))
    }

    async fn open_renewals(
        &self,
        request: Request<v1::OpenRenewalsRequest>,
    ) -> Result<Response<v1::OpenRenewalsResponse>, Status> {
        renewals::open(self, request).await
    }

    async fn close_renewals(
        &self,
        request: Request<v1::CloseRenewalsRequest>,
    ) -> Result<Response<v1::CloseRenewalsResponse>, Status> {
        renewals::close(self, request).await
    }

    async fn list_slot_keys(
        &self,
        request: Request<v1::ListSlotKeysRequest>,
    ) -> Result<Response<v1::ListSlotKeysResponse>, Status> {
        slots::keys(self, request).await
    }

    async fn follow_standings(
        &self,
        request: Request<v1::FollowStandingsRequest>,
    ) -> Result<Response<Self::FollowStandingsStream>, Status> {
        let rpc = Rpc::of(&request)?;
        let from = request.get_ref().from_position;
        standings::follow(self, rpc, from).map(Response::new)
    }

    async fn publish_crls(
        &self,
        request: Request<v1::PublishCrlsRequest>,
    ) -> Result<Response<v1::PublishCrlsResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut faults = Faults::new();
        let number = request.get_ref().authority;
        let authority = optional::<Authority>(&mut faults, "authority", number);
        faults.into_result().map_err(|faults| rpc.refuse(faults))?;
        let published = self
            .app
            .publish(authority)
            .await
            .map_err(|e| rpc.refuse(e))?;
        let issuers = self.app.issuers.borrow().clone();
        let url = |list: CrlList| {
            let info = issuers.iter().find(|info| info.key() == list.series.key);
            info.map_or_else(String::new, |info| {
                info.crl_url(list.series.scope, list.delta)
            })
        };
        Ok(Response::new(v1::PublishCrlsResponse {
            published: published
                .iter()
                .map(|publication| encode::publication(publication, url(publication.list())))
                .collect(),
        }))
    }
}

/// Refuses more than one call may have.
pub(super) fn check_count(field: &str, count: usize) -> Result<(), Faults> {
    let mut faults = Faults::new();
    if count > ORDERS {
        let message = format!("{count} {field} came; at most {ORDERS} fit into one call");
        faults.push(field, "TOO_MANY", message);
    }
    faults.into_result()
}

fn read_orders(asked: &[v1::RevocationOrder]) -> Result<Vec<RevocationOrder>, Faults> {
    let mut faults = Faults::new();
    check_count("orders", asked.len())?;
    let read = |(i, order)| read_order(&mut faults, &format!("orders[{i}]"), order);
    let orders: Vec<_> = asked.iter().enumerate().filter_map(read).collect();
    faults.into_result().map(|()| orders)
}

fn read_order(f: &mut Faults, path: &str, order: &v1::RevocationOrder) -> Option<RevocationOrder> {
    let field = |name| format!("{path}.{name}");
    let command = required_text::<ApplicationId>(f, &field("command_id"), &order.command_id);
    let serial = required_text::<Serial>(f, &field("serial"), &order.serial);
    let reason = required::<RevocationReason>(f, &field("reason"), order.reason);
    let branch = optional_text::<BodyCode>(f, &field("branch"), &order.branch);
    let actor = required_text::<String>(f, &field("actor"), &order.actor);
    Some(RevocationOrder {
        command: command?,
        serial: serial?,
        reason: reason?,
        branch,
        actor: actor?,
        answers_index: order.answers_index,
    })
}
