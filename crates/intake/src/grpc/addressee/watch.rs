//! The stream of addressees.

use std::time::Duration;

use lgpki_proto::{Failure, v1};
use lgpki_runtime::rpc::Rpc;
use tokio::sync::mpsc;

use crate::{
    app::{AppError, addressee::AddresseeWatcher},
    grpc::{
        Handlers,
        feed::{self, Feed},
    },
    ports::IntakeStore,
};

type Message = v1::WatchAddresseesResponse;

/// Steps that may wait for a slow reader; what changes meanwhile is read when it comes back.
const BUFFERED: usize = 4;
/// The most entries of one message. What changed at one index goes out together unless it is more.
const MOST: usize = 1_000;

/// Feeds a watcher's changes to its caller until one of them ends.
pub(super) fn stream<S: IntakeStore>(
    handlers: Handlers<S>,
    rpc: Rpc,
    watcher: AddresseeWatcher<S>,
) -> Feed<Message> {
    let (sender, ending, feed) = feed::channel(BUFFERED);
    tokio::spawn(async move {
        tokio::select! {
            ended = tell(&handlers, &rpc, watcher, &sender) => {
                if let Err(error) = ended {
                    ending.set(rpc.refuse(error));
                }
            }
            () = sender.closed() => {}
            () = handlers.shutdown.requested() => {
                let message = "the service is stopping; watch again shortly";
                let failure = Failure::unavailable("SHUTTING_DOWN", message, Duration::from_secs(1));
                ending.set(rpc.refuse(failure));
            }
        }
    });
    feed
}

/// Returns without an error once the watcher has left.
async fn tell<S: IntakeStore>(
    handlers: &Handlers<S>,
    rpc: &Rpc,
    mut watcher: AddresseeWatcher<S>,
    sender: &mpsc::Sender<Vec<Message>>,
) -> Result<(), AppError> {
    loop {
        // Where a part of a step stops short, its reader goes on from before the step.
        let before = watcher.cursor();
        let (versions, next) = watcher.next().await?;
        let mut messages = Vec::with_capacity(1 + versions.len() / MOST);
        let mut rest = versions.as_slice();
        loop {
            let (part, left) = rest.split_at(rest.len().min(MOST));
            let cursor = if left.is_empty() { next } else { before };
            messages.push(Message {
                addressees: handlers.shown_addressees(rpc, part),
                next_cursor: cursor.to_string(),
            });
            if left.is_empty() {
                break;
            }
            rest = left;
        }
        if sender.send(messages).await.is_err() {
            return Ok(());
        }
    }
}
