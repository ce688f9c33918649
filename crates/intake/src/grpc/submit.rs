//! Many applications over one stream.
//!
//! What has arrived is taken together, without a timer: while one batch is being made durable, the
//! next one's proofs of possession are checked.

use std::{sync::Arc, time::Duration};

use lgpki_proto::{
    Failure,
    v1::{self, submit_applications_response::Outcome},
};
use lgpki_runtime::{rpc::Rpc, shutdown::Shutdown};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::Streaming;

use super::{
    Handlers, decode,
    feed::{self, Ending, Feed},
    slot::slot_use,
};
use crate::{app::AppError, app::submit::Accepted, ports::IntakeStore};

type Item = v1::SubmitApplicationsRequest;
type Answer = v1::SubmitApplicationsResponse;

/// Bytes of applications that one stream may have waiting or under way. A batch of usual ones is far
/// below it; of the largest messages that may come, a few fit.
const BYTES_HELD: usize = 16 * 1024 * 1024;
/// Batches of one stream under way at the same time.
const UNDER_WAY: usize = 3;

/// Batches of answers that may wait for the caller to read them.
const ANSWERED: usize = 2;

/// Answers each application of a stream.
pub(super) fn stream<S: IntakeStore>(
    handlers: Handlers<S>,
    rpc: Rpc,
    arriving: Streaming<Item>,
) -> Feed<Answer> {
    let most = handlers.app.settings().submit_batch;
    let (answers, ending, feed) = feed::channel(ANSWERED);
    let (sender, arrived) = mpsc::channel(most);
    let reader = Reader {
        sender,
        room: Arc::new(Semaphore::new(BYTES_HELD)),
        answers: answers.clone(),
        ending,
        rpc: rpc.clone(),
        shutdown: handlers.shutdown.clone(),
    };
    tokio::spawn(reader.run(arriving));
    tokio::spawn(batches(handlers, rpc, arrived, answers));
    feed
}

/// An application that arrived, with the room that it takes up until it is answered.
struct Arrived {
    item: Item,
    _room: Option<OwnedSemaphorePermit>,
}

/// Takes applications off the wire.
struct Reader {
    sender: mpsc::Sender<Arrived>,
    room: Arc<Semaphore>,
    /// Closed when the caller has gone.
    answers: mpsc::Sender<Vec<Answer>>,
    ending: Ending,
    rpc: Rpc,
    shutdown: Shutdown,
}

impl Reader {
    async fn run(self, mut arriving: Streaming<Item>) {
        loop {
            let message = tokio::select! {
                message = arriving.message() => message,
                () = self.answers.closed() => return,
                () = self.shutdown.requested() => {
                    let message = "the service is stopping; open a new stream shortly and go on";
                    let delay = Duration::from_secs(1);
                    let ending = Failure::unavailable("SHUTTING_DOWN", message, delay);
                    return self.ending.set(self.rpc.refuse(ending));
                }
            };
            match message {
                Ok(Some(item)) => {
                    let bytes = item.encoded_len().min(BYTES_HELD);
                    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                    let room = Arc::clone(&self.room).acquire_many_owned(bytes);
                    let arrived = Arrived {
                        item,
                        // The semaphore is never closed.
                        _room: room.await.ok(),
                    };
                    if self.sender.send(arrived).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(status) => return self.ending.set(status),
            }
        }
    }
}

async fn batches<S: IntakeStore>(
    handlers: Handlers<S>,
    rpc: Rpc,
    mut arrived: mpsc::Receiver<Arrived>,
    answers: mpsc::Sender<Vec<Answer>>,
) {
    let most = handlers.app.settings().submit_batch;
    let permits = Arc::new(Semaphore::new(UNDER_WAY));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        let mut batch = Vec::new();
        if arrived.recv_many(&mut batch, most).await == 0 || answers.is_closed() {
            return;
        }
        let (handlers, rpc, answers) = (handlers.clone(), rpc.clone(), answers.clone());
        tokio::spawn(async move {
            one_batch(&handlers, &rpc, batch, &answers).await;
            drop(permit);
        });
    }
}

async fn one_batch<S: IntakeStore>(
    handlers: &Handlers<S>,
    rpc: &Rpc,
    batch: Vec<Arrived>,
    answers: &mpsc::Sender<Vec<Answer>>,
) {
    let now = handlers.app.now();
    let mut names = Vec::with_capacity(batch.len());
    let mut submissions = Vec::with_capacity(batch.len());
    let mut rooms = Vec::with_capacity(batch.len());
    for Arrived { item, _room: room } in batch {
        rooms.push(room);
        let application = item.application.unwrap_or_default();
        names.push(application.request_id.clone());
        submissions.push(decode::submission(application, now));
    }
    let submitted = handlers.app.submit(rpc.caller(), submissions).await;
    drop(rooms);
    let outcomes: Vec<Outcome> = match submitted {
        Ok(outcomes) => outcomes
            .into_iter()
            .map(|outcome| answer(handlers, rpc, outcome))
            .collect(),
        Err(error) => {
            let refusal = rpc.refusal(error);
            vec![Outcome::Refused(refusal); names.len()]
        }
    };
    let outcomes = names.into_iter().zip(outcomes);
    let batch = outcomes.map(|(request_id, outcome)| Answer {
        request_id,
        outcome: Some(outcome),
    });
    // A caller that has gone reads no answers.
    let _ = answers.send(batch.collect()).await;
}

fn answer<S: IntakeStore>(
    handlers: &Handlers<S>,
    rpc: &Rpc,
    outcome: Result<Accepted, AppError>,
) -> Outcome {
    match outcome {
        Ok(accepted) => Outcome::Accepted(v1::SubmitApplicationResponse {
            application: Some(handlers.shown(rpc, &accepted.application)),
            repeated: accepted.repeated,
            slot: slot_use(accepted.slot),
        }),
        Err(error) => Outcome::Refused(rpc.refusal(error)),
    }
}
