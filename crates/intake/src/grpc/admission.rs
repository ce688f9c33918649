//! AdmissionService.

use lgpki_domain::{Faults, Limits};
use lgpki_proto::{
    convert,
    v1::{self, admission_service_server::AdmissionService},
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status, async_trait};

use super::{Handlers, decoded};
use crate::ports::{Changed, IntakeStore};

#[async_trait]
impl<S: IntakeStore> AdmissionService for Handlers<S> {
    async fn get_limits(
        &self,
        request: Request<v1::GetLimitsRequest>,
    ) -> Result<Response<v1::GetLimitsResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let standing = self.app.limits().await.map_err(|error| rpc.refuse(error))?;
        let changed = standing.changed;
        let text = |of: fn(&Changed) -> String| changed.as_ref().map(of).unwrap_or_default();
        Ok(Response::new(v1::GetLimitsResponse {
            limits: Some(limits(&standing.limits)),
            revision: standing.revision,
            changed_at: text(|changed| changed.at.to_string()),
            changed_by: text(|changed| changed.by.clone()),
        }))
    }

    async fn change_limits(
        &self,
        request: Request<v1::ChangeLimitsRequest>,
    ) -> Result<Response<v1::ChangeLimitsResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let mut faults = Faults::new();
        let given = convert::required_message(&mut faults, "limits", request.limits);
        let given = decoded(&rpc, faults, given)?;
        let new = Limits {
            branch_per_hour: given.branch_per_hour,
            branch_per_hour_per_certificate: given.branch_per_hour_per_certificate,
            branch_burst: given.branch_burst,
            branch_burst_per_certificate: given.branch_burst_per_certificate,
            caller_per_hour: given.caller_per_hour,
            caller_burst: given.caller_burst,
            all_per_second: given.all_per_second,
            all_burst: given.all_burst,
            queue: given.queue,
            booking_seconds: given.booking_seconds,
            registry_per_hour: given.registry_per_hour,
            registry_burst: given.registry_burst,
            addressee_versions: given.addressee_versions,
            directory_entries: given.directory_entries,
            reads_per_second: given.reads_per_second,
            reads_burst: given.reads_burst,
        };
        let changed = self.app.change_limits(rpc.caller(), new, request.revision);
        let after = changed.await.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::ChangeLimitsResponse {
            limits: Some(limits(&after.limits)),
            revision: after.revision,
        }))
    }
}

fn limits(limits: &Limits) -> v1::Limits {
    v1::Limits {
        branch_per_hour: limits.branch_per_hour,
        branch_per_hour_per_certificate: limits.branch_per_hour_per_certificate,
        branch_burst: limits.branch_burst,
        branch_burst_per_certificate: limits.branch_burst_per_certificate,
        caller_per_hour: limits.caller_per_hour,
        caller_burst: limits.caller_burst,
        all_per_second: limits.all_per_second,
        all_burst: limits.all_burst,
        queue: limits.queue,
        booking_seconds: limits.booking_seconds,
        registry_per_hour: limits.registry_per_hour,
        registry_burst: limits.registry_burst,
        addressee_versions: limits.addressee_versions,
        directory_entries: limits.directory_entries,
        reads_per_second: limits.reads_per_second,
        reads_burst: limits.reads_burst,
    }
}
