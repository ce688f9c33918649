//! New notices at lifecycle, heard of once for all who watch at intake.
//!
//! One stream from lifecycle rings a bell for each branch that has something new; whoever watches that
//! branch then asks lifecycle from the own cursor on. So any number of watchers costs one stream, a
//! break of it loses nothing, and nobody asks in vain.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use lgpki_domain::Randomness;
use lgpki_proto::{RemoteError, v1};
use lgpki_runtime::backoff::Backoff;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::peers::Peers;

/// The waits between two tries to watch.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    most: Duration::from_secs(5),
};

/// A bell for each branch that somebody watches, and one for those who watch all.
#[derive(Debug, Default)]
pub struct Bells(Mutex<HashMap<String, watch::Sender<()>>>);

impl Bells {
    /// Hears of new notices of a branch by its code, or of all where it is empty.
    #[must_use]
    pub fn hear(&self, branch: &str) -> watch::Receiver<()> {
        let mut bells = self.0.lock();
        // Those that nobody hears any more are taken down.
        bells.retain(|_, bell| bell.receiver_count() > 0);
        bells.entry(branch.to_owned()).or_default().subscribe()
    }

    fn ring(&self, branch: &str) {
        if let Some(bell) = self.0.lock().get(branch) {
            bell.send_replace(());
        }
    }

    fn ring_all(&self) {
        for bell in self.0.lock().values() {
            bell.send_replace(());
        }
    }
}

/// Rings for ever, and begins again after every break.
pub async fn ring(peers: Peers, random: Arc<dyn Randomness>) {
    let mut failures = 0;
    let mut cursor = String::new();
    loop {
        let before = cursor.clone();
        match watch(&peers, &mut cursor).await {
            Ok(()) => tracing::info!("lifecycle ended the stream of notices; watching again"),
            Err(error) => {
                tracing::info!(%error, "lifecycle's notices cannot be watched for the moment");
                // A cursor that lifecycle no longer knows is not asked for again.
                if !error.may_be_tried_again() {
                    cursor.clear();
                }
            }
        }
        if cursor != before {
            failures = 0;
        }
        tokio::time::sleep(BACKOFF.delay(failures, random.as_ref(), None)).await;
        failures = failures.saturating_add(1);
    }
}

async fn watch(peers: &Peers, cursor: &mut String) -> Result<(), RemoteError> {
    let request = v1::WatchNoticesRequest {
        cursor: cursor.clone(),
        ..v1::WatchNoticesRequest::default()
    };
    let mut stream = peers.notices().watch_notices(request).await?.into_inner();
    let mut first = true;
    while let Some(message) = stream.message().await? {
        cursor.clone_from(&message.next_cursor);
        if std::mem::take(&mut first) {
            // Something may have come while nobody was listening.
            peers.bells().ring_all();
            continue;
        }
        let certificates = message
            .notices
            .iter()
            .filter_map(|n| n.certificate.as_ref());
        let branches: BTreeSet<&str> = certificates.map(|c| c.branch.as_str()).collect();
        // The bell without a branch rings for all.
        for branch in branches.into_iter().chain([""]) {
            peers.bells().ring(branch);
        }
    }
    Ok(())
}
