//! An issuer with both CAs in a directory of its own, and signers that can be held up or broken.

use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, BodyCode, CertificateKind, CrlOptions, JstDate,
    KeyAlgorithm, Names, OfficerRole, Serial, Subject, Timestamp,
};
use lgpki_keys::{KeyError, Passphrase, Signer, SoftwareKey};
use lgpki_ledger::{Event, decode};
use lgpki_testkit::{ManualClock, SeededRandom, log_identity};
use lgpki_x509::key::sha256;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::super::*;
use crate::{
    app::{Answer, Order, Wanted},
    event::IssuerEvent,
    ports::Certificate,
    store::LogStore,
};

pub(crate) fn passphrase(text: &str) -> Passphrase {
    Passphrase::try_new(Zeroizing::new(text.as_bytes().to_vec()), "the test").unwrap()
}

pub(crate) fn opening_day() -> JstDate {
    JstDate::try_new(2008, 2, 4).unwrap()
}

pub(crate) fn noon() -> Timestamp {
    opening_day().start().plus_seconds(43_200)
}

pub(crate) fn bases() -> Vec<String> {
    vec![
        "http://repository.lgpki.lg.jp".to_owned(),
        "http://www.lgpki.jp".to_owned(),
    ]
}

pub(crate) fn ports(clock: &ManualClock, seed: u64) -> Ports {
    Ports {
        clock: Arc::new(clock.clone()),
        randomness: Arc::new(SeededRandom::new(seed)),
    }
}

/// An issuer in memory.
pub(crate) struct Fixture {
    pub(crate) app: Arc<App<LogStore>>,
    pub(crate) store: LogStore,
    pub(crate) clock: ManualClock,
    _dir: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(KeyAlgorithm::P256).await
    }

    pub(crate) async fn with(algorithm: KeyAlgorithm) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LogStore::open_memory(log_identity("issuer-1")).unwrap();
        Self::of(store, dir, algorithm).await
    }

    /// On a store that lies in `dir`.
    pub(crate) async fn on(store: LogStore, dir: tempfile::TempDir) -> Self {
        Self::of(store, dir, KeyAlgorithm::P256).await
    }

    async fn of(store: LogStore, dir: tempfile::TempDir, algorithm: KeyAlgorithm) -> Self {
        let clock = ManualClock::new(noon());
        let app = take_over(&store, dir.path(), &clock, 1).await;
        create_authorities(&app, algorithm).await;
        Self {
            app,
            store,
            clock,
            _dir: dir,
        }
    }

    pub(crate) async fn issue(&self, orders: Vec<Order>) -> Vec<Answer> {
        self.app.issue(orders, "intake".to_owned()).await.unwrap()
    }

    pub(crate) fn log_size(&self) -> u64 {
        *self.store.durable().borrow()
    }

    /// The events from `begin` on.
    pub(crate) fn events(&self, begin: u64) -> Vec<IssuerEvent> {
        self.store
            .log()
            .read(begin, usize::MAX, usize::MAX)
            .unwrap()
            .into_iter()
            .map(|(index, bytes)| decode(index, &bytes).unwrap().event)
            .collect()
    }

    pub(crate) fn kinds(&self, begin: u64) -> Vec<&'static str> {
        self.events(begin).iter().map(Event::kind).collect()
    }

    fn replace_signer<T: Signer + 'static>(
        &self,
        authority: Authority,
        wrap: impl FnOnce(Arc<dyn Signer>) -> T,
    ) {
        let mut cas = self.app.cas.write().unwrap_or_else(PoisonError::into_inner);
        let ca = &cas[&AuthorityKey::new(authority, 1)];
        let wrapped = ca.wrapped(wrap);
        cas.insert(AuthorityKey::new(authority, 1), Arc::new(wrapped));
    }

    /// Holds up every signature of a CA until the gate is opened.
    pub(crate) fn hold_signing(&self, authority: Authority) -> Gate {
        let gate = Gate {
            reached: Arc::new(Semaphore::new(0)),
            open: Arc::new((std::sync::Mutex::new(false), std::sync::Condvar::new())),
        };
        self.replace_signer(authority, |inner| Held {
            inner,
            gate: gate.clone(),
        });
        gate
    }

    /// Makes a CA's key fail until it is repaired.
    pub(crate) fn break_signing(&self, authority: Authority) -> Broken {
        let broken = Arc::new(AtomicBool::new(true));
        self.replace_signer(authority, |inner| Failing {
            inner,
            broken: Arc::clone(&broken),
        });
        Broken(broken)
    }
}

