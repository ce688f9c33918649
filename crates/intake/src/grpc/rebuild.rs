//! Lifecycle's rebuilding of the inventory, passed on message by message.

use std::time::Duration;

use lgpki_proto::{Failure, v1};
use lgpki_runtime::rpc::Rpc;
use tokio::sync::mpsc;
use tonic::{Request, Status, Streaming};

use super::{
    Handlers,
    certificate::relayed,
    feed::{self, Feed},
};
use crate::ports::IntakeStore;

/// Messages that may wait for a slow reader.
const BUFFERED: usize = 8;

pub(super) type Message = v1::RebuildInventoryResponse;

/// Asks lifecycle, and passes on what it tells until it ends or the caller leaves.
pub(super) async fn rebuild<S: IntakeStore>(
    handlers: &Handlers<S>,
    rpc: Rpc,
    asked: v1::RebuildInventoryRequest,
) -> Result<Feed<Message>, Status> {
    // However long it takes: it tells how far it is.
    let mut inventory = handlers.app.peers().certificates();
    let answer = inventory.rebuild_inventory(Request::new(asked)).await;
    let told = answer
        .map_err(|status| relayed(&rpc, &status))?
        .into_inner();
    let (sender, ending, feed) = feed::channel(BUFFERED);
    let shutdown = handlers.shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            ended = pass_on(told, &sender) => {
                if let Err(status) = ended {
                    ending.set(relayed(&rpc, &status));
                }
            }
            () = sender.closed() => {}
            () = shutdown.requested() => {
                let message = "the service is stopping; give the command again shortly";
                let failure = Failure::unavailable("SHUTTING_DOWN", message, Duration::from_secs(1));
                ending.set(rpc.refuse(failure));
            }
        }
    });
    Ok(feed)
}

async fn pass_on(
    mut told: Streaming<Message>,
    sender: &mpsc::Sender<Vec<Message>>,
) -> Result<(), Status> {
    while let Some(message) = told.message().await? {
        if sender.send(vec![message]).await.is_err() {
            break;
        }
    }
    Ok(())
}
