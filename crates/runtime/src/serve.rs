//! A service's gRPC server: its own port, TLS, gate, health and reflection, limits and drain.
//!
//! Connections beyond the limit wait in the operating system's queue. On shutdown the port is closed
//! first, RPCs in flight finish, streams are ended, and what is still open after the drain time is
//! cut.

mod connection;

use std::sync::Arc;

use lgpki_domain::{Clock, Randomness};
use lgpki_proto::{FILE_DESCRIPTOR_SET, ServiceName, access};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, health_reporter},
};

pub use crate::identity::OfficerDoor;
use crate::{
    config::{ServerLimits, seconds},
    error::RuntimeError,
    gate::{GateKeeper, Streams, record},
    identity::Judge,
    readiness::Readiness,
    shutdown::Shutdown,
    tls::{Identity, TrustAnchors, server_config},
};
use connection::Connections;

/// Who may come in, and how.
#[derive(Clone, Debug)]
pub struct Door {
    /// The service; the access table's rows of this service apply.
    pub service: ServiceName,
    /// The service's own TLS identity.
    pub identity: Identity,
    /// The service CA, which names the services.
    pub services: TrustAnchors,
    /// How officers log in; none where only services may call.
    pub officers: Option<OfficerDoor>,
    /// The time by which certificates are judged.
    pub clock: Arc<dyn Clock>,
    /// Where correlation ids come from.
    pub randomness: Arc<dyn Randomness>,
    /// What is allowed.
    pub limits: ServerLimits,
}

/// A server, ready to run.
#[derive(Debug)]
pub struct GrpcServer {
    door: Door,
    tls: Arc<rustls::ServerConfig>,
    readiness: Readiness,
}

impl GrpcServer {
    /// Checks what the door needs.
    pub fn try_new(door: Door) -> Result<Self, RuntimeError> {
        record::describe();
        let config = server_config(&door.identity, Arc::clone(&door.clock))?;
        Ok(Self {
            readiness: Readiness::new(door.service),
            tls: Arc::new(config),
            door,
        })
    }

    /// The service's readiness, which health and `/readyz` tell; not ready at first.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Serves `routes` until the shutdown is requested and all connections are done.
    pub async fn run(
        self,
        listener: TcpListener,
        routes: Routes,
        shutdown: Shutdown,
    ) -> Result<(), RuntimeError> {
        let (reporter, health) = health_reporter();
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let routes = routes
            .add_service(health)
            .add_service(reflection().build_v1().map_err(RuntimeError::Reflection)?)
            .add_service(
                reflection()
                    .build_v1alpha()
                    .map_err(RuntimeError::Reflection)?,
            )
            .prepare();
        let health = Health::new(reporter, &self.readiness);
        health.report().await;
        // Aborted when this returns.
        let mut helpers = JoinSet::new();
        helpers.spawn(health.follow());
        let drain = seconds(self.door.limits.drain_seconds);
        let service = self.door.service;
        let connections = Connections {
            acceptor: TlsAcceptor::from(self.tls),
            permits: Arc::new(Semaphore::new(permits(&self.door.limits))),
            limits: self.door.limits.clone(),
            routes,
            shutdown: shutdown.clone(),
            keeper: Arc::new(GateKeeper {
                service,
                judge: Judge {
                    services: self.door.services,
                    officers: self.door.officers,
                    clock: self.door.clock,
                },
                randomness: self.door.randomness,
                unary: seconds(self.door.limits.unary_seconds),
                linger: drain / 2,
                streams: Streams::new(self.door.limits.streams_per_caller),
                shutdown,
            }),
        };
        let address = listener.local_addr().ok().map(tracing::field::display);
        tracing::info!(service = service.name(), address, "serving");
        let open = connections.accept(listener).await;
        self.readiness.set_ready(false);
        connection::drain(service, open, drain).await;
        tracing::info!(service = service.name(), "stopped");
        Ok(())
    }
}

fn permits(limits: &ServerLimits) -> usize {
    usize::try_from(limits.connections.get())
        .map_or(Semaphore::MAX_PERMITS, |n| n.min(Semaphore::MAX_PERMITS))
}

/// Repeats the readiness in gRPC health, for the whole server and for each of its services.
struct Health {
    reporter: HealthReporter,
    names: Vec<&'static str>,
    changes: watch::Receiver<bool>,
}

impl Health {
    fn new(reporter: HealthReporter, readiness: &Readiness) -> Self {
        let rows = access::of(readiness.service());
        let mut names: Vec<_> = rows.filter_map(|row| row.path.split('/').nth(1)).collect();
        names.push("");
        names.sort_unstable();
        names.dedup();
        Self {
            reporter,
            names,
            changes: readiness.changes(),
        }
    }

    async fn report(&self) {
        let status = if *self.changes.borrow() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for name in &self.names {
            self.reporter.set_service_status(*name, status).await;
        }
    }

    async fn follow(mut self) {
        while self.changes.changed().await.is_ok() {
            self.report().await;
        }
    }
}

#[cfg(test)]
mod tests;
