//! What the three years show, for seeds that are fixed: the surge of the sources, and what absorbs it.

use std::sync::LazyLock;

use lgpki_domain::{BusinessCalendar, order::OrderName};

use crate::{CapacityFrom, CapacityOf, Habit, Plan, Population, Settings, Trace, Week, plan};

static CALENDAR: LazyLock<BusinessCalendar> = LazyLock::new(BusinessCalendar::default);

const CERTIFICATES: u32 = 40_000;
const SEEDS: [u64; 2] = [1, 3];

fn settings(habit: Habit, order: OrderName, seed: u64) -> Settings {
    Settings {
        habit,
        order,
        capacity: CapacityOf::Derived,
        signatures_per_second: 100,
        ignoring_percent: 10,
        seed,
        search: false,
    }
}

fn run(population: &Population, habit: Habit, order: OrderName, seed: u64) -> Plan {
    plan(population, &CALENDAR, settings(habit, order, seed)).unwrap()
}

fn weeks<'p>(plan: &'p Plan, first: &'p str, last: &'p str) -> impl Iterator<Item = &'p Week> {
    let weeks = plan.report.weeks.iter();
    weeks.filter(move |week| first <= week.week.as_str() && week.week.as_str() <= last)
}

/// Business days.
fn longest(plan: &Plan, of: fn(&Week) -> f64, first: &str, last: &str) -> f64 {
    let waits = weeks(plan, first, last).map(of).fold(0.0, f64::max);
    waits / plan.report.business_hours_per_day
}

#[test]
fn who_procrastinates_waits_for_more_than_a_week_in_the_order_of_arrival() {
    for seed in SEEDS {
        let population = Population::synthetic(&CALENDAR, CERTIFICATES, seed);
        let plan = run(&population, Habit::Procrastinate, OrderName::Fifo, seed);
        assert_eq!(
            (
                plan.basis.window_first.as_str(),
                plan.basis.window_last.as_str()
            ),
            ("2010-08-01", "2011-02-28")
        );
        assert_eq!(plan.basis.window_business_days, 139);
        let p50 = |week: &Week| week.wait_business_hours.p50;
        assert!(longest(&plan, p50, "2011-W01", "2011-W09") > 5.0);
        // The same capacity keeps the steady years within a day.
        let p99 = |week: &Week| week.wait_business_hours.p99;
        assert!(longest(&plan, p99, "2008-W10", "2010-W51") <= 1.0);
    }
}

#[test]
fn in_the_slots_that_are_advised_nobody_waits_for_more_than_a_day() {
    for seed in SEEDS {
        let population = Population::synthetic(&CALENDAR, CERTIFICATES, seed);
        let plan = run(&population, Habit::Slots, OrderName::Fair, seed);
        assert!(plan.report.is_within_a_day());
        assert_eq!(plan.report.totals.expired_waiting, 0);
        // At most 1.2 times the mean of the window, in whole numbers.
        let busiest = plan.report.totals.busiest_week_per_business_day;
        let mean = f64::from(u32::try_from(plan.basis.window_applications).unwrap()) / 139.0;
        assert!(busiest <= 1.2 * mean, "{busiest} of {mean}");
    }
}

#[test]
fn the_fair_order_loses_hardly_more_than_the_optimum_and_villages_fare_no_worse_than_cities() {
    for seed in SEEDS {
        let population = Population::synthetic(&CALENDAR, CERTIFICATES, seed);
        let lost = |order| {
            let plan = run(&population, Habit::Procrastinate, order, seed);
            (plan.report.totals.expired_waiting, plan.report.fairness)
        };
        let (optimum, _) = lost(OrderName::EarliestExpiry);
        let (fair, fairness) = lost(OrderName::Fair);
        assert!(
            optimum > 0 && fair * 10 <= optimum * 11,
            "{fair} of {optimum}"
        );
        for order in [OrderName::Fifo, OrderName::FifoPassing] {
            assert!(lost(order).0 > fair, "{order:?}");
        }
        assert!(
            fairness.smallest.p99 <= fairness.largest.p99,
            "{fairness:?}"
        );
        assert_eq!(fairness.branches, 174);
    }
}

