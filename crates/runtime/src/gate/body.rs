//! An answer's body, watched to its end.
//!
//! The status of a gRPC answer stands in its trailers, or in its headers where there is no body. A
//! stream that still waits for something to send when the drain time runs low is ended with a status
//! that tells its reader to come back, instead of being cut. A stream whose caller may no longer make
//! the call is ended at once, with the reason.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Bytes, HttpBody};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use lgpki_domain::ErrorClass;
use lgpki_proto::Failure;
use tonic::{Code, Status, body::Body};
use tracing::Span;

use super::{record::Record, streams::OpenStream};
use crate::shutdown::Shutdown;

type End<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What ends a stream from our side.
pub(super) struct Ends {
    /// Returns once a stream without anything to send should be ended.
    patience: End<()>,
    /// Returns once the caller may no longer make the call, and why.
    barred: End<Failure>,
    /// Counts among the caller's open ones for as long as it is here.
    _open: Option<OpenStream>,
}

impl Ends {
    /// Ended `linger` after the shutdown was requested if idle, and whenever `barred` returns.
    pub(super) fn new(
        shutdown: Shutdown,
        linger: Duration,
        barred: impl Future<Output = Failure> + Send + 'static,
        open: Option<OpenStream>,
    ) -> Self {
        Self {
            _open: open,
            patience: Box::pin(async move {
                shutdown.requested().await;
                tokio::time::sleep(linger).await;
            }),
            barred: Box::pin(barred),
        }
    }
}

/// A body that reports its end.
pub(super) struct WatchedBody {
    inner: Body,
    record: Record,
    span: Span,
    ends: Option<Ends>,
}

impl WatchedBody {
    /// Watches `inner`; `headers` are those of its answer.
    pub(super) fn new(
        inner: Body,
        headers: &HeaderMap,
        mut record: Record,
        span: Span,
        ends: Option<Ends>,
    ) -> Self {
        if let Some(code) = code(headers) {
            record.finish(code);
        }
        Self {
            inner,
            record,
            span,
            ends,
        }
    }

    /// Ends the stream with a status in trailers.
    fn cut(&mut self, why: Failure) -> Frame<Bytes> {
        self.inner = Body::empty();
        self.ends = None;
        let status = why.into_status();
        self.record.finish(status.code());
        let mut trailers = HeaderMap::new();
        // A status of ours is always printable; were it not, the reader would see the stream end
        // without one, which it must treat as a failure.
        let _ = status.add_header(&mut trailers);
        Frame::trailers(trailers)
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let span = this.span.clone();
        let _entered = span.enter();
        if let Some(ends) = &mut this.ends
            && let Poll::Ready(why) = ends.barred.as_mut().poll(cx)
        {
            return Poll::Ready(Some(Ok(this.cut(why))));
        }
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        match &polled {
            Poll::Pending => {
                let over = this
                    .ends
                    .as_mut()
                    .is_some_and(|ends| ends.patience.as_mut().poll(cx).is_ready());
                if over {
                    return Poll::Ready(Some(Ok(this.cut(shutting_down()))));
                }
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.record.finish(code(trailers).unwrap_or(Code::Unknown));
                }
            }
            Poll::Ready(Some(Err(status))) => this.record.finish(status.code()),
            Poll::Ready(None) => this.record.finish(Code::Unknown),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The code in headers or trailers, if they hold one.
fn code(headers: &HeaderMap) -> Option<Code> {
    let value = headers.get(Status::GRPC_STATUS)?;
    Some(Code::from_bytes(value.as_bytes()))
}

fn shutting_down() -> Failure {
    Failure::new(
        ErrorClass::Unavailable,
        "SHUTTING_DOWN",
        "the service is shutting down; call again",
    )
    .retry_after(Duration::from_secs(1))
}
