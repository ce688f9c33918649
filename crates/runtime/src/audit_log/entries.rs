//! A stretch of a published log's entries, read bundle by bundle as fast as they are taken.

use std::{pin::Pin, sync::Arc};

use lgpki_ledger::{
    TileReader,
    tile::{Bundle, WIDTH},
};
use lgpki_proto::{Failure, v1};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::Status;

use super::grpc::{blocking, failed};
use crate::rpc::Rpc;

/// Bytes of entries in one message; at least one entry, which has 64 KiB at most.
const BATCH_BYTES: usize = 256 * 1024;

/// What a caller who reads entries receives.
pub type Entries = Pin<Box<dyn Stream<Item = Result<v1::ReadEntriesResponse, Status>> + Send>>;

/// Entries that are to be read, and the turn of whoever reads them.
pub(super) struct Reading {
    pub(super) reader: TileReader,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) turn: OwnedSemaphorePermit,
}

impl Reading {
    /// Begins to read. One message waits for a slow reader, and no more.
    pub(super) fn stream(self, rpc: Rpc) -> Entries {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            if let Err(failure) = self.tell(&sender).await {
                // Whoever asked may have left.
                let _ = sender.send(Err(failure)).await;
            }
        });
        let told = ReceiverStream::new(receiver);
        Box::pin(told.map(move |message| message.map_err(|failure| rpc.refuse(failure))))
    }

    async fn tell(
        self,
        sender: &mpsc::Sender<Result<v1::ReadEntriesResponse, Failure>>,
    ) -> Result<(), Failure> {
        let Self {
            reader,
            from,
            to,
            turn,
        } = self;
        let reader = Arc::new(reader);
        let mut next = from;
        while next < to {
            let index = next / u64::from(WIDTH);
            let reading = Arc::clone(&reader);
            let bundle = blocking(move || reading.bundle(index).map_err(|e| failed(&e))).await?;
            let end = to.min((index + 1) * u64::from(WIDTH));
            for batch in batches(&bundle, (next, end), reader.size()) {
                if sender.send(Ok(batch)).await.is_err() {
                    return Ok(());
                }
            }
            next = end;
        }
        drop(turn);
        Ok(())
    }
}

/// The leaves from the first to before the second, which stand in one bundle, as messages.
fn batches(
    bundle: &Bundle,
    (first, end): (u64, u64),
    size: u64,
) -> impl Iterator<Item = v1::ReadEntriesResponse> {
    let mut next = first;
    std::iter::from_fn(move || {
        let mut batch = v1::ReadEntriesResponse {
            first: next,
            entries: Vec::new(),
            size,
        };
        let mut bytes = 0;
        while next < end {
            let at = usize::try_from(next % u64::from(WIDTH)).unwrap_or_default();
            let entry = bundle.entry(at).unwrap_or_default();
            if !batch.entries.is_empty() && bytes + entry.len() > BATCH_BYTES {
                break;
            }
            bytes += entry.len();
            batch.entries.push(entry.to_vec());
            next += 1;
        }
        (!batch.entries.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use lgpki_ledger::tile::append_entry;

    use super::*;

    #[test]
    fn no_message_is_over_its_bytes_and_none_is_empty() {
        let mut bytes = Vec::new();
        let sizes = [65_535; 9].into_iter().chain([1; 40]);
        for size in sizes {
            assert!(append_entry(&mut bytes, &vec![b'x'; size]));
        }
        let bundle = Bundle::parse(bytes).unwrap();
        let first = 256 * 7;
        let told: Vec<_> = batches(&bundle, (first + 1, first + 49), 9_999).collect();
        let mut next = first + 1;
        for batch in &told {
            assert_eq!((batch.first, batch.size), (next, 9_999));
            next += batch.entries.len() as u64;
            let bytes: usize = batch.entries.iter().map(Vec::len).sum();
            assert!(bytes > 0 && bytes <= BATCH_BYTES, "{bytes}");
        }
        assert_eq!((next, told.len()), (first + 49, 3));
        assert_eq!(batches(&bundle, (first, first), 1).count(), 0);
    }
}
