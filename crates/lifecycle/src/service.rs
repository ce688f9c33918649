//! Putting the service together: open, serve, follow, publish, and close in the right order.

use std::sync::Arc;

use lgpki_domain::{Clock, Randomness};
use lgpki_runtime::{
    audit_log::{AuditLogs, Shelf},
    serve::GrpcServer,
    shutdown::Shutdown,
};
use lgpki_store::{Options, Rhythm};
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore, mpsc, watch},
    task::{JoinSet, spawn_blocking},
};
use tonic::{service::Routes, transport::Channel};

use crate::{
    alarm::Board,
    app::{App, slots::Slots},
    config::Settings,
    error::{LifecycleError, StoreError},
    grpc::Handlers,
    http::{self, Public},
    issuer::GrpcIssuer,
    metrics,
    ocsp::Answerer,
    ports::{Issuer, LifecycleStore},
    publication::PublicationFiles,
    store::EngineStore,
    tokens::TokenSigner,
    worker::{
        ca_certificates::CaCertificates,
        certify::Certifier,
        follow::Follower,
        publish::{Demand, Issuers, Press, Publisher},
        rebuild::{RebuildDemand, Rebuilder},
        slots::{Booker, Forecast},
    },
};

/// Connections of relying parties at the same time, unless another number is given.
const CONNECTIONS: usize = 1_024;
/// Demands that may wait to be taken on.
const DEMANDS: usize = 64;

/// What the service needs from its process.
#[derive(Debug)]
pub struct Deps {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the delays between attempts.
    pub randomness: Arc<dyn Randomness>,
    /// The way to the issuer; it connects again by itself.
    pub issuer: Channel,
    /// The gRPC server, as yet without services.
    pub server: GrpcServer,
}

/// Where the service listens.
#[derive(Debug)]
pub struct Listeners {
    /// For the other services: gRPC over mutual TLS.
    pub grpc: TcpListener,
    /// For relying parties: plain HTTP.
    pub publication: TcpListener,
}

/// Runs the service until `shutdown`, or until it can no longer keep its promises.
pub async fn run(
    settings: Settings,
    deps: Deps,
    listeners: Listeners,
    shutdown: Shutdown,
) -> Result<(), LifecycleError> {
    let (store, files) = open(&settings).await?;
    let issuer = GrpcIssuer::new(deps.issuer);
    let clock = Arc::clone(&deps.clock);
    let answerer = Answerer::new(store.clone(), Arc::clone(&clock), settings.ocsp);
    let answerer = Arc::new(answerer);
    let limits = settings.public.of(CONNECTIONS, metrics::turned_away);
    let published = Shelf::of(&settings.data);
    let logs = AuditLogs::new(published, settings.log.clone(), Arc::new(store.clone()));
    let running = Running {
        logs,
        settings,
        store: store.clone(),
        files: files.clone(),
        issuer,
        clock: deps.clock,
        randomness: deps.randomness,
        answerer: Arc::clone(&answerer),
    };
    let mut tasks = JoinSet::new();
    let heartbeats = running.settings.heartbeats;
    tasks.spawn(beat(
        store.clone(),
        Arc::clone(&clock),
        heartbeats,
        shutdown.clone(),
    ));
    let routes = running.start(&mut tasks, &shutdown).routes();
    let publication = http::serve(
        listeners.publication,
        Public::new(files, Arc::clone(&answerer), Arc::clone(&clock)),
        limits,
        shutdown.clone(),
    );
    tasks.spawn(async move {
        publication.await;
        Ok(())
    });
    let readiness = deps.server.readiness();
    tasks.spawn(serve(deps.server, listeners.grpc, routes, shutdown.clone()));
    readiness.set_ready(true);
    let ended = supervise(tasks, &store, &shutdown).await;
    readiness.set_ready(false);
    // What was signed since the last second's entry.
    let flushed = answerer.close_journal().await;
    store.close().await;
    ended.and(flushed.map_err(Into::into))
}

async fn open(settings: &Settings) -> Result<(EngineStore, PublicationFiles), LifecycleError> {
    let data = settings.data.clone();
    let options = Options {
        publish: Some(settings.publishing.clone()),
        ..Options::new(settings.log.clone())
    };
    let opened = spawn_blocking(move || {
        let (store, report) = EngineStore::open(&data, options)?;
        tracing::info!(?report, "opened the inventory");
        Ok((store, PublicationFiles::open(&data.join("publication"))?))
    });
    opened.await.map_err(|_| StoreError::NoAnswer)?
}

async fn serve(
    server: GrpcServer,
    listener: TcpListener,
    routes: Routes,
    shutdown: Shutdown,
) -> Result<(), LifecycleError> {
    let ended = server.run(listener, routes, shutdown).await;
    ended.map_err(|e| LifecycleError::Serving {
        what: "gRPC",
        why: e.to_string(),
    })
}

