//! An answering stream whose last word comes after all its items.
//!
//! Several tasks may feed one stream; when all of them are done, the caller is told why it ends. Items
//! that are there together are handed over together: one by one, each would wake the connection and
//! leave in a packet of its own.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;

/// What the caller receives: items, and at last why there will be no more, unless all went well.
#[derive(Debug)]
pub struct Feed<T> {
    batches: mpsc::Receiver<Vec<T>>,
    items: std::vec::IntoIter<T>,
    ending: Ending,
}

/// Where the reason for the end is left.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending(Arc<Mutex<Option<Status>>>);

impl Ending {
    /// Says why the stream will end; the first word counts.
    pub(super) fn set(&self, status: Status) {
        self.0.lock().get_or_insert(status);
    }
}

/// A stream that holds up to `most` batches of items for its reader.
pub(super) fn channel<T>(most: usize) -> (mpsc::Sender<Vec<T>>, Ending, Feed<T>) {
    let (sender, batches) = mpsc::channel(most);
    let ending = Ending::default();
    let feed = Feed {
        batches,
        items: Vec::new().into_iter(),
        ending: ending.clone(),
    };
    (sender, ending, feed)
}

/// Nothing in it is pinned.
impl<T> Unpin for Feed<T> {}

impl<T> Stream for Feed<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.items.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match self.batches.poll_recv(context) {
                Poll::Ready(Some(batch)) => self.items = batch.into_iter(),
                Poll::Ready(None) => {
                    return Poll::Ready(self.ending.0.lock().take().map(Err));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt;

    use super::*;

    #[tokio::test]
    async fn the_reason_for_the_end_comes_after_every_item() {
        let (sender, ending, mut feed) = channel(4);
        ending.set(Status::unavailable("stopping"));
        ending.set(Status::internal("too late"));
        let other = sender.clone();
        sender.send(vec![1, 2]).await.unwrap();
        drop(sender);
        other.send(vec![]).await.unwrap();
        other.send(vec![3]).await.unwrap();
        drop(other);
        assert_eq!(feed.next().await.unwrap().unwrap(), 1);
        assert_eq!(feed.next().await.unwrap().unwrap(), 2);
        assert_eq!(feed.next().await.unwrap().unwrap(), 3);
        assert_eq!(
            feed.next().await.unwrap().unwrap_err().message(),
            "stopping"
        );
        assert!(feed.next().await.is_none());
    }
}
