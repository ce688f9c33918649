//! The authority of a replay: made as `init` makes one, run as `serve` runs it, on a clock that is stepped.
//!
//! Each service runs on threads of its own, so that what front ends, examiners and subscribers do on the one thread
//! that is left is not taken for the services' work.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::{
    Authority, BodyCode, JstDate, KeyAlgorithm, OfficerRole, Timestamp, order::OrderName,
};
use lgpki_intake::{config::RawQueue, store::EngineStore};
use lgpki_issuer::{Ceremony, Ports, Settings};
use lgpki_keys::Passphrase;
use lgpki_proto::ServiceName;
use lgpki_runtime::{
    Identity, ShutdownTrigger, TrustAnchors,
    client::{self, Dial},
    clock::SteppedClock,
    config::Target,
    random::SystemRandomness,
    shutdown,
};
use lgpki_surge::Chance;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};
use tonic::transport::Channel;

use super::super::{
    super::{
        init::{
            self, SERVER_NAME, ca_file,
            offices::{self, Card, Offices},
        },
        serve::{self, Surroundings},
        throwaway,
    },
    front::PATIENCE,
    rest,
};
use crate::{
    cli::{CaKey, InitArgs, LoginForm, PassphraseArgs},
    config::Config,
    error::CommandError,
    log_key,
};

