//! A service on a runtime of its own, so that it can be stopped politely, or dropped at any point of
//! its work with everything that it had under way.

use std::{future::Future, sync::Arc, time::Duration};

use lgpki_intake::{RawSettings, store::EngineStore};
use lgpki_lifecycle::{LifecycleConfig, Listeners};
use lgpki_proto::ServiceName;
use lgpki_runtime::{
    Door, GrpcServer, Readiness, Shutdown, ShutdownTrigger,
    audit_log::{AuditLogs, Shelf},
    config::ServerLimits,
    error::chain,
    shutdown,
};
use lgpki_store::OpeningStore;
use lgpki_testkit::log_identity;
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot, task::JoinHandle};

use super::{PUBLICATION, System, founding};

/// How long is waited for what must come before a test is given up, in the machine's own time.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at something.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(1);

type Ended = Result<(), String>;

/// A service that runs.
#[derive(Debug)]
pub(super) struct Running {
    runtime: Option<Runtime>,
    trigger: ShutdownTrigger,
    ended: JoinHandle<Ended>,
}

impl Running {
    /// Drains and ends it.
    async fn stop(mut self) {
        self.trigger.request();
        let ended = (&mut self.ended).await.expect("it does not panic");
        assert_eq!(ended, Ok(()), "a service ended badly");
        self.crash().await;
    }

