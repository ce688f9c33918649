//! Batches of certificates to be issued.

use std::sync::atomic::Ordering;

use lgpki_domain::{ApplicationId, ErrorClass, Timestamp};
use lgpki_proto::{RemoteError, v1};

use super::{Dispatcher, Shared, order, order::Answer};
use crate::{
    error::StoreError,
    metrics,
    peers::within_deadline,
    ports::{Claimed, Content, IntakeStore, Settled},
};

/// Orders one batch until each application in it is settled or given back.
pub(super) async fn batch<S: IntakeStore>(
    shared: &Shared<S>,
    claimed: Vec<Claimed>,
) -> Result<(), StoreError> {
    let clock = &shared.parts.clock;
    let since = clock.now();
    let begun = shared.under_way.fetch_add(1, Ordering::Relaxed) + 1;
    let sent = send(shared, &claimed).await;
    let ended = shared.under_way.fetch_sub(1, Ordering::Relaxed);
    match sent {
        Ok(results) => {
            let millis = clock.now().as_millis() - since.as_millis();
            // So many at least shared the issuer with it at both ends.
            let parallel = begun.min(ended);
            let pace = &shared.parts.pace;
            pace.note_signed(results.len(), millis, parallel);
            settle(shared, claimed, results, since).await
        }
        Err(error) if error.class() == ErrorClass::InvalidInput => {
            one_by_one(shared, claimed, error).await
        }
        Err(error) => put_off(shared, &claimed, &error).await,
    }
}

async fn send<S: IntakeStore>(
    shared: &Shared<S>,
    claimed: &[Claimed],
) -> Result<Vec<v1::IssuanceResult>, RemoteError> {
    let orders = claimed
        .iter()
        .filter_map(|claimed| match &claimed.application.content {
            Content::Issue(content) => Some(order::issuance(claimed, content)),
            Content::Revoke { .. } => None,
        })
        .collect();
    let request = within_deadline(v1::IssueCertificatesRequest { orders });
    let mut issuer = shared.parts.peers.issuer();
    Ok(issuer
        .issue_certificates(request)
        .await?
        .into_inner()
        .results)
}

async fn settle<S: IntakeStore>(
    shared: &Shared<S>,
    claimed: Vec<Claimed>,
    results: Vec<v1::IssuanceResult>,
    since: Timestamp,
) -> Result<(), StoreError> {
    let Dispatcher { clock, pace, .. } = &shared.parts;
    let at = clock.now();
    let mut settlements = Vec::with_capacity(claimed.len());
    let mut later = Vec::new();
    let mut results = results.into_iter();
    for claimed in &claimed {
        let answer = match results.next() {
            Some(result) => order::issued(claimed, result, at),
            None => Answer::Later,
        };
        match answer {
            Answer::Settled(settlement) => settlements.push(settlement),
            Answer::Later => later.push(claimed.application.id),
        }
    }
    metrics::dispatched(&settlements, later.len());
    let (in_vain, done): (Vec<_>, Vec<_>) = settlements
        .into_iter()
        .partition(|one| matches!(one.outcome, Settled::Abandoned { .. }));
    let mut unfit = Vec::new();
    if !done.is_empty() {
        unfit = shared.settle(done).await?;
        pace.issuing()
            .done(clock.now().as_millis() - since.as_millis());
    }
    // An abandoned attempt costs a serial number, which stands on CRLs until it expires: a key that
    // does not sign is tried again ever more slowly.
    let failures = if in_vain.is_empty() && unfit.is_empty() {
        shared.failures.store(0, Ordering::Relaxed);
        0
    } else {
        shared.count_failure()
    };
    later.append(&mut unfit);
    if !in_vain.is_empty() || !later.is_empty() {
        shared.pause(pace.issuing(), failures, None).await;
    }
    if !in_vain.is_empty() {
        later.extend(shared.settle(in_vain).await?);
    }
    shared.give_back(later).await
}

/// The issuer cannot read a batch: each order is sent alone, so that one cannot hold up the others,
/// and one that is refused even alone fails.
async fn one_by_one<S: IntakeStore>(
    shared: &Shared<S>,
    claimed: Vec<Claimed>,
    error: RemoteError,
) -> Result<(), StoreError> {
    if claimed.len() == 1 {
        tracing::error!(%error, "the issuer cannot read an order");
        let at = shared.parts.clock.now();
        let settlements = claimed
            .iter()
            .map(|claimed| order::failed(claimed.application.id, &error.to_string(), at))
            .collect::<Vec<_>>();
        metrics::dispatched(&settlements, 0);
        let unfit = shared.settle(settlements).await?;
        return shared.put_back(unfit).await;
    }
    for claimed in claimed {
        Box::pin(batch(shared, vec![claimed])).await?;
    }
    Ok(())
}

async fn put_off<S: IntakeStore>(
    shared: &Shared<S>,
    claimed: &[Claimed],
    error: &RemoteError,
) -> Result<(), StoreError> {
    if error.may_be_tried_again() {
        tracing::info!(%error, orders = claimed.len(), "the issuer is away; the orders wait");
    } else {
        tracing::error!(%error, orders = claimed.len(), "the issuer refuses intake's calls; the orders wait");
    }
    let ids: Vec<ApplicationId> = claimed.iter().map(|c| c.application.id).collect();
    metrics::dispatched(&[], ids.len());
    let failures = shared.count_failure();
    let issuing = shared.parts.pace.issuing();
    shared.pause(issuing, failures, Some(error)).await;
    shared.give_back(ids).await
}
