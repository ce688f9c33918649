//! Whether a service can do its work now.
//!
//! A service says so once its state is replayed and what it needs is there; gRPC health and
//! `/readyz` repeat it. It begins as not ready.

use std::{collections::BTreeSet, sync::Arc};

use lgpki_proto::ServiceName;
use parking_lot::Mutex;
use tokio::sync::watch;

/// A service's readiness; clones share it.
#[derive(Clone, Debug)]
pub struct Readiness {
    service: ServiceName,
    ready: Arc<watch::Sender<bool>>,
    /// The services that it calls and that do not answer now.
    away: Arc<Mutex<BTreeSet<ServiceName>>>,
}

impl Readiness {
    /// Not ready yet.
    #[must_use]
    pub fn new(service: ServiceName) -> Self {
        Self {
            service,
            ready: Arc::new(watch::Sender::new(false)),
            away: Arc::default(),
        }
    }

    /// Whose readiness it is.
    #[must_use]
    pub const fn service(&self) -> ServiceName {
        self.service
    }

    /// Says whether the service can do its work.
    pub fn set_ready(&self, ready: bool) {
        let changed = self.ready.send_replace(ready) != ready;
        if changed {
            tracing::info!(service = self.service.name(), ready, "readiness changed");
        }
    }

    /// Notes whether a service that this one calls answers. One that is ready stays so without it: what
    /// it takes in waits.
    pub fn set_away(&self, peer: ServiceName, away: bool) {
        let mut peers = self.away.lock();
        let changed = if away {
            peers.insert(peer)
        } else {
            peers.remove(&peer)
        };
        if changed {
            let (service, peer) = (self.service.name(), peer.name());
            tracing::info!(
                service,
                peer,
                away,
                "a service that is called went or came back"
            );
        }
    }

    /// The services that this one calls and that do not answer now.
    #[must_use]
    pub fn away(&self) -> Vec<ServiceName> {
        self.away.lock().iter().copied().collect()
    }

    /// Whether the service can do its work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Returns once the service is ready.
    pub async fn ready(&self) {
        let mut changes = self.ready.subscribe();
        // The sender lives in `self`, so this cannot fail.
        let _ = changes.wait_for(|ready| *ready).await;
    }

    pub(crate) fn changes(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_by_readiness() {
        let readiness = Readiness::new(ServiceName::Issuer);
        assert!(!readiness.is_ready());
        let waiting = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.ready().await }
        });
        readiness.set_ready(true);
        waiting.await.unwrap();
        assert!(readiness.is_ready());
    }
}
