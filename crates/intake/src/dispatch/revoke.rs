//! Revocations and abolitions, one batch at a time, until lifecycle has answered each.

use std::sync::Arc;

use lgpki_domain::ErrorClass;
use lgpki_proto::{RemoteError, v1};
use tokio::sync::mpsc;

use super::{Shared, order};
use crate::{
    error::StoreError,
    metrics,
    peers::within_deadline,
    ports::{Claimed, IntakeStore},
};

/// The most orders of one call.
const MOST: usize = 500;

/// Sends what arrives, in order; what fails is sent again, for a revocation may not be put off by
/// anything but lifecycle itself.
pub(super) async fn run<S: IntakeStore>(
    shared: Arc<Shared<S>>,
    mut orders: mpsc::UnboundedReceiver<Claimed>,
    failed: mpsc::Sender<StoreError>,
) {
    let mut waiting: Vec<Claimed> = Vec::new();
    let mut failures = 0;
    loop {
        if waiting.is_empty() && orders.recv_many(&mut waiting, MOST).await == 0 {
            return;
        }
        // What has arrived meanwhile goes along with what is sent again.
        while waiting.len() < MOST {
            match orders.try_recv() {
                Ok(claimed) => waiting.push(claimed),
                Err(_) => break,
            }
        }
        match send(&shared, &waiting).await {
            Ok(results) => {
                match settle(&shared, &mut waiting, results).await {
                    Ok(()) => {}
                    Err(error) => {
                        let _ = failed.try_send(error);
                        return;
                    }
                }
                if waiting.is_empty() {
                    failures = 0;
                    continue;
                }
            }
            Err(error) if error.class() == ErrorClass::InvalidInput => {
                tracing::error!(%error, orders = waiting.len(), "lifecycle cannot read revocations");
                if let Err(error) = one_by_one(&shared, &mut waiting, &error).await {
                    let _ = failed.try_send(error);
                    return;
                }
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
                let fail = |claimed: Claimed| {
                    order::failed(claimed.application.id, &error.to_string(), at)
                };
                let failed: Vec<_> = one.drain(..).map(fail).collect();
                metrics::dispatched(&failed, 0);
                let unfit = shared.parts.store.settle(failed).await?;
                shared.put_back(unfit).await?;
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
        let answer = results
            .next()
            .and_then(|result| order::revoked(claimed.application.id, &result, at));
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
    let unfit = shared.parts.store.settle(settlements).await?;
    answered.retain(|claimed| unfit.contains(&claimed.application.id));
    waiting.append(&mut answered);
    Ok(())
}
