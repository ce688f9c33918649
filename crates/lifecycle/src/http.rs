//! The public's door: CRLs, CA certificates, the practice statement and OCSP over plain HTTP (RFC 5280
//! §8 advises against https here). Nothing about anybody is told but what is published and what OCSP
//! is for.

mod ocsp;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use lgpki_domain::{AuthorityKey, Clock, CrlScope, CrlSeries};
use lgpki_runtime::{
    plain_http::{self, Limits, conditional::Resource},
    shutdown::Shutdown,
};
use tokio::net::TcpListener;

use crate::{
    metrics,
    ocsp::Answerer,
    ports::{CrlList, LifecycleStore},
    publication::{Name, PublicationFiles},
};

/// What the door opens to.
#[derive(Debug)]
pub(crate) struct Public<S> {
    files: PublicationFiles,
    answerer: Arc<Answerer<S>>,
    clock: Arc<dyn Clock>,
}

impl<S: LifecycleStore> Public<S> {
    pub(crate) fn new(
        files: PublicationFiles,
        answerer: Arc<Answerer<S>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            files,
            answerer,
            clock,
        }
    }

    /// Whether this CA is known here and has no such key. A CA whose first key is not published may
    /// still become known, by the issuer.
    fn has_no(&self, key: AuthorityKey) -> bool {
        let published = |generation| {
            let name = Name::Certificate(key.authority, generation);
            self.files.find(name).is_some()
        };
        published(1) && !published(key.generation) && self.answerer.desk(key).is_none()
    }

    /// Why nothing stands under a name.
    fn absent(&self, name: Name) -> String {
        let path = name.path();
        if let Name::Crl(list) = name
            && list.series.scope == CrlScope::User
        {
            let part = Name::Crl(CrlList {
                series: CrlSeries {
                    scope: CrlScope::Partition(1),
                    ..list.series
                },
                delta: false,
            });
            if self.files.find(part).is_some() {
                let part = part.path();
                return format!(
                    "{path} is never published: this CA's list is divided, and each certificate names the \
                     part on which it would stand (crlDistributionPoints), such as /{part}\n"
                );
            }
        }
        format!("{path} is not published, or not yet\n")
    }
}

/// Serves until the shutdown.
pub(crate) async fn serve<S: LifecycleStore>(
    listener: TcpListener,
    public: Public<S>,
    limits: Limits,
    shutdown: Shutdown,
) {
    plain_http::serve(listener, router(public), limits, shutdown).await;
}

/// The routes; `GET` answers `HEAD` as well.
pub(crate) fn router<S: LifecycleStore>(public: Public<S>) -> Router {
    Router::new()
        .route("/crl/{file}", get(answer))
        .route("/ca/{file}", get(answer))
        .route("/cps", get(statement))
        .route("/ocsp/{ca}", post(ocsp::post))
        .route("/ocsp/{ca}/", post(ocsp::post))
        .route("/ocsp/{ca}/{*request}", get(ocsp::get))
        .fallback(nothing_here)
        .with_state(Arc::new(public))
}

async fn answer<S: LifecycleStore>(
    State(public): State<Arc<Public<S>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Some(name) = Name::parse(uri.path().trim_start_matches('/')) else {
        return nothing_here().await;
    };
    let Some(file) = public.files.find(name) else {
        metrics::fetched(404);
        return (StatusCode::NOT_FOUND, public.absent(name)).into_response();
    };
    let resource = Resource {
        bytes: file.bytes,
        digest: file.digest,
        since: file.since,
    };
    let mut response = resource.answer(&method, &headers);
    metrics::fetched(response.status().as_u16());
    let set = response.headers_mut();
    let media_type = HeaderValue::from_static(name.media_type());
    set.insert(header::CONTENT_TYPE, media_type);
    // A CRL may be replaced at any moment: keep it, but ask again before using it.
    let ask_again = HeaderValue::from_static("public, no-cache");
    set.insert(header::CACHE_CONTROL, ask_again);
    response
}

/// The practice statement (RFC 5280 §4.2.1.4, cPSuri).
async fn statement<S: LifecycleStore>(
    State(public): State<Arc<Public<S>>>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let (bytes, digest) = public.files.statement();
    let resource = Resource {
        bytes,
        digest,
        since: None,
    };
    let mut response = resource.answer(&method, &headers);
    metrics::fetched(response.status().as_u16());
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

async fn nothing_here() -> Response {
    metrics::fetched(404);
    let text = "nothing is published here; CRLs are at /crl/<authority>-<generation>.crl and CA \
                certificates at /ca/<authority>-<generation>.cer, such as /crl/organization-1.crl, OCSP is \
                answered at /ocsp/<authority>-<generation>, and the practice statement is at /cps\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