/// How the operator examines: everything, by one operator each.
const EXAMINATION: &str = "\
official-duty = { mode = \"manual\" }
user = { mode = \"manual\" }
login = { mode = \"manual\" }
web-server = { mode = \"manual\" }
code-signing = { mode = \"manual\" }
mail = { mode = \"manual\" }";

/// The authority and its services.
pub(super) struct System {
    clock: SteppedClock,
    config: Arc<Config>,
    passphrase: Passphrase,
    seed: u64,
    anchors: TrustAnchors,
    /// The Organization CA's certificate, DER, which certifies logins.
    organization: Vec<u8>,
    target: Target,
    store: Option<Arc<EngineStore>>,
    running: Vec<Service>,
    dir: tempfile::TempDir,
}

/// A service that runs.
struct Service {
    name: ServiceName,
    runtime: Option<Runtime>,
    trigger: ShutdownTrigger,
    ended: JoinHandle<Result<(), CommandError>>,
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How the services go about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The order of the queues.
    pub(super) order: OrderName,
    /// Applications that are examined in a business day.
    pub(super) per_business_day: u32,
    /// What slots are booked by: of a hundred certificates those that are expected not to heed them, and applications
    /// on a business day without one. None are booked without it.
    pub(super) slots: Option<(u8, u32)>,
    /// For intake's chance.
    pub(super) seed: u64,
}

/// Certificates of a branch on one day of a trip are at most this part of a day's capacity.
const TRIP_PART: u32 = 8;

impl Rules {
    fn apply(self, config: &mut Config) {
        // Of years, one a day tells as much as one an hour does.
        config.audit.heartbeat_minutes = 24 * 60;
        if let Some(intake) = &mut config.intake {
            intake.settings.queue = RawQueue {
                order: Some(self.order.name().to_owned()),
                examiners: Some(1),
                per_examiner: Some(self.per_business_day),
                ..RawQueue::default()
            };
        }
        if let Some(lifecycle) = &mut config.lifecycle {
            let slots = &mut lifecycle.settings.slots;
            slots.per_business_day = 0;
            if let Some((ignoring_percent, unadvised)) = self.slots {
                slots.per_business_day = self.per_business_day;
                slots.ignoring_percent = ignoring_percent;
                slots.unadvised_per_business_day = unadvised.min(self.per_business_day);
                slots.trip = (self.per_business_day / TRIP_PART).max(1);
            }
        }
    }
}

impl System {
    /// Makes an authority on `day`, below `data` or in memory; nothing runs yet.
    pub(super) async fn found(
        data: Option<&Path>,
        day: JstDate,
        rules: Rules,
    ) -> Result<Self, CommandError> {
        let scratch = scratch(data)?;
        let dir = authority(&scratch);
        let clock = SteppedClock::new(day.start().plus_seconds(8 * 3600));
        let passphrase = throwaway::passphrase()?;
        let ports = Ports {
            clock: Arc::new(clock.clone()),
            randomness: Arc::new(SystemRandomness::new()),
        };
        let args = plan(&dir)?;
        init::make(&args, passphrase.clone(), EXAMINATION, &ports, || {}).await?;
        let mut config = Config::load(&dir.join("lgpki.toml"))?;
        rules.apply(&mut config);
        let anchors = serve::anchors(&config.tls.service_ca)?;
        let organization = serve::certificates(&ca_file(&dir, Authority::Organization))?;
        let organization = organization.into_iter().next().unwrap_or_default();
        let address = format!("127.0.0.1:{}", args.first_port);
        let target = Target::try_new(&address)
            .map_err(|e| CommandError::from_error("intake's address", &e))?
            .with_server_name(SERVER_NAME);
        Ok(Self {
            clock,
            config: Arc::new(config),
            passphrase,
            seed: rules.seed,
            anchors,
            organization,
            target,
            store: None,
            running: Vec::new(),
            dir: scratch,
        })
    }

    /// The authority's directory.
    pub(super) fn dir(&self) -> PathBuf {
        authority(&self.dir)
    }

    /// The clock of the whole system.
    pub(super) const fn clock(&self) -> &SteppedClock {
        &self.clock
    }

    /// The time now.
    pub(super) fn now(&self) -> Timestamp {
        lgpki_domain::Clock::now(&self.clock)
    }

    /// Gives logins, by ceremony, to an operator, an auditor and the branch officers of `branches`; the issuer must
    /// not run.
    pub(super) async fn logins(&self, branches: &[BodyCode]) -> Result<Vec<Card>, CommandError> {
        let mut wanted = offices::wanted(Offices {
            operators: &[1],
            auditors: &[1],
            branches,
        })?;
        wanted.retain(|office| office.role() != OfficerRole::LgwanOfficer);
        let issuer = self.config.issuer.as_ref();
        let issuer = issuer.ok_or_else(|| CommandError::new("there is no issuer"))?;
        let shared = &issuer.shared;
        let secret = log_key::services_passphrase(&self.config)?;
        let log = log_key::load(&self.config, ServiceName::Issuer, shared, &secret)?;
        let settings = Settings::try_new(log, &shared.data, &issuer.settings)
            .map_err(|e| CommandError::from_error("settings", &e))?;
        let held = Ceremony::open(&settings, self.ports(), self.passphrase.clone()).await;
        let held = held.map_err(|e| CommandError::from_error("the ceremony cannot begin", &e))?;
        let cards = offices::issue(&held, wanted).await;
        let closed = held.close().await;
        closed.map_err(|e| CommandError::from_error("the ceremony cannot end", &e))?;
        cards
    }

    /// Starts what does not run and waits until all are ready.
    pub(super) async fn start(&mut self) -> Result<(), CommandError> {
        for name in ServiceName::ALL {
            if self.running.iter().all(|service| service.name != name) {
                self.start_one(name).await?;
            }
        }
        Ok(())
    }

    async fn start_one(&mut self, name: ServiceName) -> Result<(), CommandError> {
        let failed = |e: &dyn std::error::Error| CommandError::from_error(name.name(), e);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(name.name())
            .enable_all()
            .build()
            .map_err(|e| failed(&e))?;
        let (trigger, until) = shutdown::channel();
        let (ready, is_ready) = oneshot::channel();
        let passphrase = (name == ServiceName::Issuer).then(|| self.passphrase.clone());
        let (config, signals) = (Arc::clone(&self.config), (trigger.clone(), until));
        let mut ports = self.ports();
        if name == ServiceName::Intake {
            ports.randomness = Arc::new(Chance::new(self.seed));
        }
        let around = Surroundings {
            metrics: None,
            ports,
        };
        let mut ended = runtime.spawn(async move {
            let running = serve::start(&config, &[name], passphrase, around, signals).await?;
            // Whoever waits for it may have given up.
            let _ = ready.send((running.readiness(), running.store()));
            running.until_end().await
        });
        let started = async {
            let Ok((readiness, store)) = is_ready.await else {
                return std::future::pending().await;
            };
            for service in &readiness {
                service.ready().await;
            }
            store
        };
        let store = tokio::select! {
            store = started => store,
            ended = &mut ended => return Err(ended.map_err(|e| failed(&e))?.err().unwrap_or_else(|| {
                CommandError::new(format!("{name} ended before it was ready"))
            })),
            () = tokio::time::sleep(PATIENCE) => {
                return Err(CommandError::new(format!("{name} does not become ready")));
            }
        };
        if store.is_some() {
            self.store = store;
        }
        self.running.push(Service {
            name,
            runtime: Some(runtime),
            trigger,
            ended,
        });
        Ok(())
    }

    /// Lets a service finish what it has under way, and ends it.
    pub(super) async fn stop(&mut self, name: ServiceName) -> Result<(), CommandError> {
        let place = self.running.iter().position(|service| service.name == name);
        let Some(mut service) = place.map(|place| self.running.swap_remove(place)) else {
            return Ok(());
        };
        service.trigger.request();
        let ended = (&mut service.ended).await;
        ended.map_err(|e| CommandError::from_error(name.name(), &e))?
    }

    /// Ends everything, callers first.
    pub(super) async fn stop_all(&mut self) -> Result<(), CommandError> {
        self.store = None;
        for name in [
            ServiceName::Intake,
            ServiceName::Lifecycle,
            ServiceName::Issuer,
        ] {
            self.stop(name).await?;
        }
        Ok(())
    }

    /// A connection to intake for whoever has this login.
    pub(super) fn connect(&self, card: &Card) -> Result<Channel, CommandError> {
        let identity: Identity = card.identity(&self.organization)?;
        client::connect(Dial {
            target: self.target.clone(),
            identity: Some(identity),
            anchors: self.anchors.clone(),
            clock: Arc::new(self.clock.clone()),
        })
        .map_err(|e| CommandError::from_error("cannot prepare a connection", &e))
    }

    /// Returns once intake has nothing under way: no application on its way to the examiners, the issuer or lifecycle,
    /// and nothing to tell lifecycle of renewals.
    pub(super) async fn at_rest(&self) -> Result<(), CommandError> {
        let store = self.store.as_ref();
        let store = store.ok_or_else(|| CommandError::new("intake does not run"))?;
        rest::at_rest(store, self.now()).await
    }

    fn ports(&self) -> Ports {
        Ports {
            clock: Arc::new(self.clock.clone()),
            randomness: Arc::new(SystemRandomness::new()),
        }
    }
}

fn authority(scratch: &tempfile::TempDir) -> PathBuf {
    scratch.path().join("ca")
}

fn plan(dir: &Path) -> Result<InitArgs, CommandError> {
    Ok(InitArgs {
        dir: dir.to_owned(),
        passphrase: PassphraseArgs {
            passphrase_file: None,
            passphrase_fd: None,
        },
        organization_key: CaKey(KeyAlgorithm::Rsa2048),
        application_key: CaKey(KeyAlgorithm::Rsa2048),
        branches: Vec::new(),
        operators: 0,
        auditors: 0,
        crl_partitions: Vec::new(),
        crl_delta: Vec::new(),
        login_form: LoginForm::Data,
        hosts: Vec::new(),
        first_port: throwaway::free_ports()?,
        publication_url: None,
        log_origin: None,
    })
}

/// A throw-away directory: in memory where the machine has one and nothing else was said, for what survives a power
/// cut is shown elsewhere, and the years take some hundred thousand syncs.
fn scratch(data: Option<&Path>) -> Result<tempfile::TempDir, CommandError> {
    let failed = |e| CommandError::from_error("cannot make a throw-away directory", &e);
    if let Some(dir) = data {
        return tempfile::tempdir_in(dir)
            .map_err(|e| CommandError::file("make a directory in", dir, &e));
    }
    let memory: PathBuf = PathBuf::from("/dev/shm");
    tempfile::tempdir_in(memory)
        .or_else(|_| tempfile::tempdir())
        .map_err(failed)
}
