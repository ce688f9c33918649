//! The services over gRPC: decode, call, encode. Nothing is decided here.

mod certificates;
mod encode;
mod filter;
mod histogram;
mod notices;
mod rebuild;
mod renewals;
mod revocations;
mod slots;
mod standings;

use lgpki_proto::v1::{
    audit_log_service_server::AuditLogServiceServer,
    certificate_service_server::CertificateServiceServer,
    lifecycle_service_server::LifecycleServiceServer, notice_service_server::NoticeServiceServer,
    slot_service_server::SlotServiceServer,
};
use lgpki_runtime::{audit_log::AuditLogs, shutdown::Shutdown};
use tonic::service::Routes;

use crate::{app::App, ports::LifecycleStore};

/// The handlers.
#[derive(Clone, Debug)]
pub(crate) struct Handlers<S> {
    pub(crate) app: App<S>,
    pub(crate) shutdown: Shutdown,
    pub(crate) logs: AuditLogs,
}

impl<S: LifecycleStore> Handlers<S> {
    /// All services.
    pub(crate) fn routes(self) -> Routes {
        Routes::new(LifecycleServiceServer::new(self.clone()))
            .add_service(AuditLogServiceServer::new(self.logs.clone()))
            .add_service(NoticeServiceServer::new(self.clone()))
            .add_service(SlotServiceServer::new(self.clone()))
            .add_service(CertificateServiceServer::new(self))
    }
}
