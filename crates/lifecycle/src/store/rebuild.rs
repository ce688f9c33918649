//! The inventory rebuilt from the log beside the one that serves, compared, and put right if wanted.
//!
//! Two comparisons make it whole: the issuer's feed from its beginning with what lifecycle's log holds
//! of it, and the live records and counters with those of a machine that replays this log. So what
//! serves is what feed, revocations and renewals say. It goes on stretch by stretch, so that neither
//! writer nor readers wait long; the log is only ever read.
//!
//! **What is decided between two stretches** is no difference and hides none. Both sides stand after the
//! same entry whenever a stretch is compared, and a stretch is named by its first and last key, not by how
//! many came before; whatever comes in or goes then comes in or goes on both sides, by the same entry. What
//! an entry does otherwise to the live side than to the rebuilt one, it does because something that it
//! looked at differed already; that is told where it stands, and putting right looks once more at each
//! key that was written since.

mod feed;
mod found;
mod records;

use std::{ops::Range, time::Duration};

use lgpki_store::{Engine, Replica};
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{error::Elapsed, timeout},
};

use self::feed::Join;
pub(super) use self::found::Found;
use super::{inventory::Part, machine::LifecycleMachine};
use crate::{
    error::StoreError,
    ports::{FeedBatch, RebuildNews, RebuildOrder, RebuildReport, RebuildStage},
};

/// Entries that are replayed at once.
const REPLAYED: usize = 1024;
/// Records, or places in an order, that are compared at once; few in tests, so that there are several.
pub(super) const COMPARED: usize = if cfg!(test) { 16 } else { 8192 };
/// How long the feed may be silent before it has come to its end.
const SILENCE: Duration = Duration::from_mins(1);

/// The inventory that serves.
type Live = Engine<LifecycleMachine>;

/// A rebuilding under way.
struct Rebuilding {
    live: Live,
    replica: Replica<LifecycleMachine>,
    join: Join,
    found: Found,
    news: mpsc::Sender<RebuildNews>,
}

/// Carries an order out.
pub(super) async fn run(live: &Live, order: RebuildOrder) -> Result<RebuildReport, StoreError> {
    let RebuildOrder {
        feed,
        until,
        apply,
        news,
    } = order;
    let mut rebuilding = Rebuilding {
        live: live.clone(),
        replica: Replica::try_new(LifecycleMachine::default())?,
        join: Join::new(until),
        found: Found::default(),
        news,
    };
    rebuilding = rebuilding.beside_the_feed(feed, until).await?;
    rebuilding = rebuilding.rest_of_the_log().await?;
    let certificates = rebuilding.compare_records().await?;
    let differing = rebuilding.compare_memory().await?;
    let report = RebuildReport {
        certificates,
        equal: certificates.saturating_sub(differing),
        differences: rebuilding.found.count(),
        of_the_log: rebuilding.found.of_the_log(),
        applied: None,
    };
    if !apply || report.differences == report.of_the_log {
        return Ok(report);
    }
    rebuilding.tell(RebuildStage::Apply, 0, 1).await?;
    let changed = live.adopt(rebuilding.replica, || ()).await?;
    Ok(RebuildReport {
        applied: Some(changed as u64),
        ..report
    })
}

impl Rebuilding {
    /// Tells how far things are, and what was found since. An error where nobody listens any more.
    async fn tell(&mut self, stage: RebuildStage, done: u64, total: u64) -> Result<(), StoreError> {
        let progress = RebuildNews::Progress { stage, done, total };
        let found = self.found.untold().map(RebuildNews::Differences);
        for news in found.into_iter().chain([progress]) {
            let sent = self.news.send(news).await;
            sent.map_err(|_| StoreError::NoAnswer)?;
        }
        Ok(())
    }

    /// What is compared, and where it is noted what differs.
    const fn both(&mut self) -> (&Live, &mut Replica<LifecycleMachine>, &mut Found) {
        (&self.live, &mut self.replica, &mut self.found)
    }

    /// Does what blocks where it may.
    async fn blocking(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let done = spawn_blocking(move || work(&mut self).map(|()| self));
        done.await.map_err(|_| StoreError::NoAnswer)?
    }

