//! Revocations and abolitions, one batch at a time, until lifecycle has answered each. They are claimed
//! here, apart from what goes to the issuer, and wait for nothing that it does.

use std::{convert::Infallible, sync::Arc};

use lgpki_domain::ErrorClass;
use lgpki_proto::{RemoteError, v1};
use tokio::sync::mpsc;

use super::{Dispatcher, Shared, order};
use crate::{
    error::StoreError,
    metrics,
    peers::within_deadline,
    ports::{Claimed, IntakeStore, Lane},
};

/// The most orders of one call.
const MOST: usize = 500;

/// Revokes for ever; tells the dispatcher if the store fails.
pub(super) async fn run<S: IntakeStore>(shared: Arc<Shared<S>>, failed: mpsc::Sender<StoreError>) {
    let Err(error) = revoke(&shared).await;
    let _ = failed.try_send(error);
}

/// Sends what is queued, in order; what fails is sent again, for a revocation may not be put off by
/// anything but lifecycle itself.
async fn revoke<S: IntakeStore>(shared: &Shared<S>) -> Result<Infallible, StoreError> {
    let mut waiting: Vec<Claimed> = Vec::new();
    let mut failures = 0;
    loop {
        if waiting.is_empty() {
            waiting = shared.claim(Lane::Revocations, MOST).await?;
        } else if waiting.len() < MOST {
            // What has arrived meanwhile goes along with what is sent again.
            let Dispatcher { store, clock, .. } = &shared.parts;
            let room = MOST - waiting.len();
            let more = store.claim(Lane::Revocations, room, clock.now()).await?;
            waiting.extend(more);
        }
        match send(shared, &waiting).await {
            Ok(results) => {
                settle(shared, &mut waiting, results).await?;
                if waiting.is_empty() {
                    failures = 0;
                    continue;
                }
            }
            Err(error) if error.class() == ErrorClass::InvalidInput => {
                tracing::error!(%error, orders = waiting.len(), "lifecycle cannot read revocations");
                one_by_one(shared, &mut waiting, &error).await?;
                if waiting.is_empty() {
                    failures = 0;
                    continue;
                }
            }
            Err(error) if error.may_be_tried_again() => {
                tracing::info!(%error, orders = waiting.len(), "lifecycle is away; revocations wait");
            }
            Err(error) => {
                tracing::error!(%error, orders = waiting.len(), "lifecycle refuses revocations");
            }
        }
        tokio::time::sleep(shared.delay(failures, None)).await;
        failures = failures.saturating_add(1);
    }
}

/// Sends each order alone, so that one that lifecycle cannot read holds up no other. Such a one
/// fails, with lifecycle's words; whatever else could not be sent stays.
async fn one_by_one<S: IntakeStore>(
    shared: &Shared<S>,
    waiting: &mut Vec<Claimed>,
    error: &RemoteError,
) -> Result<(), StoreError> {
    let mut left = Vec::new();
    let alone = waiting.len() == 1;
    for claimed in waiting.drain(..) {
        let answer = if alone {
            Err(error.clone())
        } else {
            send(shared, std::slice::from_ref(&claimed)).await
        };
        let mut one = vec![claimed];
        match answer {
            Ok(results) => settle(shared, &mut one, results).await?,
            Err(error) if error.class() == ErrorClass::InvalidInput => {
                let at = shared.parts.clock.now();
                let fail = |claimed: &Claimed| {
                    order::failed(claimed.application.id, &error.to_string(), at)
                };
                let failed: Vec<_> = one.iter().map(fail).collect();
                metrics::dispatched(&failed, 0);
                let unfit = shared.settle(failed).await?;
                one.retain(|claimed| unfit.contains(&claimed.application.id));
            }
            Err(error) => tracing::info!(%error, "a revocation waits"),
        }
        left.append(&mut one);
    }
    *waiting = left;
    Ok(())
}

async fn send<S: IntakeStore>(
    shared: &Shared<S>,
    waiting: &[Claimed],
) -> Result<Vec<v1::RevocationResult>, RemoteError> {
    let orders = waiting.iter().filter_map(order::revocation).collect();
    let request = within_deadline(v1::RevokeCertificatesRequest { orders });
    let mut lifecycle = shared.parts.peers.lifecycle();
    let answer = lifecycle.revoke_certificates(request).await?;
    Ok(answer.into_inner().results)
}

async fn settle<S: IntakeStore>(
    shared: &Shared<S>,
    waiting: &mut Vec<Claimed>,
    results: Vec<v1::RevocationResult>,
) -> Result<(), StoreError> {
    let at = shared.parts.clock.now();
    let mut settlements = Vec::with_capacity(waiting.len());
    let mut left = Vec::new();
    let mut answered = Vec::with_capacity(waiting.len());
    let mut results = results.into_iter();
    for claimed in waiting.drain(..) {
        let result = results.next();
        if let Some((serial, revoked_at)) = result.as_ref().and_then(|r| order::done(&claimed, r)) {
            shared.parts.standings.revoke(serial, revoked_at);
        }
        let answer = result.and_then(|result| order::revoked(claimed.application.id, &result, at));
        match answer {
            Some(settlement) => {
                settlements.push(settlement);
                answered.push(claimed);
            }
            None => left.push(claimed),
        }
    }
    *waiting = left;
    metrics::dispatched(&settlements, waiting.len());
    if settlements.is_empty() {
        return Ok(());
    }
    let unfit = shared.settle(settlements).await?;
    answered.retain(|claimed| unfit.contains(&claimed.application.id));
    waiting.append(&mut answered);
    Ok(())
}
