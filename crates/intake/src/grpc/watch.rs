//! The stream of changes.

use std::time::Duration;

use lgpki_domain::ErrorClass;
use lgpki_proto::{Failure, v1};
use lgpki_runtime::rpc::Rpc;
use tokio::sync::mpsc;

use super::{
    Handlers,
    feed::{self, Feed},
};
use crate::{app::watch::Watcher, ports::IntakeStore};

type Change = v1::WatchApplicationsResponse;

/// Batches of changes that may wait for a slow reader.
const BUFFERED: usize = 2;
/// How long the buffer may stay full before the reader counts as too slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// Feeds a watcher's changes to its caller until one of them ends.
pub(super) fn stream<S: IntakeStore>(
    handlers: Handlers<S>,
    rpc: Rpc,
    watcher: Watcher<S>,
) -> Feed<Change> {
    let (sender, ending, feed) = feed::channel(BUFFERED);
    tokio::spawn(async move {
        if let Some(failure) = tell(&handlers, &rpc, watcher, &sender).await {
            ending.set(rpc.refuse(failure));
        }
    });
    feed
}

async fn tell<S: IntakeStore>(
    handlers: &Handlers<S>,
    rpc: &Rpc,
    mut watcher: Watcher<S>,
    sender: &mpsc::Sender<Vec<Change>>,
) -> Option<Failure> {
    loop {
        let applications = tokio::select! {
            applications = watcher.next() => match applications {
                Ok(applications) => applications,
                Err(error) => return Some(error.into()),
            },
            () = sender.closed() => return None,
            () = handlers.shutdown.requested() => {
                let message = "the service is stopping; watch again shortly";
                let ending = Failure::unavailable("SHUTTING_DOWN", message, Duration::from_secs(1));
                return Some(ending);
            }
        };
        let mut applications = applications;
        if let Err(error) = handlers.app.estimate(applications.iter_mut()).await {
            return Some(error.into());
        }
        let told = applications.iter().map(|application| Change {
            application: Some(handlers.shown(rpc, application)),
        });
        match tokio::time::timeout(PATIENCE, sender.send(told.collect())).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return None,
            Err(_) => {
                let message = "changes arrive faster than they are read; watch again";
                let class = ErrorClass::RateLimited;
                return Some(Failure::new(class, "WATCHER_TOO_SLOW", message));
            }
        }
    }
}
