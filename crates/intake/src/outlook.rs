//! What the inventory lets expect of the queues, found once a day: until which expiry renewals are at
//! risk, how many applications will come, and what the branches hold.

use std::{collections::BTreeMap, sync::Arc};

use lgpki_domain::{BusinessCalendar, Clock, JstDate, RenewalWindow, Timestamp, order::FairRules};

use crate::{
    error::StoreError,
    pace::{Forecast, Pace},
    ports::QueueStore,
    standings::{Progress, Standings},
};

/// How far a renewal may be ahead of its expiry (R2).
const MONTHS: i32 = 6;
/// What of the examiners' capacity new applications and revocations are taken to need (X).
const UNDATED_PERCENT: u64 = 10;

/// Looks ahead once a day, from when the standings have caught up.
pub(crate) async fn look_ahead<S: QueueStore>(
    store: Arc<S>,
    standings: Arc<Standings>,
    pace: Arc<Pace>,
    clock: Arc<dyn Clock>,
) -> Result<(), StoreError> {
    let mut progress = standings.watch();
    if progress.wait_for(Progress::is_complete).await.is_err() {
        return Ok(());
    }
    loop {
        let now = clock.now();
        let known = standings.clone();
        let found = tokio::task::spawn_blocking(move || {
            let until = now.jst_date().plus_months(MONTHS);
            (known.to_be_renewed(now, until), known.holdings())
        });
        if let Ok((expiring, holdings)) = found.await {
            pace.expect(forecast(&pace, now, &expiring));
            store.weigh(holdings).await?;
        }
        let tomorrow = clock.now().jst_date().plus_days(1).start();
        clock.sleep_until(tomorrow).await;
    }
}

/// Certificates by their last day: all that will need renewal, and of them those for which no application
/// has come yet.
type Expiring = BTreeMap<JstDate, (u64, u64)>;

fn forecast(pace: &Pace, now: Timestamp, expiring: &Expiring) -> Forecast {
    let demand = expiring
        .iter()
        .map(|(last_day, (all, _))| (last_day.plus_days(1).start(), *all));
    let reserve = FairRules::default().reserve_percent;
    Forecast {
        at_risk_until: pace.estimator().at_risk_until(now, demand, reserve),
        arrivals: arrivals(pace, now.jst_date(), expiring),
    }
}

/// Renewals are taken to come evenly over the days that are left for each, and the rest by business day.
fn arrivals(pace: &Pace, today: JstDate, expiring: &Expiring) -> Vec<(JstDate, u64)> {
    let last = today.plus_months(MONTHS);
    let days = usize::try_from(last.number() - today.number()).unwrap_or_default() + 1;
    // By how many thousandths the daily number changes on each day.
    let mut changes = vec![0_i64; days + 1];
    for (last_day, (_, missing)) in expiring {
        let opens = RenewalWindow::of(*last_day).opens().max(today);
        let from = usize::try_from(opens.number() - today.number()).unwrap_or(days);
        let to = usize::try_from(last_day.number() - today.number() + 1).unwrap_or_default();
        let (from, to) = (from.min(days), to.min(days));
        if from < to {
            let span = i64::try_from(to - from).unwrap_or(i64::MAX);
            let daily = i64::try_from(*missing)
                .unwrap_or(i64::MAX)
                .saturating_mul(1000)
                / span;
            changes[from] += daily;
            changes[to] -= daily;
        }
    }
    let undated = u64::from(pace.capacity().per_business_day()) * UNDATED_PERCENT / 100;
    in_whole(today, &changes[..days], pace.calendar(), undated)
}

/// Whole applications by day, of thousandths that add up.
fn in_whole(
    today: JstDate,
    changes: &[i64],
    calendar: &BusinessCalendar,
    undated: u64,
) -> Vec<(JstDate, u64)> {
    let (mut daily, mut owed) = (0_i64, 0_i64);
    let mut arrivals = Vec::with_capacity(changes.len());
    let mut day = today;
    for change in changes {
        daily += change;
        owed += daily;
        let mut count = u64::try_from(owed / 1000).unwrap_or_default();
        owed %= 1000;
        if calendar.is_business_day(day) {
            count += undated;
        }
        arrivals.push((day, count));
        day = day.plus_days(1);
    }
    arrivals
}

#[cfg(test)]
mod rehearsal;

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> JstDate {
        text.parse().unwrap()
    }

    #[test]
    fn renewals_come_evenly_over_the_days_that_are_left() {
        let pace = Pace::default();
        let today = day("2011-01-31");
        let expiring: Expiring =
            [(day("2011-02-09"), (50, 30)), (day("2011-02-03"), (4, 4))].into();
        let arrivals = arrivals(&pace, today, &expiring);
        let sum = |until: &str| -> u64 {
            let until = day(until);
            arrivals
                .iter()
                .take_while(|(d, _)| *d <= until)
                .map(|(_, n)| n)
                .sum()
        };
        // Three a day over ten days, one a day over four; 24 others on each business day.
        assert_eq!(arrivals[0], (today, 3 + 1 + 24));
        assert_eq!(sum("2011-02-03"), 12 + 4 + 4 * 24);
        assert_eq!(sum("2011-02-09"), 30 + 4 + 8 * 24);
        assert_eq!(arrivals.last().unwrap().0, day("2011-07-31"));
    }

    #[test]
    fn a_surge_in_the_inventory_is_seen_before_anybody_applied() {
        let pace = Pace::default();
        let now = day("2011-01-04").start();
        let quiet = forecast(&pace, now, &[(day("2011-02-03"), (200, 200))].into());
        assert_eq!(quiet.at_risk_until, None);
        // 21 business days at 240, of which a fifth is not for renewals.
        let surge = forecast(&pace, now, &[(day("2011-02-03"), (9_000, 9_000))].into());
        assert_eq!(surge.at_risk_until, Some(day("2011-02-04").start()));
        assert!(surge.arrivals.iter().map(|(_, n)| n).sum::<u64>() >= 9_000);
    }
}
