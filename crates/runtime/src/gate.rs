//! The gate: every request passes it before it reaches a handler.
//!
//! The path is looked up in the access table of this service, the caller is judged, and only then
//! the request goes on, with an [`Rpc`] for its handler, inside a span, with a deadline where the
//! RPC is unary; the caller of a stream is judged again while it is open. What is not in the table
//! is refused. Health and reflection, which say nothing about anybody, answer to everyone.

mod body;
pub(crate) mod record;
mod streams;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Bytes, HttpBody};
use http::{Request, Response};
use lgpki_domain::{ErrorClass, Randomness};
use lgpki_proto::{Failure, ServiceName, access};
use tonic::{Status, body::Body, service::Routes};
use tower::Service;
use tracing::{Instrument as _, Span};

use crate::{
    identity::{Judge, Presented, not_served},
    rpc::Rpc,
    shutdown::Shutdown,
};
use body::{Ends, WatchedBody};
use record::Record;
pub(crate) use streams::Streams;

/// Paths that answer without a client certificate.
const OPEN: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// How often the caller of an open stream is judged anew.
const JUDGE_EVERY: Duration = Duration::from_secs(2);

/// What the gates of all connections share.
#[derive(Debug)]
pub(crate) struct GateKeeper {
    pub(crate) service: ServiceName,
    pub(crate) judge: Judge,
    pub(crate) randomness: Arc<dyn Randomness>,
    /// How long a unary RPC may take.
    pub(crate) unary: Duration,
    /// How long a stream that has nothing to send is kept once the shutdown was requested.
    pub(crate) linger: Duration,
    /// The streams that callers have open.
    pub(crate) streams: Streams,
    pub(crate) shutdown: Shutdown,
}

/// The gate of one connection.
#[derive(Clone)]
pub(crate) struct Gate {
    keeper: Arc<GateKeeper>,
    presented: Arc<Presented>,
    routes: Routes,
    visits: Arc<Visits>,
}

/// What came over a connection.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    /// Calls that were let through to a handler.
    admitted: AtomicU64,
    /// Calls that answer to everyone.
    open: AtomicU64,
}

impl Visits {
    /// Notes a call that was let through.
    pub(crate) fn caller_came(&self) {
        self.admitted.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a call that answers to everyone.
    pub(crate) fn anybody_came(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether anybody was ever let in.
    pub(crate) fn knows_caller(&self) -> bool {
        self.admitted.load(Ordering::Relaxed) > 0
    }

    /// How many calls there were that answer to everyone.
    pub(crate) fn of_anybody(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

type Answer = Result<Response<Body>, Infallible>;

impl Gate {
    pub(crate) fn new(keeper: Arc<GateKeeper>, presented: Presented, routes: Routes) -> Self {
        Self {
            keeper,
            presented: Arc::new(presented),
            routes,
            visits: Arc::default(),
        }
    }

    /// What comes over the connection.
    pub(crate) fn visits(&self) -> Arc<Visits> {
        Arc::clone(&self.visits)
    }
}

impl<B> Service<Request<B>> for Gate
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<tower::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The routes are an axum router, which is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(Body::new);
        let gate = self.clone();
        if OPEN
            .iter()
            .any(|open| request.uri().path().starts_with(open))
        {
            gate.visits.anybody_came();
            let mut routes = gate.routes;
            return Box::pin(async move { routes.call(request).await });
        }
        Box::pin(gate.pass(request))
    }
}

impl Gate {
    async fn pass(self, request: Request<Body>) -> Answer {
        let keeper = &self.keeper;
        let Some(row) = access::find(keeper.service, request.uri().path()) else {
            record::unserved(keeper.service);
            return Ok(not_served().into_status().into_http());
        };
        let mut record = Record::begin(keeper.service, row.path);
        let admitted = self.admit(row).and_then(|(rpc, span)| {
            let stream = row.streaming.then(|| keeper.streams.open(rpc.caller()));
            match stream.transpose() {
                Ok(stream) => Ok((rpc, span, stream.flatten())),
                Err(refused) => Err(rpc.refuse(refused)),
            }
        });
        let (rpc, span, stream) = match admitted {
            Ok(admitted) => admitted,
            Err(status) => {
                record.finish(status.code());
                return Ok(status.into_http());
            }
        };
        self.visits.caller_came();
        let handled = self
            .handle(request, rpc.clone(), row.streaming)
            .instrument(span.clone())
            .await;
        let (parts, body) = handled.into_parts();
        let ends = row.streaming.then(|| {
            let barred = barred(Arc::clone(keeper), Arc::clone(&self.presented), row);
            Ends::new(keeper.shutdown.clone(), keeper.linger, barred, stream)
        });
        let body = WatchedBody::new(body, &parts.headers, record, span, ends);
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    /// Judges the caller and opens the call's span.
    fn admit(&self, row: &'static access::Access) -> Result<(Rpc, Span), Status> {
        let keeper = &self.keeper;
        let caller = keeper
            .judge
            .judge(&self.presented, row)
            .map_err(Failure::into_status)?;
        let correlation_id = correlation_id(keeper.randomness.as_ref())?;
        let span = tracing::info_span!(
            "rpc",
            service = keeper.service.name(),
            method = row.path,
            role = caller.role().name(),
            body = caller.body().map(tracing::field::display),
            correlation_id,
        );
        let (keeper, presented) = (Arc::clone(keeper), Arc::clone(&self.presented));
        let again = move || keeper.judge.judge(&presented, row).map(drop);
        let rpc = Rpc::judged(caller, correlation_id, row.path, again);
        Ok((rpc, span))
    }

    /// Lets the request through to its handler.
    async fn handle(
        &self,
        mut request: Request<Body>,
        rpc: Rpc,
        streaming: bool,
    ) -> Response<Body> {
        request.extensions_mut().insert(rpc.clone());
        let mut routes = self.routes.clone();
        let answer = routes.call(request);
        let answer = if streaming {
            answer.await
        } else {
            match tokio::time::timeout(self.keeper.unary, answer).await {
                Ok(answer) => answer,
                Err(_) => return rpc.refuse(too_slow(self.keeper.unary)).into_http(),
            }
        };
        match answer {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Returns once the caller may no longer make the call: a stream may outlive its login.
async fn barred(
    keeper: Arc<GateKeeper>,
    presented: Arc<Presented>,
    row: &'static access::Access,
) -> Failure {
    loop {
        tokio::time::sleep(JUDGE_EVERY).await;
        if let Err(refused) = keeper.judge.judge(&presented, row) {
            return refused;
        }
    }
}

fn too_slow(limit: Duration) -> Failure {
    Failure::new(
        ErrorClass::Unavailable,
        "ANSWER_TOO_SLOW",
        format!(
            "the answer was not ready within {} s; what was asked may still have been done, so ask \
             before you repeat it",
            limit.as_secs()
        ),
    )
    .retry_after(Duration::from_secs(5))
}

/// Sixteen hexadecimal digits.
fn correlation_id(randomness: &dyn Randomness) -> Result<String, Status> {
    let mut bytes = [0; 8];
    randomness.fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "no correlation id could be drawn");
        Failure::internal("no randomness").into_status()
    })?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
