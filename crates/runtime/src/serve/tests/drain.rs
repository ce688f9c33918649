//! Shutdown, restart and connections that do nothing.

use std::num::NonZeroU32;

use lgpki_domain::{OfficerRole, Role};
use lgpki_proto::{
    RemoteError,
    v1::{
        self, directory_service_server::DirectoryServiceServer,
        lifecycle_service_client::LifecycleServiceClient,
        lifecycle_service_server::LifecycleServiceServer,
    },
};
use tokio::{io::AsyncReadExt as _, sync::mpsc};

use super::{
    super::*,
    fakes::{Directory, Everyone, Lifecycle, directory, intake, start},
};
use crate::{
    client::connect,
    shutdown,
    testing::{Pki, dial, randomness},
};

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
async fn an_open_stream_does_not_outlive_its_callers_certificate() {
    let (entered, _inside) = mpsc::channel(1);
    let routes = Routes::new(LifecycleServiceServer::new(Lifecycle {
        permission: Arc::new(Semaphore::new(0)),
        entered,
    }));
    let running = start(ServiceName::Lifecycle, routes, ServerLimits::default()).await;
    let identity = Some(Pki::ours().service(Role::Intake));
    let channel = connect(dial(running.address, identity, &running.clock)).unwrap();
    let mut standings = LifecycleServiceClient::new(channel)
        .follow_standings(v1::FollowStandingsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(standings.message().await.unwrap().unwrap().caught_up);
    running.clock.advance_seconds(40 * 366 * 86_400);
    let ended = RemoteError::from(standings.message().await.unwrap_err());
    assert_eq!(ended.reason, "CLIENT_CERTIFICATE_EXPIRED");
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
