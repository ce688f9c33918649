//! The issuance feed: what was issued or abandoned, read from the log, for whoever follows.
//!
//! What has been shown is marked durably, so that an issuer whose log was set back refuses to start
//! instead of issuing over what others have already seen.

use std::{sync::Arc, time::Duration};

use lgpki_runtime::Shutdown;
use tokio::sync::mpsc;

use super::App;
use crate::{
    error::{IssuerError, StoreError},
    metrics,
    ports::{FeedPage, IssuerStore},
};

/// Entries of the log read for one page.
const PAGE: usize = 512;
/// Pages read ahead of a slow follower.
const AHEAD: usize = 4;
/// How often the mark of what was shown is written at most.
const MARK_EVERY: Duration = Duration::from_secs(1);

impl<S: IssuerStore> App<S> {
    /// The pages from `from` on. The first comes at once, even if it is empty, and tells where the
    /// feed stands; later ones come when there is something to show. Ends with the shutdown.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        from: u64,
        shutdown: Shutdown,
    ) -> Result<mpsc::Receiver<Result<FeedPage, IssuerError>>, IssuerError> {
        let first = self.store.feed(from, PAGE).await?;
        let (pages, receiver) = mpsc::channel(AHEAD);
        let app = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = app.feed(first, &pages) => {}
                () = shutdown.requested() => {}
                () = pages.closed() => {}
            }
        });
        Ok(receiver)
    }

    async fn feed(&self, first: FeedPage, pages: &mpsc::Sender<Result<FeedPage, IssuerError>>) {
        let mut durable = self.store.durable();
        let mut next = first.next;
        let mut page = Some(first);
        loop {
            if let Some(page) = page.take() {
                self.note_shown(page.next);
                if pages.send(Ok(page)).await.is_err() {
                    return;
                }
            }
            if durable.wait_for(|size| *size > next).await.is_err() {
                return;
            }
            match self.store.feed(next, PAGE).await {
                Ok(read) => {
                    next = read.next;
                    page = (!read.events.is_empty()).then_some(read);
                }
                Err(error) => {
                    // Whoever stopped listening needs no answer.
                    let _ = pages.send(Err(error.into())).await;
                    return;
                }
            }
        }
    }

    fn note_shown(&self, next: u64) {
        metrics::shown(next);
        self.shown.send_if_modified(|shown| {
            let further = next > *shown;
            *shown = next.max(*shown);
            further
        });
    }

    /// Writes the mark of what was shown, at most every second, until the shutdown.
    pub(crate) async fn keep_marking(&self, shutdown: Shutdown) -> Result<(), StoreError> {
        let mut shown = self.shown.subscribe();
        loop {
            tokio::select! {
                changed = shown.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = shutdown.requested() => return Ok(()),
            }
            let size = *shown.borrow_and_update();
            self.store.mark_shown(size).await?;
            tokio::select! {
                () = tokio::time::sleep(MARK_EVERY) => {}
                () = shutdown.requested() => {}
            }
        }
    }

    /// Writes the mark of everything shown so far.
    pub(crate) async fn mark_all_shown(&self) -> Result<(), StoreError> {
        let size = *self.shown.borrow();
        self.store.mark_shown(size).await
    }
}
