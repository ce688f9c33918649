//! What the store has counted, as entries of its log.

use std::sync::Arc;

use lgpki_domain::Clock;
use lgpki_store::Rhythm;

use super::{EngineStore, event::INTAKE};
use crate::{error::StoreError, ports::HeartbeatStore};

impl HeartbeatStore for EngineStore {
    async fn keep_heartbeats(&self, clock: Arc<dyn Clock>, rhythm: Option<Rhythm>) -> StoreError {
        let kept = self.engine.keep_heartbeats(clock, rhythm, INTAKE);
        kept.await.into()
    }
}