#[test]
fn where_nobody_need_lose_the_fair_order_loses_one_in_a_hundred_at_most() {
    let seed = SEEDS[0];
    let population = Population::synthetic(&CALENDAR, CERTIFICATES, seed);
    let ask = |order, capacity, search| {
        let settings = Settings {
            capacity,
            search,
            ..settings(Habit::Procrastinate, order, seed)
        };
        plan(&population, &CALENDAR, settings).unwrap()
    };
    let least = ask(OrderName::EarliestExpiry, CapacityOf::Derived, true)
        .takes
        .unwrap()
        .none_expires;
    let lost = |capacity| {
        ask(
            OrderName::EarliestExpiry,
            CapacityOf::Given(capacity),
            false,
        )
        .report
        .totals
        .expired_waiting
    };
    assert_eq!(lost(least), 0);
    assert!(lost(least - 1) > 0);
    let fair = ask(OrderName::Fair, CapacityOf::Least, false);
    let basis = (
        fair.basis.capacity_per_business_day,
        fair.basis.capacity_from,
    );
    assert_eq!(basis, (least, CapacityFrom::Least));
    let fair = fair.report.totals;
    assert!(
        fair.expired_waiting * 100 <= fair.renewals,
        "{} of {}",
        fair.expired_waiting,
        fair.renewals
    );
}

#[test]
fn the_books_are_balanced_and_a_seed_gives_the_same_years_again() {
    let years = |seed| {
        let population = Population::synthetic(&CALENDAR, 4_000, seed);
        run(&population, Habit::Slots, OrderName::Fair, seed)
    };
    let plan = years(7);
    assert_eq!(plan, years(7));
    assert_ne!(plan.report, years(8).report);
    let totals = &plan.report.totals;
    assert_eq!(
        totals.applications,
        totals.renewals + totals.new + totals.revocations
    );
    assert_eq!(totals.new, 1_600);
    let sum = |of: fn(&Week) -> u64| plan.report.weeks.iter().map(of).sum::<u64>();
    assert_eq!(
        (sum(|w| w.arrivals), sum(|w| w.issued)),
        (totals.applications, totals.applications)
    );
    assert_eq!(plan.report.weeks.last().unwrap().queue, 0);
    assert_eq!(sum(|w| w.expired_waiting), totals.expired_waiting);
}

#[test]
fn who_heeds_advice_comes_with_its_branch_and_who_ignores_it_is_in_the_trace() {
    let population = Population::synthetic(&CALENDAR, 4_000, 1);
    let (trace, mut visits) = Trace::without_advised(&population, &CALENDAR, (10, 1));
    let again = Trace::without_advised(&population, &CALENDAR, (10, 1)).0;
    assert_eq!(trace.arrivals, again.arrivals);
    let renewals = trace
        .arrivals
        .iter()
        .filter(|a| a.waiting.expires().is_some());
    let renewals = renewals.count();
    // A tenth of the 2,400 certificates of the opening, and few others that expire in time.
    assert!((180..300).contains(&renewals), "{renewals}");
    let day = "2010-11-04".parse().unwrap();
    let mut trips = std::collections::BTreeMap::new();
    let mut come = 0;
    for holding in &population.holdings {
        if let Some(at) = visits.comes(holding.branch, day) {
            come += 1;
            assert_eq!(at.jst_date(), day);
            assert_eq!(*trips.entry(holding.branch).or_insert(at), at);
        }
    }
    // Nine of ten, of whom two of a hundred miss the day.
    assert!((3_400..3_650).contains(&come), "{come}");
}

#[test]
fn a_running_systems_certificates_are_planned_for_from_today() {
    let day = |text: &str| text.parse().unwrap();
    let branch = lgpki_domain::BodyCode::try_new(1, 1);
    let held = [
        (branch, day("2026-12-10"), 300),
        (branch, day("2027-06-10"), 5),
        (None, day("2026-12-10"), 2),
    ];
    let population = Population::live(&CALENDAR, day("2026-11-02"), &held, (3, 1));
    let settings = Settings {
        search: true,
        ..settings(Habit::Procrastinate, OrderName::Fair, 1)
    };
    let plan = plan(&population, &CALENDAR, settings).unwrap();
    assert!(!plan.synthetic && plan.simulated);
    assert_eq!(plan.report.totals.renewals, 307);
    assert_eq!(
        (
            plan.basis.window_first.as_str(),
            plan.basis.window_last.as_str()
        ),
        ("2026-11-02", "2026-12-31")
    );
    assert!(
        plan.report
            .weeks
            .iter()
            .all(|week| week.monday.as_str() >= "2026-11-02")
    );
    let takes = plan.takes.unwrap();
    assert!(
        takes.within_a_day >= 3 && takes.none_expires <= takes.within_a_day.max(20),
        "{takes:?}"
    );
}

#[test]
fn the_picture_has_a_line_for_each_plan() {
    let population = Population::synthetic(&CALENDAR, 2_000, 1);
    let plans =
        [Habit::Procrastinate, Habit::Slots].map(|h| run(&population, h, OrderName::Fair, 1));
    let svg = crate::svg("a < b & c", &plans);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("a &lt; b &amp; c"));
    assert_eq!(svg.matches("<polyline").count(), 2);
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}
