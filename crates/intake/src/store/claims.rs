//! Handing applications out and noting what came of them.

use lgpki_domain::{ApplicationId, Timestamp};

use super::{
    EngineStore,
    command::{Command, Outcome, Settle},
    convert::Extent,
    leases::claimed,
    unexpected,
};
use crate::{
    error::StoreError,
    ports::{Claimed, Lane, Settlement},
};

impl EngineStore {
    pub(super) async fn claim_next(
        &self,
        lane: Lane,
        most: usize,
        at: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let _alone = self.claiming.lock().await;
        let leases = &self.leases;
        let (mut found, queued) = self
            .read(|machine, view| {
                let all = &machine.applications;
                let free = all
                    .issuing(lane)
                    .filter(|(id, record)| leases.is_free(*id, record));
                let free = free
                    .take(most)
                    .filter_map(|(id, _)| all.find(view, id).transpose())
                    .collect::<Result<Vec<_>, _>>()?;
                Ok((free, all.is_queued(lane)))
            })
            .await?;
        let before = found.len();
        let most = most.saturating_sub(before);
        // The writer is not asked for nothing: both queues are looked at after every change.
        if queued && most > 0 {
            match self.one(Command::Claim { lane, most, at }).await? {
                Outcome::Claimed(new) => found.extend(new),
                other => return Err(unexpected(other)),
            }
        }
        let handed: Vec<_> = found.iter().filter_map(claimed).collect();
        let applications = self.archive.applications(found, Extent::WithKey).await?;
        // Only now: a claim that nobody waited for is handed out again by the next.
        leases.hand_out(&handed);
        Ok(applications
            .into_iter()
            .zip(handed)
            .enumerate()
            .map(|(place, (application, (_, attempt)))| Claimed {
                application,
                attempt,
                again: place < before,
            })
            .collect())
    }

    pub(super) async fn settle_batch(
        &self,
        batch: Vec<Settlement>,
    ) -> Result<Vec<ApplicationId>, StoreError> {
        let handed = self.leases.of(batch.iter().map(|one| one.id));
        let commands = batch.into_iter().map(|one| {
            Command::Settle(Settle {
                id: one.id,
                outcome: one.outcome,
                at: one.at,
            })
        });
        let outcomes = self.engine.submit(commands.collect()).await?;
        let mut unanswered = Vec::new();
        for (outcome, handed) in outcomes.into_iter().zip(handed) {
            let awaited = match outcome {
                Outcome::Settled => false,
                Outcome::SettledBefore { awaited } => awaited,
                Outcome::Unfit { what, awaited } => {
                    tracing::warn!(what, "an answer was not recorded");
                    awaited
                }
                other => return Err(unexpected(other)),
            };
            if awaited {
                unanswered.push(handed.0);
            } else {
                self.leases.end(handed);
            }
        }
        Ok(unanswered)
    }
}
