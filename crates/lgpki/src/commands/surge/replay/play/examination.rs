//! The examiners: as many as have been examined by now, in the order that intake gives, are approved; certificates are
//! signed at once and go to their branches.

use std::collections::BTreeMap;

use lgpki_domain::{BodyCode, Timestamp};

use super::{super::super::front::AT_ONCE, Play, yields_certificate};
use crate::error::CommandError;

impl Play<'_> {
    /// Approves what has been examined by now.
    pub(super) async fn examine(&mut self, at: Timestamp) -> Result<(), CommandError> {
        let mut left = self.pace.examined(at, self.waiting.len() as u64);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(AT_ONCE).min(AT_ONCE);
            let ids = self.offices.to_examine(most).await?;
            if ids.is_empty() {
                let message = format!("intake has nothing to examine, but {left} should be there");
                return Err(CommandError::new(message));
            }
            left = left.saturating_sub(ids.len() as u64);
            self.offices.approve(&ids).await?;
            self.system.at_rest().await?;
            self.settle(&ids).await?;
        }
        Ok(())
    }

    async fn settle(&mut self, ids: &[String]) -> Result<(), CommandError> {
        let now = self.system.now();
        let mut issued: BTreeMap<BodyCode, Vec<(String, usize)>> = BTreeMap::new();
        for id in ids {
            let place = self.waiting.remove(id);
            let entry = place.and_then(|place| self.record.entries.get_mut(place));
            let Some(entry) = entry else {
                let message = format!("application {id} waits for examination, but nobody sent it");
                return Err(CommandError::new(message));
            };
            entry.case.issued = Some(now);
            let waiting = &entry.case.waiting;
            if let Some(branch) = waiting.branch.filter(|_| yields_certificate(waiting)) {
                let of_branch = issued.entry(branch).or_default();
                of_branch.push((id.clone(), entry.holding));
            }
        }
        self.deliver(issued.into_iter().collect()).await
    }
}
