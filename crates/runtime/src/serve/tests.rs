//! The server as its clients see it, over loopback sockets with real TLS.

use std::{net::SocketAddr, num::NonZeroU32, pin::Pin};

use lgpki_domain::{BodyCode, OfficerRole, Role, Serial};
use lgpki_proto::{
    RemoteError,
    v1::{
        self,
        directory_service_client::DirectoryServiceClient,
        directory_service_server::{DirectoryService, DirectoryServiceServer},
        lifecycle_service_client::LifecycleServiceClient,
        lifecycle_service_server::{LifecycleService, LifecycleServiceServer},
    },
};
use lgpki_testkit::ManualClock;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{io::AsyncReadExt as _, sync::mpsc, task::JoinHandle};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::*;
use crate::{
    client::{connect, within},
    identity::{LoginStanding, LoginStandings, RefusedLogin, RefusedLogins},
    rpc::Rpc,
    shutdown::{self, ShutdownTrigger},
    testing::{Pki, clock, dial, randomness},
};

#[derive(Debug)]
struct Everyone;

impl LoginStandings for Everyone {
    fn standing(&self, _: &Serial, _: Option<BodyCode>) -> LoginStanding {
        LoginStanding::Good
    }
}

impl RefusedLogins for Everyone {
    fn note(&self, _: RefusedLogin) {}
}

/// Answers with the caller's name; a rename of anything takes for ever.
#[derive(Debug)]
struct Directory;

#[tonic::async_trait]
impl DirectoryService for Directory {
    async fn list_bodies(
        &self,
        request: Request<v1::ListBodiesRequest>,
    ) -> Result<Response<v1::ListBodiesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        Ok(Response::new(v1::ListBodiesResponse {
            bodies: Vec::new(),
            next_page_token: format!("{} {}", rpc.caller(), rpc.correlation_id().len()),
        }))
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        Err(rpc.refuse(lgpki_proto::Failure::internal("secret")))
    }

    async fn change_entries(
        &self,
        _: Request<v1::ChangeEntriesRequest>,
    ) -> Result<Response<v1::ChangeEntriesResponse>, Status> {
        std::future::pending().await
    }

    async fn deactivate_branch(
        &self,
        _: Request<v1::DeactivateBranchRequest>,
    ) -> Result<Response<v1::DeactivateBranchResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }
}

/// Streams one answer and then nothing; publishing waits for the test's permission.
#[derive(Debug)]
struct Lifecycle {
    permission: Arc<Semaphore>,
    entered: mpsc::Sender<()>,
}

#[tonic::async_trait]
impl LifecycleService for Lifecycle {
    async fn revoke_certificates(
        &self,
        _: Request<v1::RevokeCertificatesRequest>,
    ) -> Result<Response<v1::RevokeCertificatesResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    type FollowStandingsStream =
        Pin<Box<dyn Stream<Item = Result<v1::FollowStandingsResponse, Status>> + Send>>;

