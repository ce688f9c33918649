//! The assembled service: use cases, handlers, server and workers, started and stopped together.
//!
//! It serves from the start, but answers UNAVAILABLE about logins and applications until it has
//! learned from lifecycle which certificates exist; only then does it report itself ready.

use std::{path::PathBuf, sync::Arc};

use lgpki_domain::{Clock, ErrorClass, Randomness};
use lgpki_proto::ServiceName;
use lgpki_runtime::{
    Door, GrpcServer, Identity, OfficerDoor, Readiness, RuntimeError, Shutdown, Supervisor,
    TrustAnchors, audit_log::AuditLogs, config::ServerLimits, shutdown, supervise::TaskFailed,
};
use lgpki_store::OpeningStore;
use tokio::net::TcpListener;
use tonic::transport::Channel;

use crate::{
    admission::Admission,
    app::{App, Parts},
    config::Settings,
    dispatch::Dispatcher,
    error::StoreError,
    grpc::Handlers,
    logins::Logins,
    metrics,
    names::Sweep,
    notices, outlook,
    pace::Pace,
    peers::Peers,
    places::Places,
    ports::IntakeStore,
    promises::Promises,
    standings::{Progress, Standings, follow},
    worker,
};

/// What intake is given from outside.
#[derive(Debug)]
pub struct Deps<S> {
    /// Applications and directories.
    pub store: Arc<S>,
    /// The names behind the commitments in the log; a store of its own, apart from the log.
    pub openings: Arc<OpeningStore>,
    /// To the issuer, with intake's TLS identity.
    pub issuer: Channel,
    /// To lifecycle, with intake's TLS identity.
    pub lifecycle: Channel,
    /// What intake has published of its logs.
    pub logs: AuditLogs,
    /// Intake's TLS identity.
    pub identity: Identity,
    /// The service CA.
    pub services: TrustAnchors,
    /// The Organization CA, whose login certificates officers present.
    pub officers: TrustAnchors,
    /// Where the places that admission has given are kept for the next start; nowhere if there is no such file.
    pub places: Option<PathBuf>,
    /// What the server allows.
    pub limits: ServerLimits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For application numbers, salts and jitter.
    pub random: Arc<dyn Randomness>,
}

/// Why intake stopped or did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store.
    #[error("intake's store failed")]
    Store(#[from] StoreError),
    /// The server.
    #[error("intake cannot serve")]
    Runtime(#[from] RuntimeError),
    /// A part of it ended.
    #[error("intake has stopped")]
    Task(#[from] TaskFailed),
}

impl ServiceError {
    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Store(error) => error.class(),
            Self::Runtime(error) => error.class(),
            Self::Task(_) => ErrorClass::Internal,
        }
    }
}

/// Intake, ready to run.
#[derive(Debug)]
pub struct Service<S> {
    deps: Running<S>,
    logs: AuditLogs,
    server: GrpcServer,
}

/// What the workers need.
#[derive(Debug)]
struct Running<S> {
    store: Arc<S>,
    standings: Arc<Standings>,
    logins: Arc<Logins>,
    admission: Arc<Admission>,
    places: Places,
    openings: Arc<OpeningStore>,
    peers: Peers,
    pace: Arc<Pace>,
    promises: Arc<Promises>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    settings: Settings,
}

impl<S: IntakeStore> Service<S> {
    /// Puts the service together; nothing is served yet.
    pub async fn try_new(settings: Settings, deps: Deps<S>) -> Result<Self, ServiceError> {
        metrics::describe();
        let standings = Arc::new(Standings::default());
        let logins = Arc::new(Logins::load(deps.store.as_ref(), standings.clone()).await?);
        let limits = deps.store.limits().await?;
        let admission = Arc::new(Admission::new(limits.limits, limits.revision));
        let places = Places::new(deps.places);
        places.recall(&admission, deps.clock.now());
        let pace = Arc::new(settings.queue.pace());
        deps.store.arrange(pace.clone()).await?;
        let server = GrpcServer::try_new(Door {
            service: ServiceName::Intake,
            identity: deps.identity,
            services: deps.services,
            officers: Some(OfficerDoor {
                anchors: deps.officers,
                standing: logins.clone(),
                refused: logins.clone(),
            }),
            clock: deps.clock.clone(),
            randomness: deps.random.clone(),
            limits: deps.limits,
        })?;
        Ok(Self {
            deps: Running {
                store: deps.store,
                standings,
                logins,
                admission,
                places,
                openings: deps.openings,
                peers: Peers::new(deps.issuer, deps.lifecycle),
                pace,
                promises: Arc::default(),
                clock: deps.clock,
                random: deps.random,
                settings,
            },
            logs: deps.logs,
            server,
        })
    }

