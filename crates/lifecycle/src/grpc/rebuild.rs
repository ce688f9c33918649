//! The stream of a rebuilding: progress and differences as they come, and the report at last.

use lgpki_proto::{Failure, v1};
use lgpki_runtime::rpc::Rpc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Handlers;
use crate::{
    app::Rebuilding,
    error::LifecycleError,
    ports::{Difference, LifecycleStore, Place, RebuildNews, RebuildReport, RebuildStage},
};

/// Messages that may wait for a slow reader.
const WAITING: usize = 8;
/// Differences of one message at most.
const AT_ONCE: usize = 500;

type Message = v1::RebuildInventoryResponse;
type News = v1::rebuild_inventory_response::News;

/// Starts it.
pub(super) async fn rebuild<S: LifecycleStore>(
    handlers: &Handlers<S>,
    rpc: Rpc,
    apply: bool,
) -> Result<ReceiverStream<Result<Message, Status>>, Status> {
    let rebuilding = handlers.app.rebuild(apply).await;
    let rebuilding = rebuilding.map_err(|e| rpc.refuse(e))?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let shutdown = handlers.shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            told = tell(rebuilding, &sender) => {
                if let Err(failure) = told {
                    // Whoever asked may have left.
                    let _ = sender.send(Err(rpc.refuse(failure))).await;
                }
            }
            () = sender.closed() => {}
            () = shutdown.requested() => {}
        }
    });
    Ok(ReceiverStream::new(receiver))
}

async fn tell(
    rebuilding: Rebuilding,
    sender: &mpsc::Sender<Result<Message, Status>>,
) -> Result<(), Failure> {
    let Rebuilding { mut news, report } = rebuilding;
    let say = async |news| {
        let message = Message { news: Some(news) };
        // Whoever left is noticed beside.
        let _ = sender.send(Ok(message)).await;
    };
    while let Some(news) = news.recv().await {
        match news {
            RebuildNews::Progress { stage, done, total } => {
                let stage = encode_stage(stage).into();
                say(News::Progress(v1::RebuildProgress { stage, done, total })).await;
            }
            RebuildNews::Differences(found) => {
                for found in found.chunks(AT_ONCE) {
                    let differences = found.iter().map(difference).collect();
                    say(News::Differences(v1::InventoryDifferences { differences })).await;
                }
            }
        }
    }
    let report = report.await.map_err(|_| LifecycleError::ShuttingDown)??;
    say(News::Report(encode_report(report))).await;
    Ok(())
}

const fn encode_stage(stage: RebuildStage) -> v1::RebuildStage {
    match stage {
        RebuildStage::Feed => v1::RebuildStage::Feed,
        RebuildStage::Log => v1::RebuildStage::Log,
        RebuildStage::Records => v1::RebuildStage::Records,
        RebuildStage::Counters => v1::RebuildStage::Counters,
        RebuildStage::Apply => v1::RebuildStage::Apply,
    }
}

fn difference(found: &Difference) -> v1::InventoryDifference {
    v1::InventoryDifference {
        place: match found.place {
            Place::Log => v1::InventoryPlace::Log,
            Place::Index => v1::InventoryPlace::Index,
            Place::Memory => v1::InventoryPlace::Memory,
            Place::Counter => v1::InventoryPlace::Counter,
        }
        .into(),
        serial: found
            .serial
            .map(|serial| serial.to_string())
            .unwrap_or_default(),
        field: found.field.clone(),
        live: found.live.clone(),
        rebuilt: found.rebuilt.clone(),
    }
}

const fn encode_report(report: RebuildReport) -> v1::RebuildReport {
    let (applied, changed_keys) = match report.applied {
        Some(changed) => (true, changed),
        None => (false, 0),
    };
    v1::RebuildReport {
        certificates: report.certificates,
        equal: report.equal,
        differences: report.differences,
        log_differences: report.of_the_log,
        applied,
        changed_keys,
    }
}
