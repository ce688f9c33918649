//! Opening and closing renewals. Like a revocation, each goes on to its end even if the caller
//! leaves meanwhile; what nobody heard of is asked for again.

use lgpki_domain::RevocationReason;
use lgpki_proto::Failure;

use super::App;
use crate::{
    metrics,
    ports::{LifecycleStore, RenewalClosing, RenewalEnd, RenewalOpening, RenewalOrder},
};

impl<S: LifecycleStore> App<S> {
    /// Opens renewals.
    pub(crate) async fn open_renewals(
        &self,
        orders: Vec<RenewalOrder>,
    ) -> Result<Vec<RenewalOpening>, Failure> {
        let (store, now) = (self.store.clone(), self.clock.now());
        let work = tokio::spawn(async move { store.open_renewals(orders, now).await });
        match work.await {
            Ok(openings) => Ok(openings?),
            Err(_) => Err(Failure::internal("opening renewals ended before its end")),
        }
    }

    /// Closes renewals; what is delivered is superseded.
    pub(crate) async fn close_renewals(
        &self,
        ends: Vec<RenewalEnd>,
    ) -> Result<Vec<RenewalClosing>, Failure> {
        let (store, now) = (self.store.clone(), self.clock.now());
        let work = tokio::spawn(async move { store.close_renewals(ends, now).await });
        let closings = match work.await {
            Ok(closings) => closings?,
            Err(_) => return Err(Failure::internal("closing renewals ended before its end")),
        };
        for closed in closings.iter().flatten() {
            // One that comes again tells of a revocation that was counted then.
            if closed.superseded_at == Some(now) {
                metrics::revoked(RevocationReason::Superseded);
            }
        }
        Ok(closings)
    }
}
