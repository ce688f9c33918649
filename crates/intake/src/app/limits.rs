//! The limits of admission: shown, changed.

use lgpki_domain::{Caller, Limits};

use super::{App, AppError};
use crate::ports::{IntakeStore, LimitsInForce};

impl<S: IntakeStore> App<S> {
    /// The limits in force.
    pub async fn limits(&self) -> Result<LimitsInForce, AppError> {
        Ok(self.parts.store.limits().await?)
    }

    /// Changes the limits, if they still are those of revision `seen`. They hold once the change is
    /// durable.
    pub async fn change_limits(
        &self,
        caller: &Caller,
        limits: Limits,
        seen: u64,
    ) -> Result<LimitsInForce, AppError> {
        limits.faults().into_result().map_err(AppError::Request)?;
        let changed = self
            .parts
            .store
            .change_limits(limits, seen, caller.clone(), self.now())
            .await?;
        let after = changed.map_err(|standing| AppError::Overtaken {
            reason: "LIMITS_CHANGED",
            message: format!(
                "the limits were changed meanwhile: you saw revision {seen}, they are at {}; look at \
                 them again and decide anew",
                standing.revision
            ),
        })?;
        self.parts
            .admission
            .set_limits(after.limits, after.revision);
        Ok(after)
    }
}
