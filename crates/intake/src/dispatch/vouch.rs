//! Lifecycle's word that a renewal is still open, between its claim and its order.
//!
//! Lifecycle knows of every revocation first, so it is asked by the very command that opened the
//! renewal. What it refuses fails with its words and is never ordered. What was claimed by an earlier
//! call is not asked about: its order may have left, and its certificate may exist.

use lgpki_domain::application::Sort;
use lgpki_proto::{RemoteError, v1};

use super::{Dispatcher, Shared, issue, order, renewals};
use crate::{
    error::StoreError,
    metrics,
    ports::{Claimed, Content, IntakeStore, RenewalAnswer, RenewalDue, RenewalStep},
};

/// Orders a batch. Nothing else waits for lifecycle's word on the renewals in it.
pub(super) async fn batch<S: IntakeStore>(
    shared: &Shared<S>,
    claimed: Vec<Claimed>,
) -> Result<(), StoreError> {
    let (asked, free): (Vec<_>, Vec<_>) = claimed
        .into_iter()
        .partition(|one| one.application.sort == Sort::Renew && !one.again);
    let vouched = async {
        let open = still_open(shared, asked).await?;
        if open.is_empty() {
            return Ok(());
        }
        issue::batch(shared, open).await
    };
    if free.is_empty() {
        return vouched.await;
    }
    let (free, vouched) = tokio::join!(issue::batch(shared, free), vouched);
    free.and(vouched)
}

/// Asks until lifecycle has answered for each; those that are still open come back, the others fail.
async fn still_open<S: IntakeStore>(
    shared: &Shared<S>,
    mut waiting: Vec<Claimed>,
) -> Result<Vec<Claimed>, StoreError> {
    let Dispatcher {
        clock, peers, pace, ..
    } = &shared.parts;
    let (mut open, mut failures) = (Vec::new(), 0);
    while !waiting.is_empty() {
        let orders = waiting.iter().filter_map(question).collect();
        let (answers, error) = match renewals::open(peers, orders).await {
            Ok(answers) => (answers, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let (at, mut failed) = (clock.now(), Vec::new());
        for answered in answers {
            let of = |one: &Claimed| one.application.id == answered.id;
            let Some(place) = waiting.iter().position(of) else {
                continue;
            };
            match answered.answer {
                RenewalAnswer::Opened => open.push(waiting.remove(place)),
                RenewalAnswer::Refused { reason } => {
                    waiting.remove(place);
                    failed.push(order::failed(answered.id, &reason, at));
                }
                RenewalAnswer::Closed => {}
            }
        }
        metrics::dispatched(&failed, 0);
        if !failed.is_empty() {
            shared.settle(failed).await?;
        }
        if !waiting.is_empty() {
            tell(error.as_ref(), waiting.len());
            let opening = pace.opening();
            shared.pause(opening, failures, error.as_ref()).await;
            failures = failures.saturating_add(1);
        }
    }
    Ok(open)
}

/// The order by which the renewal was opened.
fn question(claimed: &Claimed) -> Option<(lgpki_domain::ApplicationId, v1::RenewalOrder)> {
    let application = &claimed.application;
    let Content::Issue(content) = &application.content else {
        return None;
    };
    let received_at = application.received_at;
    let due = RenewalDue {
        id: application.id,
        serial: content.renews?,
        branch: application.branch,
        log_index: application.log_index,
        step: RenewalStep::Open { received_at },
    };
    Some((due.id, renewals::order(&due, received_at)))
}

fn tell(error: Option<&RemoteError>, orders: usize) {
    match error {
        Some(error) if !error.may_be_tried_again() => {
            tracing::error!(%error, orders, "lifecycle refuses to say whether renewals are open; they wait");
        }
        Some(error) => {
            tracing::info!(%error, orders, "lifecycle is away; claimed renewals wait for its word");
        }
        None => tracing::info!(
            orders,
            "lifecycle's word on claimed renewals is missing; they wait"
        ),
    }
}
