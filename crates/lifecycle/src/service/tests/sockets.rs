//! The service as a process runs it: gRPC over mutual TLS, plain HTTP, the issuer over gRPC.

use lgpki_domain::{KeyAlgorithm, Serial, Validity};
use lgpki_keys::{Signer as _, SoftwareKey};
use lgpki_proto::{ServiceName, v1::lifecycle_service_client::LifecycleServiceClient};
use lgpki_runtime::{
    Door, Identity, TrustAnchors,
    client::{Dial, connect},
    config::{ServerLimits, Target},
};
use lgpki_x509::{
    SubjectPublicKey,
    service::{self, ServiceBlueprint, ServiceCa, ServiceCaBlueprint},
    signed,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;

use super::*;
use crate::{issuer::tests::channel_to, testing::issued_item};

/// The service CA.
struct Pki {
    key: SoftwareKey,
    ca: ServiceCa,
}

fn public(key: &SoftwareKey) -> SubjectPublicKey {
    SubjectPublicKey::parse("key", key.public_key().der()).unwrap()
}

fn sign(tbs: Vec<u8>, key: &SoftwareKey) -> Vec<u8> {
    let signature = key.sign(&tbs).unwrap();
    signed::assemble(tbs, key.algorithm().signature(), &signature)
}

impl Pki {
    fn new() -> Self {
        let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
        let blueprint = ServiceCaBlueprint {
            public_key: &public(&key),
            serial: serial(1),
            validity: Validity::for_ca("2008-02-04".parse().unwrap()),
        };
        let certificate = sign(service::build_ca(&blueprint).unwrap(), &key);
        let ca = ServiceCa::try_new(&certificate).unwrap();
        Self { key, ca }
    }

    fn identity(&self, role: Role, serial: Serial) -> Identity {
        let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
        let blueprint = ServiceBlueprint {
            ca: &self.ca,
            role,
            dns_names: &["localhost".to_owned()],
            addresses: &[],
            public_key: &public(&key),
            serial,
            validity: Validity::for_subscriber("2008-02-04".parse().unwrap()),
        };
        let certificate = sign(service::build(&blueprint).unwrap(), &self.key);
        Identity::try_new(vec![certificate], key.to_pkcs8_der().unwrap()).unwrap()
    }

    fn anchors(&self) -> TrustAnchors {
        TrustAnchors::try_new(&[self.ca.certificate()]).unwrap()
    }
}

async fn http(address: std::net::SocketAddr, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

/// Returns once every first list stands: one made after the clock moved would leave a demand waiting
/// for a second that never comes.
async fn first_lists(publication: std::net::SocketAddr) {
    for authority in ["organization", "application"] {
        for file in [format!("{authority}-1"), format!("{authority}-1-ca")] {
            let path = format!("/crl/{file}.crl");
            let stands = async {
                while !http(publication, &path).await.starts_with(b"HTTP/1.1 200") {
                    tokio::task::yield_now().await;
                }
            };
            timeout(PATIENCE, stands).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_intake_and_relying_parties_and_closes_cleanly() {
    let clock = ManualClock::new(at("2008-02-04T12:00:00"));
    let issuer = FakeIssuer::new();
    issuer.tell((1..5).map(issued_item));
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new();
    let door = Door {
        service: ServiceName::Lifecycle,
        identity: pki.identity(Role::Lifecycle, serial(2)),
        services: pki.anchors(),
        officers: None,
        clock: Arc::new(clock.clone()),
        randomness: Arc::new(SeededRandom::new(1)),
        limits: ServerLimits::default(),
    };
    let deps = Deps {
        clock: Arc::new(clock.clone()),
        randomness: Arc::new(SeededRandom::new(2)),
        issuer: channel_to(issuer.clone()).await,
        server: GrpcServer::try_new(door).unwrap(),
    };
    let listeners = Listeners {
        grpc: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        publication: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    let grpc = listeners.grpc.local_addr().unwrap();
    let publication = listeners.publication.local_addr().unwrap();
    let (trigger, shutdown) = shutdown::channel();
    let running = tokio::spawn(run(
        settings(dir.path(), no_slots()),
        deps,
        listeners,
        shutdown,
    ));

    let dial = |role, number| Dial {
        target: Target::try_new(&grpc.to_string())
            .unwrap()
            .with_server_name("localhost")
            .with_service(ServiceName::Lifecycle),
        identity: Some(pki.identity(role, serial(number))),
        anchors: pki.anchors(),
        clock: Arc::new(clock.clone()),
    };
    let mut intake = LifecycleServiceClient::new(connect(dial(Role::Intake, 3)).unwrap());
    let from_start = v1::FollowStandingsRequest { from_position: 0 };
    let mut feed = intake
        .follow_standings(from_start)
        .await
        .unwrap()
        .into_inner();
    let mut seen = 0;
    while seen < 4 {
        let message = timeout(PATIENCE, feed.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        seen += message.standings.len();
    }
    // More comes than one connection of the feed tells.
    for n in 5..12 {
        issuer.tell([issued_item(n)]);
        let message = timeout(PATIENCE, async {
            loop {
                let message = feed.message().await.unwrap().unwrap();
                if !message.standings.is_empty() {
                    return message;
                }
            }
        });
        assert_eq!(
            message.await.unwrap().standings[0].serial,
            serial(n).to_string()
        );
    }
    first_lists(publication).await;
    clock.advance_seconds(5);
    let published = intake
        .publish_crls(v1::PublishCrlsRequest { authority: 2 })
        .await
        .unwrap();
    let number = published.into_inner().published[0].number;
    let answer = http(publication, "/crl/application-1.crl").await;
    let body = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let list = RevocationList::parse(&answer[body..]).unwrap();
    assert_eq!(list.summary().number.0, number);

    // Only intake may call.
    let mut stranger = LifecycleServiceClient::new(connect(dial(Role::Issuer, 4)).unwrap());
    let refused = stranger
        .publish_crls(v1::PublishCrlsRequest { authority: 0 })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    trigger.request();
    timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    let reopened = EngineStore::open(
        dir.path(),
        Options::new(lgpki_testkit::log_identity("lifecycle-1")),
    )
    .unwrap();
    assert_eq!(reopened.0.count().await.unwrap(), 11);
}
