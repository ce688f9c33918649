//! Tells lifecycle of renewals, from the store's outbox: what is received is opened, what is over is
//! closed.
//!
//! One call at a time, ends before beginnings. What was not answered is told again, for ever: each
//! is named by its application, and lifecycle answers again what it answered before. An end that
//! lifecycle refuses is told again too, ever more seldom, and keeps no other waiting.

mod refused;

use std::sync::Arc;

use lgpki_domain::{ApplicationId, RenewalOutcome, Serial};
use lgpki_proto::{RemoteError, convert, v1};
use tokio::{sync::mpsc, time::Instant};

use self::refused::RefusedEnds;
use super::Shared;
use crate::{
    error::StoreError,
    metrics,
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
    let mut refused = RefusedEnds::default();
    loop {
        changes.mark_unchanged();
        // Those that were refused must not fill the list.
        let due = parts.store.renewals_due(MOST + refused.len()).await?;
        let due = refused.ready(due, Instant::now());
        metrics::renewals_refused(refused.told());
        if due.is_empty() {
            failures = 0;
            tokio::select! {
                woken = changes.changed() => if woken.is_err() {
                    // The store has gone; asking it again says why.
                    parts.store.renewals_due(1).await?;
                },
                () = refused.wait() => {}
            }
            continue;
        }
        let told = due.len();
        let since = parts.clock.now();
        let Heard {
            answers,
            turned_down,
            error,
        } = tell(&parts.peers, due).await;
        let heard = answers.len() + turned_down.len();
        for end in turned_down {
            refused.note(&end, Instant::now(), parts.random.as_ref());
        }
        if let Some(error) = &error {
            if error.may_be_tried_again() {
                tracing::info!(%error, "lifecycle is away; renewals wait");
            } else {
                tracing::error!(%error, "lifecycle refuses to hear of renewals");
            }
        }
        if !answers.is_empty() {
            parts
                .store
                .settle_renewals(answers, parts.clock.now())
                .await?;
        }
        if heard == told {
            failures = 0;
            let millis = parts.clock.now().as_millis() - since.as_millis();
            parts.pace.opening().done(millis);
        } else {
            let opening = parts.pace.opening();
            shared.pause(opening, failures, error.as_ref()).await;
            failures = failures.saturating_add(1);
        }
    }
}

/// What lifecycle said.
#[derive(Debug, Default)]
struct Heard {
    answers: Vec<RenewalAnswered>,
    turned_down: Vec<TurnedDown>,
    /// Why there is no more.
    error: Option<RemoteError>,
}

/// The end of a renewal that lifecycle refused.
#[derive(Clone, Debug)]
struct TurnedDown {
    id: ApplicationId,
    serial: Serial,
    /// Why, with the stable reason.
    why: String,
}

/// Tells of ends, then of beginnings.
async fn tell(peers: &Peers, due: Vec<RenewalDue>) -> Heard {
    let (mut orders, mut ends) = (Vec::new(), Vec::new());
    for due in due {
        match due.step {
            RenewalStep::Open { received_at } => orders.push((due.id, order(&due, received_at))),
            RenewalStep::Close {
                outcome,
                new_serial,
            } => ends.push((due.id, due.serial, end(&due, outcome, new_serial))),
        }
    }
    let mut heard = Heard::default();
    let told = async {
        if !ends.is_empty() {
            close(peers, ends, &mut heard).await?;
        }
        if !orders.is_empty() {
            heard.answers.extend(open(peers, orders).await?);
        }
        Ok(())
    };
    let error = told.await.err();
    Heard { error, ..heard }
}

/// Asks for renewals to be opened, or whether they still are.
pub(super) async fn open(
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
    ends: Vec<(ApplicationId, Serial, v1::RenewalEnd)>,
    heard: &mut Heard,
) -> Result<(), RemoteError> {
    let (named, ends): (Vec<_>, Vec<_>) = ends
        .into_iter()
        .map(|(id, serial, end)| ((id, serial), end))
        .unzip();
    let request = within_deadline(v1::CloseRenewalsRequest { ends });
    let answer = peers.lifecycle().close_renewals(request).await?;
    for ((id, serial), result) in named.into_iter().zip(answer.into_inner().results) {
        match closed(id, result) {
            Ok(answered) => heard.answers.extend(answered),
            Err(why) => heard.turned_down.push(TurnedDown { id, serial, why }),
        }
    }
    Ok(())
}

/// The order to open a renewal.
pub(super) fn order(due: &RenewalDue, received_at: lgpki_domain::Timestamp) -> v1::RenewalOrder {
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
    // What was issued to no branch is renewed by the one who logs in with it.
    due.branch.map_or_else(
        || format!("login/-/{}", due.serial),
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

/// What the answer to an end says, if it can be read; an error where the end is refused.
fn closed(
    id: ApplicationId,
    result: v1::RenewalEndResult,
) -> Result<Option<RenewalAnswered>, String> {
    if result.command_id != id.to_string() {
        tracing::error!(application = %id, answered = %result.command_id, "lifecycle's answers are out of order");
        return Ok(None);
    }
    match result.refused {
        Some(fault) => Err(format!("{} [{}]", fault.message, fault.reason)),
        None if result.closed_at.is_empty() => Err("its answer says nothing".to_owned()),
        None => Ok(Some(RenewalAnswered {
            id,
            answer: RenewalAnswer::Closed,
        })),
    }
}
