//! What the responders signed, gathered for the log: one entry a second at most.
//!
//! An entry counts the signatures of one responder's certificate and chains their digests, in the
//! order in which they were made, so that whoever kept the answers can show that they are all there
//! were. A kill loses the last second's count, never an answer: that is no state of ours.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lgpki_domain::{AuthorityKey, Clock, Digest, Serial, Timestamp};
use lgpki_runtime::shutdown::Shutdown;
use lgpki_x509::key::sha256;
use tokio::sync::Notify;

use crate::{
    error::{LifecycleError, StoreError},
    ports::{LifecycleStore, OcspBatch},
};

/// Milliseconds between two batches.
const BETWEEN: i64 = 1_000;

/// What was signed and is not in the log yet.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    gathered: Mutex<BTreeMap<(AuthorityKey, [u8; 16]), OcspBatch>>,
    noted: Notify,
}

impl Journal {
    /// Notes a signature by the responder with this certificate; `digest` is the SHA-256 of the
    /// tbsResponseData.
    pub(crate) fn note(&self, name: AuthorityKey, responder: Serial, digest: Digest) {
        let mut gathered = self.gathered();
        let first = gathered.is_empty();
        let batch = gathered
            .entry((name, *responder.as_bytes()))
            .or_insert_with(|| OcspBatch {
                ca_key: name,
                responder,
                count: 0,
                digest: Digest([0; 32]),
            });
        batch.count += 1;
        batch.digest = sha256(&[batch.digest.0, digest.0].concat());
        drop(gathered);
        if first {
            self.noted.notify_one();
        }
    }

    /// Takes what was gathered.
    fn take(&self) -> Vec<OcspBatch> {
        std::mem::take(&mut *self.gathered())
            .into_values()
            .collect()
    }

    fn gathered(&self) -> MutexGuard<'_, BTreeMap<(AuthorityKey, [u8; 16]), OcspBatch>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records what was gathered.
    pub(crate) async fn flush<S: LifecycleStore>(
        &self,
        store: &S,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self.take() {
            none if none.is_empty() => Ok(()),
            batches => store.record_ocsp(batches, now).await,
        }
    }

    /// Records what gathers, at most once a second, until the shutdown; earlier when the clock is set
    /// back.
    pub(crate) async fn keep<S: LifecycleStore>(
        &self,
        store: &S,
        clock: &dyn Clock,
        shutdown: Shutdown,
    ) -> Result<(), LifecycleError> {
        loop {
            tokio::select! {
                () = self.noted.notified() => {}
                () = shutdown.requested() => return Ok(()),
            }
            let now = clock.now();
            self.flush(store, now).await?;
            tokio::select! {
                () = clock.sleep_until(now.plus_millis(BETWEEN)) => {}
                () = shutdown.requested() => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use lgpki_domain::Authority;
    use lgpki_runtime::shutdown;
    use lgpki_testkit::ManualClock;
    use tokio::{task::yield_now, time::timeout};

    use super::*;
    use crate::{store::EngineStore, testing::serial};

    #[tokio::test]
    async fn a_clock_set_back_does_not_hold_up_what_was_signed() {
        let store = EngineStore::in_memory(lgpki_testkit::log_identity("test")).unwrap();
        let clock = ManualClock::new(Timestamp::from_seconds(1_000_000));
        let journal = Arc::new(Journal::default());
        let name = AuthorityKey::new(Authority::Application, 1);
        let (trigger, shutdown) = shutdown::channel();
        let keeping = tokio::spawn({
            let (journal, store, clock) = (Arc::clone(&journal), store.clone(), clock.clone());
            async move { journal.keep(&store, &clock, shutdown).await }
        });
        let mut durable = store.durable();
        journal.note(name, serial(1), Digest([1; 32]));
        let patience = Duration::from_secs(30);
        let asleep = async {
            while !clock.has_sleeper(clock.now().plus_millis(BETWEEN)) {
                yield_now().await;
            }
        };
        timeout(patience, asleep).await.unwrap();
        clock.set(clock.now().plus_seconds(-3_600));
        journal.note(name, serial(1), Digest([2; 32]));
        let recorded = durable.wait_for(|entries| *entries == 2);
        timeout(patience, recorded).await.unwrap().unwrap();
        trigger.request();
        keeping.await.unwrap().unwrap();
    }
}
