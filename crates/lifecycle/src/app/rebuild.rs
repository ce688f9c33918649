//! Having the inventory rebuilt and compared.

use lgpki_proto::Failure;
use tokio::sync::{mpsc, oneshot};

use super::App;
use crate::{
    error::LifecycleError,
    ports::{LifecycleStore, RebuildNews, RebuildReport},
    worker::rebuild::RebuildDemand,
};

/// News that may wait for a slow reader.
const WAITING: usize = 8;

/// A rebuilding under way. Whoever drops it ends it, unless the index is being put right already.
#[derive(Debug)]
pub(crate) struct Rebuilding {
    /// How it goes; ends with it.
    pub(crate) news: mpsc::Receiver<RebuildNews>,
    /// What it found and did.
    pub(crate) report: oneshot::Receiver<Result<RebuildReport, Failure>>,
}

impl<S: LifecycleStore> App<S> {
    /// Begins to rebuild the inventory; refused while another one is under way.
    pub(crate) async fn rebuild(&self, apply: bool) -> Result<Rebuilding, Failure> {
        let turn = self.rebuilding.clone().try_acquire_owned();
        let turn = turn.map_err(|_| {
            Failure::wrong_state(
                "REBUILD_RUNNING",
                "the inventory is being rebuilt for somebody already; wait for its end",
            )
        })?;
        let (news, heard) = mpsc::channel(WAITING);
        let (answer, report) = oneshot::channel();
        let demand = RebuildDemand {
            apply,
            news,
            answer,
            turn,
        };
        let sent = self.rebuilds.send(demand).await;
        sent.map_err(|_| Failure::from(LifecycleError::ShuttingDown))?;
        Ok(Rebuilding {
            news: heard,
            report,
        })
    }
}
