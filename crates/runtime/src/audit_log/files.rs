//! Published logs as static files (C2SP tlog-tiles), fit for any cache and any object store.
//!
//! `/logs` names the logs, a line each; below `/<log>/` stand `checkpoint`, `vkey` and `tile/…`. A full tile
//! never changes and may be kept for ever, a partial one gives way to the full one; everything else is to be
//! asked about again.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use lgpki_domain::Digest;
use lgpki_ledger::{LogId, TreeError};
use lgpki_proto::ServiceName;
use metrics::counter;
use tokio::{net::TcpListener, task::spawn_blocking};

use super::{File, Shelf};
use crate::{
    error::chain,
    plain_http::{self, PublicLimits, TurnedAway, conditional::Resource},
    shutdown::Shutdown,
};

/// Connections at the same time unless another number is given: auditors, witnesses, a cache before the rest.
const CONNECTIONS: usize = 128;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// May be kept for a year, which is as long as caches think, and never asked about.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// What has this name has this content, but the name goes.
const FOR_A_WHILE: &str = "public, max-age=300";
/// May be kept, but is asked about before it is used.
const ASK_AGAIN: &str = "public, no-cache";

const NOTHING: &str = "nothing is published here; the logs are named at /logs, and each has its checkpoint at \
                       /<log>/checkpoint, its verifier key at /<log>/vkey and its tiles below /<log>/tile/\n";

/// Serves the published logs of a service until the shutdown is requested.
pub async fn serve(
    listener: TcpListener,
    (service, shelf): (ServiceName, Shelf),
    limits: &PublicLimits,
    shutdown: Shutdown,
) {
    let limits = limits.of(CONNECTIONS, turned_away(service));
    plain_http::serve(listener, router(shelf), limits, shutdown).await;
}

/// Counts who was turned away from the port of a service, or cut.
fn turned_away(service: ServiceName) -> fn(TurnedAway) {
    match service {
        ServiceName::Intake => |why| {
            counter!("lgpki_intake_logs_turned_away_total", "why" => why.name()).increment(1);
        },
        ServiceName::Issuer => |why| {
            counter!("lgpki_issuer_logs_turned_away_total", "why" => why.name()).increment(1);
        },
        ServiceName::Lifecycle => |why| {
            counter!("lgpki_lifecycle_logs_turned_away_total", "why" => why.name()).increment(1);
        },
    }
}

/// The routes; `GET` answers `HEAD` as well.
pub(super) fn router(shelf: Shelf) -> Router {
    Router::new()
        .route("/logs", get(names))
        .route("/{log}/{*file}", get(file))
        .fallback(nothing_here)
        .with_state(shelf)
}

async fn names(State(shelf): State<Shelf>, method: Method, headers: HeaderMap) -> Response {
    let read = spawn_blocking(move || shelf.logs()).await;
    match read {
        Ok(Ok(logs)) => {
            let mut lines: Vec<_> = logs.iter().map(LogId::to_string).collect();
            lines.push(String::new());
            let text = lines.join("\n").into_bytes();
            answer((&method, &headers), text, (TEXT, ASK_AGAIN))
        }
        Ok(Err(error)) => unreadable(&error),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn file(
    State(shelf): State<Shelf>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Some((log, file)) = parse(uri.path()) else {
        return nothing_here().await;
    };
    let how = match file {
        File::Checkpoint | File::Vkey => (TEXT, ASK_AGAIN),
        File::Tile(tile) if tile.is_full() => (BYTES, FOR_EVER),
        File::Tile(_) => (BYTES, FOR_A_WHILE),
    };
    match spawn_blocking(move || shelf.read(log, file)).await {
        Ok(Ok(Some(bytes))) => answer((&method, &headers), bytes, how),
        Ok(Ok(None)) => (StatusCode::NOT_FOUND, "this is not published\n").into_response(),
        Ok(Err(error)) => unreadable(&error),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Log and file of a path; whatever has another spelling is none.
fn parse(path: &str) -> Option<(LogId, File)> {
    let (log, file) = path.strip_prefix('/')?.split_once('/')?;
    Some((log.parse().ok()?, File::parse(file)?))
}

/// Whole, in part, or not at all because the asker has it.
fn answer(
    (method, headers): (&Method, &HeaderMap),
    bytes: Vec<u8>,
    (media_type, keep): (&'static str, &'static str),
) -> Response {
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let mut value = [0; 32];
    value.copy_from_slice(digest.as_ref());
    let resource = Resource {
        bytes: bytes.into(),
        digest: Digest(value),
        since: None,
    };
    let mut response = resource.answer(method, headers);
    let set = response.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}

fn unreadable(error: &TreeError) -> Response {
    tracing::error!(error = chain(error), "a published log cannot be read");
    let text = "this cannot be read now; try again\n";
    let retry = [(header::RETRY_AFTER, "5")];
    (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response()
}

async fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, NOTHING).into_response()
}
