//! The three years of the sources, simulated: whether what is promised on receipt is kept.

use std::{
    collections::{BTreeMap, HashMap},
    iter::Peekable,
    sync::Arc,
};

use lgpki_domain::{
    ApplicationId, BusinessCalendar, CertificateKind, Digest, JstDate, Serial, Timestamp,
    application::{Sort, State},
    estimate::{Capacity, Promise},
    order::{Claim, OrderName, Waiting},
};
use lgpki_surge::{Arrival, Habit, Population, Settings, Trace, plan};

use super::{Expiring, forecast};
use crate::{
    pace::Pace,
    ports::Waits,
    store::{Claim as Laid, Record, RenewalOf, Trail, Waitlist},
};

/// Seen from far: a tenth of the sources.
const CERTIFICATES: u32 = 4_000;
const SEED: u64 = 1;
const HOUR: i64 = 3_600_000;

/// What was promised to one and became of it.
struct Kept {
    received: Timestamp,
    issued: Timestamp,
    promise: Promise,
    /// Business milliseconds.
    waited: i64,
    /// Business milliseconds outside of what was promised.
    off: i64,
    /// Business milliseconds from the beginning to the end of what was promised.
    width: i64,
}

fn record(waiting: &Waiting) -> Record {
    let serial = Serial::from_bytes(&[0x41; 16]).unwrap();
    let (sort, urgent, last_day) = match waiting.claim {
        Claim::EmergencyRevocation => (Sort::Revoke, true, None),
        Claim::Revocation => (Sort::Revoke, false, None),
        Claim::New => (Sort::Issue, false, None),
        Claim::Renewal { expires } => (Sort::Renew, false, Some(expires.jst_date().plus_days(-1))),
    };
    Record {
        branch: waiting.branch,
        sort,
        kind: CertificateKind::User,
        urgent,
        by_operator: false,
        received: 0,
        received_at: waiting.received,
        changed: 0,
        trail: Trail::default(),
        claim: Laid::Subject(Digest([0; 32])),
        certificate: None,
        renewal: last_day.map(|day| RenewalOf {
            serial,
            last_day: Some(day),
            needed: 1,
            closed: false,
        }),
        state: State::Examining {
            at: waiting.received,
            approved_by: Vec::new(),
            needed: 1,
        },
    }
}

/// The inventory as it stands: what is to be renewed by its last day, and for how much of it nobody applied.
struct Inventory(BTreeMap<JstDate, (u64, u64)>);

impl Inventory {
    fn change(&mut self, expires: Option<Timestamp>, change: impl Fn(&mut (u64, u64))) {
        let last_day = expires.map(|at| at.jst_date().plus_days(-1));
        if let Some(found) = last_day.and_then(|day| self.0.get_mut(&day)) {
            change(found);
        }
    }

    fn arrived(&mut self, arrival: &Arrival) {
        let renewal = matches!(arrival.waiting.claim, Claim::Renewal { .. });
        self.change(arrival.expires, |(all, missing)| {
            *missing = missing.saturating_sub(1);
            *all = all.saturating_sub(u64::from(!renewal));
        });
    }

    fn within_half_a_year(&self, now: Timestamp) -> Expiring {
        let today = now.jst_date();
        let span = self.0.range(today..=today.plus_months(6));
        span.map(|(day, counts)| (*day, *counts)).collect()
    }
}

/// The waiting list, and what it goes by.
struct Desk {
    list: Waitlist,
    inventory: Inventory,
    pace: Arc<Pace>,
    waiting: HashMap<ApplicationId, (Record, Option<Timestamp>, Promise)>,
    today: Option<JstDate>,
}

impl Desk {
    fn receive_until<'a>(
        &mut self,
        arrivals: &mut Peekable<impl Iterator<Item = &'a Arrival>>,
        until: Timestamp,
    ) {
        while let Some(arrival) = arrivals.next_if(|a| a.waiting.received <= until) {
            let at = arrival.waiting.received;
            if self.today != Some(at.jst_date()) {
                self.today = Some(at.jst_date());
                let expiring = self.inventory.within_half_a_year(at);
                self.pace.expect(forecast(&self.pace, at, &expiring));
            }
            self.inventory.arrived(arrival);
            let (id, record) = (arrival.waiting.id, record(&arrival.waiting));
            self.list.follow(id, &record, None, None);
            let place = self.list.places(&[Some((id, &record))], at)[0].unwrap();
            let promise = self.pace.examined(place, at);
            self.waiting.insert(id, (record, arrival.expires, promise));
        }
    }
}

