//! What the store tells of itself in its log.

use std::{future::Future, sync::Arc};

use lgpki_domain::Clock;
use lgpki_store::Rhythm;

use crate::error::StoreError;

/// A store that tells in its log what it has counted.
pub trait HeartbeatStore: Send + Sync + 'static {
    /// Records heartbeats by the clock, if any are wanted; returns only when the store has ended.
    fn keep_heartbeats(
        &self,
        clock: Arc<dyn Clock>,
        rhythm: Option<Rhythm>,
    ) -> impl Future<Output = StoreError> + Send;
}