    /// Compares the feed with the log, which is replayed as far as that needs.
    async fn beside_the_feed(
        mut self,
        mut feed: mpsc::Receiver<FeedBatch>,
        until: u64,
    ) -> Result<Self, StoreError> {
        let mut at = 0;
        while at < until {
            self.tell(RebuildStage::Feed, at, until).await?;
            let batch: Result<Option<FeedBatch>, Elapsed> = timeout(SILENCE, feed.recv()).await;
            let Ok(Some(FeedBatch { items, next })) = batch else {
                return Err(StoreError::FeedBrokeOff { at, until });
            };
            let last = items.last().map_or(0, |item| item.index + 1);
            at = at.max(next).max(last);
            self = self
                .blocking(|this| {
                    for item in items {
                        while this.join.lacks(&item) && !this.replay()? {}
                        this.join.take_in(item, &mut this.found);
                    }
                    Ok(())
                })
                .await?;
        }
        self.tell(RebuildStage::Feed, until, until).await?;
        Ok(self)
    }

    /// Replays a stretch of the log; true at its end.
    fn replay(&mut self) -> Result<bool, StoreError> {
        let Self {
            live,
            replica,
            join,
            ..
        } = self;
        Ok(live.replay(replica, REPLAYED, |recorded| join.recorded(recorded))?)
    }

    async fn rest_of_the_log(mut self) -> Result<Self, StoreError> {
        let mut ended = false;
        while !ended {
            let (done, total) = (self.replica.position(), self.live.log().durable());
            self.tell(RebuildStage::Log, done, total).await?;
            self = self
                .blocking(|this| {
                    this.join.leave(&mut this.found);
                    this.replay().map(|_| ())
                })
                .await?;
            ended = self.replica.position() >= self.live.log().durable();
        }
        self.join.leave(&mut self.found);
        Ok(self)
    }

    /// Compares every record, on disk and in memory; returns how many certificates there are.
    async fn compare_records(&mut self) -> Result<u64, StoreError> {
        let mut from = 0_u64;
        let mut certificates = 0;
        let mut end = self.replica.position();
        loop {
            // What stands beyond the log's end should not be there at all.
            let beyond = from >= end;
            let numbers = Range {
                start: from,
                end: if beyond {
                    u64::MAX
                } else {
                    from.saturating_add(COMPARED as u64)
                },
            };
            let (live, replica, found) = self.both();
            let compared = live.beside(replica, |beside| {
                let certificates = records::compare(beside, numbers.clone(), found);
                (certificates, beside.rebuilt_tables.next_index())
            });
            let (here, reached) = compared.await?;
            certificates += here;
            end = reached;
            from = numbers.end;
            self.tell(RebuildStage::Records, from.min(end), end).await?;
            if beyond {
                return Ok(certificates);
            }
        }
    }

    /// Compares what else the index and memory hold; returns about how many certificates anything
    /// differs, records included.
    async fn compare_memory(&mut self) -> Result<u64, StoreError> {
        let tables = records::TABLES.len() as u64;
        let total = tables + Part::COUNT;
        for (done, table) in (0..).zip(records::TABLES) {
            let mut after: Option<Vec<u8>> = None;
            loop {
                self.tell(RebuildStage::Counters, done, total).await?;
                let (live, replica, found) = self.both();
                let compared = live.beside(replica, |beside| {
                    records::compare_table(beside, table, after.as_deref(), found)
                });
                after = compared.await?;
                if after.is_none() {
                    break;
                }
            }
        }
        let mut next = Some(Part::Sums);
        while let Some(part) = next {
            let done = tables + part.before();
            self.tell(RebuildStage::Counters, done, total).await?;
            let (live, replica, found) = self.both();
            let compared = live.beside(replica, |beside| {
                let rebuilt = &beside.rebuilt.inventory;
                beside.live.inventory.compare(rebuilt, part, found)
            });
            next = compared.await?;
        }
        self.tell(RebuildStage::Counters, total, total).await?;
        let rebuilt = &self.replica.machine().inventory;
        Ok(self.found.certificates(|serial| {
            let held = rebuilt.held(serial);
            held.is_some_and(|held| held.kind.is_some())
        }))
    }
}
