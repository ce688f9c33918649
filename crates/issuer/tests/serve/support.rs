//! A service CA with the identities it names, an issuer that serves, and orders for it.

use std::{path::Path, sync::Arc};

use lgpki_domain::{Authority, JstDate, KeyAlgorithm, Role, Serial, Timestamp, Validity};
use lgpki_issuer::{Ceremony, Deps, IssuerConfig, IssuerError, Ports, Settings};
use lgpki_keys::{Passphrase, Signer as _, SoftwareKey};
use lgpki_proto::{
    ServiceName,
    v1::{self, issuance_result::Outcome, issuer_service_client::IssuerServiceClient},
};
use lgpki_runtime::{
    Door, GrpcServer, Identity, ShutdownTrigger, TrustAnchors,
    client::{self, Dial},
    config::{ServerLimits, Target},
    shutdown,
};
use lgpki_testkit::{ManualClock, SeededRandom};
use lgpki_x509::{
    SubjectPublicKey,
    key::sha256,
    service::{self, ServiceBlueprint, ServiceCa, ServiceCaBlueprint},
    signed,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::transport::Channel;
use zeroize::Zeroizing;

pub(crate) type Client = IssuerServiceClient<Channel>;

pub(crate) fn day() -> JstDate {
    JstDate::try_new(2008, 2, 4).unwrap()
}

pub(crate) fn now() -> Timestamp {
    day().start().plus_seconds(40_000)
}

pub(crate) fn bases() -> Vec<String> {
    vec!["http://repository.lgpki.lg.jp".to_owned()]
}

/// The service CA and what it has named.
pub(crate) struct Names {
    pub(crate) anchors: TrustAnchors,
    key: SoftwareKey,
    ca: ServiceCa,
    random: SeededRandom,
}

impl Names {
    pub(crate) fn new(seed: u64) -> Self {
        let random = SeededRandom::new(seed);
        let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
        let public_key = SubjectPublicKey::parse("key", key.public_key().der()).unwrap();
        let tbs = service::build_ca(&ServiceCaBlueprint {
            public_key: &public_key,
            serial: Serial::draw(&random).unwrap(),
            validity: Validity::for_ca(day()),
        })
        .unwrap();
        let certificate = sign(&key, tbs);
        Self {
            anchors: TrustAnchors::try_new(std::slice::from_ref(&certificate)).unwrap(),
            ca: ServiceCa::try_new(&certificate).unwrap(),
            key,
            random,
        }
    }

    pub(crate) fn identity(&self, role: Role) -> Identity {
        let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
        let public_key = SubjectPublicKey::parse("key", key.public_key().der()).unwrap();
        let tbs = service::build(&ServiceBlueprint {
            ca: &self.ca,
            role,
            dns_names: &[],
            addresses: &["127.0.0.1".parse().unwrap()],
            public_key: &public_key,
            serial: Serial::draw(&self.random).unwrap(),
            validity: Validity::for_subscriber(day()),
        })
        .unwrap();
        let chain = vec![sign(&self.key, tbs)];
        Identity::try_new(chain, key.to_pkcs8_der().unwrap()).unwrap()
    }
}

pub(crate) fn sign(key: &SoftwareKey, tbs: Vec<u8>) -> Vec<u8> {
    let signature = key.sign(&tbs).unwrap();
    signed::assemble(tbs, key.algorithm().signature(), &signature)
}

pub(crate) fn passphrase() -> Passphrase {
    Passphrase::try_new(Zeroizing::new(b"correct horse".to_vec()), "the test").unwrap()
}

pub(crate) fn settings(dir: &Path) -> Settings {
    Settings::try_new(
        lgpki_testkit::log_identity("issuer-1"),
        dir.join("issuer"),
        &IssuerConfig::default(),
    )
    .unwrap()
}

pub(crate) fn ports(seed: u64) -> Ports {
    Ports {
        clock: Arc::new(ManualClock::new(now())),
        randomness: Arc::new(SeededRandom::new(seed)),
    }
}

pub(crate) async fn make_authorities(dir: &Path) {
    let ceremony = Ceremony::open(&settings(dir), ports(1), passphrase())
        .await
        .unwrap();
    for authority in Authority::ALL {
        ceremony
            .create_authority(authority, KeyAlgorithm::P256, day(), &bases())
            .await
            .unwrap();
    }
    ceremony.close().await.unwrap();
}

/// An issuer that serves.
pub(crate) struct Served {
    names: Arc<Names>,
    target: Target,
    trigger: ShutdownTrigger,
    running: JoinHandle<Result<(), IssuerError>>,
}

impl Served {
    pub(crate) async fn start(dir: &Path, names: &Arc<Names>, seed: u64) -> Self {
        let door = Door {
            service: ServiceName::Issuer,
            identity: names.identity(Role::Issuer),
            services: names.anchors.clone(),
            officers: None,
            clock: Arc::new(ManualClock::new(now())),
            randomness: Arc::new(SeededRandom::new(seed + 1000)),
            limits: ServerLimits::default(),
        };
        let server = GrpcServer::try_new(door).unwrap();
        let readiness = server.readiness();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (trigger, shutdown) = shutdown::channel();
        let deps = Deps {
            ports: ports(seed),
            passphrase: passphrase(),
            server,
        };
        let settings = settings(dir);
        let running =
            tokio::spawn(
                async move { lgpki_issuer::run(settings, deps, listener, shutdown).await },
            );
        readiness.ready().await;
        Self {
            names: Arc::clone(names),
            target: Target::try_new(&address)
                .unwrap()
                .with_service(ServiceName::Issuer),
            trigger,
            running,
        }
    }

    pub(crate) fn client(&self, identity: Option<Identity>) -> Client {
        let channel = client::connect(Dial {
            target: self.target.clone(),
            identity,
            anchors: self.names.anchors.clone(),
            clock: Arc::new(ManualClock::new(now())),
        });
        IssuerServiceClient::new(channel.unwrap())
    }

    pub(crate) fn as_role(&self, role: Role) -> Client {
        self.client(Some(self.names.identity(role)))
    }

    pub(crate) async fn stop(self) {
        self.trigger.request();
        self.running.await.unwrap().unwrap();
    }
}

pub(crate) fn order(n: u8) -> v1::IssuanceOrder {
    let names = |en: &str, ja: &str| {
        Some(v1::Names {
            en: en.to_owned(),
            ja: ja.to_owned(),
        })
    };
    let mut public_key = vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    public_key.extend_from_slice(&sha256(&[n]).0);
    v1::IssuanceOrder {
        application_id: lgpki_domain::ApplicationId::from_bytes([n; 16]).to_string(),
        content_digest: sha256(&[n, n]).to_string(),
        branch: "01001".to_owned(),
        kind: v1::CertificateKind::OfficialDuty.into(),
        subject: Some(v1::Subject {
            body: names("Sapporo City", "札幌市"),
            unit: names("General Affairs", "総務部"),
            name: names("Mayor", "市長"),
        }),
        subject_public_key_info: public_key,
        attempt: 1,
        answers_index: u64::from(n),
        ..v1::IssuanceOrder::default()
    }
}

pub(crate) async fn issue(client: &mut Client, orders: Vec<v1::IssuanceOrder>) -> Vec<Outcome> {
    let request = v1::IssueCertificatesRequest { orders };
    let response = client.issue_certificates(request).await.unwrap();
    let results = response.into_inner().results;
    results.into_iter().map(|r| r.outcome.unwrap()).collect()
}

pub(crate) fn issued(outcome: &Outcome) -> &v1::Issued {
    match outcome {
        Outcome::Issued(issued) => issued,
        other => panic!("not issued: {other:?}"),
    }
}
