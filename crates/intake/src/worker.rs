//! What intake does by the clock: presumed deliveries, the log of refused logins, the gauges.

use std::sync::Arc;

use lgpki_domain::{Caller, Clock, Role, Timestamp};
use lgpki_runtime::Readiness;

use crate::{
    admission::Admission,
    error::StoreError,
    logins::Logins,
    metrics,
    peers::Peers,
    ports::{Act, Command, IntakeStore},
    promises::Promises,
    standings::Standings,
};

/// Seconds between two looks for certificates that were never confirmed.
const DELIVERY_SECONDS: i64 = 3_600;
/// Seconds between two entries about refused logins.
const REFUSALS_SECONDS: i64 = 10;
/// Seconds between two updates of the gauges.
const GAUGES_SECONDS: i64 = 10;
/// Applications settled at a time.
const STEP: usize = 500;
/// Seconds between two looks whether the issuer and lifecycle are there.
const PEERS_SECONDS: i64 = 10;
const DAY_SECONDS: i64 = 86_400;
/// The states from receipt to issue.
const UNDER_WAY: [&str; 5] = ["received", "examining", "approved", "queued", "issuing"];

/// Counts certificates as delivered that were issued `days` ago and never confirmed.
pub async fn presume_deliveries<S: IntakeStore>(
    store: Arc<S>,
    clock: Arc<dyn Clock>,
    days: u16,
) -> Result<(), StoreError> {
    loop {
        let now = clock.now();
        presume(store.as_ref(), now, days).await?;
        clock.sleep_until(now.plus_seconds(DELIVERY_SECONDS)).await;
    }
}

async fn presume<S: IntakeStore>(store: &S, now: Timestamp, days: u16) -> Result<(), StoreError> {
    let before = now.plus_seconds(-DAY_SECONDS * i64::from(days));
    loop {
        let ids = store.unconfirmed(before, STEP).await?;
        let count = ids.len();
        if count == 0 {
            return Ok(());
        }
        let command = |id| Command {
            id,
            act: Act::PresumeDelivery,
            branch: None,
            caller: Caller::Service(Role::Intake),
            at: now,
        };
        let outcomes = store.act(ids.into_iter().map(command).collect()).await?;
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        if done > 0 {
            tracing::info!(
                count = done,
                days,
                "deliveries never confirmed are presumed"
            );
        }
        // Some may have been confirmed in between; if none could be settled, asking again is idle.
        if count < STEP || done == 0 {
            return Ok(());
        }
    }
}

/// Writes refused logins, and applications turned away, into the log, aggregated.
pub async fn log_refused<S: IntakeStore>(
    store: Arc<S>,
    logins: Arc<Logins>,
    admission: Arc<Admission>,
    clock: Arc<dyn Clock>,
) -> Result<(), StoreError> {
    loop {
        let now = clock.now();
        clock.sleep_until(now.plus_seconds(REFUSALS_SECONDS)).await;
        flush_refused(store.as_ref(), &logins, &admission, clock.now()).await?;
    }
}

/// Writes what was refused so far.
pub(crate) async fn flush_refused<S: IntakeStore>(
    store: &S,
    logins: &Logins,
    admission: &Admission,
    now: Timestamp,
) -> Result<(), StoreError> {
    let refused = logins.take_refused();
    if !refused.is_empty() {
        store.note_refused_logins(refused, now).await?;
    }
    let turned = admission.take_turned();
    if !turned.is_empty() {
        store.note_turned_away(turned, now).await?;
    }
    Ok(())
}

/// Shows, in readiness and metrics, while the issuer or lifecycle does not answer. Applications are taken
/// all the same; they wait. Learns which CAs there are as soon as the issuer tells.
pub async fn watch_peers(
    peers: Peers,
    readiness: Readiness,
    clock: Arc<dyn Clock>,
) -> Result<(), StoreError> {
    loop {
        for (peer, away) in peers.away().await {
            readiness.set_away(peer, away);
            metrics::peer_away(peer, away);
        }
        peers.learn_first_authorities().await;
        let now = clock.now();
        clock.sleep_until(now.plus_seconds(PEERS_SECONDS)).await;
    }
}

/// Keeps the gauges current, and admission's count of what is under way.
pub async fn update_gauges<S: IntakeStore>(
    store: Arc<S>,
    standings: Arc<Standings>,
    admission: Arc<Admission>,
    promises: Arc<Promises>,
    clock: Arc<dyn Clock>,
) -> Result<(), StoreError> {
    loop {
        metrics::estimates(&promises.errors());
        let counts = store.counts().await?;
        metrics::stand(&counts, &standings);
        let under_way = counts.iter().filter(|(state, _)| UNDER_WAY.contains(state));
        admission.set_under_way(under_way.map(|(_, count)| count).sum());
        let now = clock.now();
        clock.sleep_until(now.plus_seconds(GAUGES_SECONDS)).await;
    }
}
