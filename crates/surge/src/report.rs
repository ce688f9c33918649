//! What came of a trace: waiting times week by week, who expired waiting, and whether branches fared alike.

use std::collections::{BTreeMap, BTreeSet};

use lgpki_domain::{
    BodyCode, BusinessCalendar, JstDate, Timestamp,
    order::{Claim, Waiting},
};
use serde::Serialize;

use crate::{simulation::Outcome, trace::Trace};

const DAY_MILLIS: i64 = 86_400_000;
/// Of a hundred branches, those that count as the smallest, and as the largest.
const EDGE_PERCENT: usize = 10;

/// Waiting times in business hours, by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Waits {
    /// The median.
    pub p50: f64,
    /// Nine of ten wait no longer.
    pub p90: f64,
    /// Ninety-nine of a hundred wait no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Waits {
    pub(crate) fn of(mut waits: Vec<i64>) -> Self {
        waits.sort_unstable();
        let rank = |percent: usize| {
            let index = (waits.len() * percent).div_ceil(100).saturating_sub(1);
            waits.get(index).copied().map_or(0.0, hours)
        };
        Self {
            p50: rank(50),
            p90: rank(90),
            p99: rank(99),
            max: rank(100),
        }
    }
}

fn hours(millis: i64) -> f64 {
    // Whole seconds fit for a century.
    f64::from(i32::try_from(millis / 1000).unwrap_or(i32::MAX)) / 3600.0
}

fn ratio(dividend: u64, divisor: u64) -> f64 {
    let part = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    part(dividend) / part(divisor.max(1))
}

/// One ISO week.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Week {
    /// Such as `2011-W05`.
    pub week: String,
    /// Its Monday.
    pub monday: String,
    /// Applications received.
    pub arrivals: u64,
    /// The same for each of its business days.
    pub arrivals_per_business_day: f64,
    /// Applications examined and, unless they revoke, issued.
    pub issued: u64,
    /// How long those issued had waited.
    pub wait_business_hours: Waits,
    /// How many waited when the week ended.
    pub queue: u64,
    /// Renewals whose certificate expired in this week while they waited.
    pub expired_waiting: u64,
}

/// The whole time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Totals {
    /// Applications.
    pub applications: u64,
    /// Of these, renewals.
    pub renewals: u64,
    /// Of these, for new certificates.
    pub new: u64,
    /// Of these, revocations and abolitions.
    pub revocations: u64,
    /// Renewals whose certificate expired while they waited.
    pub expired_waiting: u64,
    /// How long all of them waited.
    pub wait_business_hours: Waits,
    /// The longest median of a week, in business days.
    pub worst_week_p50_business_days: f64,
    /// The week in which that was.
    pub worst_week: String,
    /// Most arrivals per business day in a week.
    pub busiest_week_per_business_day: f64,
    /// Calendar days for which the holders of renewed certificates could not use the old one and did not have the new
    /// (R3), all together.
    pub days_without_certificate: u64,
    /// The longest of them.
    pub longest_without_certificate: u64,
    /// When the last application that ever waited overnight was issued, and so the queue was clear.
    pub clear_at: String,
}

/// Whether small branches fare as large ones do: the smallest and the largest tenth by certificates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fairness {
    /// How many branches are in each tenth.
    pub branches: usize,
    /// Waits of the smallest, in business hours.
    pub smallest: Waits,
    /// Waits of the largest, in business hours.
    pub largest: Waits,
}

/// What came of a trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Business hours in a business day.
    pub business_hours_per_day: f64,
    /// Week by week.
    pub weeks: Vec<Week>,
    /// All together.
    pub totals: Totals,
    /// Small and large branches.
    pub fairness: Fairness,
}

impl Report {
    /// Tells what came of a trace.
    #[must_use]
    pub fn new(trace: &Trace, outcomes: &[Outcome], calendar: &BusinessCalendar) -> Self {
        let day = calendar.hours().millis();
        let weeks = weeks(trace, outcomes, calendar);
        Self {
            business_hours_per_day: hours(day),
            totals: totals(outcomes, &weeks, day),
            fairness: fairness(&trace.sizes, outcomes.iter().map(|o| (o.branch, o.waited))),
            weeks,
        }
    }

    /// Compares small and large branches anew: by these waits, of branches that hold so much.
    pub(crate) fn compare(
        &mut self,
        sizes: &BTreeMap<Option<BodyCode>, u32>,
        waits: impl Iterator<Item = (Option<BodyCode>, i64)>,
    ) {
        self.fairness = fairness(sizes, waits);
    }

    /// Counts a renewal that still waits though its certificate has expired, in the week in which it did.
    pub(crate) fn count_expired(&mut self, waiting: &Waiting) {
        let Some(expires) = waiting.expires() else {
            return;
        };
        let last = expires.plus_millis(-1).max(waiting.received);
        let monday = last.jst_date().week_start().to_string();
        if let Some(week) = self.weeks.iter_mut().find(|week| week.monday == monday) {
            week.expired_waiting += 1;
        }
        self.totals.expired_waiting += 1;
    }

