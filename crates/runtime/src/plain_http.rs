//! Plain HTTP for whoever comes: the publication and the administration ports.
//!
//! Nobody logs in here, so nobody may hold the process up: connections beyond the limit wait in the
//! operating system's queue, a client that does not send a whole request in time is let go, and so
//! is one that stays too long.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use crate::shutdown::Shutdown;

/// How long to wait after the operating system refused to accept, for lack of descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a request's head, and of an answer under way.
const BUFFER: usize = 16 * 1024;

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// How long a client may take to send the head of a request, and may be silent between two.
    pub head: Duration,
    /// How long a connection may stay.
    pub stay: Duration,
    /// How long an answer under way may take to end, once the connection or the process is to end.
    pub drain: Duration,
}

impl Limits {
    /// Ten seconds for a head, ten minutes to stay, ten seconds to end.
    #[must_use]
    pub const fn new(connections: usize) -> Self {
        Self {
            connections,
            head: Duration::from_secs(10),
            stay: Duration::from_mins(10),
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves until the shutdown is requested and all connections are done or were cut.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: Shutdown) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    loop {
        let next = tokio::select! {
            biased;
            () = shutdown.requested() => break,
            next = accept(&listener, &permits) => next,
        };
        while open.try_join_next().is_some() {}
        if let Some((stream, permit)) = next {
            let (router, shutdown) = (router.clone(), shutdown.clone());
            open.spawn(async move {
                connection(stream, router, limits, shutdown).await;
                drop(permit);
            });
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, router: Router, limits: Limits, shutdown: Shutdown) {
    // A small answer must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(BUFFER);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        () = leave(limits.stay, &shutdown) => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(limits.drain, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error, "a connection ended badly"),
        Err(_) => tracing::debug!("a connection was cut"),
    }
}

/// Returns when a connection is to end.
async fn leave(stay: Duration, shutdown: &Shutdown) {
    tokio::select! {
        () = shutdown.requested() => {}
        () = tokio::time::sleep(stay) => {}
    }
}

#[cfg(test)]
mod tests;
