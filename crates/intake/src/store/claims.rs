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
    ports::{Claimed, Settlement},
};

impl EngineStore {
    pub(super) async fn claim_next(
        &self,
        most: usize,
        at: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let _alone = self.claiming.lock().await;
        let leases = &self.leases;
        let mut found = self
            .read(|machine, view| {
                let all = &machine.applications;
                let free = all
                    .issuing()
                    .filter(|(id, record)| leases.is_free(*id, record));
                free.take(most)
                    .filter_map(|(id, _)| all.find(view, id).transpose())
                    .collect::<Result<Vec<_>, _>>()
            })
            .await?;
        // While the issuer is away, what was given back fills every claim; revocations do not need
        // the issuer and must not wait for it.
        let rest = most.saturating_sub(found.len());
        let claim = Command::Claim {
            most: if rest == 0 { most } else { rest },
            revocations_only: rest == 0,
            at,
        };
        match self.one(claim).await? {
            Outcome::Claimed(new) => found.extend(new),
            other => return Err(unexpected(other)),
        }
        let handed: Vec<_> = found.iter().filter_map(claimed).collect();
        let applications = self.archive.applications(found, Extent::WithKey).await?;
        // Only now: a claim that nobody waited for is handed out again by the next.
        leases.hand_out(&handed);
        Ok(applications
            .into_iter()
            .zip(handed)
            .map(|(application, (_, attempt))| Claimed {
                application,
                attempt,
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
