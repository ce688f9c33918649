//! Many applications over one stream.
//!
//! What has arrived is taken together, without a timer: while one batch is being made durable, the
//! next one's proofs of possession are checked. The caller is judged anew for each batch, and a stream
//! whose answers nobody reads is ended.

mod room;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use lgpki_proto::{
    Failure,
    v1::{self, submit_applications_response::Outcome},
};
use lgpki_runtime::{rpc::Rpc, shutdown::Shutdown};
use prost::Message as _;
use tokio::sync::{Semaphore, mpsc, mpsc::error::SendTimeoutError};
use tonic::{Status, Streaming};

use super::{
    Handlers, decode,
    feed::{self, Ending, Feed},
    slot::slot_use,
};
use crate::{app::AppError, app::submit::Accepted, ports::IntakeStore};

pub(super) use room::Room;
use room::{OwnRoom, Taken};

type Item = v1::SubmitApplicationsRequest;
type Answer = v1::SubmitApplicationsResponse;

/// Batches of one stream under way at the same time.
const UNDER_WAY: usize = 3;

/// Batches of answers that may wait for the caller to read them.
const ANSWERED: usize = 2;
/// How long they may wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers each application of a stream.
pub(super) fn stream<S: IntakeStore>(
    handlers: Handlers<S>,
    rpc: Rpc,
    arriving: Streaming<Item>,
) -> Result<Feed<Answer>, Status> {
    let room = handlers.room.enter(rpc.caller());
    let room = room.map_err(|failure| rpc.refuse(failure))?;
    let most = handlers.app.settings().submit_batch;
    let (answers, ending, feed) = feed::channel(ANSWERED);
    let (sender, arrived) = mpsc::channel(most);
    let reader = Reader {
        sender,
        room,
        answers: answers.clone(),
        ending: ending.clone(),
        rpc: rpc.clone(),
        shutdown: handlers.shutdown.clone(),
    };
    tokio::spawn(reader.run(arriving));
    let into = Into {
        answers,
        ending,
        unread: Arc::default(),
    };
    tokio::spawn(batches(handlers, rpc, arrived, into));
    Ok(feed)
}

/// Where the answers go.
#[derive(Clone)]
struct Into {
    answers: mpsc::Sender<Vec<Answer>>,
    ending: Ending,
    /// Nobody reads the answers.
    unread: Arc<AtomicBool>,
}

/// An application that arrived, with the room that it takes up until it is answered.
struct Arrived {
    item: Item,
    _room: Taken,
}

/// Takes applications off the wire.
struct Reader {
    sender: mpsc::Sender<Arrived>,
    room: OwnRoom,
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
                // Nothing more is taken in.
                () = self.sender.closed() => return,
                () = self.shutdown.requested() => {
                    let message = "the service is stopping; open a new stream shortly and go on";
                    let delay = Duration::from_secs(1);
                    let ending = Failure::unavailable("SHUTTING_DOWN", message, delay);
                    return self.ending.set(self.rpc.refuse(ending));
                }
            };
            match message {
                Ok(Some(item)) => {
                    let room = self.room.take(item.encoded_len()).await;
                    let arrived = Arrived { item, _room: room };
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
    into: Into,
) {
    let most = handlers.app.settings().submit_batch;
    let permits = Arc::new(Semaphore::new(UNDER_WAY));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        let mut batch = Vec::new();
        let none = arrived.recv_many(&mut batch, most).await == 0;
        if none || into.answers.is_closed() || into.unread.load(Ordering::Relaxed) {
            return;
        }
        if let Err(barred) = rpc.still_allowed() {
            return into.ending.set(rpc.refuse(barred));
        }
        let (handlers, rpc, into) = (handlers.clone(), rpc.clone(), into.clone());
        tokio::spawn(async move {
            one_batch(&handlers, &rpc, batch, &into).await;
            drop(permit);
        });
    }
}

async fn one_batch<S: IntakeStore>(
    handlers: &Handlers<S>,
    rpc: &Rpc,
    batch: Vec<Arrived>,
    into: &Into,
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
    let sending = into.answers.send_timeout(batch.collect(), PATIENCE).await;
    if let Err(SendTimeoutError::Timeout(_)) = sending {
        into.unread.store(true, Ordering::Relaxed);
        let message = "answers waited too long to be read; read while you send, and send again what was not \
                       answered, with the same request ids";
        let ending = Failure::unavailable("ANSWERS_NOT_READ", message, Duration::from_secs(1));
        into.ending.set(rpc.refuse(ending));
    }
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
