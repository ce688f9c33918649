//! The client against our own server and against servers that behave badly.

use axum::{Router, extract::Request, response::IntoResponse, routing::get};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::{
    plain_http::{self, Limits},
    shutdown::{self, ShutdownTrigger},
};

fn limits() -> HttpLimits {
    HttpLimits {
        bytes: 1000,
        time: Duration::from_mins(1),
    }
}

/// Our own server with these routes; runs as long as the trigger is held.
async fn server(router: Router, limits: Limits) -> (HttpUrl, ShutdownTrigger) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (trigger, shutdown) = shutdown::channel();
    tokio::spawn(plain_http::serve(listener, router, limits, shutdown));
    (url.parse().unwrap(), trigger)
}

/// A server that reads a head, says these bytes and closes, once for each connection.
async fn saying(said: &'static [u8]) -> HttpUrl {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = Vec::new();
            while !heard.windows(4).any(|four| four == b"\r\n\r\n") {
                let mut more = [0; 512];
                let read = stream.read(&mut more).await.unwrap();
                heard.extend_from_slice(&more[..read]);
            }
            stream.write_all(said).await.unwrap();
        }
    });
    url.parse().unwrap()
}

/// Tells back what came.
async fn echo(request: Request) -> impl IntoResponse {
    let told = format!("{} {}", request.method(), request.uri());
    let [kind, host] = [header::CONTENT_TYPE, header::HOST].map(|name| {
        let value = request.headers().get(name);
        value
            .map_or("-", |value| value.to_str().unwrap())
            .to_owned()
    });
    let body = axum::body::to_bytes(request.into_body(), 1000)
        .await
        .unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (
        StatusCode::CONFLICT,
        format!("{told} {kind} {host} [{body}]"),
    )
}

fn text(answer: &HttpAnswer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[tokio::test]
async fn what_is_asked_arrives_and_the_answer_is_told_whatever_its_status() {
    let router = Router::new().fallback(echo);
    let (url, _serving) = server(router, Limits::new(8)).await;
    let client = HttpClient::new(limits());
    let url = url.join("w/add-checkpoint").unwrap();
    let host = url.authority();
    let answer = client.get(&url).await.unwrap();
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(text(&answer), format!("GET /w/add-checkpoint - {host} []"));
    let answer = client.post(&url, "text/plain", "old 0\n").await.unwrap();
    let expected = format!("POST /w/add-checkpoint text/plain {host} [old 0\n]");
    assert_eq!(text(&answer), expected);
    assert_eq!(answer.content_type(), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn a_connection_serves_many_fetches_and_one_that_was_closed_is_made_anew() {
    let router = Router::new().route("/", get(|| async { "hello" }));
    // A server that has room for one connection and closes it as soon as it is idle.
    let impatient = Limits {
        head: Duration::from_millis(20),
        ..Limits::new(1)
    };
    let (url, _serving) = server(router, impatient).await;
    let client = HttpClient::new(limits());
    for _ in 0..20 {
        assert_eq!(text(&client.get(&url).await.unwrap()), "hello");
        assert!(client.idle.lock().len() <= 1);
    }
    // Until the server has closed it, and once more after that.
    let closed = || {
        client
            .idle
            .lock()
            .iter()
            .all(|kept| kept.sender.is_closed())
    };
    while !closed() {
        tokio::task::yield_now().await;
    }
    assert_eq!(text(&client.get(&url).await.unwrap()), "hello");
}

#[tokio::test]
async fn an_answer_longer_than_allowed_is_refused_whether_it_says_so_or_not() {
    let long = Bytes::from(vec![b'x'; 1001]);
    let exact = long.slice(..1000);
    let router = Router::new()
        .route("/exact", get(move || async move { exact }))
        .route("/long", get(move || async move { long }));
    let (url, _serving) = server(router, Limits::new(8)).await;
    let client = HttpClient::new(limits());
    let exact = client.get(&url.join("exact").unwrap()).await.unwrap();
    assert_eq!(exact.body.len(), 1000);
    let refused = client.get(&url.join("long").unwrap()).await.unwrap_err();
    assert!(
        matches!(refused, HttpError::TooLong { limit: 1000, .. }),
        "{refused}"
    );
    let endless = saying(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
          3\r\nabc\r\n3\r\ndef\r\n3\r\nghi\r\n0\r\n\r\n",
    )
    .await;
    let short = HttpClient::new(HttpLimits {
        bytes: 8,
        ..limits()
    });
    let refused = short.get(&endless).await.unwrap_err();
    assert!(
        matches!(refused, HttpError::TooLong { limit: 8, .. }),
        "{refused}"
    );
    let nine = HttpClient::new(HttpLimits {
        bytes: 9,
        ..limits()
    });
    assert_eq!(text(&nine.get(&endless).await.unwrap()), "abcdefghi");
}

#[tokio::test]
async fn what_breaks_off_or_is_no_http_is_no_answer() {
    for said in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
        b"220 mail.example ESMTP\r\n",
    ] {
        let url = saying(said).await;
        let client = HttpClient::new(limits());
        let refused = client.get(&url).await.unwrap_err();
        assert!(matches!(refused, HttpError::Broken { .. }), "{refused}");
        assert_eq!(refused.class(), ErrorClass::Unavailable);
        let refused = client.post(&url, "text/plain", "x").await.unwrap_err();
        assert!(matches!(refused, HttpError::Broken { .. }), "{refused}");
    }
}

#[tokio::test]
async fn whoever_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = HttpClient::new(HttpLimits {
        time: Duration::from_millis(20),
        ..limits()
    });
    let late = client.get(&url.parse().unwrap()).await.unwrap_err();
    assert!(matches!(late, HttpError::TooLate { .. }), "{late}");
    assert_eq!(
        late.to_string(),
        format!("{url}/ did not answer within 0.02 s")
    );
    drop(listener);
    let nobody = HttpClient::new(limits());
    let refused = nobody.get(&url.parse().unwrap()).await.unwrap_err();
    assert!(matches!(refused, HttpError::Connect { .. }), "{refused}");
}
