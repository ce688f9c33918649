//! The whole system in one process on a clock that the test moves: the three real services, each on
//! a runtime of its own, with real gRPC and mutual TLS over loopback between them, made through the
//! crates' public interfaces, with quick keys and a seed.
//!
//! Workers sleep on the clock and TLS reads it, so that years pass in seconds. Nothing here waits for
//! a length of time: [`System::settle`] and its like watch until a thing is so. Transport time-outs
//! stay on the machine's own clock. A service can be stopped, crashed and started again.

mod founding;
mod office;
mod order;
mod relying;
mod running;
mod time;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lgpki_domain::{Authority, CrlOptions, JstDate, Timestamp, Validity};
use lgpki_issuer::{Ceremony, Ports};
use lgpki_keys::SoftwareKey;
use lgpki_proto::ServiceName;
use lgpki_runtime::{
    client::{self, Dial},
    config::Target,
    tls::Identity,
};
use lgpki_store::Rhythm;
use lgpki_testkit::{ManualClock, SeededRandom};
use tonic::transport::Channel;

pub use office::{Downloaded, Office, Reply};
pub use order::Order;
pub use relying::RelyingParty;
pub use time::at;

use crate::installation::free_ports;
use founding::Founded;
use running::Running;

/// How the system is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The day on which the CAs are made; the services start at 08:00 JST.
    pub opening: JstDate,
    /// Where all chance comes from but that of keys.
    pub seed: u64,
    /// Branches whose officers get a login, and whose bodies have the unit of [`System::unit`].
    pub branches: &'static [&'static str],
    /// `[intake.examination]`: kinds of which all applications are approved by themselves.
    pub automatic: &'static [&'static str],
    /// How both CAs publish their revocations.
    pub crl: CrlOptions,
    /// Days after which a certificate that was never confirmed counts as delivered.
    pub presume_delivery_days: u16,
    /// How often heartbeats come into the logs; never if it is left out, so that what a test counts is
    /// what it did.
    pub heartbeats: Option<Rhythm>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            opening: JstDate::try_new(2008, 2, 4).expect("a day"),
            seed: 1,
            branches: &["01001", "13001"],
            automatic: &[],
            crl: CrlOptions::default(),
            presume_delivery_days: 30,
            heartbeats: None,
        }
    }
}

/// The system. What runs ends without a farewell when it is dropped.
#[derive(Debug)]
pub struct System {
    plan: Plan,
    clock: ManualClock,
    random: Arc<SeededRandom>,
    founded: Founded,
    running: BTreeMap<ServiceName, Running>,
    /// One connection for each office, for a handshake is dear.
    offices: Mutex<BTreeMap<String, Office>>,
    /// Certificates that were seen in the inventory.
    known: Mutex<BTreeSet<String>>,
    relying: RelyingParty,
    first_port: u16,
    /// Nobody else who asks for ports as we do gets these while it is held.
    _claim: TcpListener,
    scratch: tempfile::TempDir,
}

impl System {
    /// Founds the CAs on the opening day and starts all services; returns once the first CRLs are
    /// published.
    pub async fn begin(plan: Plan) -> Self {
        let scratch = scratch();
        let clock = ManualClock::new(plan.opening.start().plus_seconds(8 * 3600));
        let random = Arc::new(SeededRandom::new(plan.seed));
        let (first_port, claim) = free_ports();
        let ports = ports(&clock, &random);
        let publication = format!("http://127.0.0.1:{}", first_port + PUBLICATION);
        let founded = founding::found(scratch.path(), &plan, ports, &publication).await;
        let relying = RelyingParty::new(
            first_port + PUBLICATION,
            founded.authorities.clone(),
            plan.crl,
        );
        let mut system = Self {
            plan,
            clock,
            random,
            founded,
            running: BTreeMap::new(),
            offices: Mutex::default(),
            known: Mutex::default(),
            relying,
            first_port,
            _claim: claim,
            scratch,
        };
        system.start_all().await;
        system.settle().await;
        system.register_units().await;
        system
    }

