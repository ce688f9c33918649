//! The feed of standings, read from the log.
//!
//! A message says how far the issuer's log is covered by what has been sent up to and with it, so
//! that its reader never takes a certificate for known before it has seen it.

use std::time::Duration;

use lgpki_proto::{Failure, v1};
use lgpki_runtime::rpc::Rpc;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Handlers, encode};
use crate::{error::StoreError, ports::LifecycleStore};

/// Messages that may wait for a slow reader.
const WAITING: usize = 8;
/// How often what was shown is marked durably, at most.
const MARK_EVERY: Duration = Duration::from_secs(1);

type Sender = mpsc::Sender<Result<v1::FollowStandingsResponse, Status>>;

/// Starts a feed.
pub(super) fn follow<S: LifecycleStore>(
    handlers: &Handlers<S>,
    rpc: Rpc,
    from: u64,
) -> Result<ReceiverStream<Result<v1::FollowStandingsResponse, Status>>, Status> {
    let known = *handlers.app.store.durable().borrow();
    if from > known {
        return Err(rpc.refuse(Failure::wrong_state(
            "POSITION_AHEAD",
            format!("position {from} was asked for and only {known} are known; follow from 0"),
        )));
    }
    let (sender, receiver) = mpsc::channel(WAITING);
    let handlers = handlers.clone();
    tokio::spawn(async move {
        let shutdown = handlers.shutdown.clone();
        tokio::select! {
            sent = send_all(&handlers, &sender, from) => {
                if let Err(e) = sent {
                    // Whoever followed may have left.
                    let _ = sender.send(Err(rpc.refuse(e))).await;
                }
            }
            () = sender.closed() => {}
            () = shutdown.requested() => {}
        }
    });
    Ok(ReceiverStream::new(receiver))
}

async fn send_all<S: LifecycleStore>(
    handlers: &Handlers<S>,
    sender: &Sender,
    from: u64,
) -> Result<(), StoreError> {
    let store = &handlers.app.store;
    let mut position = handlers.app.position.clone();
    let mut durable = store.durable();
    let known_at_call = *durable.borrow();
    let mut next = from;
    let mut covered = 0;
    let mut marked = Instant::now() - MARK_EVERY;
    let mut greeted = false;
    loop {
        // Read before the log: all that it covers is durable there already.
        let reached = *position.borrow_and_update();
        let end = *durable.borrow_and_update();
        let look = store.standings(next).await?;
        let before = (next, covered);
        next = look.next;
        covered = covered.max(look.issuance_position.unwrap_or(0));
        if next >= end {
            covered = covered.max(reached);
        }
        if !greeted || before != (next, covered) {
            greeted = true;
            if marked.elapsed() >= MARK_EVERY {
                store.shown(next.min(end)).await?;
                marked = Instant::now();
            }
            let message = v1::FollowStandingsResponse {
                standings: look
                    .certificates
                    .into_iter()
                    .map(encode::standing)
                    .collect(),
                next_position: next,
                issuance_position: covered,
                caught_up: next >= known_at_call,
            };
            if sender.send(Ok(message)).await.is_err() {
                return Ok(());
            }
        }
        if next >= *durable.borrow() && covered >= *position.borrow() {
            tokio::select! {
                changed = durable.changed() => if changed.is_err() { return Ok(()); },
                changed = position.changed() => if changed.is_err() { return Ok(()); },
            }
        }
    }
}
