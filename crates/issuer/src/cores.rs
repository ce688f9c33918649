//! Computation on all cores, off the threads that serve.
//!
//! Building, linting and signing take tens of microseconds to milliseconds each. A batch is cut into
//! one piece per core; pieces of several batches take turns, so that one batch is built while another
//! is signed.

use std::{num::NonZeroUsize, sync::Arc, thread};

use tokio::sync::Semaphore;

/// The cores to compute on.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    turns: Arc<Semaphore>,
    count: usize,
}

impl Cores {
    /// `count` cores; all that the machine has, if not told.
    pub(crate) fn new(count: Option<NonZeroUsize>) -> Self {
        let count = count
            .or_else(|| thread::available_parallelism().ok())
            .map_or(1, NonZeroUsize::get);
        Self {
            turns: Arc::new(Semaphore::new(count)),
            count,
        }
    }

    /// Applies `work` to each item, in parallel; the results are in the items' order. An item whose
    /// computation panicked, and those that shared its piece, yield `None`.
    pub(crate) async fn map<T, R, F>(&self, mut items: Vec<T>, work: F) -> Vec<Option<R>>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: Fn(T) -> R + Clone + Send + 'static,
    {
        let size = items.len().div_ceil(self.count).max(1);
        let mut pieces = Vec::with_capacity(self.count);
        while !items.is_empty() {
            let rest = items.split_off(size.min(items.len()));
            let piece = std::mem::replace(&mut items, rest);
            let length = piece.len();
            let work = work.clone();
            // The semaphore is never closed; without a turn the piece would only start sooner.
            let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
            let running = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                piece.into_iter().map(work).collect::<Vec<R>>()
            });
            pieces.push((length, running));
        }
        let mut results = Vec::new();
        for (length, running) in pieces {
            match running.await {
                Ok(done) => results.extend(done.into_iter().map(Some)),
                Err(lost) => {
                    tracing::error!(%lost, "a computation ended without an answer");
                    results.extend((0..length).map(|_| None));
                }
            }
        }
        results
    }

    /// Runs one computation.
    pub(crate) async fn run<R, F>(&self, work: F) -> Option<R>
    where
        R: Send + 'static,
        F: FnOnce() -> R + Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        let running = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        match running.await {
            Ok(result) => Some(result),
            Err(lost) => {
                tracing::error!(%lost, "a computation ended without an answer");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_keep_the_order_of_the_items_however_many_cores_there_are() {
        for count in [1, 2, 3, 8, 100] {
            let cores = Cores::new(NonZeroUsize::new(count));
            let doubled = cores.map((0..17).collect(), |n: u32| n * 2).await;
            let expected: Vec<_> = (0..17).map(|n| Some(n * 2)).collect();
            assert_eq!(doubled, expected, "{count} cores");
            assert!(cores.map(Vec::new(), |n: u32| n).await.is_empty());
        }
    }

    #[tokio::test]
    async fn a_panic_loses_its_own_piece_and_no_other() {
        let cores = Cores::new(NonZeroUsize::new(2));
        let work = |n: u32| {
            assert_ne!(n, 1, "deliberate");
            n
        };
        let results = cores.map(vec![0, 1, 2, 3], work).await;
        assert_eq!(results, [None, None, Some(2), Some(3)]);
        assert_eq!(cores.run(|| 7).await, Some(7));
    }
}
