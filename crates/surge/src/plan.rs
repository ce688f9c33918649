//! The planner: what a capacity means, and which one it takes.

use lgpki_domain::{
    BusinessCalendar, Timestamp,
    estimate::Capacity,
    order::{Claim, OrderName},
};
use serde::Serialize;

use crate::{
    habit::Habit,
    population::Population,
    report::Report,
    simulation::{Outcome, simulate},
    trace::{Trace, Window},
};

/// Certificates signed in a second, where signing is of no account.
const AT_ONCE: u32 = 1_000_000;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When holders renew.
    pub habit: Habit,
    /// In which order applications are taken.
    pub order: OrderName,
    /// Applications examined in a business day.
    pub capacity: CapacityOf,
    /// Certificates signed in a second.
    pub signatures_per_second: u32,
    /// Branches with this part of the certificates ignore the slots that they are advised.
    pub ignoring_percent: u8,
    /// For everything that is drawn.
    pub seed: u64,
    /// Whether to look for the capacities that it takes; some twenty more simulations.
    pub search: bool,
}

/// Which capacity is asked for, in applications examined in a business day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CapacityOf {
    /// 1.2 times the mean daily load of the renewal window.
    #[default]
    Derived,
    /// This one.
    Given(u32),
    /// The least at which the offline optimum would let no certificate expire, if everybody came in the last two months.
    Least,
}

/// Where a capacity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityFrom {
    /// 1.2 times the mean daily load of the renewal window.
    Derived,
    /// It was given.
    Given,
    /// The least at which the offline optimum would let no certificate expire, if everybody came in the last two months.
    Least,
}

/// The capacities that it takes for the same applications in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The least at which in every week at most one of a hundred waits for more than a business day.
    pub within_a_day: u32,
    /// The least at which no certificate expires while its renewal waits.
    pub none_expires: u32,
}

/// A capacity, and what it is derived from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Basis {
    /// Applications examined in a business day.
    pub capacity_per_business_day: u32,
    /// Where that comes from.
    pub capacity_from: CapacityFrom,
    /// The renewal window: its first day.
    pub window_first: String,
    /// Its last day.
    pub window_last: String,
    /// Applications that fall due in it, renewals when the certificate expires.
    pub window_applications: u64,
    /// Its business days.
    pub window_business_days: u64,
}

impl Basis {
    /// Of these certificates; the seed is for those who come in the last two months.
    #[must_use]
    pub fn new(
        population: &Population,
        calendar: &BusinessCalendar,
        (wanted, seed): (CapacityOf, u64),
    ) -> Self {
        let window = Window::of(population, calendar);
        let (capacity, from) = match wanted {
            CapacityOf::Derived => (window.capacity(), CapacityFrom::Derived),
            CapacityOf::Given(capacity) => (capacity, CapacityFrom::Given),
            CapacityOf::Least => (
                least_for_all(population, calendar, seed),
                CapacityFrom::Least,
            ),
        };
        Self {
            capacity_per_business_day: capacity,
            capacity_from: from,
            window_first: window.first.to_string(),
            window_last: window.last.to_string(),
            window_applications: window.applications,
            window_business_days: window.business_days,
        }
    }
}

/// What a capacity means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Nothing of this was measured on a running system.
    pub simulated: bool,
    /// Whether the certificates are made up too.
    pub synthetic: bool,
    /// When holders renew.
    pub habit: &'static str,
    /// In which order applications are taken.
    pub order: &'static str,
    /// The capacity.
    #[serde(flatten)]
    pub basis: Basis,
    /// Certificates signed in a second.
    pub signatures_per_second: u32,
    /// The seed.
    pub seed: u64,
    /// Certificates beside their renewals.
    pub certificates: u64,
    /// What capacity it takes, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<Answer>,
    /// What comes of it.
    #[serde(flatten)]
    pub report: Report,
}

/// Simulates what is asked; `None` for a capacity of nothing.
#[must_use]
pub fn plan(
    population: &Population,
    calendar: &BusinessCalendar,
    settings: Settings,
) -> Option<Plan> {
    let basis = Basis::new(population, calendar, (settings.capacity, settings.seed));
    let per_day = basis.capacity_per_business_day;
    let slots = (per_day, settings.ignoring_percent, settings.seed);
    let trace = Trace::new(population, calendar, settings.habit, slots);
    let run = |per_day: u32| {
        let capacity = Capacity::try_new(per_day, settings.signatures_per_second)?;
        Some(simulate(&trace, calendar, capacity, settings.order))
    };
    let report = Report::new(&trace, &run(per_day)?, calendar);
    let takes = || {
        let fits = |per_day: u32, fits: &dyn Fn(&[Outcome]) -> bool| {
            run(per_day).is_some_and(|outcomes| fits(&outcomes))
        };
        let most = most_in_a_day(&trace);
        let in_a_day = |o: &[Outcome]| Report::new(&trace, o, calendar).is_within_a_day();
        let none_expires = |o: &[Outcome]| !o.iter().any(Outcome::lapsed);
        Answer {
            within_a_day: least(most, |n| fits(n, &in_a_day)),
            none_expires: least(most, |n| fits(n, &none_expires)),
        }
    };
    Some(Plan {
        simulated: true,
        synthetic: population.synthetic,
        habit: settings.habit.name(),
        order: settings.order.name(),
        basis,
        signatures_per_second: settings.signatures_per_second,
        seed: settings.seed,
        certificates: population.holdings.len() as u64,
        takes: settings.search.then(takes),
        report,
    })
}

/// The least capacity at which the optimum loses nobody who comes in the last two months.
fn least_for_all(population: &Population, calendar: &BusinessCalendar, seed: u64) -> u32 {
    // No capacity moves those who procrastinate.
    let trace = Trace::new(population, calendar, Habit::Procrastinate, (1, 0, seed));
    least(most_in_a_day(&trace), |per_day| {
        Capacity::try_new(per_day, AT_ONCE)
            .is_some_and(|capacity| optimum(&trace, calendar, capacity, None) == 0)
    })
}

/// How many certificates expire while their renewals wait, by `until`, in the order that loses fewest of them: for equal
/// jobs the earliest expiry first, the lapsed last. Who goes first it knows no sooner than any other order.
pub(crate) fn optimum(
    trace: &Trace,
    calendar: &BusinessCalendar,
    capacity: Capacity,
    until: Option<Timestamp>,
) -> u64 {
    let outcomes = simulate(trace, calendar, capacity, OrderName::EarliestExpiry);
    let is_lost = |outcome: &&Outcome| {
        let end = until.map_or(outcome.issued, |until| until.min(outcome.issued));
        matches!(outcome.claim, Claim::Renewal { expires } if expires <= end)
    };
    outcomes.iter().filter(is_lost).count() as u64
}

/// Most arrivals of a day: a capacity at which nobody waits for a business day and nothing expires waiting.
fn most_in_a_day(trace: &Trace) -> u32 {
    let days = trace.arrivals.chunk_by(|a, b| {
        a.waiting.received.jst_day_number() == b.waiting.received.jst_day_number()
    });
    let most = days.map(<[_]>::len).max().unwrap_or_default();
    u32::try_from(most).unwrap_or(u32::MAX).max(1)
}

/// The least number up to `most` that fits, where whatever is more fits too.
fn least(most: u32, fits: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, most);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}