    /// Whether it serves; for the administration port.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.server.readiness()
    }

    /// Serves and works until `shutdown`, or until a part of it fails.
    pub async fn run(self, listener: TcpListener, shutdown: Shutdown) -> Result<(), ServiceError> {
        let Self { deps, logs, server } = self;
        let (trigger, own) = shutdown::channel();
        let mut tasks = Supervisor::new(trigger.clone(), own.clone());
        let readiness = server.readiness();
        deps.start_workers(&mut tasks, &own, readiness);
        let (store, clock) = (deps.store.clone(), deps.clock.clone());
        let (logins, admission) = (deps.logins.clone(), deps.admission.clone());
        let places = deps.places.clone();
        let app = Arc::new(deps.into_app());
        let routes = Handlers::new(app, logs, own.clone()).into_routes();
        tasks.spawn("intake.server", server.run(listener, routes, own.clone()));
        tasks.spawn("intake.shutdown", {
            let own = own.clone();
            async move {
                tokio::select! {
                    () = shutdown.requested() => trigger.request(),
                    () = own.requested() => {}
                }
                Ok::<(), RuntimeError>(())
            }
        });
        let outcome = tasks.run().await;
        places.keep(&admission, clock.now()).await;
        worker::flush_refused(store.as_ref(), &logins, &admission, clock.now()).await?;
        Ok(outcome?)
    }
}

impl<S: IntakeStore> Running<S> {
    fn start_workers(&self, tasks: &mut Supervisor, own: &Shutdown, readiness: Readiness) {
        let dispatcher = Dispatcher {
            store: self.store.clone(),
            peers: self.peers.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            settings: self.settings.dispatch,
            pace: self.pace.clone(),
            promises: self.promises.clone(),
            standings: self.standings.clone(),
        };
        tasks.spawn("intake.dispatch", until(own, dispatcher.run()));
        let following = follow(
            self.standings.clone(),
            self.peers.clone(),
            self.random.clone(),
        );
        tasks.spawn(
            "intake.standings",
            until(own, async {
                following.await;
                Ok::<(), StoreError>(())
            }),
        );
        let ringing = notices::ring(self.peers.clone(), self.random.clone());
        tasks.spawn(
            "intake.notices",
            until(own, async {
                ringing.await;
                Ok::<(), StoreError>(())
            }),
        );
        let (places, admission) = (self.places.clone(), self.admission.clone());
        let keeping = places.keep_on(admission, self.clock.clone());
        tasks.spawn(
            "intake.places",
            until(own, async {
                keeping.await;
                Ok::<(), StoreError>(())
            }),
        );
        let delivery = worker::presume_deliveries(
            self.store.clone(),
            self.clock.clone(),
            self.settings.presume_delivery_days,
        );
        tasks.spawn("intake.delivery", until(own, delivery));
        let refusals = worker::log_refused(
            self.store.clone(),
            self.logins.clone(),
            self.admission.clone(),
            self.clock.clone(),
        );
        tasks.spawn("intake.refusals", until(own, refusals));
        let outlook = outlook::look_ahead(
            self.store.clone(),
            self.standings.clone(),
            self.pace.clone(),
            self.clock.clone(),
        );
        tasks.spawn("intake.outlook", until(own, outlook));
        let gauges = worker::update_gauges(
            self.store.clone(),
            self.standings.clone(),
            self.admission.clone(),
            self.promises.clone(),
            self.clock.clone(),
        );
        tasks.spawn("intake.gauges", until(own, gauges));
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let rhythm = self.settings.heartbeats;
        tasks.spawn(
            "intake.heartbeats",
            until(own, async move {
                // Why the store ended is told by whoever has opened it.
                let _ended = store.keep_heartbeats(clock, rhythm).await;
                std::future::pending::<Result<(), StoreError>>().await
            }),
        );
        let peers = worker::watch_peers(self.peers.clone(), readiness.clone(), self.clock.clone());
        tasks.spawn("intake.peers", until(own, peers));
        // Made before the first application of this run can keep a name.
        let sweep = Sweep::new(self.store.clone(), self.openings.clone());
        tasks.spawn("intake.names", {
            let own = own.clone();
            async move {
                until(&own, async { sweep.run().await.map(|_| ()) }).await?;
                own.requested().await;
                Ok::<(), StoreError>(())
            }
        });
        let mut progress = self.standings.watch();
        let own = own.clone();
        tasks.spawn("intake.readiness", async move {
            tokio::select! {
                known = progress.wait_for(Progress::is_complete) => {
                    readiness.set_ready(known.is_ok());
                }
                () = own.requested() => {}
            }
            own.requested().await;
            Ok::<(), StoreError>(())
        });
    }

    fn into_app(self) -> App<S> {
        App::new(Parts {
            store: self.store,
            standings: self.standings,
            logins: self.logins,
            admission: self.admission,
            slots: Arc::default(),
            openings: self.openings,
            peers: self.peers,
            pace: self.pace,
            promises: self.promises,
            clock: self.clock,
            random: self.random,
            settings: self.settings,
        })
    }
}

/// Lets a worker that never ends run until the shutdown; what it was doing is safe to leave.
fn until<E>(
    shutdown: &Shutdown,
    work: impl Future<Output = Result<(), E>> + Send + 'static,
) -> impl Future<Output = Result<(), E>> + Send + 'static {
    let shutdown = shutdown.clone();
    async move {
        tokio::select! {
            outcome = work => outcome,
            () = shutdown.requested() => Ok(()),
        }
    }
}
