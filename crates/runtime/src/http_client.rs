//! A small HTTP/1.1 client for what is public and signed: the tiles of logs, and their witnesses.
//!
//! It speaks plain HTTP only, because whatever it fetches is checked by signatures; where the way
//! itself must be covered, a proxy adds TLS. It follows no redirects, reads no more than it was
//! told to and waits no longer than that. Whoever serves may be anybody: every limit is ours.

mod url;

use std::{future::poll_fn, io, pin::Pin, sync::Arc, time::Duration};

use axum::body::{Body, Bytes, HttpBody as _};
use http::{HeaderMap, Method, Request, StatusCode, header};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use lgpki_domain::ErrorClass;
use parking_lot::Mutex;
use tokio::net::TcpStream;

pub use self::url::HttpUrl;

/// Bytes of an answer's head.
const HEAD: usize = 16 * 1024;
/// Connections that are kept for the next request, of all servers together.
const KEPT: usize = 8;
/// Who asks.
const USER_AGENT: &str = concat!("lgpki/", env!("CARGO_PKG_VERSION"));

/// Something could not be fetched or sent.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not an address that this client goes to.
    #[error("{url:?} is no address to fetch from: {why}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Nobody answers there.
    #[error("cannot connect to {url}")]
    Connect {
        /// Where.
        url: HttpUrl,
        /// Why.
        source: io::Error,
    },
    /// The answer is not HTTP, or breaks off.
    #[error("{url} gave no whole answer")]
    Broken {
        /// Where.
        url: HttpUrl,
        /// Why.
        source: hyper::Error,
    },
    /// A field of the request cannot be sent.
    #[error("a request to {url} cannot be written")]
    Request {
        /// Where.
        url: HttpUrl,
        /// Why.
        source: http::Error,
    },
    /// The answer is longer than allowed.
    #[error("the answer of {url} is longer than {limit} bytes")]
    TooLong {
        /// Where.
        url: HttpUrl,
        /// What was allowed.
        limit: usize,
    },
    /// The whole answer did not come in time.
    #[error("{url} did not answer within {} s", .limit.as_secs_f32())]
    TooLate {
        /// Where.
        url: HttpUrl,
        /// What was allowed.
        limit: Duration,
    },
}

impl HttpError {
    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Url { .. } | Self::Request { .. } => ErrorClass::InvalidInput,
            Self::Connect { .. } | Self::Broken { .. } | Self::TooLate { .. } => {
                ErrorClass::Unavailable
            }
            Self::TooLong { .. } => ErrorClass::Corrupt,
        }
    }
}

/// What a server may take of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Bytes of an answer's body.
    pub bytes: usize,
    /// From the first step of connecting to the answer's last byte.
    pub time: Duration,
}

/// What a server answered, whatever its status.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: StatusCode,
    /// The fields of its head.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl HttpAnswer {
    /// The kind of body, as the server names it.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.field(header::CONTENT_TYPE.as_str())
    }

    /// A field of the head, by its name in small letters.
    #[must_use]
    pub fn field(&self, name: &'static str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What is sent, made anew for each try.
struct Asking<'a> {
    method: Method,
    url: &'a HttpUrl,
    fields: &'a [(header::HeaderName, &'a str)],
    body: Bytes,
}

/// A connection that was used and can be used again.
struct Idle {
    authority: String,
    sender: SendRequest<Body>,
}

/// Asks servers, and keeps a few connections for the next question. Clones share them.
#[derive(Clone)]
pub struct HttpClient {
    limits: HttpLimits,
    idle: Arc<Mutex<Vec<Idle>>>,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client with these limits, each of which holds for one request.
    #[must_use]
    pub fn new(limits: HttpLimits) -> Self {
        Self {
            limits,
            idle: Arc::default(),
        }
    }

    /// Fetches. Must be called within a tokio runtime.
    pub async fn get(&self, url: &HttpUrl) -> Result<HttpAnswer, HttpError> {
        self.get_with(url, &[]).await
    }

