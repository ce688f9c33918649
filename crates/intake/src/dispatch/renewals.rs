//! Tells lifecycle of renewals, from the store's outbox: what is received is opened, what is over is
//! closed.
//!
//! One call at a time, ends before beginnings. What was not answered is told again, for ever: each
//! is named by its application, and lifecycle answers again what it answered before.

use std::sync::Arc;

use lgpki_domain::{ApplicationId, RenewalOutcome, Serial};
use lgpki_proto::{RemoteError, convert, v1};
use tokio::sync::mpsc;

use super::Shared;
use crate::{
    error::StoreError,
    peers::{Peers, within_deadline},
    ports::{IntakeStore, RenewalAnswer, RenewalAnswered, RenewalDue, RenewalStep},
};

/// The most orders of one call.
const MOST: usize = 500;

/// Works until the store fails.
pub(super) async fn run<S: IntakeStore>(shared: Arc<Shared<S>>, failed: mpsc::Sender<StoreError>) {
    if let Err(error) = work(&shared).await {
        let _ = failed.try_send(error);
    }
}

async fn work<S: IntakeStore>(shared: &Shared<S>) -> Result<(), StoreError> {
    let parts = &shared.parts;
    let mut changes = parts.store.changes();
    let mut failures = 0;
    loop {
        changes.mark_unchanged();
        let due = parts.store.renewals_due(MOST).await?;
        if due.is_empty() {
            failures = 0;
            if changes.changed().await.is_err() {
                // The store has gone; asking it again says why.
                parts.store.renewals_due(1).await?;
            }
            continue;
        }
        let told = due.len();
        let (answers, error) = tell(&parts.peers, due).await;
        if let Some(error) = &error {
            if error.may_be_tried_again() {
                tracing::info!(%error, "lifecycle is away; renewals wait");
            } else {
                tracing::error!(%error, "lifecycle refuses to hear of renewals");
            }
        }
        let settled = answers.len();
        if settled > 0 {
            parts
                .store
                .settle_renewals(answers, parts.clock.now())
                .await?;
        }
        if settled == told {
            failures = 0;
        } else {
            tokio::time::sleep(shared.delay(failures, error.as_ref())).await;
            failures = failures.saturating_add(1);
        }
    }
}

/// Tells of ends, then of beginnings; with the answers, why there are not more.
async fn tell(peers: &Peers, due: Vec<RenewalDue>) -> (Vec<RenewalAnswered>, Option<RemoteError>) {
    let (mut orders, mut ends) = (Vec::new(), Vec::new());
    for due in due {
        match due.step {
            RenewalStep::Open { received_at } => orders.push((due.id, order(&due, received_at))),
            RenewalStep::Close {
                outcome,
                new_serial,
            } => ends.push((due.id, end(&due, outcome, new_serial))),
        }
    }
    let mut answers = Vec::with_capacity(orders.len() + ends.len());
    let told = async {
        if !ends.is_empty() {
            answers.extend(close(peers, ends).await?);
        }
        if !orders.is_empty() {
            answers.extend(open(peers, orders).await?);
        }
        Ok(())
    };
    let error = told.await.err();
    (answers, error)
}

async fn open(
    peers: &Peers,
    orders: Vec<(ApplicationId, v1::RenewalOrder)>,
) -> Result<Vec<RenewalAnswered>, RemoteError> {
    let (ids, orders): (Vec<_>, Vec<_>) = orders.into_iter().unzip();
    let request = within_deadline(v1::OpenRenewalsRequest { orders });
    let answer = peers.lifecycle().open_renewals(request).await?;
    let results = ids.into_iter().zip(answer.into_inner().results);
    Ok(results
        .filter_map(|(id, result)| opened(id, &result))
        .collect())
}

async fn close(
    peers: &Peers,
    ends: Vec<(ApplicationId, v1::RenewalEnd)>,
) -> Result<Vec<RenewalAnswered>, RemoteError> {
    let (ids, ends): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
    let request = within_deadline(v1::CloseRenewalsRequest { ends });
    let answer = peers.lifecycle().close_renewals(request).await?;
    let results = ids.into_iter().zip(answer.into_inner().results);
    Ok(results
        .filter_map(|(id, result)| closed(id, &result))
        .collect())
}

fn order(due: &RenewalDue, received_at: lgpki_domain::Timestamp) -> v1::RenewalOrder {
    v1::RenewalOrder {
        command_id: due.id.to_string(),
        serial: due.serial.to_string(),
        branch: convert::text_or_empty(due.branch),
        applied_at: received_at.to_string(),
        actor: actor(due),
        answers_index: due.log_index,
    }
}

fn end(due: &RenewalDue, outcome: RenewalOutcome, new_serial: Option<Serial>) -> v1::RenewalEnd {
    v1::RenewalEnd {
        command_id: due.id.to_string(),
        serial: due.serial.to_string(),
        outcome: convert::wire(outcome),
        new_serial: convert::text_or_empty(new_serial),
        actor: actor(due),
        answers_index: due.log_index,
    }
}

fn actor(due: &RenewalDue) -> String {
    due.branch.map_or_else(
        || "operator/-".to_owned(),
        |branch| format!("branch-officer/{branch}"),
    )
}

fn opened(id: ApplicationId, result: &v1::RenewalResult) -> Option<RenewalAnswered> {
    if result.command_id != id.to_string() {
        tracing::error!(application = %id, answered = %result.command_id, "lifecycle's answers are out of order");
        return None;
    }
    let answer = match &result.refused {
        Some(fault) => RenewalAnswer::Refused {
            reason: format!("{} [{}]", fault.message, fault.reason),
        },
        None if !result.opened_at.is_empty() => RenewalAnswer::Opened,
        None => {
            tracing::error!(application = %id, "lifecycle's answer to a renewal says nothing");
            return None;
        }
    };
    Some(RenewalAnswered { id, answer })
}

fn closed(id: ApplicationId, result: &v1::RenewalEndResult) -> Option<RenewalAnswered> {
    if result.command_id != id.to_string() {
        tracing::error!(application = %id, answered = %result.command_id, "lifecycle's answers are out of order");
        return None;
    }
    if let Some(fault) = &result.refused {
        // The new certificate may still be on its way into the inventory.
        tracing::warn!(application = %id, reason = %fault.reason, message = %fault.message, "a renewal cannot be closed yet");
        return None;
    }
    (!result.closed_at.is_empty()).then_some(RenewalAnswered {
        id,
        answer: RenewalAnswer::Closed,
    })
}
