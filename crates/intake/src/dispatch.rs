//! Sends what is queued to the issuer and to lifecycle, and notes what they answer.
//!
//! Claims are durable before an order leaves. An order is named by its application for ever, so it
//! may be sent again after any failure: what exists is answered again, never made twice. A batch that
//! could not be sent is given back and claimed anew. Revocations have a queue and a task of their own,
//! so that an issuer that hangs never delays one. Renewals are opened and closed likewise, from the
//! store's outbox, and none is ordered without lifecycle's word that it is still open. Nothing is ever given up here; only the issuer's or lifecycle's own word settles an
//! application.

mod issue;
mod order;
mod renewals;
mod revoke;
mod vouch;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use lgpki_domain::{ApplicationId, Clock, Randomness};
use lgpki_proto::RemoteError;
use lgpki_runtime::backoff::Backoff;
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::{
    config::Dispatch,
    error::StoreError,
    pace::{Leg, Pace},
    peers::Peers,
    ports::{Claimed, IntakeStore, Lane, Settlement},
    promises::Promises,
    standings::Standings,
};

/// The wait after a first failure.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// What dispatch needs.
#[derive(Debug)]
pub struct Dispatcher<S> {
    /// The queue.
    pub store: Arc<S>,
    /// The issuer and lifecycle.
    pub peers: Peers,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For the jitter of repeated tries.
    pub random: Arc<dyn Randomness>,
    /// Batch size and parallelism.
    pub settings: Dispatch,
    /// To which the issuer's rate is told.
    pub pace: Arc<Pace>,
    /// The estimates given, of which it is told what became.
    pub promises: Arc<Promises>,
    /// What is known of certificates, to which revocations are told as they are answered.
    pub standings: Arc<Standings>,
}

/// What the tasks of one dispatcher share.
#[derive(Debug)]
struct Shared<S> {
    parts: Dispatcher<S>,
    /// Wakes the loop of the certificates when claims were given back.
    given_back: Notify,
    /// Failures to reach the issuer since the last success.
    failures: AtomicU32,
    /// Batches that the issuer has not answered.
    under_way: AtomicUsize,
}

impl<S: IntakeStore> Dispatcher<S> {
    /// Dispatches for ever; ends only if the store fails.
    pub async fn run(self) -> Result<(), StoreError> {
        let (parallel, batch) = (self.settings.parallel, self.settings.batch);
        let shared = Arc::new(Shared {
            parts: self,
            given_back: Notify::new(),
            failures: AtomicU32::new(0),
            under_way: AtomicUsize::new(0),
        });
        let (failed, mut failures) = mpsc::channel(1);
        let permits = Arc::new(Semaphore::new(parallel));
        // Dropped with this future, and all its tasks with it.
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(revoke::run(shared.clone(), failed.clone()));
        tasks.spawn(renewals::run(shared.clone(), failed.clone()));
        loop {
            let Ok(permit) = permits.clone().acquire_owned().await else {
                return Ok(());
            };
            let claimed = tokio::select! {
                claimed = shared.claim(Lane::Certificates, batch) => claimed?,
                Some(failure) = failures.recv() => return Err(failure),
            };
            while tasks.try_join_next().is_some() {}
            let (shared, failed) = (shared.clone(), failed.clone());
            tasks.spawn(async move {
                if let Err(error) = vouch::batch(&shared, claimed).await {
                    let _ = failed.try_send(error);
                }
                drop(permit);
            });
        }
    }
}

impl<S: IntakeStore> Shared<S> {
    /// Waits until something of a queue can be claimed.
    async fn claim(&self, lane: Lane, most: usize) -> Result<Vec<Claimed>, StoreError> {
        let Dispatcher { store, clock, .. } = &self.parts;
        let mut changes = store.changes();
        loop {
            changes.mark_unchanged();
            let claimed = store.claim(lane, most, clock.now()).await?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
            tokio::select! {
                woken = changes.changed() => if woken.is_err() {
                    // The store has gone; asking it again says why.
                    store.claim(lane, 1, clock.now()).await?;
                },
                () = self.given_back.notified(), if lane == Lane::Certificates => {}
            }
        }
    }

    /// Notes answers and measures the estimates that they prove right or wrong; those that did not fit
    /// come back.
    async fn settle(&self, settled: Vec<Settlement>) -> Result<Vec<ApplicationId>, StoreError> {
        let Dispatcher { promises, pace, .. } = &self.parts;
        promises.settle(&settled, pace.calendar());
        self.parts.store.settle(settled).await
    }

    async fn give_back(&self, ids: Vec<ApplicationId>) -> Result<(), StoreError> {
        if !ids.is_empty() {
            self.parts.store.release(ids).await?;
            self.given_back.notify_one();
        }
        Ok(())
    }

    /// Gives claims back after a wait: their answers were of no use, and the next may be no better.
    async fn put_back(&self, ids: Vec<ApplicationId>) -> Result<(), StoreError> {
        if !ids.is_empty() {
            let failures = self.count_failure();
            self.pause(self.parts.pace.issuing(), failures, None).await;
        }
        self.give_back(ids).await
    }

    /// Waits after the `attempt`th failure in a row, and lets the estimates know.
    async fn pause(&self, leg: &Leg, attempt: u32, error: Option<&RemoteError>) {
        let delay = self.delay(attempt, error);
        let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        leg.put_off(self.parts.clock.now().plus_millis(millis), delay);
        tokio::time::sleep(delay).await;
    }

    /// Counts a failure and tells how many there were before it.
    fn count_failure(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).min(64)
    }

    /// How long to wait after the `attempt`th failure in a row.
    fn delay(&self, attempt: u32, error: Option<&RemoteError>) -> Duration {
        let most = self.parts.settings.longest_backoff;
        let hint = error.and_then(|error| error.retry_after);
        let backoff = Backoff {
            first: most.min(FIRST_WAIT),
            most,
        };
        backoff.delay(
            attempt,
            self.parts.random.as_ref(),
            hint.map(|h| h.min(most)),
        )
    }
}
