//! Plain HTTP for whoever comes: the publication and the administration ports.
//!
//! Nobody logs in here, so nobody may hold the process up: connections beyond the limit wait in the
//! operating system's queue, an address that has too many under way is turned away, a client that
//! does not send a whole request in time is let go, the next one on a connection as well as the first,
//! and so is one that takes nothing of an answer or stays too long.

pub mod conditional;
mod crowd;
mod public;
mod reader;

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

pub use self::public::{PublicLimits, WrongLimits};
use self::{crowd::Crowd, reader::Patient};
use crate::shutdown::Shutdown;

/// How long to wait after the operating system refused to accept, for lack of descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a request's head, and of an answer under way.
const BUFFER: usize = 16 * 1024;

/// What is allowed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// How long a client may take to send the head of a request, and may be silent between two.
    pub head: Duration,
    /// How long a connection may stay.
    pub stay: Duration,
    /// How long an answer under way may take to end, once the connection or the process is to end.
    pub drain: Duration,
    /// How long a client may take nothing of an answer.
    pub stall: Duration,
    /// Connections of one address at the same time, or requests of one behind a proxy; none for no
    /// limit but that of all. The addresses of an IPv6 site (/64) count as one.
    pub per_address: Option<NonZeroU32>,
    /// The reverse proxies: what they say in `X-Forwarded-For` is believed.
    pub proxies: Arc<[IpAddr]>,
    /// Told of each that was turned away or cut.
    pub turned_away: fn(TurnedAway),
}

/// Why somebody was turned away or cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// The address had too much under way.
    Crowd,
    /// Nothing of the answer was taken.
    Slow,
}

impl TurnedAway {
    /// The stable name, for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crowd => "crowd",
            Self::Slow => "slow",
        }
    }
}

impl Limits {
    /// Ten seconds for a head, ten minutes to stay, half a minute without taking anything, ten seconds
    /// to end; as many as there are from one address.
    #[must_use]
    pub fn new(connections: usize) -> Self {
        Self {
            connections,
            head: Duration::from_secs(10),
            stay: Duration::from_mins(10),
            drain: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            per_address: None,
            proxies: Arc::default(),
            turned_away: |_| {},
        }
    }
}

/// Serves until the shutdown is requested and all connections are done or were cut.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: Shutdown) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let crowd = Crowd::new(limits.clone());
    let mut open = JoinSet::new();
    loop {
        let next = tokio::select! {
            biased;
            () = shutdown.requested() => break,
            next = accept(&listener, &permits) => next,
        };
        while open.try_join_next().is_some() {}
        let Some((stream, peer, permit)) = next else {
            continue;
        };
        let is_proxy = crowd.is_proxy(peer.ip());
        let (router, place) = if is_proxy {
            (crowd.behind_a_proxy(router.clone()), Ok(None))
        } else {
            (router.clone(), crowd.enter(peer.ip()))
        };
        let place = match place {
            Ok(place) => place,
            Err(turned) => {
                (limits.turned_away)(turned);
                // Whoever hears it hears it; nobody is waited for.
                let _ = stream.try_write(crowd::refusal().as_bytes());
                continue;
            }
        };
        let (limits, shutdown) = (limits.clone(), shutdown.clone());
        // A small answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        open.spawn(async move {
            connection(stream, router, limits, shutdown).await;
            drop((place, permit));
        });
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection<T>(stream: T, router: Router, limits: Limits, shutdown: Shutdown)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(BUFFER);
    let stream = TokioIo::new(Patient::new(stream, limits.stall, limits.turned_away));
    let connection = http.serve_connection(stream, TowerToHyperService::new(router));
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
