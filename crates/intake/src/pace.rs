//! How fast what waits is worked off: the examiners' hours and stated capacity, the issuer's measured
//! rate, and what the inventory lets expect. Shared by the store, whose order depends on what would
//! expire, and by the estimates. Nothing of it is durable.

mod leg;

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering},
};

use lgpki_domain::{
    BusinessCalendar, JstDate, Timestamp,
    estimate::{Capacity, Estimator, Promise},
    order::OrderName,
};
use parking_lot::RwLock;

pub use self::leg::Leg;
use crate::ports::{Place, Waits};

/// Batches of fewer orders say little of the issuer's rate.
const TELLING: usize = 16;

/// While nothing is at risk, every second turn of renewals goes to the one received first, and three turns in
/// ten at most go to what is not a renewal or is overdue: so much later than first come, first served.
const OVERTAKEN: u64 = 3;

/// The government offices' calendar; it takes a while to compute.
static CALENDAR: LazyLock<Arc<BusinessCalendar>> =
    LazyLock::new(|| Arc::new(BusinessCalendar::default()));

/// What the inventory lets expect, found once a day.
#[derive(Clone, Debug, Default)]
pub struct Forecast {
    /// Renewals of what expires until then would expire before their turn.
    pub at_risk_until: Option<Timestamp>,
    /// Applications that will come, by day, in order.
    pub arrivals: Vec<(JstDate, u64)>,
}

/// The pace.
#[derive(Debug)]
pub struct Pace {
    order: OrderName,
    calendar: Arc<BusinessCalendar>,
    capacity: Capacity,
    /// Signatures a second as measured; 0 while nothing was.
    signing: AtomicU32,
    issuing: Leg,
    opening: Leg,
    /// [`Forecast::at_risk_until`] in milliseconds; the least number for none.
    at_risk: AtomicI64,
    arrivals: RwLock<Arc<[(JstDate, u64)]>>,
    examination: AtomicUsize,
    issue: AtomicUsize,
    /// For when all will be clear that waited at a second: it is asked for by one after the other.
    clear: RwLock<Option<(i64, u64, Timestamp)>>,
}

/// The fair order, the usual hours and the default capacity.
impl Default for Pace {
    fn default() -> Self {
        Self::usual(OrderName::Fair, Capacity::default())
    }
}

impl Pace {
    /// With this order, calendar and stated capacity; its signing rate holds until one is measured.
    #[must_use]
    pub fn new(order: OrderName, calendar: Arc<BusinessCalendar>, capacity: Capacity) -> Self {
        Self {
            order,
            calendar,
            capacity,
            signing: AtomicU32::new(0),
            issuing: Leg::default(),
            opening: Leg::default(),
            at_risk: AtomicI64::new(i64::MIN),
            arrivals: RwLock::new(Arc::from([])),
            examination: AtomicUsize::new(0),
            issue: AtomicUsize::new(0),
            clear: RwLock::new(None),
        }
    }

    /// The same with the usual hours.
    #[must_use]
    pub fn usual(order: OrderName, capacity: Capacity) -> Self {
        Self::new(order, CALENDAR.clone(), capacity)
    }

    /// The order of the queues.
    #[must_use]
    pub const fn order(&self) -> OrderName {
        self.order
    }

    /// The examiners' calendar.
    #[must_use]
    pub fn calendar(&self) -> &BusinessCalendar {
        &self.calendar
    }

