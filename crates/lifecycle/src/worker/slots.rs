//! Books renewal slots: a round at each start, and one a day, soon after midnight in Japan.
//!
//! The plan is pure (`domain::slots::Round`) and made beside the writer, of what was seen a stretch at a time;
//! the store looks at each move again. A round that breaks off anywhere is made up for by the next, which finds
//! those without a slot. Nothing is booked when a certificate is issued, so that issuing costs nothing for it.

use std::{collections::BTreeMap, sync::Arc};

use lgpki_domain::{
    Clock, JstDate, Serial, Timestamp,
    slots::{Move, Plan, Round, Standing},
};
use lgpki_runtime::shutdown::Shutdown;
use tokio::{sync::watch, task::spawn_blocking};

use crate::{
    config::SlotSettings,
    error::{LifecycleError, StoreError},
    metrics,
    ports::{LifecycleStore, RenewableQuery, SlotOrder},
};

/// Seconds after midnight at which a round is held: what arrived in the last seconds of a day is known then.
const AFTER_MIDNIGHT: i64 = 300;
/// Certificates in one look at the inventory.
const LOOK: usize = 10_000;
/// Moves in one order: nobody else is served while they are recorded.
const ORDER: usize = 250;

/// What is forecast to come without a slot on each day, in hundredths of an application.
pub(crate) type Forecast = Arc<BTreeMap<JstDate, u64>>;

/// The worker.
#[derive(Debug)]
pub(crate) struct Booker<S> {
    pub(crate) store: S,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<SlotSettings>,
    /// What the last round expected.
    pub(crate) forecast: watch::Sender<Forecast>,
}

impl<S: LifecycleStore> Booker<S> {
    /// Works until `shutdown`; returns an error only if the store fails.
    pub(crate) async fn run(self, shutdown: Shutdown) -> Result<(), LifecycleError> {
        if !self.settings.are_booked() {
            shutdown.requested().await;
            return Ok(());
        }
        tokio::select! {
            failed = self.book_daily() => failed,
            () = shutdown.requested() => Ok(()),
        }
    }

    async fn book_daily(&self) -> Result<(), LifecycleError> {
        loop {
            let now = self.clock.now();
            self.round(now).await?;
            let mut next = next_round(now);
            // A clock that was set back has another midnight before this one.
            while self.clock.now() < next {
                self.clock.sleep_until(next).await;
                next = next.min(next_round(self.clock.now()));
            }
        }
    }

    /// Holds a round.
    pub(crate) async fn round(&self, now: Timestamp) -> Result<(), LifecycleError> {
        let rules = self.settings.rules;
        let before = self.store.slot_capacity().await?;
        let capacity = Some(rules.per_business_day);
        let round = Round {
            today: now.jst_date(),
            lead_days: self.settings.lead_days,
            unadvised: self.settings.unadvised,
            capacity_changed: before.is_some() && before != capacity,
        };
        let standing = self.standing(&round, now).await?;
        let calendar = self.settings.calendar.clone();
        let planned = spawn_blocking(move || round.plan(calendar, rules, &standing));
        let Plan {
            mut moves,
            forecast,
        } = planned.await.map_err(|_| StoreError::NoAnswer)?;
        self.forecast.send_replace(Arc::new(forecast));
        moves.extend(self.lapsed(now).await?);
        let mut orders: Vec<_> = moves
            .chunks(ORDER)
            .map(|moves| SlotOrder {
                moves: moves.to_vec(),
                per_business_day: None,
            })
            .collect();
        // The last of all: a round that broke off is held again for the other capacity.
        if before != capacity {
            orders.push(SlotOrder {
                moves: Vec::new(),
                per_business_day: capacity,
            });
        }
        for order in orders {
            let booking = self.store.book_slots(order, now).await?;
            metrics::slots(booking);
        }
        Ok(())
    }

    /// Every certificate that may be renewed, is not being renewed, and has a slot or soon needs one.
    async fn standing(
        &self,
        round: &Round,
        now: Timestamp,
    ) -> Result<Vec<Standing<Serial>>, StoreError> {
        let query = RenewableQuery {
            branch: None,
            slot_day: None,
            opens_by: round.horizon(),
            now,
        };
        let mut standing = Vec::new();
        let mut after = None;
        loop {
            let (found, next) = self.store.renewables(query, after, LOOK).await?;
            let waiting = found.iter().filter(|one| !one.renewing);
            standing.extend(waiting.map(crate::ports::Renewable::standing));
            after = next;
            if after.is_none() {
                return Ok(standing);
            }
        }
    }

    /// What expired with a slot behind it, and never came.
    async fn lapsed(&self, now: Timestamp) -> Result<Vec<Move<Serial>>, StoreError> {
        let passed = self.store.slots_before(now.jst_date()).await?;
        let lapsed = passed.into_iter().filter(|one| !one.is_renewable(now));
        let lapsed = lapsed.map(|one| Move {
            certificate: one.serial,
            from: one.slot,
            to: None,
            missed: true,
        });
        Ok(lapsed.collect())
    }
}

/// When the next round is held.
fn next_round(now: Timestamp) -> Timestamp {
    let round = |day: JstDate| day.start().plus_seconds(AFTER_MIDNIGHT);
    let today = round(now.jst_date());
    if now < today {
        today
    } else {
        round(now.jst_date().plus_days(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn a_round_comes_once_a_day_soon_after_midnight() {
        let midnight = at("2010-08-03T00:00:00");
        assert_eq!(next_round(midnight), at("2010-08-03T00:05:00"));
        for now in ["2010-08-03T00:05:00", "2010-08-03T23:59:59.999"] {
            assert_eq!(next_round(at(now)), at("2010-08-04T00:05:00"), "{now}");
        }
    }
}
