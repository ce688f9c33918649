//! The gRPC face of intake: decode, call, encode; it decides nothing.
//!
//! Who may call what was settled before a handler runs; it finds the caller in the request's
//! extensions. A field that cannot be read is a fault with its path, together with all others.

mod addressee;
mod admission;
mod application;
mod audit;
mod certificate;
mod decode;
mod directory;
mod encode;
mod examination;
mod feed;
mod meter;
mod notice;
mod queue;
mod rebuild;
mod slot;
mod submit;
mod watch;

use std::sync::Arc;

use lgpki_domain::{ApplicationId, Faults};
use lgpki_proto::{
    Failure, convert,
    v1::{
        addressee_service_server::AddresseeServiceServer,
        admission_service_server::AdmissionServiceServer,
        application_service_server::ApplicationServiceServer,
        audit_log_service_server::AuditLogServiceServer,
        certificate_service_server::CertificateServiceServer,
        directory_service_server::DirectoryServiceServer,
        examination_service_server::ExaminationServiceServer,
        notice_service_server::NoticeServiceServer, queue_service_server::QueueServiceServer,
        slot_service_server::SlotServiceServer,
    },
};
use lgpki_runtime::{audit_log::AuditLogs, rpc::Rpc, shutdown::Shutdown};
use tonic::{Status, service::Routes};

use crate::{
    app::{App, AppError, check_count},
    ports::IntakeStore,
};

/// The handlers of all services.
#[derive(Debug)]
pub struct Handlers<S> {
    app: Arc<App<S>>,
    shutdown: Shutdown,
    room: submit::Room,
    /// Intake's own logs.
    logs: AuditLogs,
}

impl<S> Clone for Handlers<S> {
    fn clone(&self) -> Self {
        Self {
            app: self.app.clone(),
            shutdown: self.shutdown.clone(),
            room: self.room.clone(),
            logs: self.logs.clone(),
        }
    }
}

impl<S: IntakeStore> Handlers<S> {
    /// Puts handlers in front of the use cases and of intake's own logs; open streams end at `shutdown`.
    #[must_use]
    pub fn new(app: Arc<App<S>>, logs: AuditLogs, shutdown: Shutdown) -> Self {
        let room = submit::Room::default();
        Self {
            app,
            shutdown,
            room,
            logs,
        }
    }

    /// All services, for the server; what reads is counted before.
    #[must_use]
    pub fn into_routes(self) -> Routes {
        let meter = meter::meter(self.app.clone());
        macro_rules! metered {
            ($server:ident) => {
                $server::with_interceptor(self.clone(), meter.clone())
            };
        }
        Routes::new(metered!(ApplicationServiceServer))
            .add_service(metered!(AdmissionServiceServer))
            .add_service(metered!(ExaminationServiceServer))
            .add_service(metered!(QueueServiceServer))
            .add_service(metered!(DirectoryServiceServer))
            .add_service(metered!(AddresseeServiceServer))
            .add_service(metered!(NoticeServiceServer))
            .add_service(metered!(SlotServiceServer))
            .add_service(metered!(CertificateServiceServer))
            .add_service(metered!(AuditLogServiceServer))
    }
}

/// Ends decoding: all faults found, or the value.
fn decoded<T>(rpc: &Rpc, faults: Faults, value: Option<T>) -> Result<T, Status> {
    match value {
        Some(value) if faults.is_empty() => Ok(value),
        _ => Err(rpc.refuse(Failure::from(faults))),
    }
}

/// Ends decoding where nothing needs to be given.
fn checked(rpc: &Rpc, faults: Faults) -> Result<(), Status> {
    decoded(rpc, faults, Some(()))
}

/// Reads one application's number.
fn id(rpc: &Rpc, text: &str) -> Result<ApplicationId, Status> {
    let mut faults = Faults::new();
    let id = convert::required_text(&mut faults, "id", text);
    decoded(rpc, faults, id)
}

/// Reads the numbers of a bulk call.
fn ids(rpc: &Rpc, texts: &[String]) -> Result<Vec<ApplicationId>, Status> {
    check_count("ids", texts.len()).map_err(|error| rpc.refuse(error))?;
    let mut faults = Faults::new();
    let ids = convert::all_texts(&mut faults, "ids", texts);
    decoded(rpc, faults, Some(ids))
}

/// What follows from an item's error for the item.
fn refusal(rpc: &Rpc, error: AppError) -> lgpki_proto::v1::Refusal {
    rpc.refusal(error)
}
