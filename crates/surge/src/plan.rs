//! The planner: what a capacity means, and which one it takes.

use lgpki_domain::{BusinessCalendar, estimate::Capacity, order::OrderName};
use serde::Serialize;

use crate::{
    habit::Habit,
    population::Population,
    report::Report,
    simulation::{Outcome, simulate},
    trace::{Trace, Window},
};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When holders renew.
    pub habit: Habit,
    /// In which order applications are taken.
    pub order: OrderName,
    /// Applications examined in a business day; derived from the load if not given.
    pub capacity: Option<u32>,
    /// Certificates signed in a second.
    pub signatures_per_second: u32,
    /// Branches with this part of the certificates ignore the slots that they are advised.
    pub ignoring_percent: u8,
    /// For everything that is drawn.
    pub seed: u64,
    /// Whether to look for the capacities that it takes; some twenty more simulations.
    pub search: bool,
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
    /// Whether that was derived: 1.2 times the mean of the renewal window.
    pub capacity_is_derived: bool,
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
    /// Of these certificates; the capacity is derived if none is given.
    #[must_use]
    pub fn new(population: &Population, calendar: &BusinessCalendar, given: Option<u32>) -> Self {
        let window = Window::of(population, calendar);
        Self {
            capacity_per_business_day: given.unwrap_or_else(|| window.capacity()),
            capacity_is_derived: given.is_none(),
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
    let basis = Basis::new(population, calendar, settings.capacity);
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
