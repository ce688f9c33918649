//! When services on a clock that stands have nothing left to do: only then may it be moved.

use lgpki_domain::Timestamp;
use lgpki_intake::{error::StoreError, ports::IntakeStore as _, store::EngineStore};
use tokio::time::timeout;

use super::front::PATIENCE;
use crate::error::CommandError;

/// States that an application leaves by itself.
const MOVING: [&str; 4] = ["received", "approved", "queued", "issuing"];

/// Returns once intake has nothing under way: no application on its way to the examiners, the issuer or lifecycle,
/// and nothing to tell lifecycle of renewals. `now` is what the clock shows.
pub(super) async fn at_rest(store: &EngineStore, now: Timestamp) -> Result<(), CommandError> {
    let lost = |e: StoreError| CommandError::from_error("intake", &e);
    let mut changes = store.changes();
    loop {
        changes.mark_unchanged();
        let counts = store.counts().await.map_err(lost)?;
        let mut moving = counts.iter().filter(|(state, _)| MOVING.contains(state));
        if moving.all(|(_, count)| *count == 0)
            && store.renewals_due(1).await.map_err(lost)?.is_empty()
        {
            return Ok(());
        }
        match timeout(PATIENCE, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(CommandError::new("intake's store has gone")),
            Err(_) => {
                let counts: Vec<_> = counts.iter().filter(|(_, count)| *count > 0).collect();
                let message = format!("nothing moves at {now} any more: {counts:?}");
                return Err(CommandError::new(message));
            }
        }
    }
}
