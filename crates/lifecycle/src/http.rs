//! The public's door: CRLs, CA certificates and the practice statement over plain HTTP (RFC 5280 §8 advises against
//! https here). Reads only; nothing about anybody is told but what is published.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use lgpki_domain::Timestamp;
use lgpki_runtime::{
    plain_http::{self, Limits},
    shutdown::Shutdown,
};
use tokio::net::TcpListener;

use crate::{
    metrics,
    publication::{Name, PublicationFiles},
};

/// Connections at the same time; relying parties keep what they fetched.
const CONNECTIONS: usize = 1_024;

/// Serves the published files until the shutdown.
pub(crate) async fn serve(listener: TcpListener, files: PublicationFiles, shutdown: Shutdown) {
    plain_http::serve(listener, router(files), Limits::new(CONNECTIONS), shutdown).await;
}

/// The routes; `GET` answers `HEAD` as well.
pub(crate) fn router(files: PublicationFiles) -> Router {
    Router::new()
        .route("/crl/{file}", get(answer))
        .route("/ca/{file}", get(answer))
        .route("/cps", get(statement))
        .fallback(nothing_here)
        .with_state(files)
}

async fn answer(State(files): State<PublicationFiles>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(name) = Name::parse(uri.path().trim_start_matches('/')) else {
        return nothing_here().await;
    };
    let Some(file) = files.find(name) else {
        metrics::fetched(404);
        let text = format!("{} has not been published yet\n", name.path());
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let tag = format!("\"{}\"", file.digest);
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().trim_start_matches("W/") == tag || value.trim() == "*");
    let mut response = if known {
        metrics::fetched(304);
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        metrics::fetched(200);
        file.bytes.into_response()
    };
    let mut set = |key, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(key, value);
        }
    };
    set(header::CONTENT_TYPE, name.media_type());
    set(header::ETAG, &tag);
    // A CRL may be replaced at any moment: keep it, but ask again before using it.
    set(header::CACHE_CONTROL, "public, no-cache");
    if let Some(since) = file.since {
        set(header::LAST_MODIFIED, &http_date(since));
    }
    response
}

/// The practice statement (RFC 5280 §4.2.1.4, cPSuri).
async fn statement(State(files): State<PublicationFiles>) -> Response {
    metrics::fetched(200);
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (plain, files.statement()).into_response()
}

async fn nothing_here() -> Response {
    metrics::fetched(404);
    let text = "nothing is published here; CRLs are at /crl/<authority>-<generation>.crl and CA \
                certificates at /ca/<authority>-<generation>.cer, such as /crl/organization-1.crl, and the practice \
                statement is at /cps\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

/// An HTTP date (RFC 9110 §5.6.7), such as `Mon, 04 Feb 2008 00:15:00 GMT`.
fn http_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    const JST_SECONDS: i64 = 9 * 3600;
    // The day in Japan nine hours earlier is the day in Greenwich now.
    let date = at.plus_seconds(-JST_SECONDS).jst_date();
    let (year, month, day) = date.parts();
    let month = MONTHS[usize::try_from(month - 1).unwrap_or_default() % 12];
    let weekday = DAYS[usize::from(date.weekday() - 1) % 7];
    let second = at.as_seconds().rem_euclid(86_400);
    format!(
        "{weekday}, {day:02} {month} {year} {:02}:{:02}:{:02} GMT",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_date_is_that_of_greenwich() {
        let at: Timestamp = "2008-02-04T08:15:09.999+09:00".parse().unwrap();
        assert_eq!(http_date(at), "Sun, 03 Feb 2008 23:15:09 GMT");
    }
}
