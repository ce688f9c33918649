//! The worker that keeps the projection true.

use std::{sync::Arc, time::Duration};

use lgpki_domain::{Faults, Randomness};
use lgpki_proto::{RemoteError, v1};
use lgpki_runtime::backoff::Backoff;

use super::{Progress, Standings, held};
use crate::peers::Peers;

/// The waits between two tries to follow.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    most: Duration::from_secs(5),
};

/// Follows lifecycle's standings for ever, from where the projection stands, and begins again after
/// every break.
pub async fn follow(standings: Arc<Standings>, peers: Peers, random: Arc<dyn Randomness>) {
    let mut failures = 0;
    loop {
        let before = standings.progress();
        match stream(&standings, &peers).await {
            Ok(()) => tracing::info!("lifecycle ended the stream of standings; following again"),
            Err(error) => {
                tracing::info!(%error, "lifecycle's standings cannot be followed for the moment");
            }
        }
        if standings.progress() != before {
            failures = 0;
        }
        tokio::time::sleep(BACKOFF.delay(failures, random.as_ref(), None)).await;
        failures = failures.saturating_add(1);
    }
}

async fn stream(standings: &Standings, peers: &Peers) -> Result<(), RemoteError> {
    let from_position = standings.progress().next_position;
    let request = v1::FollowStandingsRequest { from_position };
    let stream = peers.lifecycle().follow_standings(request).await?;
    let mut stream = stream.into_inner();
    while let Some(message) = stream.message().await? {
        take(standings, &message);
    }
    Ok(())
}

fn take(standings: &Standings, message: &v1::FollowStandingsResponse) {
    let mut faults = Faults::new();
    let mut known = Vec::with_capacity(message.standings.len());
    for standing in &message.standings {
        known.extend(held(&mut faults, standing));
    }
    if !faults.is_empty() {
        tracing::error!(%faults, "lifecycle streams standings that cannot be read");
    }
    let progress = Progress {
        caught_up: message.caught_up,
        issuance_position: message.issuance_position,
        next_position: message.next_position,
    };
    standings.apply(known, progress);
}