    /// The clock of the whole system.
    #[must_use]
    pub const fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        lgpki_domain::Clock::now(&self.clock)
    }

    /// The day in Japan now.
    #[must_use]
    pub fn today(&self) -> JstDate {
        self.now().jst_date()
    }

    /// Whoever fetches what is published, and remembers it.
    #[must_use]
    pub const fn relying(&self) -> &RelyingParty {
        &self.relying
    }

    /// The data directory of a service.
    #[must_use]
    pub fn data(&self, service: ServiceName) -> std::path::PathBuf {
        founding::data(self.scratch.path(), service)
    }

    /// The office that was given the login `name` when the CAs were made: `operator-1`, `operator-2`,
    /// `auditor-1`, `branch-officer-01001`, `lgwan-officer-01001`.
    #[must_use]
    pub fn office(&self, name: &str) -> Office {
        let login = self.founded.logins.get(name).expect("an office");
        let made = || self.office_of(login.branch, login.identity.clone());
        lock(&self.offices)
            .entry(name.to_owned())
            .or_insert_with(made)
            .clone()
    }

    /// Gives the operators and the auditor new logins by ceremony, for which the issuer is stopped.
    /// Those before stay as they are, expired or not.
    pub async fn renew_central_logins(&mut self) {
        self.renew_logins(&[]).await;
    }

    /// The same for the officers of all branches too.
    pub async fn renew_all_logins(&mut self) {
        self.renew_logins(self.plan.branches).await;
    }

    async fn renew_logins(&mut self, branches: &[&'static str]) {
        self.stop(ServiceName::Issuer).await;
        let ports = self.ports();
        let made = founding::more_logins(self.scratch.path(), ports, &self.founded, branches).await;
        lock(&self.offices).clear();
        self.founded.logins.extend(made);
        self.start(ServiceName::Issuer).await;
        self.recover().await;
    }

    /// Holds a ceremony with the CA keys, for which the issuer is stopped.
    pub async fn hold<T>(&mut self, ceremony: impl AsyncFnOnce(&Ceremony) -> T) -> T {
        self.stop(ServiceName::Issuer).await;
        let held = founding::ceremony(self.scratch.path(), self.ports()).await;
        let made = ceremony(&held).await;
        held.close().await.expect("the ceremony ends");
        self.start(ServiceName::Issuer).await;
        self.recover().await;
        made
    }

    /// The first key of a CA, as somebody has it who stole file and passphrase.
    #[must_use]
    pub fn stolen_key(&self, authority: Authority) -> SoftwareKey {
        let name = format!("{authority}-1.key.pem");
        let path = self.data(ServiceName::Issuer).join("keys").join(name);
        SoftwareKey::load(&path, &founding::passphrase()).expect("the key of a CA")
    }

    /// The serial number of the login certificate of [`Self::office`].
    #[must_use]
    pub fn login_serial(&self, name: &str) -> String {
        let login = self.founded.logins.get(name).expect("an office");
        login.serial.clone()
    }

    /// The branch officer of `branch`, with the login made at the beginning.
    #[must_use]
    pub fn branch(&self, branch: &str) -> Office {
        self.office(&format!("branch-officer-{branch}"))
    }

    /// The first operator.
    #[must_use]
    pub fn operator(&self) -> Office {
        self.office("operator-1")
    }

    /// When the logins made by ceremony are valid, those made last if they were made again.
    #[must_use]
    pub fn login_validity(&self) -> Validity {
        let day = self.founded.logins.values().map(|login| login.made_on);
        Validity::for_subscriber(day.max().unwrap_or(self.plan.opening))
    }

    /// An office of `branch` (or, without one, a central office) with any login.
    #[must_use]
    pub fn office_of(&self, branch: Option<&'static str>, identity: Identity) -> Office {
        let channel = self.channel(ServiceName::Intake, Some(identity));
        Office::new(branch, self.clock.clone(), channel)
    }

    /// A channel to a service as one of the services, for what only they may ask.
    #[must_use]
    pub fn as_service(&self, service: ServiceName, caller: ServiceName) -> Channel {
        self.channel(service, Some(self.founded.identity(caller)))
    }

    /// A channel to a service; it connects, and connects again, by itself.
    #[must_use]
    pub fn channel(&self, service: ServiceName, identity: Option<Identity>) -> Channel {
        client::connect(Dial {
            target: self.target(service),
            identity,
            anchors: self.founded.services.clone(),
            clock: Arc::new(self.clock.clone()),
        })
        .expect("a channel")
    }

    /// The unit that is registered with every body of the plan's branches.
    #[must_use]
    pub fn unit() -> lgpki_proto::v1::Names {
        crate::request::names("General Affairs Department", "総務部")
    }

    fn is_known(&self, serial: &str) -> bool {
        lock(&self.known).contains(serial)
    }

    fn know(&self, serial: String) {
        lock(&self.known).insert(serial);
    }

    fn ports(&self) -> Ports {
        ports(&self.clock, &self.random)
    }

    fn target(&self, service: ServiceName) -> Target {
        let address = format!("127.0.0.1:{}", self.port(service));
        let target = Target::try_new(&address).expect("an address");
        target.with_server_name("localhost").with_service(service)
    }

    const fn port(&self, service: ServiceName) -> u16 {
        self.first_port
            + match service {
                ServiceName::Intake => 0,
                ServiceName::Issuer => 1,
                ServiceName::Lifecycle => 2,
            }
    }

    async fn register_units(&self) {
        for branch in self.plan.branches {
            self.operator().register_unit(branch, Self::unit()).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ports(clock: &ManualClock, random: &Arc<SeededRandom>) -> Ports {
    Ports {
        clock: Arc::new(clock.clone()),
        randomness: random.clone(),
    }
}

/// Where the publication port lies in the row of ports.
const PUBLICATION: u16 = 6;

/// A throw-away directory, in memory where the machine has one: that nothing is lost in a power cut
/// is shown elsewhere, and years of daily CRLs take some ten thousand syncs.
fn scratch() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in(Path::new("/dev/shm"));
    memory
        .or_else(|_| tempfile::tempdir())
        .expect("a throw-away directory")
}
