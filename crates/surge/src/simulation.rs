//! The examiners' queue, event by event: one application after the other at an even pace in business hours, then the
//! issuer's signature.

use lgpki_domain::{
    BodyCode, BusinessCalendar, JstDate, Timestamp,
    estimate::{Capacity, Estimator},
    order::{Claim, FairRules, OrderName, Queue},
};

use crate::trace::{Arrival, Trace};

/// What became of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whose it was.
    pub branch: Option<BodyCode>,
    /// What it waited for.
    pub claim: Claim,
    /// When it was received.
    pub received: Timestamp,
    /// When its certificate was signed, or its revocation was decided.
    pub issued: Timestamp,
    /// Business milliseconds in between.
    pub waited: i64,
}

impl Outcome {
    /// Whether the certificate to be renewed expired while the application waited.
    #[must_use]
    pub fn lapsed(&self) -> bool {
        matches!(self.claim, Claim::Renewal { expires } if expires <= self.issued)
    }
}

/// Sends all applications through the queue; it runs on after the last has arrived until nobody waits. In the order of
/// issue.
#[must_use]
pub fn simulate(
    trace: &Trace,
    calendar: &BusinessCalendar,
    capacity: Capacity,
    order: OrderName,
) -> Vec<Outcome> {
    let rules = FairRules::default();
    let mut queue = Queue::new(order, rules);
    for (branch, certificates) in &trace.sizes {
        queue.weigh(*branch, *certificates);
    }
    let estimator = Estimator::new(calendar, capacity);
    let mut forecast = Forecast::new(
        trace,
        others_percent(trace, calendar, capacity).min(rules.reserve_percent),
    );
    let mut signer = Signer::new(capacity);
    let mut arrivals = trace.arrivals.iter().peekable();
    let mut outcomes = Vec::with_capacity(trace.arrivals.len());
    // Since when the examiners have been busy, and how many they have examined since; a sum of rounded times would run
    // away from the capacity.
    let (mut since, mut examined) = (Timestamp::from_millis(i64::MIN), 0);
    let mut free = since;
    loop {
        if queue.is_empty() {
            let Some(next) = arrivals.peek() else {
                break;
            };
            since = free.max(next.waiting.received);
            (free, examined) = (since, 0);
        }
        let now = calendar.opening(free);
        while let Some(arrival) = arrivals.next_if(|a| a.waiting.received <= now) {
            queue.insert(arrival.waiting);
            forecast.arrived(arrival.waiting.claim, arrival.expires);
        }
        let at_risk = match order {
            OrderName::Fair => {
                // By the forecast, or because the queue as it is takes longer.
                let clear = estimator.issued(now, queue.len() as u64);
                forecast.at_risk_until(now, &estimator).max(Some(clear))
            }
            _ => None,
        };
        let Some(taken) = queue.take(now, at_risk) else {
            break;
        };
        examined += 1;
        free = calendar.after(since, estimator.work(examined));
        forecast.examined(taken.claim);
        let issued = match taken.claim {
            Claim::New | Claim::Renewal { .. } => signer.sign(free),
            Claim::Revocation | Claim::EmergencyRevocation => free,
        };
        outcomes.push(Outcome {
            branch: taken.branch,
            claim: taken.claim,
            received: taken.received,
            issued,
            waited: calendar.millis_between(taken.received, issued),
        });
    }
    outcomes
}

/// The part of the capacity that applications without a date take on the whole, rounded up.
fn others_percent(trace: &Trace, calendar: &BusinessCalendar, capacity: Capacity) -> u8 {
    let received = |arrival: &Arrival| arrival.waiting.received.jst_date();
    let (Some(first), Some(last)) = (trace.arrivals.first(), trace.arrivals.last()) else {
        return 0;
    };
    let days = calendar
        .business_days(received(first), received(last))
        .len() as u64;
    let undated = trace
        .arrivals
        .iter()
        .filter(|a| a.waiting.expires().is_none());
    let all = days.max(1) * u64::from(capacity.per_business_day());
    u8::try_from((undated.count() as u64 * 100).div_ceil(all)).unwrap_or(100)
}

/// What is still to be renewed by when, as an inventory shows it, and what follows for today.
struct Forecast {
    expiring: std::collections::BTreeMap<Timestamp, u64>,
    others_percent: u8,
    day: Option<JstDate>,
    at_risk: Option<Timestamp>,
}

impl Forecast {
    fn new(trace: &Trace, others_percent: u8) -> Self {
        Self {
            expiring: trace.expiring.clone(),
            others_percent,
            day: None,
            at_risk: None,
        }
    }

    /// A revoked certificate needs no renewal.
    fn arrived(&mut self, claim: Claim, expires: Option<Timestamp>) {
        if matches!(claim, Claim::Revocation | Claim::EmergencyRevocation) {
            self.done(expires);
        }
    }

    fn examined(&mut self, claim: Claim) {
        if let Claim::Renewal { expires } = claim {
            self.done(Some(expires));
        }
    }

    fn done(&mut self, expires: Option<Timestamp>) {
        if let Some(left) = expires.and_then(|expires| self.expiring.get_mut(&expires)) {
            *left = left.saturating_sub(1);
        }
    }

    /// Found once a day, from what may be renewed within six months.
    fn at_risk_until(&mut self, now: Timestamp, estimator: &Estimator<'_>) -> Option<Timestamp> {
        let today = now.jst_date();
        if self.day != Some(today) {
            self.day = Some(today);
            let until = today.plus_months(6).start();
            let expiring = self.expiring.range(now..=until).map(|(at, n)| (*at, *n));
            self.at_risk = estimator.at_risk_until(now, expiring, self.others_percent);
        }
        self.at_risk
    }
}

/// The issuer: one signature after the other, day and night, in microseconds.
struct Signer {
    each: i64,
    free: i64,
}

impl Signer {
    fn new(capacity: Capacity) -> Self {
        Self {
            each: 1_000_000 / i64::from(capacity.signatures_per_second()).max(1),
            free: i64::MIN,
        }
    }

    fn sign(&mut self, examined: Timestamp) -> Timestamp {
        self.free = self.free.max(examined.as_millis() * 1000) + self.each;
        Timestamp::from_millis(self.free.div_euclid(1000))
    }
}