/// Takes over as a new process would.
pub(crate) async fn take_over(
    store: &LogStore,
    dir: &Path,
    clock: &ManualClock,
    seed: u64,
) -> Arc<App<LogStore>> {
    let vault = Vault::new(dir, passphrase("correct horse"));
    let ports = ports(clock, seed);
    // More than one, or a held-up signature would hold up everything on a machine with one core.
    let cores = NonZeroUsize::new(4);
    let taken = App::take_over(store.clone(), vault, ports, cores, "issuer").await;
    taken.unwrap().0
}

pub(crate) async fn create_authorities(app: &App<LogStore>, algorithm: KeyAlgorithm) {
    for authority in Authority::ALL {
        let publishing = Publishing {
            bases: &bases(),
            crl: CrlOptions::default(),
        };
        app.create_authority(authority, algorithm, opening_day(), publishing, "init")
            .await
            .unwrap();
    }
}

/// A well-formed order for application `n`, with a new key.
pub(crate) fn order(n: u8, kind: CertificateKind) -> Order {
    let names = |en: &str, ja: &str| Names::try_new("x", en, ja).unwrap();
    let name = match kind {
        CertificateKind::User => names("Clerk 1-lgacc", "係１（利用者）"),
        CertificateKind::WebServer => names("www.city.sapporo.lg.jp", "札幌市ウェブサーバ"),
        _ => names("Mayor", "市長"),
    };
    let unit = kind
        .needs_registered_organization()
        .then(|| names("General Affairs", "総務部"));
    Order {
        application: ApplicationId::from_bytes([n; 16]),
        attempt: 1,
        content_digest: sha256(&[n]),
        answers: Some(u64::from(n)),
        wanted: Ok(Wanted {
            branch: BodyCode::try_new(1, 1),
            kind,
            subject: Subject {
                body: names("Sapporo City", "札幌市"),
                unit,
                name,
            },
            public_key: subscriber_key(n),
            dns_names: match kind {
                CertificateKind::WebServer => vec!["www.city.sapporo.lg.jp".to_owned()],
                _ => Vec::new(),
            },
            mail: (kind == CertificateKind::Mail).then(|| "somu@city.sapporo.lg.jp".to_owned()),
            login_role: (kind == CertificateKind::Login).then_some(OfficerRole::BranchOfficer),
        }),
    }
}

/// The Ed25519 key `n`: any 32 octets will do, for nothing is signed with it.
pub(crate) fn subscriber_key(n: u8) -> Vec<u8> {
    let mut der = vec![
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    der.extend_from_slice(&sha256(&[n, 1]).0);
    der
}

pub(crate) fn certificate(answer: &Answer) -> &Certificate {
    match answer {
        Answer::Issued(certificate) => certificate,
        other => panic!("not issued: {other:?}"),
    }
}

pub(crate) fn serials(answers: &[Answer]) -> HashSet<Serial> {
    answers.iter().map(|a| certificate(a).serial).collect()
}

/// A key made for a test.
pub(crate) fn software_key() -> SoftwareKey {
    SoftwareKey::generate(KeyAlgorithm::P256).unwrap()
}

/// Where signatures wait.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<(std::sync::Mutex<bool>, std::sync::Condvar)>,
}

impl Gate {
    /// Returns once a signature waits.
    pub(crate) async fn reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }

    /// How often the key was asked to sign.
    pub(crate) fn uses(&self) -> usize {
        self.reached.available_permits()
    }

    pub(crate) fn open(&self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }
}

#[derive(Debug)]
struct Held {
    inner: Arc<dyn Signer>,
    gate: Gate,
}

impl Signer for Held {
    fn algorithm(&self) -> KeyAlgorithm {
        self.inner.algorithm()
    }

    fn public_key(&self) -> &lgpki_keys::SubjectPublicKey {
        self.inner.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.gate.reached.add_permits(1);
        let (open, changed) = &*self.gate.open;
        let guard = open.lock().unwrap();
        drop(changed.wait_while(guard, |open| !*open).unwrap());
        self.inner.sign(message)
    }
}

/// A key that fails.
#[derive(Debug)]
pub(crate) struct Broken(Arc<AtomicBool>);

impl Broken {
    pub(crate) fn repair(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct Failing {
    inner: Arc<dyn Signer>,
    broken: Arc<AtomicBool>,
}

impl Signer for Failing {
    fn algorithm(&self) -> KeyAlgorithm {
        self.inner.algorithm()
    }

    fn public_key(&self) -> &lgpki_keys::SubjectPublicKey {
        self.inner.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(KeyError::WrongPassphrase);
        }
        self.inner.sign(message)
    }
}
