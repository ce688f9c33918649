//! Accepting connections, serving each, and letting them go.

use std::{sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use lgpki_proto::ServiceName;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::service::Routes;

use crate::{
    config::{ServerLimits, seconds},
    gate::{Gate, GateKeeper, Visits, record},
    identity::Presented,
    shutdown::Shutdown,
};

/// How long to wait after the operating system refused to accept, for lack of descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection is kept over which nobody came who is known here, nor anybody at all meanwhile.
const STRANGER: Duration = Duration::from_mins(1);
/// Bytes of header fields taken from a client.
const HEADERS: u32 = 16 * 1024;
/// Streams that a client may reset before they were served (CVE-2023-44487).
const RESETS: usize = 64;

/// What all connections share.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) acceptor: TlsAcceptor,
    pub(super) permits: Arc<Semaphore>,
    pub(super) limits: ServerLimits,
    pub(super) routes: Routes,
    pub(super) shutdown: Shutdown,
    pub(super) keeper: Arc<GateKeeper>,
}

impl Connections {
    /// Accepts until the shutdown is requested; returns the connections that are still open.
    pub(super) async fn accept(self, listener: TcpListener) -> JoinSet<()> {
        let mut open = JoinSet::new();
        let shared = Arc::new(self);
        loop {
            let next = tokio::select! {
                biased;
                () = shared.shutdown.requested() => return open,
                next = shared.next(&listener) => next,
            };
            while open.try_join_next().is_some() {}
            if let Some((stream, permit)) = next {
                let shared = Arc::clone(&shared);
                open.spawn(async move {
                    shared.serve(stream).await;
                    drop(permit);
                });
            }
        }
    }

    /// The next connection, once there is room for it.
    async fn next(&self, listener: &TcpListener) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((stream, _)) => Some((stream, permit)),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    async fn serve(&self, stream: TcpStream) {
        let service = self.keeper.service;
        let Some(tls) = self.handshake(stream).await else {
            return;
        };
        let _counted = record::OpenConnection::new(service);
        let presented = Presented::new(tls.get_ref().1.peer_certificates());
        let gate = Gate::new(Arc::clone(&self.keeper), presented, self.routes.clone());
        let visits = gate.visits();
        let keepalive = seconds(self.limits.keepalive_seconds);
        let mut http = Builder::new(TokioExecutor::new()).http2_only();
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(keepalive)
            .keep_alive_timeout(keepalive)
            .max_concurrent_streams(self.limits.streams_per_connection.get())
            .max_pending_accept_reset_streams(RESETS)
            .max_header_list_size(HEADERS);
        let connection = http.serve_connection(TokioIo::new(tls), TowerToHyperService::new(gate));
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stranger(&visits) => {
                tracing::debug!(service = service.name(), "nobody used a connection");
                return;
            }
            () = self.shutdown.requested() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(service = service.name(), error, "a connection ended badly");
        }
    }

    async fn handshake(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        // A small answer must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let limit = seconds(self.limits.handshake_seconds);
        let outcome = tokio::select! {
            () = self.shutdown.requested() => return None,
            outcome = tokio::time::timeout(limit, self.acceptor.accept(stream)) => outcome,
        };
        let service = self.keeper.service;
        match outcome {
            Ok(Ok(tls)) => {
                record::handshake(service, "ok");
                Some(tls)
            }
            Ok(Err(error)) => {
                record::handshake(service, "failed");
                tracing::debug!(service = service.name(), %error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                record::handshake(service, "too_slow");
                None
            }
        }
    }
}

/// Returns once a connection need not be kept: nobody was let in over it so far, and for a while nobody
/// asked what answers to everyone.
async fn stranger(visits: &Visits) {
    let mut asked = None;
    while !visits.knows_caller() && asked != Some(visits.of_anybody()) {
        asked = Some(visits.of_anybody());
        tokio::time::sleep(STRANGER).await;
    }
    if visits.knows_caller() {
        std::future::pending::<()>().await;
    }
}

/// Lets `open` connections finish for `patience`, then cuts them.
pub(super) async fn drain(service: ServiceName, mut open: JoinSet<()>, patience: Duration) {
    let finished = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, finished).await.is_err() {
        tracing::warn!(
            service = service.name(),
            connections = open.len(),
            "the drain time is over; cutting connections"
        );
        open.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// Whether the connection would be given up within so many seconds.
    async fn given_up(visits: &Visits, within: u64) -> bool {
        let within = Duration::from_secs(within);
        timeout(within, stranger(visits)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_for_those_who_are_known_and_while_anybody_asks() {
        let visits = Visits::default();
        assert!(!given_up(&visits, 59).await);
        assert!(given_up(&visits, 61).await);
        let asking = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                visits.anybody_came();
            }
        };
        tokio::select! {
            () = asking => {}
            () = stranger(&visits) => panic!("somebody asked"),
        }
        assert!(given_up(&visits, 121).await);
        visits.caller_came();
        assert!(!given_up(&visits, 100_000).await);
    }
}
