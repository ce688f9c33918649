//! What CRLs must list, and the order in which an issuer is asked for them.

use lgpki_domain::{CrlSeries, Timestamp};
use tokio::sync::Semaphore;

use super::{FakeIssuer, at};
use crate::ports::{CrlList, LifecycleStore, Listed};

/// All that the next CRL of a series must list, long after whatever happens in a test.
pub(crate) async fn listed(store: &impl LifecycleStore, series: CrlSeries) -> Vec<Listed> {
    listed_at(store, series, at("2030-01-01T00:00:00")).await
}

/// All that the CRL of a series must list if it is made at this time.
pub(crate) async fn listed_at(
    store: &impl LifecycleStore,
    series: CrlSeries,
    now: Timestamp,
) -> Vec<Listed> {
    let snapshot = store.snapshot(series, now).await.unwrap();
    let mut listed: Vec<Listed> = Vec::new();
    loop {
        let after = listed.last().map(|last| last.serial);
        let stretch = store.listed(series, snapshot, after).await.unwrap();
        if stretch.is_empty() {
            assert!(listed.len() <= snapshot.entries);
            return listed;
        }
        listed.extend(stretch);
    }
}

impl FakeIssuer {
    /// Has the next CRL wait, and all after it, until it is let on.
    pub(crate) fn hold(&self) {
        self.0.turns.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets so many CRLs on.
    pub(crate) fn let_on(&self, count: usize) {
        self.0.turns.add_permits(count);
    }

    /// Which lists were asked to be signed, in their order.
    pub(crate) fn asked(&self) -> Vec<CrlList> {
        self.state().asked.clone()
    }
}