/// Records heartbeats until the shutdown.
async fn beat(
    store: EngineStore,
    clock: Arc<dyn Clock>,
    rhythm: Option<Rhythm>,
    shutdown: Shutdown,
) -> Result<(), LifecycleError> {
    tokio::select! {
        error = store.keep_heartbeats(clock, rhythm) => Err(error.into()),
        () = shutdown.requested() => Ok(()),
    }
}

/// Waits for all tasks. One that fails, panics, or ends before the shutdown ends the service.
async fn supervise(
    mut tasks: JoinSet<Result<(), LifecycleError>>,
    store: &EngineStore,
    shutdown: &Shutdown,
) -> Result<(), LifecycleError> {
    loop {
        let ended = tokio::select! {
            failed = store.failed() => return Err(failed.into()),
            ended = tasks.join_next() => ended,
        };
        let why = match ended {
            None => return Ok(()),
            Some(Ok(Ok(()))) if shutdown.is_requested() => continue,
            Some(Ok(Ok(()))) => "a part of it ended by itself".to_owned(),
            Some(Ok(Err(error))) => return Err(error),
            Some(Err(panic)) => panic.to_string(),
        };
        return Err(LifecycleError::Serving {
            what: "the lifecycle service",
            why,
        });
    }
}

/// What the workers and handlers are made from.
pub(crate) struct Running<S, I> {
    pub(crate) settings: Settings,
    pub(crate) store: S,
    pub(crate) files: PublicationFiles,
    pub(crate) issuer: I,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) answerer: Arc<Answerer<S>>,
    pub(crate) logs: AuditLogs,
}

impl<S: LifecycleStore, I: Issuer> Running<S, I> {
    /// Starts the workers; returns the handlers of what is to be served.
    pub(crate) fn start(
        self,
        tasks: &mut JoinSet<Result<(), LifecycleError>>,
        shutdown: &Shutdown,
    ) -> Handlers<S> {
        let (position, positions) = watch::channel(0);
        let (issuers, known) = watch::channel(Issuers::default());
        let (demands, demanded) = mpsc::channel::<Demand>(DEMANDS);
        let (rebuilds, wanted) = mpsc::channel::<RebuildDemand>(1);
        let schedule = self.settings.schedule;
        let bell = Arc::new(Notify::new());
        let news = Arc::new(Notify::new());
        let certifier = Certifier {
            store: self.store.clone(),
            files: self.files.clone(),
            answerer: Arc::clone(&self.answerer),
            issuer: self.issuer.clone(),
            clock: Arc::clone(&self.clock),
            randomness: Arc::clone(&self.randomness),
            issuers: known.clone(),
        };
        let board = Board::default();
        let follower = Follower {
            store: self.store.clone(),
            issuer: self.issuer.clone(),
            clock: Arc::clone(&self.clock),
            randomness: Arc::clone(&self.randomness),
            position,
            news: Arc::clone(&news),
        };
        let ca_certificates = CaCertificates {
            store: self.store.clone(),
            issuer: self.issuer.clone(),
            files: self.files.clone(),
            randomness: Arc::clone(&self.randomness),
            issuers: issuers.clone(),
            news,
            bell: Arc::clone(&bell),
        };
        let rebuilder = Rebuilder {
            store: self.store.clone(),
            issuer: self.issuer.clone(),
        };
        let (forecast, expected) = watch::channel(Forecast::default());
        let booker = Booker {
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            settings: Arc::new(self.settings.slots),
            forecast,
        };
        let slots = Slots {
            settings: Arc::clone(&booker.settings),
            forecast: expected,
            signer: Arc::new(TokenSigner::new(Arc::clone(&self.randomness))),
        };
        let files = self.files.clone();
        let publisher = Publisher {
            press: Press {
                store: self.store.clone(),
                issuer: self.issuer,
                clock: Arc::clone(&self.clock),
                schedule,
                files: self.files,
                issuers,
            },
            randomness: self.randomness,
            board: board.clone(),
            bell: Arc::clone(&bell),
        };
        let handlers = Handlers {
            logs: self.logs,
            app: App {
                store: self.store,
                clock: self.clock,
                issuers: known,
                position: positions,
                demands,
                rebuilds,
                rebuilding: Arc::new(Semaphore::new(1)),
                bell,
                notice_days: self.settings.notice_days,
                slots,
                board,
                schedule,
                files,
                answerer: Arc::clone(&self.answerer),
            },
            shutdown: shutdown.clone(),
        };
        tasks.spawn(follower.run(shutdown.clone()));
        tasks.spawn(ca_certificates.run(shutdown.clone()));
        tasks.spawn(publisher.run(demanded, shutdown.clone()));
        tasks.spawn(certifier.run(shutdown.clone()));
        tasks.spawn(rebuilder.run(wanted, shutdown.clone()));
        tasks.spawn(booker.run(shutdown.clone()));
        tasks.spawn(self.answerer.keep_journal(shutdown.clone()));
        handlers
    }
}

#[cfg(test)]
mod tests;
