//! Counts and times RPCs, each exactly once, however it ends.

use std::sync::atomic::{AtomicBool, Ordering};

use lgpki_proto::ServiceName;
use tokio::time::Instant;
use tonic::Code;

/// One RPC being counted; dropped unfinished, the caller went away.
#[derive(Debug)]
pub(crate) struct Record {
    service: ServiceName,
    method: &'static str,
    begun: Instant,
    finished: bool,
}

static DESCRIBED: AtomicBool = AtomicBool::new(false);

/// The names of one service's metrics.
struct Names {
    total: &'static str,
    seconds: &'static str,
    handshakes: &'static str,
    connections: &'static str,
}

const fn names(service: ServiceName) -> Names {
    match service {
        ServiceName::Intake => Names {
            total: "lgpki_intake_rpc_total",
            seconds: "lgpki_intake_rpc_seconds",
            handshakes: "lgpki_intake_handshakes_total",
            connections: "lgpki_intake_connections",
        },
        ServiceName::Issuer => Names {
            total: "lgpki_issuer_rpc_total",
            seconds: "lgpki_issuer_rpc_seconds",
            handshakes: "lgpki_issuer_handshakes_total",
            connections: "lgpki_issuer_connections",
        },
        ServiceName::Lifecycle => Names {
            total: "lgpki_lifecycle_rpc_total",
            seconds: "lgpki_lifecycle_rpc_seconds",
            handshakes: "lgpki_lifecycle_handshakes_total",
            connections: "lgpki_lifecycle_connections",
        },
    }
}

/// Describes the metrics of all services, once.
pub(crate) fn describe() {
    if DESCRIBED.swap(true, Ordering::Relaxed) {
        return;
    }
    for service in ServiceName::ALL {
        let names = names(service);
        metrics::describe_counter!(names.total, "RPCs by method and gRPC status code");
        metrics::describe_histogram!(
            names.seconds,
            metrics::Unit::Seconds,
            "Time from an RPC's arrival to the end of its answer"
        );
        metrics::describe_counter!(names.handshakes, "TLS handshakes by outcome");
        metrics::describe_gauge!(names.connections, "Open connections");
    }
}

/// Counts a request for what is not served; its path is the caller's text and no label.
pub(crate) fn unserved(service: ServiceName) {
    count(service, "unserved", Code::PermissionDenied);
}

/// Counts a handshake.
pub(crate) fn handshake(service: ServiceName, outcome: &'static str) {
    metrics::counter!(names(service).handshakes, "outcome" => outcome).increment(1);
}

/// A connection, counted while it is open.
pub(crate) struct OpenConnection(metrics::Gauge);

impl OpenConnection {
    pub(crate) fn new(service: ServiceName) -> Self {
        let gauge = metrics::gauge!(names(service).connections);
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl Record {
    pub(crate) fn begin(service: ServiceName, method: &'static str) -> Self {
        Self {
            service,
            method,
            begun: Instant::now(),
            finished: false,
        }
    }

    /// Notes how the RPC ended; only the first time counts.
    pub(crate) fn finish(&mut self, code: Code) {
        if self.finished {
            return;
        }
        self.finished = true;
        let seconds = self.begun.elapsed().as_secs_f64();
        count(self.service, self.method, code);
        metrics::histogram!(names(self.service).seconds, "method" => self.method).record(seconds);
        tracing::debug!(
            method = self.method,
            code = label(code),
            seconds,
            "rpc ended"
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}

fn count(service: ServiceName, method: &'static str, code: Code) {
    let name = names(service).total;
    metrics::counter!(name, "method" => method, "code" => label(code)).increment(1);
}

/// The code as gRPC spells it.
const fn label(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
