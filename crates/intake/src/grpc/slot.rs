//! SlotService for officers: lifecycle's slots, confined to what the caller may see.

use lgpki_proto::v1::{self, slot_service_server::SlotService};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status, async_trait};

use super::{
    Handlers,
    certificate::{confine, fresh, relayed},
};
use crate::{peers::within_deadline, ports::IntakeStore, slots::SlotUse};

#[async_trait]
impl<S: IntakeStore> SlotService for Handlers<S> {
    async fn get_renewal_info(
        &self,
        request: Request<v1::GetRenewalInfoRequest>,
    ) -> Result<Response<v1::GetRenewalInfoResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut request = request.into_inner();
        confine(&rpc, &mut request.branch)?;
        let mut slots = self.app.peers().slots();
        let answer = slots.get_renewal_info(within_deadline(request)).await;
        answer.map(fresh).map_err(|status| relayed(&rpc, &status))
    }

    async fn list_renewal_info(
        &self,
        request: Request<v1::ListRenewalInfoRequest>,
    ) -> Result<Response<v1::ListRenewalInfoResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut request = request.into_inner();
        confine(&rpc, &mut request.branch)?;
        let mut slots = self.app.peers().slots();
        let answer = slots.list_renewal_info(within_deadline(request)).await;
        answer.map(fresh).map_err(|status| relayed(&rpc, &status))
    }

    async fn get_slot_load(
        &self,
        request: Request<v1::GetSlotLoadRequest>,
    ) -> Result<Response<v1::GetSlotLoadResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut slots = self.app.peers().slots();
        let asked = within_deadline(request.into_inner());
        let answer = slots.get_slot_load(asked).await;
        answer.map(fresh).map_err(|status| relayed(&rpc, &status))
    }
}

/// What is told of a slot token.
pub(super) fn slot_use(used: Option<SlotUse>) -> Option<v1::SlotUse> {
    used.map(|used| v1::SlotUse {
        honoured: used.is_ok(),
        reason: used
            .err()
            .map_or("", lgpki_domain::slots::SlotRefused::reason)
            .to_owned(),
        message: used
            .err()
            .map_or_else(String::new, |refused| refused.to_string()),
    })
}
