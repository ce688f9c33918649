//! Rebuilds the inventory for whoever asks, one at a time.
//!
//! It brings together what the store needs for it: the issuer's feed from its beginning, and somebody
//! who listens. If that one leaves, it stops before anything is changed.

use lgpki_proto::Failure;
use lgpki_runtime::shutdown::Shutdown;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::{
    error::{LifecycleError, StoreError, chain},
    ports::{Issuer, LifecycleStore, RebuildNews, RebuildOrder, RebuildReport},
};

/// Batches of the feed that may wait.
const WAITING: usize = 8;

/// Somebody who wants the inventory rebuilt.
#[derive(Debug)]
pub(crate) struct RebuildDemand {
    /// Whether to put the index right.
    pub(crate) apply: bool,
    /// Where it is told how things go.
    pub(crate) news: mpsc::Sender<RebuildNews>,
    /// Where the answer goes.
    pub(crate) answer: oneshot::Sender<Result<RebuildReport, Failure>>,
    /// Held until it is done: only one goes on at a time.
    pub(crate) turn: OwnedSemaphorePermit,
}

/// The worker.
#[derive(Debug)]
pub(crate) struct Rebuilder<S, I> {
    pub(crate) store: S,
    pub(crate) issuer: I,
}

impl<S: LifecycleStore, I: Issuer> Rebuilder<S, I> {
    /// Works until `shutdown`.
    pub(crate) async fn run(
        self,
        mut demands: mpsc::Receiver<RebuildDemand>,
        shutdown: Shutdown,
    ) -> Result<(), LifecycleError> {
        loop {
            let demand = tokio::select! {
                demand = demands.recv() => demand,
                () = shutdown.requested() => None,
            };
            let Some(demand) = demand else {
                shutdown.requested().await;
                return Ok(());
            };
            tokio::select! {
                () = self.meet(demand) => {}
                () = shutdown.requested() => return Ok(()),
            }
        }
    }

    async fn meet(&self, demand: RebuildDemand) {
        let RebuildDemand {
            apply,
            news,
            answer,
            turn,
        } = demand;
        let outcome = self.rebuild(apply, news).await;
        match &outcome {
            Ok(report) if report.differences > 0 => {
                tracing::error!(?report, "the inventory differs from what its log says");
            }
            Ok(report) => tracing::info!(?report, "the inventory is what its log says"),
            Err(e) => tracing::info!(error = chain(e), "the inventory was not rebuilt"),
        }
        drop(turn);
        // Whoever asked may have left.
        let _ = answer.send(outcome.map_err(Failure::from));
    }

    async fn rebuild(
        &self,
        apply: bool,
        news: mpsc::Sender<RebuildNews>,
    ) -> Result<RebuildReport, LifecycleError> {
        let until = self.store.position().await?;
        let (into, feed) = mpsc::channel(WAITING);
        let order = RebuildOrder {
            feed,
            until,
            apply,
            news,
        };
        let rebuilding = self.store.rebuild(order);
        let following = self.issuer.follow(0, into);
        tokio::pin!(rebuilding, following);
        let (outcome, ended) = tokio::select! {
            biased;
            outcome = &mut rebuilding => (outcome, Ok(())),
            ended = &mut following => (rebuilding.await, ended),
        };
        match (outcome, ended) {
            (Err(StoreError::FeedBrokeOff { .. }), Err(e)) => Err(LifecycleError::Issuer(e)),
            (outcome, _) => Ok(outcome?),
        }
    }
}