    async fn follow_standings(
        &self,
        _: Request<v1::FollowStandingsRequest>,
    ) -> Result<Response<Self::FollowStandingsStream>, Status> {
        let (sender, receiver) = mpsc::channel(1);
        let first = v1::FollowStandingsResponse {
            caught_up: true,
            ..Default::default()
        };
        sender.send(Ok(first)).await.unwrap();
        tokio::spawn(async move { sender.closed().await });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn publish_crls(
        &self,
        _: Request<v1::PublishCrlsRequest>,
    ) -> Result<Response<v1::PublishCrlsResponse>, Status> {
        self.entered.send(()).await.unwrap();
        let _permit = self.permission.acquire().await.unwrap();
        Ok(Response::new(v1::PublishCrlsResponse::default()))
    }
}

struct Running {
    address: SocketAddr,
    clock: ManualClock,
    readiness: Readiness,
    trigger: ShutdownTrigger,
    task: JoinHandle<Result<(), RuntimeError>>,
}

async fn start(service: ServiceName, routes: Routes, limits: ServerLimits) -> Running {
    let pki = Pki::ours();
    let clock = clock();
    let officers = (service == ServiceName::Intake).then(|| OfficerDoor {
        anchors: pki.officer_anchors(),
        standing: Arc::new(Everyone),
        refused: Arc::new(Everyone),
    });
    let server = GrpcServer::try_new(Door {
        service,
        identity: pki.service(service.role()),
        services: pki.service_anchors(),
        officers,
        clock: Arc::new(clock.clone()),
        randomness: randomness(),
        limits,
    })
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (trigger, shutdown) = shutdown::channel();
    Running {
        address: listener.local_addr().unwrap(),
        clock,
        readiness: server.readiness(),
        trigger,
        task: tokio::spawn(server.run(listener, routes, shutdown)),
    }
}

async fn intake(limits: ServerLimits) -> Running {
    let routes = Routes::new(DirectoryServiceServer::new(Directory));
    start(ServiceName::Intake, routes, limits).await
}

fn directory(
    running: &Running,
    identity: Option<Identity>,
) -> DirectoryServiceClient<tonic::transport::Channel> {
    DirectoryServiceClient::new(connect(dial(running.address, identity, &running.clock)).unwrap())
}

async fn refused(running: &Running, identity: Option<Identity>) -> (Code, String) {
    let error = directory(running, identity)
        .list_bodies(v1::ListBodiesRequest::default())
        .await
        .unwrap_err();
    let error = RemoteError::from(error);
    (error.code, error.reason)
}

#[tokio::test]
async fn an_officer_of_2008_logs_in_and_the_handler_knows_him() {
    let running = intake(ServerLimits::default()).await;
    let mut client = directory(&running, Some(Pki::ours().login(OfficerRole::Operator, 9)));
    let answer = client.list_bodies(v1::ListBodiesRequest::default()).await;
    let seen = answer.unwrap().into_inner().next_page_token;
    assert!(seen.starts_with("operator/-/4109"), "{seen}");
    assert!(seen.ends_with(" 16"), "{seen}");
}

#[tokio::test]
async fn whoever_may_not_call_gets_a_status_with_a_reason() {
    let running = intake(ServerLimits::default()).await;
    let (pki, foreign) = (Pki::ours(), Pki::make());
    for (identity, code, reason) in [
        (None, Code::Unauthenticated, "CLIENT_CERTIFICATE_MISSING"),
        (
            Some(foreign.login(OfficerRole::Operator, 9)),
            Code::Unauthenticated,
            "CLIENT_CERTIFICATE_UNTRUSTED",
        ),
        (
            Some(pki.official_duty()),
            Code::PermissionDenied,
            "NOT_A_LOGIN_CERTIFICATE",
        ),
        (
            Some(pki.service(Role::Lifecycle)),
            Code::PermissionDenied,
            "ROLE_NOT_ALLOWED",
        ),
    ] {
        assert_eq!(refused(&running, identity).await, (code, reason.to_owned()));
    }
}

#[tokio::test]
async fn a_login_that_expires_is_refused_on_the_connection_it_holds() {
    let running = intake(ServerLimits::default()).await;
    let mut client = directory(&running, Some(Pki::ours().login(OfficerRole::Auditor, 9)));
    let request = v1::ListBodiesRequest::default;
    client.list_bodies(request()).await.unwrap();
    running.clock.advance_seconds(4 * 366 * 86_400);
    let error = RemoteError::from(client.list_bodies(request()).await.unwrap_err());
    assert_eq!(error.reason, "CLIENT_CERTIFICATE_EXPIRED");
}

#[tokio::test]
async fn what_the_table_does_not_list_is_refused_even_where_it_is_routed() {
    // The issuer serves no directory: the table has no such row for it.
    let routes = Routes::new(DirectoryServiceServer::new(Directory));
    let running = start(ServiceName::Issuer, routes, ServerLimits::default()).await;
    let outcome = refused(&running, Some(Pki::ours().service(Role::Intake))).await;
    assert_eq!(
        outcome,
        (Code::PermissionDenied, "RPC_NOT_SERVED_HERE".to_owned())
    );
}

#[tokio::test]
async fn a_fault_of_the_server_is_answered_with_a_correlation_id() {
    let running = intake(ServerLimits::default()).await;
    let mut client = directory(&running, Some(Pki::ours().login(OfficerRole::Operator, 9)));
    let answer = client.list_entries(v1::ListEntriesRequest::default()).await;
    let error = RemoteError::from(answer.unwrap_err());
    assert_eq!(error.code, Code::Internal);
    assert_eq!(error.correlation_id.unwrap().len(), 16);
    assert!(!error.message.contains("secret"));
}

#[tokio::test]
async fn a_unary_call_that_takes_too_long_is_ended() {
    let limits = ServerLimits {
        unary_seconds: NonZeroU32::MIN,
        ..ServerLimits::default()
    };
    let running = intake(limits).await;
    let mut client = directory(&running, Some(Pki::ours().login(OfficerRole::Operator, 9)));
    let answer = client
        .change_entries(v1::ChangeEntriesRequest::default())
        .await;
    let error = RemoteError::from(answer.unwrap_err());
    assert_eq!(error.reason, "ANSWER_TOO_SLOW");
    assert!(error.may_be_tried_again());
}

#[tokio::test]
async fn a_client_gives_up_when_its_own_deadline_is_over() {
    let running = intake(ServerLimits::default()).await;
    let mut client = directory(&running, Some(Pki::ours().login(OfficerRole::Operator, 9)));
    let request = within(
        std::time::Duration::from_millis(50),
        v1::ChangeEntriesRequest::default(),
    );
    let status = client.change_entries(request).await.unwrap_err();
    assert!(RemoteError::from(status).may_be_tried_again());
}

#[tokio::test]
async fn health_answers_without_a_certificate_and_follows_readiness() {
    let running = intake(ServerLimits::default()).await;
    let channel = connect(dial(running.address, None, &running.clock)).unwrap();
    let mut health = HealthClient::new(channel);
    let mut watch = health
        .watch(HealthCheckRequest {
            service: "lgpki.v1.ApplicationService".to_owned(),
        })
        .await
        .unwrap()
        .into_inner();
    let mut seen = Vec::new();
    running.readiness.set_ready(true);
    // Whatever the watcher catches on the way, it ends at SERVING.
    while seen.last() != Some(&(ServingStatus::Serving as i32)) {
        seen.push(watch.message().await.unwrap().unwrap().status);
    }
}

#[tokio::test]
async fn a_client_refuses_a_server_of_a_foreign_ca_of_another_name_or_another_service() {
    let running = intake(ServerLimits::default()).await;
    let good = dial(running.address, None, &running.clock);
    let mut foreign = good.clone();
    foreign.anchors = Pki::make().service_anchors();
    let mut named = good.clone();
    named.target = named.target.with_server_name("issuer.lg.jp");
    let mut other = good.clone();
    other.target = other.target.with_service(ServiceName::Issuer);
    let mut expired = good.clone();
    let late = clock();
    late.advance_seconds(4 * 366 * 86_400);
    expired.clock = Arc::new(late);
    for dial in [foreign, named, other, expired] {
        let mut health = HealthClient::new(connect(dial).unwrap());
        let status = health
            .check(HealthCheckRequest::default())
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    }
    let mut right = good.clone();
    right.target = right.target.with_service(ServiceName::Intake);
    let mut health = HealthClient::new(connect(right).unwrap());
    health.check(HealthCheckRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_client_connects_again_after_the_service_was_restarted() {
    let first = intake(ServerLimits::default()).await;
    let mut client = directory(&first, Some(Pki::ours().login(OfficerRole::Operator, 9)));
    let request = v1::ListBodiesRequest::default;
    client.list_bodies(request()).await.unwrap();
    first.trigger.request();
    first.task.await.unwrap().unwrap();
    let away = RemoteError::from(client.list_bodies(request()).await.unwrap_err());
    assert!(away.may_be_tried_again(), "{away}");
    let listener = TcpListener::bind(first.address).await.unwrap();
    let pki = Pki::ours();
    let server = GrpcServer::try_new(Door {
        service: ServiceName::Intake,
        identity: pki.service(Role::Intake),
        services: pki.service_anchors(),
        officers: Some(OfficerDoor {
            anchors: pki.officer_anchors(),
            standing: Arc::new(Everyone),
            refused: Arc::new(Everyone),
        }),
        clock: Arc::new(first.clock.clone()),
        randomness: randomness(),
        limits: ServerLimits::default(),
    })
    .unwrap();
    let (_trigger, shutdown) = shutdown::channel();
    let routes = Routes::new(DirectoryServiceServer::new(Directory));
    tokio::spawn(server.run(listener, routes, shutdown));
    client.list_bodies(request()).await.unwrap();
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_ends_idle_streams() {
    let permission = Arc::new(Semaphore::new(0));
    let (entered, mut inside) = mpsc::channel(1);
    let routes = Routes::new(LifecycleServiceServer::new(Lifecycle {
        permission: permission.clone(),
        entered,
    }));
    let limits = ServerLimits {
        drain_seconds: NonZeroU32::new(6).unwrap(),
        ..ServerLimits::default()
    };
    let running = start(ServiceName::Lifecycle, routes, limits).await;
    let identity = Some(Pki::ours().service(Role::Intake));
    let channel = connect(dial(running.address, identity, &running.clock)).unwrap();
    let mut client = LifecycleServiceClient::new(channel);
    let mut standings = client
        .follow_standings(v1::FollowStandingsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(standings.message().await.unwrap().unwrap().caught_up);
    let mut other = client.clone();
    let unary =
        tokio::spawn(async move { other.publish_crls(v1::PublishCrlsRequest::default()).await });
    inside.recv().await.unwrap();
    running.trigger.request();
    permission.add_permits(1);
    unary.await.unwrap().unwrap();
    let ended = RemoteError::from(standings.message().await.unwrap_err());
    assert_eq!(ended.reason, "SHUTTING_DOWN");
    assert!(ended.retry_after.is_some());
    running.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_still_open_after_the_drain_time_is_cut() {
    let (entered, mut inside) = mpsc::channel(1);
    let routes = Routes::new(LifecycleServiceServer::new(Lifecycle {
        permission: Arc::new(Semaphore::new(0)),
        entered,
    }));
    let limits = ServerLimits {
        drain_seconds: NonZeroU32::MIN,
        ..ServerLimits::default()
    };
    let running = start(ServiceName::Lifecycle, routes, limits).await;
    let identity = Some(Pki::ours().service(Role::Intake));
    let channel = connect(dial(running.address, identity, &running.clock)).unwrap();
    let mut client = LifecycleServiceClient::new(channel);
    let request = v1::PublishCrlsRequest::default();
    let stuck = tokio::spawn(async move { client.publish_crls(request).await });
    inside.recv().await.unwrap();
    running.trigger.request();
    running.task.await.unwrap().unwrap();
    assert!(stuck.await.unwrap().is_err());
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = ServerLimits {
        handshake_seconds: NonZeroU32::MIN,
        ..ServerLimits::default()
    };
    let running = intake(limits).await;
    let mut silent = tokio::net::TcpStream::connect(running.address)
        .await
        .unwrap();
    let mut bytes = Vec::new();
    // Returns only because the server closes.
    let read = silent.read_to_end(&mut bytes).await;
    assert!(read.is_err() || bytes.is_empty());
}

#[tokio::test]
async fn rpcs_are_counted_by_method_and_code() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let rendered = recorder.handle();
    // The test's runtime has one thread, and so the server's tasks record here too.
    let _local = metrics::set_default_local_recorder(&recorder);
    let running = intake(ServerLimits::default()).await;
    let mut client = directory(&running, Some(Pki::ours().login(OfficerRole::Operator, 9)));
    client
        .list_bodies(v1::ListBodiesRequest::default())
        .await
        .unwrap();
    client
        .list_entries(v1::ListEntriesRequest::default())
        .await
        .unwrap_err();
    let text = rendered.render();
    for line in [
        "lgpki_intake_rpc_total{method=\"/lgpki.v1.DirectoryService/ListBodies\",code=\"OK\"} 1",
        "lgpki_intake_rpc_total{method=\"/lgpki.v1.DirectoryService/ListEntries\",code=\"INTERNAL\"} 1",
        "lgpki_intake_handshakes_total{outcome=\"ok\"} 1",
        "lgpki_intake_connections 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

/// Calls `path` with an empty message, as any RPC accepts one on the wire.
async fn call(channel: &tonic::transport::Channel, path: &'static str) -> Status {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let codec =
        tonic_prost::ProstCodec::<v1::ListIssuersRequest, v1::ListIssuersRequest>::default();
    let path = http::uri::PathAndQuery::from_static(path);
    let answer = client.unary(Request::new(v1::ListIssuersRequest {}), path, codec);
    answer.await.unwrap_err()
}

#[tokio::test]
async fn every_rpc_of_every_service_refuses_whom_it_does_not_name() {
    let pki = Pki::ours();
    let foreign = Pki::make();
    for service in ServiceName::ALL {
        let running = start(service, Routes::default(), ServerLimits::default()).await;
        let channel = |identity| connect(dial(running.address, identity, &running.clock)).unwrap();
        let nobody = channel(None);
        let stranger = channel(Some(foreign.login(OfficerRole::Operator, 9)));
        // The issuer calls nobody.
        let wrong_role = channel(Some(pki.service(Role::Issuer)));
        for row in access::of(service) {
            for (who, code) in [
                (&nobody, Code::Unauthenticated),
                (&stranger, Code::Unauthenticated),
                (&wrong_role, Code::PermissionDenied),
            ] {
                let status = call(who, row.path).await;
                assert_eq!(status.code(), code, "{service} {}: {status:?}", row.path);
            }
        }
    }
}
