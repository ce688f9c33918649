//! The issuer service: holds the CA keys and signs nothing unrecorded.
//!
//! It signs certificates and CRLs, each only after it was linted and its intent is durable, and
//! answers only what is durably recorded. Its log is the truth about what exists, and the feed from
//! it is how others learn. It calls nobody, and takes orders only from intake and lifecycle.
//!
//! [`run`] serves; [`Ceremony`] makes the CAs and the first login certificates while nothing serves.

pub mod app;
pub mod ceremony;
pub mod config;
mod cores;
pub mod error;
pub mod event;
mod grpc;
mod machine;
mod metrics;
pub mod ports;
pub mod store;
mod turnstile;
mod vault;

use std::sync::Arc;

use lgpki_keys::Passphrase;
use lgpki_proto::v1::{
    audit_log_service_server::AuditLogServiceServer, issuer_service_server::IssuerServiceServer,
};
use lgpki_runtime::{
    GrpcServer, Shutdown,
    audit_log::{AuditLogs, Shelf},
};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use app::Ports;
pub use ceremony::Ceremony;
pub use config::{IssuerConfig, Settings};
pub use error::IssuerError;

use app::App;
use grpc::IssuerApi;
use store::LogStore;
use vault::Vault;

/// What the issuer is given to run with.
#[derive(Debug)]
pub struct Deps {
    /// Time and chance.
    pub ports: Ports,
    /// Opens the CA keys.
    pub passphrase: Passphrase,
    /// The server, which knows who may call.
    pub server: GrpcServer,
}

/// Serves until the shutdown is requested, then finishes what was begun. Returns an error if it
/// cannot start, or must stop because nothing can be recorded any more.
pub async fn run(
    settings: Settings,
    deps: Deps,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), IssuerError> {
    metrics::describe();
    let clock = Arc::clone(&deps.ports.clock);
    let (store, app) = start(&settings, deps.ports, deps.passphrase, "issuer").await?;
    if !app.has_authorities() {
        store.close().await;
        return Err(IssuerError::NoAuthorities);
    }
    let telling = {
        let (app, shutdown) = (Arc::clone(&app), shutdown.clone());
        tokio::spawn(async move { app.keep_telling_issuing_ends(shutdown).await })
    };
    let readiness = deps.server.readiness();
    let api = IssuerApi::new(Arc::clone(&app), shutdown.clone());
    let logs = {
        let (files, log) = (Shelf::of(settings.data_dir()), settings.log().clone());
        AuditLogs::new(files, log, Arc::new(store.clone()))
    };
    let routes = Routes::new(IssuerServiceServer::new(api));
    let routes = routes.add_service(AuditLogServiceServer::new(logs));
    let marking = async {
        match app.keep_marking(shutdown.clone()).await {
            // The shutdown was requested; the server decides when all is done.
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        }
    };
    readiness.set_ready(true);
    let served = tokio::select! {
        served = deps.server.run(listener, routes, shutdown.clone()) => served.map_err(Into::into),
        error = marking => Err(error.into()),
        error = store.failed() => Err(error.into()),
        error = store.keep_heartbeats(clock, settings.heartbeats()) => Err(error.into()),
    };
    readiness.set_ready(false);
    telling.abort();
    let _all = app.drained().await;
    let marked = app.mark_all_shown().await;
    store.close().await;
    served.and(marked.map_err(Into::into))
}

/// Opens the data directory and takes over from whoever held it before.
async fn start(
    settings: &Settings,
    ports: Ports,
    passphrase: Passphrase,
    actor: &str,
) -> Result<(LogStore, Arc<App<LogStore>>), IssuerError> {
    let dir = settings.data_dir().to_owned();
    let options = settings.options();
    let opening = tokio::task::spawn_blocking(move || LogStore::open_embedded(&dir, options));
    let (store, report) = opening.await.map_err(|_| IssuerError::WorkerLost)??;
    tracing::info!(
        entries = report.entries,
        replayed = report.replayed,
        torn_bytes = report.torn_bytes,
        rebuilt = report.rebuilt,
        "the issuer's log is open"
    );
    let vault = Vault::new(settings.data_dir(), passphrase);
    let threads = settings.signing_threads();
    match App::take_over(store.clone(), vault, ports, threads, actor).await {
        Ok((app, opened)) => {
            metrics::epoch(opened.epoch.0);
            tracing::info!(
                epoch = opened.epoch.0,
                abandoned = opened.abandoned,
                "the issuer took over"
            );
            Ok((store, app))
        }
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}
