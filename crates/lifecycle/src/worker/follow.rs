//! Follows the issuer's feed into the inventory.
//!
//! The position is the store's own, so that a break, here or there, loses and repeats nothing. What
//! has gathered while a slice was being recorded makes up the next slice.

use std::{sync::Arc, time::Duration};

use lgpki_domain::{Clock, Randomness};
use lgpki_runtime::{backoff::Backoff, shutdown::Shutdown};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::sleep,
};

use crate::{
    error::LifecycleError,
    metrics,
    ports::{FeedBatch, FeedEvent, FeedItem, Issuer, LifecycleStore},
};

/// Messages of the feed that may wait.
const WAITING: usize = 64;

/// The worker.
#[derive(Debug)]
pub(crate) struct Follower<S, I> {
    pub(crate) store: S,
    pub(crate) issuer: I,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    /// Everything of the issuer's log below this index stands in the inventory.
    pub(crate) position: watch::Sender<u64>,
    /// Rung when a CA certificate entered the inventory.
    pub(crate) news: Arc<Notify>,
}

impl<S: LifecycleStore, I: Issuer> Follower<S, I> {
    /// Works until `shutdown`; returns an error only if the store fails.
    pub(crate) async fn run(self, shutdown: Shutdown) -> Result<(), LifecycleError> {
        let stored = self.store.position().await?;
        self.position.send_replace(stored);
        tokio::select! {
            failed = self.follow() => failed,
            () = shutdown.requested() => Ok(()),
        }
    }

    async fn follow(&self) -> Result<(), LifecycleError> {
        let backoff = Backoff::default();
        let mut attempt = 0;
        loop {
            let from = *self.position.borrow();
            let (into, batches) = mpsc::channel(WAITING);
            let feed = self.issuer.follow(from, into);
            let (ended, stored) = tokio::join!(feed, self.store_all(batches));
            let progressed = *self.position.borrow() > from;
            stored?;
            metrics::following(false);
            attempt = if progressed { 0 } else { attempt + 1 };
            let hint = match &ended {
                Ok(()) => {
                    tracing::info!(from, "the issuer ended its feed; following again");
                    None
                }
                Err(e) if e.may_be_tried_again() => {
                    tracing::info!(from, error = %e, "the issuer's feed is away; trying again");
                    e.retry_after
                }
                Err(e) => {
                    tracing::error!(from, error = %e, "the issuer's feed cannot be followed");
                    e.retry_after
                }
            };
            let delay = backoff.delay(attempt, self.randomness.as_ref(), hint);
            sleep(delay.min(Duration::from_secs(30))).await;
        }
    }

    /// Records what comes. Owns the receiver, so that the feed ends when recording fails.
    async fn store_all(
        &self,
        mut batches: mpsc::Receiver<FeedBatch>,
    ) -> Result<(), LifecycleError> {
        let mut gathered = Vec::new();
        while batches.recv_many(&mut gathered, WAITING).await > 0 {
            metrics::following(true);
            let mut items = Vec::new();
            let mut next = 0;
            for batch in gathered.drain(..) {
                items.extend(batch.items);
                next = next.max(batch.next);
            }
            let last = items.last().map_or(0, |item| item.index + 1);
            if !items.is_empty() {
                let of_cas = items.iter().any(is_of_a_ca);
                let followed = self.store.follow(items, self.clock.now()).await?;
                for serial in &followed.conflicts {
                    tracing::error!(%serial, "the issuer's feed told of a serial number twice");
                }
                metrics::registered(followed.recorded, followed.position);
                if of_cas {
                    self.news.notify_one();
                }
            }
            let reached = next.max(last);
            self.position.send_if_modified(|position| {
                let further = reached > *position;
                *position = reached.max(*position);
                further
            });
        }
        Ok(())
    }
}

/// Whether the feed tells of a CA certificate.
fn is_of_a_ca(item: &FeedItem) -> bool {
    matches!(&item.event, FeedEvent::Issued(issued) if issued.kind.is_ca())
}
