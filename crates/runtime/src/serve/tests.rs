//! The server as its clients see it, over loopback sockets with real TLS.

mod drain;
mod fakes;

use std::num::NonZeroU32;

use lgpki_domain::{KeyAlgorithm, OfficerRole, Role};
use lgpki_proto::{RemoteError, v1};
use metrics_exporter_prometheus::PrometheusBuilder;
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::*;
use crate::{
    client::{connect, within},
    testing::{Pki, clock, dial},
};
use fakes::{Directory, Running, directory, intake, start};
use lgpki_proto::v1::directory_service_server::DirectoryServiceServer;

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
async fn every_allowed_key_logs_in() {
    let running = intake(ServerLimits::default()).await;
    for algorithm in KeyAlgorithm::ALL {
        let identity = Pki::ours().login_with(OfficerRole::Operator, 9, algorithm);
        let mut client = directory(&running, Some(identity));
        let answer = client.list_bodies(v1::ListBodiesRequest::default()).await;
        assert!(answer.is_ok(), "{algorithm}: {answer:?}");
    }
}

#[tokio::test]
async fn reflection_answers_without_a_certificate() {
    let running = intake(ServerLimits::default()).await;
    let channel = connect(dial(running.address, None, &running.clock)).unwrap();
    let list = ServerReflectionRequest {
        message_request: Some(MessageRequest::FileContainingSymbol(
            "lgpki.v1.ApplicationService".to_owned(),
        )),
        ..Default::default()
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::once(list))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    assert!(
        matches!(
            answer.message_response,
            Some(MessageResponse::FileDescriptorResponse(_))
        ),
        "{answer:?}"
    );
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
        let text = RemoteError::from(status).to_string();
        assert!(text.contains("certificate"), "{text}");
    }
    let mut right = good.clone();
    right.target = right.target.with_service(ServiceName::Intake);
    let mut health = HealthClient::new(connect(right).unwrap());
    health.check(HealthCheckRequest::default()).await.unwrap();
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
