//! Every RPC of the contract, at every service, called by everybody who may not call it, and by those
//! who may: whoever is not let in is told UNAUTHENTICATED or PERMISSION_DENIED with a reason, over a
//! connection that stands, never by a TLS alert.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected ends"
)]

use std::{collections::BTreeSet, time::Duration};

use lgpki_domain::{OfficerRole, Role};
use lgpki_proto::{
    FILE_DESCRIPTOR_SET, RemoteError, ServiceName,
    access::{self, Access},
    v1::{self, application_service_client::ApplicationServiceClient},
};
use lgpki_runtime::tls::Identity;
use lgpki_tests::{
    Installation, Options, Process, Service,
    forge::{OrganizationCa, ServicesCa, expired, not_yet_valid, valid_now},
    request,
};
use prost::Message;
use tonic::{Code, Request, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");

/// Calls `path` with an empty message. An answer that begins is as good as one that ends: whoever is
/// refused at the door is refused before anything else is said.
async fn call(channel: Channel, path: &str) -> Result<(), RemoteError> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = path.parse().unwrap();
    let codec = ProstCodec::<(), ()>::default();
    let request = Request::new(tokio_stream::once(()));
    let answer = grpc.streaming(request, path, codec).await;
    answer.map(|_| ()).map_err(RemoteError::from)
}

/// Every RPC of the compiled contract.
fn contract() -> BTreeSet<String> {
    let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut paths = BTreeSet::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let (service, method) = (service.name(), method.name());
                paths.insert(format!("/{}.{service}/{method}", file.package()));
            }
        }
    }
    paths
}

fn service(name: ServiceName) -> Service {
    match name {
        ServiceName::Intake => Service::Intake,
        ServiceName::Issuer => Service::Issuer,
        ServiceName::Lifecycle => Service::Lifecycle,
    }
}

struct Scene {
    installation: Installation,
    _services: Process,
}

impl Scene {
    fn new() -> Self {
        let options = Options {
            login_form: "data",
            branches: &["01001", "13001", "47001"],
            ..Options::default()
        };
        let installation = Installation::new(UNDER_TEST, &options);
        let services = installation.serve();
        Self {
            installation,
            _services: services,
        }
    }

    async fn call(&self, row: &Access, identity: Option<&Identity>) -> Result<(), RemoteError> {
        let channel = self
            .installation
            .channel(service(row.service), identity.cloned());
        call(channel, row.path).await
    }

    /// Everybody with a good certificate, by role.
    fn everybody(&self) -> Vec<(Role, Identity)> {
        let mut all = Vec::new();
        for role in OfficerRole::ALL {
            let office = match role {
                OfficerRole::BranchOfficer => "branch-officer-01001",
                OfficerRole::LgwanOfficer => "lgwan-officer-01001",
                OfficerRole::Operator => "operator-1",
                OfficerRole::Auditor => "auditor-1",
            };
            all.push((Role::Officer(role), self.installation.officer(office)));
        }
        for name in ServiceName::ALL {
            let identity = self.installation.service_identity(service(name));
            all.push((name.role(), identity));
        }
        all
    }

    /// Has a login certificate revoked for a lost key, and waits until intake knows.
    async fn revoked(&self) -> Identity {
        let identity = self.installation.officer("lgwan-officer-13001");
        let certificate = lgpki_x509::certificate::Certificate::parse(identity.certificate());
        let serial = certificate.unwrap().serial().unwrap().to_string();
        let channel = self.installation.logged_in("branch-officer-13001");
        let reason = v1::RevocationReason::KeyCompromise;
        let request = request::revoke("13001", &serial, reason);
        let mut client = ApplicationServiceClient::new(channel);
        client.submit_application(request).await.unwrap();
        let list_bodies = "/lgpki.v1.DirectoryService/ListBodies";
        self.until_refused(&identity, list_bodies).await;
        identity
    }