    /// The capacity, with the signing rate as measured.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        match self.signing.load(Ordering::Relaxed) {
            0 => self.capacity,
            measured => self.capacity.signing(measured),
        }
    }

    /// Estimates by all this.
    #[must_use]
    pub fn estimator(&self) -> Estimator<'_> {
        Estimator::new(&self.calendar, self.capacity())
    }

    /// A batch on its way to the issuer and back.
    #[must_use]
    pub const fn issuing(&self) -> &Leg {
        &self.issuing
    }

    /// Renewals on their way to lifecycle, which opens them, and back.
    #[must_use]
    pub const fn opening(&self) -> &Leg {
        &self.opening
    }

    /// Notes that the issuer answered so many orders in so many milliseconds, while as many batches
    /// were really under way.
    pub fn note_signed(&self, orders: usize, millis: i64, parallel: usize) {
        if orders < TELLING || millis <= 0 {
            return;
        }
        let orders = i64::try_from(orders.saturating_mul(parallel.max(1))).unwrap_or(i64::MAX);
        let rate = u32::try_from(orders.saturating_mul(1000) / millis).unwrap_or(u32::MAX);
        let before = self.signing.load(Ordering::Relaxed);
        // An eighth of the newest; two that come together may lose one.
        let after = match before {
            0 => rate,
            before => before - before / 8 + rate / 8,
        };
        self.signing.store(after.max(1), Ordering::Relaxed);
    }

    /// Takes over what the inventory lets expect.
    pub fn expect(&self, forecast: Forecast) {
        let until = forecast
            .at_risk_until
            .map_or(i64::MIN, Timestamp::as_millis);
        self.at_risk.store(until, Ordering::Relaxed);
        *self.arrivals.write() = forecast.arrivals.into();
        *self.clear.write() = None;
    }

    /// Notes how long a queue is.
    pub(crate) fn note_length(&self, queue: Waits, waiting: usize) {
        self.length_of(queue).store(waiting, Ordering::Relaxed);
    }

    /// How many wait in a queue.
    #[must_use]
    pub fn length(&self, queue: Waits) -> u64 {
        let waiting = self.length_of(queue).load(Ordering::Relaxed);
        u64::try_from(waiting).unwrap_or(u64::MAX)
    }

    const fn length_of(&self, queue: Waits) -> &AtomicUsize {
        match queue {
            Waits::Examination => &self.examination,
            Waits::Issue => &self.issue,
        }
    }

    /// Renewals of what expires until then would expire before their turn in a queue of this length: by
    /// the forecast, or because the queue as it is takes longer.
    pub(crate) fn at_risk_until(
        &self,
        queue: Waits,
        waiting: usize,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.order != OrderName::Fair {
            return None;
        }
        let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
        match queue {
            Waits::Examination => {
                let forecast = match self.at_risk.load(Ordering::Relaxed) {
                    i64::MIN => None,
                    millis => Some(Timestamp::from_millis(millis)),
                };
                forecast.max(Some(self.estimator().issued(now, waiting)))
            }
            Waits::Issue => Some(self.estimator().all_signed(now, waiting)),
        }
    }

    /// When what has this place among the examinations will be issued.
    #[must_use]
    pub fn examined(&self, place: Place, now: Timestamp) -> Promise {
        let estimator = self.estimator();
        let earliest = estimator.issued(now, place.ahead);
        if self.order == OrderName::Fifo {
            return Promise {
                earliest,
                latest: earliest,
            };
        }
        let clear = self.clears(place.waiting, now);
        let nothing_is_at_risk = self.at_risk.load(Ordering::Relaxed) == i64::MIN;
        let latest = if self.order == OrderName::Fair && nothing_is_at_risk {
            clear.min(estimator.issued(now, place.waiting.saturating_mul(OVERTAKEN)))
        } else {
            clear
        };
        Promise {
            earliest,
            latest: latest.max(earliest),
        }
    }

    /// When what waits for the issuer, or is there, will be issued: not before it was signed, if all goes well;
    /// not after the answer is recorded, if what is put off fails once more.
    #[must_use]
    pub fn signed(&self, now: Timestamp) -> Promise {
        self.signed_from(now, now)
    }

    /// The same for a renewal that lifecycle must open first.
    #[must_use]
    pub fn opened(&self, now: Timestamp) -> Promise {
        let opened = self.opening.begins(now).plus_millis(self.opening.lasts());
        self.signed_from(now, opened)
    }

    /// For what waits for the issuer by `from`.
    fn signed_from(&self, now: Timestamp, from: Timestamp) -> Promise {
        let estimator = self.estimator();
        let all = self.length(Waits::Issue).saturating_add(1);
        let first = if self.order == OrderName::Fifo {
            all
        } else {
            1
        };
        let begins = self.issuing.begins(from);
        let signed = estimator.all_signed(begins, all);
        Promise {
            earliest: estimator.all_signed(now, first),
            latest: signed.plus_millis(self.issuing.lasts()),
        }
    }

    /// When all that waits for an examiner, and what will come until then, will have been issued.
    fn clears(&self, waiting: u64, now: Timestamp) -> Timestamp {
        let second = now.as_seconds();
        if let Some((at, of, clear)) = *self.clear.read()
            && at == second
            && of == waiting
        {
            return clear;
        }
        let arrivals = self.arrivals.read().clone();
        let estimator = self.estimator();
        let at_hand = arrivals.iter().copied();
        let clear = estimator.promise(now, (waiting, waiting), at_hand).latest;
        *self.clear.write() = Some((second, waiting, clear));
        clear
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pace() -> Pace {
        // A signature a millisecond.
        Pace::usual(OrderName::Fair, Capacity::try_new(240, 1_000).unwrap())
    }

    #[test]
    fn what_is_issued_at_once_is_promised_after_a_batch_as_they_take() {
        let (pace, now) = (pace(), Timestamp::from_millis(1_000_000));
        for _ in 0..100 {
            pace.issuing().done(40);
        }
        let Promise { earliest, latest } = pace.signed(now);
        assert_eq!(earliest, now.plus_millis(1));
        assert_eq!(latest, now.plus_millis(1 + 2 * 40));
    }

    #[test]
    fn an_issuer_or_a_lifecycle_that_is_away_is_no_promise_for_the_next_moment() {
        let (pace, now) = (pace(), Timestamp::from_millis(1_000_000));
        for _ in 0..100 {
            pace.issuing().done(0);
            pace.opening().done(0);
        }
        assert_eq!(pace.signed(now), pace.opened(now));
        pace.opening()
            .put_off(now.plus_seconds(10), Duration::from_secs(10));
        assert_eq!(pace.signed(now).latest, now.plus_millis(1));
        assert_eq!(pace.opened(now).latest, now.plus_millis(30_001));
        pace.issuing()
            .put_off(now.plus_seconds(60), Duration::from_mins(1));
        assert_eq!(pace.signed(now).latest, now.plus_millis(180_001));
        assert_eq!(pace.signed(now).earliest, now.plus_millis(1));
        pace.issuing().done(0);
        assert_eq!(pace.signed(now).latest, now.plus_millis(1));
    }
}
