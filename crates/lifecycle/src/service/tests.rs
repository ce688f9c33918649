//! The whole service, its clock moved by hand, against an issuer with real keys: in process, and
//! once over real sockets with mutual TLS.

mod ca_certificates;
mod clocks;
mod deltas;
mod feeds;
mod making;
mod notices;
mod ocsp;
mod publishing;
mod rebuild;
mod renewals;
mod rpcs;
mod slots;
mod sockets;
mod urgent;

use std::{path::Path, sync::Arc, time::Duration};

use lgpki_domain::{Authority, Caller, CrlSeries, RevocationReason, Role};
use lgpki_proto::{
    convert::wire,
    v1::{self, lifecycle_service_server::LifecycleService as _},
};
use lgpki_runtime::{
    Rpc,
    shutdown::{self, ShutdownTrigger},
};
use lgpki_testkit::{ManualClock, SeededRandom};
use lgpki_x509::crl::RevocationList;
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::{Request, Status};

use super::*;
use crate::{
    config::{LifecycleConfig, Settings, SlotConfig},
    ports::{CrlList, Publication},
    publication::Name,
    testing::{FakeIssuer, application, at, serial, series},
};

/// The CA of the fixtures' certificates.
const AUTHORITY: Authority = Authority::Application;
/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service.
struct World {
    clock: ManualClock,
    issuer: FakeIssuer,
    store: EngineStore,
    files: PublicationFiles,
    handlers: Handlers<EngineStore>,
    answerer: Arc<Answerer<EngineStore>>,
    tasks: JoinSet<Result<(), LifecycleError>>,
    trigger: ShutdownTrigger,
    dir: TempDir,
    slots: SlotConfig,
}

/// What outlives a service.
struct Left {
    clock: ManualClock,
    issuer: FakeIssuer,
    dir: TempDir,
    slots: SlotConfig,
}

/// Nothing is booked but in the tests of booking, whose entries others do not count.
fn no_slots() -> SlotConfig {
    SlotConfig {
        per_business_day: 0,
        ..SlotConfig::default()
    }
}

fn settings(dir: &Path, slots: SlotConfig) -> Settings {
    let config = LifecycleConfig {
        slots,
        ..LifecycleConfig::default()
    };
    Settings::try_new(
        &config,
        dir.to_owned(),
        lgpki_testkit::log_identity("lifecycle-1"),
    )
    .unwrap()
}

impl World {
    /// A new one, its clock at noon of the opening day.
    async fn new() -> Self {
        Self::beside(FakeIssuer::new()).await
    }

    /// A new one, with an issuer that is there already.
    async fn beside(issuer: FakeIssuer) -> Self {
        let left = Left {
            clock: ManualClock::new(at("2008-02-04T12:00:00")),
            issuer,
            dir: tempfile::tempdir().unwrap(),
            slots: no_slots(),
        };
        let world = left.start().await;
        world.all_published().await;
        world
    }

    async fn stop(mut self) -> Left {
        self.trigger.request();
        while let Some(ended) = timeout(PATIENCE, self.tasks.join_next()).await.unwrap() {
            ended.unwrap().unwrap();
        }
        self.answerer.close_journal().await.unwrap();
        self.store.close().await;
        Left {
            clock: self.clock,
            issuer: self.issuer,
            dir: self.dir,
            slots: self.slots,
        }
    }

    /// Returns once `what` gives a value; it is tried again whenever something was recorded.
    async fn eventually<T, F: Future<Output = Option<T>>>(&self, mut what: impl FnMut() -> F) -> T {
        let mut durable = self.store.durable();
        let mut position = self.handlers.app.position.clone();
        let waiting = async {
            loop {
                durable.mark_unchanged();
                position.mark_unchanged();
                if let Some(value) = what().await {
                    return value;
                }
                tokio::select! {
                    changed = durable.changed() => changed.unwrap(),
                    changed = position.changed() => changed.unwrap(),
                }
            }
        };
        timeout(PATIENCE, waiting).await.unwrap()
    }

    /// Returns once every series has a CRL.
    async fn all_published(&self) {
        let options = self.issuer.ca(AUTHORITY).crl_options();
        self.eventually(|| async {
            for authority in Authority::ALL {
                let key = series(authority).key;
                for scope in options.scopes() {
                    let standing = self.store.publication(CrlSeries { key, scope }).await;
                    let standing = standing.unwrap();
                    standing.newest?;
                    if options.has_delta(scope) {
                        standing.delta?;
                    }
                }
            }
            Some(())
        })
        .await;
    }

