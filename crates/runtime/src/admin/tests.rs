//! The port as a scraper and a supervisor see it.

use axum::body::{Body, HttpBody as _};
use http::Request;
use lgpki_proto::ServiceName;
use metrics_exporter_prometheus::PrometheusBuilder;
use tower::ServiceExt as _;

use super::*;

async fn fetch(admin: &Admin, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = admin.clone().router().oneshot(request).await.unwrap();
    let code = response.status();
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await
    {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    (code, String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn readiness_is_told_per_service_and_as_a_whole() {
    let (issuer, intake) = (
        Readiness::new(ServiceName::Issuer),
        Readiness::new(ServiceName::Intake),
    );
    let admin = Admin::new(None, vec![issuer.clone(), intake.clone()]);
    issuer.set_ready(true);
    let (code, text) = fetch(&admin, "/readyz").await;
    assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text, "issuer ready\nintake not ready\n");
    intake.set_ready(true);
    assert_eq!(fetch(&admin, "/readyz").await.0, StatusCode::OK);
    intake.set_away(ServiceName::Issuer, true);
    let (code, text) = fetch(&admin, "/readyz").await;
    assert_eq!(code, StatusCode::OK, "what it takes in waits");
    assert_eq!(
        text,
        "issuer ready\nintake ready, degraded: issuer does not answer\n"
    );
    intake.set_away(ServiceName::Issuer, false);
    let (_, text) = fetch(&admin, "/readyz").await;
    assert_eq!(text, "issuer ready\nintake ready\n");
    assert_eq!(fetch(&admin, "/livez").await.0, StatusCode::OK);
    assert_eq!(fetch(&admin, "/metrics").await.0, StatusCode::NOT_FOUND);
    assert_eq!(fetch(&admin, "/keys").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metrics_are_rendered_for_prometheus() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let admin = Admin::new(Some(recorder.handle()), Vec::new());
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("lgpki_test_things_total").increment(3);
    });
    let (code, text) = fetch(&admin, "/metrics").await;
    assert_eq!(code, StatusCode::OK);
    assert!(text.contains("lgpki_test_things_total 3"), "{text}");
}

#[tokio::test]
async fn a_port_tells_its_own_service_alone() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let issuer = Readiness::new(ServiceName::Issuer);
    let admin = Admin::new(Some(recorder.handle()), vec![issuer]);
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("lgpki_issuer_things_total").increment(1);
        metrics::counter!("lgpki_intake_things_total").increment(1);
    });
    let (_, text) = fetch(&admin, "/metrics").await;
    assert!(
        text.contains("# TYPE lgpki_issuer_things_total counter\n"),
        "{text}"
    );
    assert!(!text.contains("intake"), "{text}");
}