    /// Drops all its tasks where they stand, and returns once they are gone.
    async fn crash(mut self) {
        let runtime = self.runtime.take().expect("it is taken once");
        let gone = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE));
        gone.await.expect("its threads end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Sends the readiness of a service as soon as there is one to ask.
type Ready = oneshot::Sender<Readiness>;

impl System {
    /// Starts what does not run, callees first, and waits until all are ready.
    pub async fn start_all(&mut self) {
        for service in ServiceName::ALL {
            if !self.running.contains_key(&service) {
                self.start(service).await;
            }
        }
    }

    /// Starts a service and waits until it is ready. Intake is ready only once lifecycle is.
    pub async fn start(&mut self, service: ServiceName) {
        assert!(!self.running.contains_key(&service), "{service} runs");
        let patient = async {
            loop {
                match self.try_start(service).await {
                    Ok(running) => return running,
                    // After a crash the directory's lock is let go a moment later.
                    Err(why) if why.contains("another process") => {
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                    Err(why) => panic!("{service} did not start: {why}"),
                }
            }
        };
        let running = tokio::time::timeout(PATIENCE, patient).await;
        self.running.insert(service, running.expect("it starts"));
    }

    /// Lets a service finish what it has under way, and ends it.
    pub async fn stop(&mut self, service: ServiceName) {
        let running = self.running.remove(&service).expect("it runs");
        running.stop().await;
    }

    /// Drops a service where it stands: no draining, no farewell to anybody.
    pub async fn crash(&mut self, service: ServiceName) {
        let running = self.running.remove(&service).expect("it runs");
        running.crash().await;
    }

    /// Crashes a service and starts it again.
    pub async fn restart(&mut self, service: ServiceName) {
        self.crash(service).await;
        self.start(service).await;
    }

    async fn try_start(&self, service: ServiceName) -> Result<Running, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(service.name())
            .enable_all()
            .build()
            .expect("a runtime");
        let (trigger, until) = shutdown::channel();
        let (ready, asked) = oneshot::channel();
        let mut ended = match service {
            ServiceName::Issuer => runtime.spawn(self.issuer(ready, until)),
            ServiceName::Lifecycle => runtime.spawn(self.lifecycle(ready, until)),
            ServiceName::Intake => runtime.spawn(self.intake(ready, until)),
        };
        let is_ready = async {
            match asked.await {
                Ok(readiness) => readiness.ready().await,
                Err(_) => std::future::pending().await,
            }
        };
        let failed = tokio::select! {
            () = is_ready => None,
            ended = &mut ended => Some(ended),
        };
        let running = Running {
            runtime: Some(runtime),
            trigger,
            ended,
        };
        match failed {
            None => Ok(running),
            Some(ended) => {
                running.crash().await;
                Err(format!("{ended:?}"))
            }
        }
    }

    fn door(&self, service: ServiceName) -> Door {
        Door {
            service,
            identity: self.founded.identity(service),
            services: self.founded.services.clone(),
            officers: None,
            clock: Arc::new(self.clock.clone()),
            randomness: self.random.clone(),
            limits: ServerLimits::default(),
        }
    }

    fn issuer(&self, ready: Ready, until: Shutdown) -> impl Future<Output = Ended> + use<> {
        let settings =
            founding::issuer_settings(self.scratch.path()).with_heartbeats(self.plan.heartbeats);
        let ports = self.ports();
        let (door, port) = (
            self.door(ServiceName::Issuer),
            self.port(ServiceName::Issuer),
        );
        async move {
            let server = GrpcServer::try_new(door).map_err(|e| chain(&e))?;
            let _ = ready.send(server.readiness());
            let deps = lgpki_issuer::Deps {
                ports,
                passphrase: founding::passphrase(),
                server,
            };
            let listener = bind(port).await?;
            let ended = lgpki_issuer::run(settings, deps, listener, until).await;
            ended.map_err(|e| chain(&e))
        }
    }

    fn lifecycle(&self, ready: Ready, until: Shutdown) -> impl Future<Output = Ended> + use<> {
        let service = ServiceName::Lifecycle;
        let config = LifecycleConfig::default();
        let settings = lgpki_lifecycle::Settings::try_new(
            &config,
            self.data(service),
            log_identity("lifecycle-1"),
        );
        let (door, port) = (self.door(service), self.port(service));
        let publication = self.first_port + PUBLICATION;
        let (clock, randomness) = (Arc::new(self.clock.clone()), self.random.clone());
        let dial = self.dial(ServiceName::Issuer, service);
        let heartbeats = self.plan.heartbeats;
        async move {
            let server = GrpcServer::try_new(door).map_err(|e| chain(&e))?;
            let _ = ready.send(server.readiness());
            let deps = lgpki_lifecycle::Deps {
                clock,
                randomness,
                issuer: connect(dial)?,
                server,
            };
            let listeners = Listeners {
                grpc: bind(port).await?,
                publication: bind(publication).await?,
            };
            let mut settings = settings.map_err(|e| chain(&e))?;
            settings.heartbeats = heartbeats;
            let ended = lgpki_lifecycle::run(settings, deps, listeners, until).await;
            ended.map_err(|e| chain(&e))
        }
    }

    fn intake(&self, ready: Ready, until: Shutdown) -> impl Future<Output = Ended> + use<> {
        let service = ServiceName::Intake;
        let mut raw = RawSettings {
            presume_delivery_days: Some(self.plan.presume_delivery_days),
            ..RawSettings::default()
        };
        raw.dispatch.longest_backoff_ms = Some(200);
        for kind in self.plan.automatic {
            let policy = raw.examination.entry((*kind).to_owned()).or_default();
            policy.mode = Some("automatic".to_owned());
        }
        let mut settings = lgpki_intake::Settings::try_from(raw).expect("settings");
        settings.heartbeats = self.plan.heartbeats;
        let (data, port) = (self.data(service), self.port(service));
        let (clock, random) = (Arc::new(self.clock.clone()), self.random.clone());
        let (identity, services) = (
            self.founded.identity(service),
            self.founded.services.clone(),
        );
        let officers = self.founded.officers.clone();
        let issuer = self.dial(ServiceName::Issuer, service);
        let lifecycle = self.dial(ServiceName::Lifecycle, service);
        async move {
            let listener = bind(port).await?;
            let published = Shelf::of(&data);
            let (store, openings) = open_intake(data).await?;
            let deps = lgpki_intake::Deps {
                store: store.clone(),
                openings: Arc::new(openings),
                issuer: connect(issuer)?,
                lifecycle: connect(lifecycle)?,
                logs: AuditLogs::new(published, log_identity("intake-1"), store.clone()),
                identity,
                services,
                officers,
                places: None,
                limits: ServerLimits::default(),
                clock,
                random,
            };
            let made = lgpki_intake::Service::try_new(settings, deps).await;
            let made = made.map_err(|e| chain(&e))?;
            let _ = ready.send(made.readiness());
            let ended = made.run(listener, until).await;
            store.close().await;
            ended.map_err(|e| chain(&e))
        }
    }

    fn dial(&self, service: ServiceName, caller: ServiceName) -> lgpki_runtime::client::Dial {
        lgpki_runtime::client::Dial {
            target: self.target(service),
            identity: Some(self.founded.identity(caller)),
            anchors: self.founded.services.clone(),
            clock: Arc::new(self.clock.clone()),
        }
    }
}

/// Connects from within the runtime that is to carry the connection.
fn connect(dial: lgpki_runtime::client::Dial) -> Result<tonic::transport::Channel, String> {
    lgpki_runtime::client::connect(dial).map_err(|e| chain(&e))
}

async fn bind(port: u16) -> Result<TcpListener, String> {
    let bound = TcpListener::bind(("127.0.0.1", port)).await;
    bound.map_err(|e| format!("port {port}: {e}"))
}

async fn open_intake(data: std::path::PathBuf) -> Result<(Arc<EngineStore>, OpeningStore), String> {
    let opened = tokio::task::spawn_blocking(move || {
        let options = lgpki_store::Options::published(log_identity("intake-1"));
        let (store, _) = EngineStore::open_embedded(&data, options).map_err(|e| chain(&e))?;
        let disk = Arc::new(lgpki_ledger::OsDisk);
        let openings = OpeningStore::open(&data.join("openings"), disk);
        Ok((Arc::new(store), openings.map_err(|e| chain(&e))?))
    });
    opened.await.map_err(|e| e.to_string())?
}