    /// Whether in every week at most one of a hundred waited for more than a business day.
    #[must_use]
    pub fn is_within_a_day(&self) -> bool {
        let limit = self.business_hours_per_day;
        let mut weeks = self.weeks.iter();
        weeks.all(|week| week.wait_business_hours.p99 <= limit)
    }
}

#[derive(Default)]
struct Tally {
    arrivals: u64,
    waits: Vec<i64>,
    expired: u64,
}

fn weeks(trace: &Trace, outcomes: &[Outcome], calendar: &BusinessCalendar) -> Vec<Week> {
    let mut tallies: BTreeMap<JstDate, Tally> = BTreeMap::new();
    let monday = |at: Timestamp| at.jst_date().week_start();
    for arrival in &trace.arrivals {
        tallies
            .entry(monday(arrival.waiting.received))
            .or_default()
            .arrivals += 1;
    }
    for outcome in outcomes {
        tallies
            .entry(monday(outcome.issued))
            .or_default()
            .waits
            .push(outcome.waited);
        if let (Claim::Renewal { expires }, true) = (outcome.claim, outcome.lapsed()) {
            // The last day is the day before the first instant without validity.
            let last = expires.plus_millis(-1).max(outcome.received);
            tallies.entry(monday(last)).or_default().expired += 1;
        }
    }
    let mut queue: u64 = 0;
    let mut weeks = Vec::new();
    for (monday, tally) in tallies {
        let issued = tally.waits.len() as u64;
        queue = (queue + tally.arrivals).saturating_sub(issued);
        let days = calendar.business_days(monday, monday.plus_days(6)).len() as u64;
        let (year, number) = monday.iso_week();
        weeks.push(Week {
            week: format!("{year}-W{number:02}"),
            monday: monday.to_string(),
            arrivals: tally.arrivals,
            arrivals_per_business_day: ratio(tally.arrivals, days),
            issued,
            wait_business_hours: Waits::of(tally.waits),
            queue,
            expired_waiting: tally.expired,
        });
    }
    weeks
}

fn totals(outcomes: &[Outcome], weeks: &[Week], day: i64) -> Totals {
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|o| is(o)).count() as u64;
    let renewals = count(|o| matches!(o.claim, Claim::Renewal { .. }));
    let new = count(|o| o.claim == Claim::New);
    let worst = weeks.iter().max_by(|a, b| {
        a.wait_business_hours
            .p50
            .total_cmp(&b.wait_business_hours.p50)
    });
    let busiest = weeks.iter().map(|week| week.arrivals_per_business_day);
    let without = |o: &Outcome| {
        let millis = o.issued.as_millis() - o.received.as_millis();
        matches!(o.claim, Claim::Renewal { .. }).then_some(millis.max(0).unsigned_abs())
    };
    let day_millis = DAY_MILLIS.unsigned_abs();
    let overnight = outcomes
        .iter()
        .filter(|o| o.issued.jst_date() > o.received.jst_date());
    let clear = overnight.map(|o| o.issued).max();
    Totals {
        applications: outcomes.len() as u64,
        renewals,
        new,
        revocations: outcomes.len() as u64 - renewals - new,
        expired_waiting: count(Outcome::lapsed),
        wait_business_hours: Waits::of(outcomes.iter().map(|o| o.waited).collect()),
        worst_week_p50_business_days: worst.map_or(0.0, |w| w.wait_business_hours.p50 / hours(day)),
        worst_week: worst.map(|w| w.week.clone()).unwrap_or_default(),
        busiest_week_per_business_day: busiest.fold(0.0, f64::max),
        days_without_certificate: outcomes.iter().filter_map(without).sum::<u64>() / day_millis,
        longest_without_certificate: outcomes
            .iter()
            .filter_map(without)
            .max()
            .unwrap_or_default()
            / day_millis,
        clear_at: clear.map(|at| at.to_string()).unwrap_or_default(),
    }
}

fn fairness(
    sizes: &BTreeMap<Option<BodyCode>, u32>,
    waits: impl Iterator<Item = (Option<BodyCode>, i64)>,
) -> Fairness {
    let mut sizes: Vec<_> = sizes
        .iter()
        .map(|(branch, size)| (*size, *branch))
        .collect();
    sizes.sort_unstable();
    let branches = (sizes.len() * EDGE_PERCENT / 100).max(1).min(sizes.len());
    let edge = |edge: &[(u32, Option<BodyCode>)]| -> BTreeSet<Option<BodyCode>> {
        edge.iter().map(|(_, branch)| *branch).collect()
    };
    let (small, large) = (
        edge(&sizes[..branches]),
        edge(&sizes[sizes.len() - branches..]),
    );
    let (mut smallest, mut largest) = (Vec::new(), Vec::new());
    for (branch, waited) in waits {
        if small.contains(&branch) {
            smallest.push(waited);
        }
        if large.contains(&branch) {
            largest.push(waited);
        }
    }
    Fairness {
        branches,
        smallest: Waits::of(smallest),
        largest: Waits::of(largest),
    }
}
