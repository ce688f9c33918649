//! OCSP over HTTP (RFC 6960 appendix A): POST with the request as body, GET with it in the path,
//! and the fields that let caches keep what is good for everybody (RFC 5019 §6).

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use headers::{CacheControl, Date, Expires, HeaderMapExt as _};
use lgpki_domain::{Authority, AuthorityKey, Timestamp};
use lgpki_runtime::plain_http::conditional::{Resource, system};
use lgpki_x509::{
    issuer::ocsp_path,
    ocsp::{Failure, LONGEST_REQUEST, REQUEST_TYPE, RESPONSE_TYPE},
};
use tokio::time::timeout;

use super::{Public, nothing_here};
use crate::{ocsp::Reply, ports::LifecycleStore};

/// How long a client may take to send a request's body.
const BODY: Duration = Duration::from_secs(10);

/// Answers POST.
pub(super) async fn post<S: LifecycleStore>(
    State(public): State<Arc<Public<S>>>,
    Path(place): Path<String>,
    asked: HeaderMap,
    body: Body,
) -> Response {
    let Some(name) = ca_key(&place) else {
        return nothing_here().await;
    };
    if !asked.get(header::CONTENT_TYPE).is_none_or(is_request) {
        let text = format!("send the request as {REQUEST_TYPE}\n");
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response();
    }
    let reply = match timeout(BODY, to_bytes(body, LONGEST_REQUEST)).await {
        Ok(Ok(request)) => public.reply(name, &request).await,
        Ok(Err(_)) => Failure::MalformedRequest.into(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    respond(
        reply,
        (&Method::POST, &HeaderMap::new()),
        public.clock.now(),
    )
}

/// Answers GET and HEAD.
pub(super) async fn get<S: LifecycleStore>(
    State(public): State<Arc<Public<S>>>,
    Path((place, request)): Path<(String, String)>,
    method: Method,
    asked: HeaderMap,
) -> Response {
    let Some(name) = ca_key(&place) else {
        return nothing_here().await;
    };
    tracing::trace!(%method, "an OCSP request in a path");
    let reply = match BASE64_STANDARD.decode(request.as_bytes()) {
        Ok(request) => public.reply(name, &request).await,
        Err(_) => Failure::MalformedRequest.into(),
    };
    respond(reply, (&method, &asked), public.clock.now())
}

impl<S: LifecycleStore> Public<S> {
    /// At the place of a key that there is not, nobody could ever answer: whoever asks is not to try again.
    async fn reply(&self, name: AuthorityKey, request: &[u8]) -> Reply {
        if self.has_no(name) {
            return Failure::Unauthorized.into();
        }
        self.answerer.answer(name, request).await
    }
}

/// Whether a body is called a request; what stands behind the name, a semicolon between, says nothing.
fn is_request(named: &HeaderValue) -> bool {
    let named = named.as_bytes();
    let name = named.split(|byte| *byte == b';').next().unwrap_or(named);
    name.trim_ascii_end()
        .eq_ignore_ascii_case(REQUEST_TYPE.as_bytes())
}

/// The CA key that the last part of a responder's address names; one spelling only.
fn ca_key(place: &str) -> Option<AuthorityKey> {
    let (authority, generation) = place.rsplit_once('-')?;
    let name = AuthorityKey::new(Authority::parse(authority)?, generation.parse().ok()?);
    (ocsp_path(name.authority, name.generation) == place).then_some(name)
}

/// What was asked, less the conditions of a date: two answers of one second may differ, as when a
/// certificate is revoked between them, and only the entity tag tells them apart.
fn without_dates(asked: &HeaderMap) -> HeaderMap {
    let mut asked = asked.clone();
    asked.remove(header::IF_MODIFIED_SINCE);
    asked.remove(header::IF_UNMODIFIED_SINCE);
    asked
}

fn respond(reply: Reply, (method, asked): (&Method, &HeaderMap), now: Timestamp) -> Response {
    let mut response = match reply.caching {
        None => {
            let mut response = reply.body.into_response();
            response
                .headers_mut()
                .typed_insert(CacheControl::new().with_no_store());
            response
        }
        Some(caching) => {
            let resource = Resource {
                bytes: reply.body,
                digest: caching.digest,
                since: Some(caching.this_update),
            };
            let mut response = resource.answer(method, &without_dates(asked));
            let headers = response.headers_mut();
            let age = u64::try_from(caching.max_age).unwrap_or_default();
            let control = CacheControl::new()
                .with_max_age(Duration::from_secs(age))
                .with_public()
                .with_no_transform()
                .with_must_revalidate();
            headers.typed_insert(control);
            headers.typed_insert(Expires::from(system(caching.next_update)));
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(RESPONSE_TYPE),
    );
    // By the clock of the answer itself.
    headers.typed_insert(Date::from(system(now)));
    response
}