    /// The newest CRLs, once both have this number at least; returns the Application CA's.
    async fn newest(&self, number: u64) -> Publication {
        self.eventually(|| async {
            let organization = self
                .store
                .publication(series(Authority::Organization))
                .await
                .unwrap();
            let reached = organization
                .newest
                .is_some_and(|newest| newest.number.0 >= number);
            let newest = self
                .store
                .publication(series(AUTHORITY))
                .await
                .unwrap()
                .newest;
            newest.filter(|newest| reached && newest.number.0 >= number)
        })
        .await
    }

    /// The newest CRL of the Application CA, once it has this number at least.
    async fn reached(&self, number: u64) -> Publication {
        self.series_reached(series(AUTHORITY), number).await
    }

    /// The newest CRL of a series, once it has this number at least.
    async fn series_reached(&self, series: CrlSeries, number: u64) -> Publication {
        self.eventually(|| async {
            let standing = self.store.publication(series).await.unwrap();
            standing.newest.filter(|newest| newest.number.0 >= number)
        })
        .await
    }

    /// The CRL as relying parties fetch it.
    fn crl(&self) -> RevocationList {
        let file = self
            .files
            .find(Name::Crl(CrlList::complete(series(AUTHORITY))))
            .unwrap();
        let list = RevocationList::parse(&file.bytes).unwrap();
        assert!(list.is_signed_by(self.issuer.ca(AUTHORITY).public_key()));
        list
    }

    /// What relying parties reach.
    fn public(&self) -> axum::Router {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let public = Public::new(self.files.clone(), Arc::clone(&self.answerer), clock);
        http::router(public)
    }

    /// Has the feed tell of certificates and waits until they are here.
    async fn register(&self, items: Vec<crate::ports::FeedItem>) {
        let last = items.iter().map(|item| item.index).max().unwrap();
        self.issuer.tell(items);
        let mut position = self.handlers.app.position.clone();
        timeout(PATIENCE, position.wait_for(|reached| *reached > last))
            .await
            .unwrap()
            .unwrap();
    }

    async fn revoke(&self, command: u32, n: u32, reason: RevocationReason) -> v1::RevocationResult {
        let order = v1::RevocationOrder {
            command_id: application(command).to_string(),
            serial: serial(n).to_string(),
            reason: wire(reason),
            branch: "01001".to_owned(),
            actor: "branch-officer/01001/41".to_owned(),
            answers_index: 3,
        };
        let request = v1::RevokeCertificatesRequest {
            orders: vec![order],
        };
        let answer = self
            .handlers
            .revoke_certificates(from_intake(request))
            .await
            .unwrap();
        answer.into_inner().results.remove(0)
    }

    async fn publish(&self, authority: i32) -> Result<Vec<v1::PublishedCrl>, Status> {
        let request = from_intake(v1::PublishCrlsRequest { authority });
        let answer = timeout(PATIENCE, self.handlers.publish_crls(request))
            .await
            .unwrap();
        answer.map(|answer| answer.into_inner().published)
    }
}

impl Left {
    async fn start(self) -> World {
        let settings = settings(self.dir.path(), self.slots.clone());
        let (store, files) = open(&settings).await.unwrap();
        let (trigger, shutdown) = shutdown::channel();
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let answerer = Answerer::new(store.clone(), clock, settings.ocsp);
        let answerer = Arc::new(answerer);
        let published = Shelf::of(&settings.data);
        let log = settings.log.clone();
        let running = Running {
            logs: AuditLogs::new(published, log, Arc::new(store.clone())),
            settings,
            store: store.clone(),
            files: files.clone(),
            issuer: self.issuer.clone(),
            clock: Arc::new(self.clock.clone()),
            randomness: Arc::new(SeededRandom::new(1)),
            answerer: Arc::clone(&answerer),
        };
        let mut tasks = JoinSet::new();
        let handlers = running.start(&mut tasks, &shutdown);
        World {
            clock: self.clock,
            issuer: self.issuer,
            store,
            files,
            handlers,
            answerer,
            tasks,
            trigger,
            dir: self.dir,
            slots: self.slots,
        }
    }
}

fn from_intake<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let rpc = Rpc::new(
        Caller::Service(Role::Intake),
        "test".to_owned(),
        "/test/Test",
    );
    request.extensions_mut().insert(rpc);
    request
}
