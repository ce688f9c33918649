//! Looking at the two queues with an order, and telling them what is not durable.

use std::sync::Arc;

use lgpki_domain::{ApplicationId, BodyCode, Timestamp};

use super::{EngineStore, convert::Extent};
use crate::{
    error::StoreError,
    pace::Pace,
    ports::{Examinations, Explained, Place, QueueLook, QueueStore, Waits},
};

impl QueueStore for EngineStore {
    async fn arrange(&self, pace: Arc<Pace>) -> Result<(), StoreError> {
        self.read(|machine, _| {
            machine.applications.waitlist().arrange(pace);
            Ok(())
        })
        .await
    }

    async fn weigh(&self, branches: Vec<(BodyCode, u32)>) -> Result<(), StoreError> {
        self.read(|machine, _| {
            machine.applications.waitlist().weigh(&branches);
            Ok(())
        })
        .await
    }

    async fn places(
        &self,
        ids: Vec<ApplicationId>,
        at: Timestamp,
    ) -> Result<Vec<Option<Place>>, StoreError> {
        self.read(|machine, _| {
            let all = &machine.applications;
            let asked: Vec<_> = ids
                .iter()
                .map(|id| all.live(*id).map(|record| (*id, record)))
                .collect();
            Ok(all.waitlist().places(&asked, at))
        })
        .await
    }

    #[tracing::instrument(level = "debug", skip_all)]
    async fn examinations(
        &self,
        after: Option<ApplicationId>,
        most: usize,
        at: Timestamp,
    ) -> Result<Examinations, StoreError> {
        // The walk to a far page takes a while, in which nothing is decided: one at a time. The first page is near.
        let _alone = match after {
            Some(_) => Some(self.explaining.lock().await),
            None => None,
        };
        let (before, waiting, found) = self
            .read(|machine, view| {
                let all = &machine.applications;
                let (before, ids, waiting) = {
                    let waitlist = all.waitlist();
                    let (before, ids) = waitlist.to_examine(after, most, at);
                    (before, ids, waitlist.examinations())
                };
                let found = ids
                    .into_iter()
                    .filter_map(|id| all.find(view, id).transpose())
                    .collect::<Result<Vec<_>, _>>()?;
                Ok((before, waiting, found))
            })
            .await?;
        let applications = self.archive.applications(found, Extent::Lean).await?;
        let passed = before + applications.len();
        let last = applications.last().filter(|_| passed < waiting);
        let next = last.map(|last| last.id);
        Ok(Examinations {
            applications,
            before,
            next,
            waiting,
        })
    }

    async fn explain(
        &self,
        id: ApplicationId,
        at: Timestamp,
    ) -> Result<Option<Explained>, StoreError> {
        let _alone = self.explaining.lock().await;
        self.read(|machine, _| Ok(machine.applications.waitlist().explain(id, at)))
            .await
    }

    async fn queues(&self, at: Timestamp) -> Result<[QueueLook; 2], StoreError> {
        let _alone = self.explaining.lock().await;
        self.read(|machine, _| {
            let waitlist = machine.applications.waitlist();
            Ok([Waits::Examination, Waits::Issue].map(|waits| waitlist.look(waits, at)))
        })
        .await
    }
}
