//! An answering stream whose last word comes after all its items.
//!
//! Several tasks may feed one stream; when all of them are done, the caller is told why it ends.

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
    items: mpsc::Receiver<T>,
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

/// A stream that holds up to `most` items for its reader.
pub(super) fn channel<T>(most: usize) -> (mpsc::Sender<T>, Ending, Feed<T>) {
    let (sender, items) = mpsc::channel(most);
    let ending = Ending::default();
    let feed = Feed {
        items,
        ending: ending.clone(),
    };
    (sender, ending, feed)
}

impl<T> Stream for Feed<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.items.poll_recv(context) {
            Poll::Ready(Some(item)) => Poll::Ready(Some(Ok(item))),
            Poll::Ready(None) => Poll::Ready(self.ending.0.lock().take().map(Err)),
            Poll::Pending => Poll::Pending,
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
        sender.send(1).await.unwrap();
        drop(sender);
        other.send(2).await.unwrap();
        drop(other);
        assert_eq!(feed.next().await.unwrap().unwrap(), 1);
        assert_eq!(feed.next().await.unwrap().unwrap(), 2);
        assert_eq!(
            feed.next().await.unwrap().unwrap_err().message(),
            "stopping"
        );
        assert!(feed.next().await.is_none());
    }
}