/// Sends the trace through the waiting list, one examination after the other at an even pace.
fn rehearse(habit: Habit, order: OrderName) -> Vec<Kept> {
    let calendar = Arc::new(BusinessCalendar::default());
    let population = Population::synthetic(&calendar, CERTIFICATES, SEED);
    let settings = Settings {
        habit,
        order,
        capacity: lgpki_surge::CapacityOf::Derived,
        signatures_per_second: 100,
        ignoring_percent: 10,
        seed: SEED,
        search: false,
    };
    let per_day = plan(&population, &calendar, settings)
        .unwrap()
        .basis
        .capacity_per_business_day;
    let trace = Trace::new(&population, &calendar, habit, (per_day, 10, SEED));
    let capacity = Capacity::try_new(per_day, 100).unwrap();
    let pace = Arc::new(Pace::new(order, calendar.clone(), capacity));
    let mut list = Waitlist::default();
    list.arrange(pace.clone());
    let sizes: Vec<_> = trace
        .sizes
        .iter()
        .filter_map(|(b, n)| Some(((*b)?, *n)))
        .collect();
    list.weigh(&sizes);
    let to_renew = trace.expiring.iter();
    let inventory = Inventory(
        to_renew
            .map(|(at, n)| (at.jst_date().plus_days(-1), (*n, *n)))
            .collect(),
    );
    let mut desk = Desk {
        list,
        inventory,
        pace: pace.clone(),
        waiting: HashMap::new(),
        today: None,
    };
    let mut kept = Vec::new();
    let mut arrivals = trace.arrivals.iter().peekable();
    let estimator = pace.estimator();
    let (mut since, mut examined, mut free) =
        (Timestamp::from_millis(0), 0, Timestamp::from_millis(0));
    loop {
        if desk.waiting.is_empty() {
            let Some(next) = arrivals.peek() else {
                return kept;
            };
            since = free.max(next.waiting.received);
            (free, examined) = (since, 0);
        }
        let now = calendar.opening(free);
        desk.receive_until(&mut arrivals, now);
        let (_, next) = desk.list.to_examine(None, 1, now);
        let id = next[0];
        examined += 1;
        free = calendar.after(since, estimator.work(examined));
        // It waits until it is approved.
        desk.receive_until(&mut arrivals, free.plus_millis(-1));
        let (mut record, expires, promise) = desk.waiting.remove(&id).unwrap();
        record.state = State::Issuing {
            at: free,
            attempt: 1,
        };
        desk.list
            .follow(id, &record, Some(Waits::Examination), Some(free));
        if record.sort == Sort::Renew {
            desk.inventory
                .change(expires, |(all, _)| *all = all.saturating_sub(1));
        }
        let (received, issued) = (record.received_at, free.plus_millis(10));
        let Promise { earliest, latest } = promise;
        let between = |from, to| calendar.millis_between(from, to);
        kept.push(Kept {
            received,
            issued,
            promise,
            waited: between(received, issued),
            off: between(issued, earliest) + between(latest, issued),
            width: between(earliest, latest),
        });
    }
}

/// How many in a hundred.
fn percent(kept: &[Kept], of: impl Fn(&Kept) -> bool) -> usize {
    kept.iter().filter(|one| of(one)).count() * 100 / kept.len()
}

/// Those received while the opening's certificates were renewed.
fn at_the_peak(mut kept: Vec<Kept>) -> Vec<Kept> {
    let (first, last) = ("2010-12-27".parse().unwrap(), "2011-02-27".parse().unwrap());
    kept.retain(|one| (first..=last).contains(&one.received.jst_date()));
    assert!(kept.len() > 500);
    kept
}

fn held(kept: &Kept) -> bool {
    kept.issued <= kept.promise.latest
}

#[test]
fn in_the_order_of_receipt_what_is_promised_comes_true_at_its_time() {
    let kept = at_the_peak(rehearse(Habit::Procrastinate, OrderName::Fifo));
    assert!(kept.iter().any(|one| one.waited > 5 * 8 * HOUR), "a surge");
    let good = |one: &Kept| one.off <= (one.waited / 10).max(HOUR);
    assert!(percent(&kept, good) >= 95);
    assert!(
        kept.iter()
            .all(|one| one.promise.earliest == one.promise.latest)
    );
}

#[test]
fn in_the_fair_order_the_upper_end_holds_even_in_the_surge() {
    let kept = at_the_peak(rehearse(Habit::Procrastinate, OrderName::Fair));
    assert!(percent(&kept, held) >= 95);
}

#[test]
fn in_the_slots_the_upper_end_holds_and_is_near() {
    let kept = at_the_peak(rehearse(Habit::Slots, OrderName::Fair));
    assert!(percent(&kept, held) >= 95);
    let near = |one: &Kept| one.width <= 16 * HOUR;
    let near = percent(&kept, near);
    assert!(near >= 95, "{near} in a hundred within two business days");
}