    /// Fetches with fields of one's own, such as `If-None-Match`.
    pub async fn get_with(
        &self,
        url: &HttpUrl,
        fields: &[(header::HeaderName, &str)],
    ) -> Result<HttpAnswer, HttpError> {
        let asking = Asking {
            method: Method::GET,
            url,
            fields,
            body: Bytes::new(),
        };
        self.in_time(url, async {
            if let Some(kept) = self.kept(url.authority()) {
                // The server may have closed it at this very moment; asking twice does no harm.
                if let Ok((answer, sender)) = self.ask(kept, &asking).await {
                    self.keep(url.authority(), sender);
                    return Ok(answer);
                }
            }
            let (answer, sender) = self.ask(connect(url).await?, &asking).await?;
            self.keep(url.authority(), sender);
            Ok(answer)
        })
        .await
    }

    /// Sends, once, over a connection of its own: what broke off may have arrived.
    pub async fn post(
        &self,
        url: &HttpUrl,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<HttpAnswer, HttpError> {
        let asking = Asking {
            method: Method::POST,
            url,
            fields: &[(header::CONTENT_TYPE, content_type)],
            body: body.into(),
        };
        self.in_time(url, async {
            let (answer, _) = self.ask(connect(url).await?, &asking).await?;
            Ok(answer)
        })
        .await
    }

    async fn in_time(
        &self,
        url: &HttpUrl,
        answer: impl Future<Output = Result<HttpAnswer, HttpError>>,
    ) -> Result<HttpAnswer, HttpError> {
        let limit = self.limits.time;
        tokio::time::timeout(limit, answer)
            .await
            .unwrap_or_else(|_| {
                let url = url.clone();
                Err(HttpError::TooLate { url, limit })
            })
    }

    /// One question and its answer, and the connection, which may serve for another.
    async fn ask(
        &self,
        mut sender: SendRequest<Body>,
        asking: &Asking<'_>,
    ) -> Result<(HttpAnswer, SendRequest<Body>), HttpError> {
        let broken = |source| HttpError::Broken {
            url: asking.url.clone(),
            source,
        };
        let request = asking.request()?;
        sender.ready().await.map_err(broken)?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = answer.into_parts();
        let body = self.read(asking.url, body).await?;
        let answer = HttpAnswer {
            status: head.status,
            headers: head.headers,
            body,
        };
        Ok((answer, sender))
    }

    /// The body, if it is no longer than allowed.
    async fn read(&self, url: &HttpUrl, mut body: Incoming) -> Result<Bytes, HttpError> {
        let limit = self.limits.bytes;
        let too_long = || HttpError::TooLong {
            url: url.clone(),
            limit,
        };
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(too_long());
        }
        let mut whole = Vec::with_capacity(announced);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame.map_err(|source| HttpError::Broken {
                url: url.clone(),
                source,
            })?;
            // What is no data are trailers, which say nothing to us.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if data.len() > limit - whole.len() {
                return Err(too_long());
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.into())
    }

    fn kept(&self, authority: &str) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.lock();
        idle.retain(|kept| !kept.sender.is_closed());
        let at = idle.iter().rposition(|kept| kept.authority == authority)?;
        Some(idle.swap_remove(at).sender)
    }

    fn keep(&self, authority: &str, sender: SendRequest<Body>) {
        let mut idle = self.idle.lock();
        if idle.len() < KEPT && !sender.is_closed() {
            let authority = authority.to_owned();
            idle.push(Idle { authority, sender });
        }
    }
}

impl Asking<'_> {
    fn request(&self) -> Result<Request<Body>, HttpError> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(self.url.path())
            .header(header::HOST, self.url.authority())
            .header(header::USER_AGENT, USER_AGENT);
        for (name, value) in self.fields {
            request = request.header(name, *value);
        }
        request
            .body(Body::from(self.body.clone()))
            .map_err(|source| HttpError::Request {
                url: self.url.clone(),
                source,
            })
    }
}

/// A new connection. A task of its own moves its bytes, until the last of its users is gone.
async fn connect(url: &HttpUrl) -> Result<SendRequest<Body>, HttpError> {
    let refused = |source| HttpError::Connect {
        url: url.clone(),
        source,
    };
    let stream = TcpStream::connect((url.host(), url.port()))
        .await
        .map_err(refused)?;
    // A small request must not wait for the acknowledgement of the one before.
    stream.set_nodelay(true).map_err(refused)?;
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|source| HttpError::Broken {
            url: url.clone(),
            source,
        })?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended badly");
        }
    });
    Ok(sender)
}

#[cfg(test)]
mod tests;