    /// Has a branch deactivated (R8).
    async fn deactivated(&self) -> Identity {
        let identity = self.installation.officer("branch-officer-47001");
        self.installation
            .office(
                "operator-1",
                "operator",
                &[
                    "directory",
                    "deactivate",
                    "47001",
                    "--reason",
                    "merged into 47002",
                ],
            )
            .unwrap();
        let list_bodies = "/lgpki.v1.DirectoryService/ListBodies";
        self.until_refused(&identity, list_bodies).await;
        self.swept("47001", &self.installation.officer("lgwan-officer-47001"));
        identity
    }

    /// Has the operator revoke what a closed branch, which has nobody left to ask for it, still held.
    fn swept(&self, branch: &str, held: &Identity) {
        let certificate = lgpki_x509::certificate::Certificate::parse(held.certificate());
        let serial = certificate.unwrap().serial().unwrap().to_string();
        let reason = ["--reason", "key-compromise", "--branch", branch];
        let examined = ["--examined-by", "運営主体"];
        let command = [&["revoke", &serial], &reason[..], &examined].concat();
        let office = ("operator-1", "operator");
        self.installation
            .office(office.0, office.1, &command)
            .unwrap();
    }

    async fn until_refused(&self, identity: &Identity, path: &str) {
        for _ in 0..600 {
            let channel = self
                .installation
                .channel(Service::Intake, Some(identity.clone()));
            if call(channel, path).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("still let in after half a minute");
    }
}

/// Fails unless the call was refused like this.
fn expect(who: &str, row: &Access, outcome: Result<(), RemoteError>, code: Code, reason: &str) {
    let place = format!("{who} at {} {}", row.service, row.path);
    match outcome {
        Ok(()) => panic!("{place} was let in"),
        Err(refused) => assert_eq!(
            (refused.code, refused.reason.as_str()),
            (code, reason),
            "{place}"
        ),
    }
}

#[test]
fn every_rpc_of_the_contract_is_served_somewhere_and_nothing_else_is() {
    let served: BTreeSet<_> = access::TABLE
        .iter()
        .map(|row| row.path.to_owned())
        .collect();
    assert_eq!(served, contract());
}

/// Somebody who may call nothing, and what is said at intake and at the other two, which know only
/// services.
struct Impostor {
    who: &'static str,
    identity: Option<Identity>,
    at_intake: (Code, &'static str),
    elsewhere: (Code, &'static str),
}

impl Scene {
    async fn impostors(&self) -> Vec<Impostor> {
        let organization = OrganizationCa::stolen(&self.installation);
        let foreign = OrganizationCa::foreign();
        let services = ServicesCa::stolen(&self.installation);
        let foreign_services = ServicesCa::foreign();
        let branch_officer = OfficerRole::BranchOfficer;
        let (operator, body) = (OfficerRole::Operator, Some("01001".parse().unwrap()));
        let untrusted = (Code::Unauthenticated, "CLIENT_CERTIFICATE_UNTRUSTED");
        let missing = (Code::Unauthenticated, "CLIENT_CERTIFICATE_MISSING");
        let expired_reason = (Code::Unauthenticated, "CLIENT_CERTIFICATE_EXPIRED");
        let early = (Code::Unauthenticated, "CLIENT_CERTIFICATE_NOT_YET_VALID");
        let revoked = (Code::Unauthenticated, "CLIENT_CERTIFICATE_REVOKED");
        let deactivated = (Code::PermissionDenied, "BRANCH_DEACTIVATED");
        let no_login = (Code::PermissionDenied, "NOT_A_LOGIN_CERTIFICATE");
        let impostor = |who, identity, at_intake, elsewhere| Impostor {
            who,
            identity: Some(identity),
            at_intake,
            elsewhere,
        };
        let foreign_officer = foreign.login(branch_officer, body, valid_now());
        let foreign_operator = foreign.login(operator, None, valid_now());
        let foreign_service = foreign_services.service(Role::Intake, valid_now());
        let foreign_lifecycle = foreign_services.service(Role::Lifecycle, valid_now());
        let old_login = organization.login(operator, None, expired());
        let early_login = organization.login(operator, None, not_yet_valid());
        let old_service = services.service(Role::Intake, expired());
        let old_lifecycle = services.service(Role::Lifecycle, expired());
        let subscriber = organization.official_duty();
        vec![
            Impostor {
                who: "nobody",
                identity: None,
                at_intake: missing,
                elsewhere: missing,
            },
            impostor(
                "an officer of a foreign CA",
                foreign_officer,
                untrusted,
                untrusted,
            ),
            impostor(
                "an operator of a foreign CA",
                foreign_operator,
                untrusted,
                untrusted,
            ),
            impostor(
                "intake of a foreign CA",
                foreign_service,
                untrusted,
                untrusted,
            ),
            impostor(
                "lifecycle of a foreign CA",
                foreign_lifecycle,
                untrusted,
                untrusted,
            ),
            impostor("a revoked login", self.revoked().await, revoked, untrusted),
            impostor(
                "a closed branch",
                self.deactivated().await,
                deactivated,
                untrusted,
            ),
            impostor("an expired login", old_login, expired_reason, untrusted),
            impostor("a login of next week", early_login, early, untrusted),
            impostor(
                "an expired intake",
                old_service,
                expired_reason,
                expired_reason,
            ),
            impostor(
                "an expired lifecycle",
                old_lifecycle,
                expired_reason,
                expired_reason,
            ),
            impostor("a subscriber", subscriber, no_login, no_login),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_calls_what_is_not_theirs_on_any_rpc() {
    let scene = Scene::new();
    let impostors = scene.impostors().await;
    let everybody = scene.everybody();
    for row in access::TABLE {
        let intake = row.service == ServiceName::Intake;
        for impostor in &impostors {
            let outcome = scene.call(row, impostor.identity.as_ref()).await;
            let (code, reason) = if intake {
                impostor.at_intake
            } else {
                impostor.elsewhere
            };
            expect(impostor.who, row, outcome, code, reason);
        }
        for (role, identity) in &everybody {
            let outcome = scene.call(row, Some(identity)).await;
            if row.roles.contains(role) {
                let_in(*role, row, outcome);
                continue;
            }
            let (code, reason) = match role {
                Role::Officer(_) if !intake => {
                    (Code::Unauthenticated, "CLIENT_CERTIFICATE_UNTRUSTED")
                }
                _ => (Code::PermissionDenied, "ROLE_NOT_ALLOWED"),
            };
            expect(role.name(), row, outcome, code, reason);
        }
    }
}

/// Whoever may call gets as far as the handler, which may well find fault with an empty message.
fn let_in(role: Role, row: &Access, outcome: Result<(), RemoteError>) {
    if let Err(refused) = outcome {
        let turned_away = [Code::Unauthenticated, Code::PermissionDenied, Code::Unknown];
        let place = format!("{role} at {} {}: {refused}", row.service, row.path);
        assert!(!turned_away.contains(&refused.code), "{place}");
        assert_ne!(refused.reason, "TRANSPORT", "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_does_not_serve_is_refused_to_everybody() {
    let scene = Scene::new();
    for (role, identity) in scene.everybody() {
        for name in ServiceName::ALL {
            let elsewhere = access::TABLE
                .iter()
                .map(|row| row.path)
                .filter(|path| access::find(name, path).is_none());
            let unlisted = [
                "/lgpki.v1.ApplicationService/DeleteEverything",
                "/lgpki.v1.NoService/Nothing",
                "/",
            ];
            for path in elsewhere.chain(unlisted) {
                let channel = scene
                    .installation
                    .channel(service(name), Some(identity.clone()));
                let refused = call(channel, path).await.unwrap_err();
                assert_eq!(
                    (refused.code, refused.reason.as_str()),
                    (Code::PermissionDenied, "RPC_NOT_SERVED_HERE"),
                    "{role} at {name} {path}"
                );
            }
        }
    }
}
