//! The administration port: metrics and health over plain HTTP, for loopback or a closed network.
//!
//! `/metrics` in Prometheus' text format, `/livez` as long as the process runs, `/readyz` with the
//! readiness of each service: 200 when all are ready, 503 otherwise; one that works on without another
//! that it calls says so and stays ready. It tells no secret and takes no command.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use lgpki_proto::ServiceName;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use crate::{
    plain_http::{self, Limits},
    readiness::Readiness,
    shutdown::Shutdown,
};

/// How often the recorder tidies up what nobody scraped.
const UPKEEP: Duration = Duration::from_secs(5);
/// Connections at the same time: scrapers and supervisors are few.
const CONNECTIONS: usize = 32;
/// Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the port tells.
#[derive(Clone)]
pub struct Admin(Arc<Inner>);

struct Inner {
    metrics: Option<PrometheusHandle>,
    services: Vec<Readiness>,
}

impl Admin {
    /// Tells `metrics`, if there are any, and the readiness of `services`.
    #[must_use]
    pub fn new(metrics: Option<PrometheusHandle>, services: Vec<Readiness>) -> Self {
        Self(Arc::new(Inner { metrics, services }))
    }

    /// Serves until the shutdown is requested.
    pub async fn run(self, listener: TcpListener, shutdown: Shutdown) {
        let inner = Arc::clone(&self.0);
        let upkeep = async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                if let Some(metrics) = &inner.metrics {
                    metrics.run_upkeep();
                }
            }
        };
        let limits = Limits {
            drain: UPKEEP,
            ..Limits::new(CONNECTIONS)
        };
        tokio::select! {
            () = plain_http::serve(listener, self.router(), limits, shutdown) => {}
            () = upkeep => {}
        }
    }

    fn router(self) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(self)
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match &admin.0.metrics {
        Some(metrics) => {
            let text = own_metrics(&metrics.render(), &admin.0.services);
            ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no metrics are recorded\n").into_response(),
    }
}

/// The metrics of these services, where others run in the same process: each port tells its own, so
/// that nothing is counted twice.
fn own_metrics(text: &str, services: &[Readiness]) -> String {
    let belongs = |line: &&str| {
        let sample = line
            .trim_start_matches("# HELP ")
            .trim_start_matches("# TYPE ");
        ServiceName::ALL
            .into_iter()
            .find(|service| sample.starts_with(&format!("lgpki_{service}_")))
            .is_none_or(|owner| services.iter().any(|service| service.service() == owner))
    };
    text.lines()
        .filter(belongs)
        .flat_map(|line| [line, "\n"])
        .collect()
}

async fn ready(State(admin): State<Admin>) -> Response {
    let mut text = String::new();
    let mut all = true;
    for service in &admin.0.services {
        let ready = service.is_ready();
        all &= ready;
        let word = if ready { "ready" } else { "not ready" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{} {word}", service.service());
        for peer in service.away() {
            let _ = write!(text, ", degraded: {peer} does not answer");
        }
        text.push('\n');
    }
    let code = if all {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, text).into_response()
}

#[cfg(test)]
mod tests;
