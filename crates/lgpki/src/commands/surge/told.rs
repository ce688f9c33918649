//! A plan told to a person: a sheet, the weeks in which some waited long, and several plans side by side.

use lgpki_surge::Plan;

use crate::{
    commands::forecast::chart::grouped,
    output::{sheet, table},
};

/// One plan.
pub(super) fn single(plan: &Plan, per_examiner: u32) -> String {
    format!("{}\n{}", summary(plan, per_examiner), weeks(plan))
}

/// Business days with one digit.
fn days(plan: &Plan, hours: f64) -> String {
    format!("{:.1}", hours / plan.report.business_hours_per_day)
}

/// The capacity, and where it comes from.
fn capacity(plan: &Plan) -> String {
    let how = if plan.basis.capacity_is_derived {
        format!(
            ": 1.2 times the mean of {} applications that fall due on {} business days from {} to {}",
            grouped(plan.basis.window_applications),
            plan.basis.window_business_days,
            plan.basis.window_first,
            plan.basis.window_last
        )
    } else {
        String::from(", as given")
    };
    format!(
        "{} a business day{how}",
        plan.basis.capacity_per_business_day
    )
}

fn summary(plan: &Plan, per_examiner: u32) -> String {
    let totals = &plan.report.totals;
    let takes = |of: fn(&lgpki_surge::Answer) -> u32| {
        let told = plan.takes.as_ref().map(of).map(|n| {
            let examiners = n.div_ceil(per_examiner);
            let many = if examiners == 1 { "" } else { "s" };
            format!("{n} a business day, {examiners} examiner{many} of {per_examiner} each")
        });
        told.unwrap_or_default()
    };
    let made_up = if plan.synthetic {
        ", certificates made up"
    } else {
        ""
    };
    let fairness = &plan.report.fairness;
    sheet(&[
        (
            "simulated",
            format!(
                "holders {}, order {}, seed {}{made_up}",
                plan.habit, plan.order, plan.seed
            ),
        ),
        ("certificates", grouped(plan.certificates)),
        (
            "applications",
            format!(
                "{}: {} renewals, {} new, {} revocations",
                grouped(totals.applications),
                grouped(totals.renewals),
                grouped(totals.new),
                grouped(totals.revocations)
            ),
        ),
        ("capacity", capacity(plan)),
        (
            "signatures",
            format!("{} a second", plan.signatures_per_second),
        ),
        (
            "longest median wait of a week",
            format!(
                "{:.1} business days, in {}",
                totals.worst_week_p50_business_days, totals.worst_week
            ),
        ),
        (
            "longest wait of all",
            format!(
                "{} business days",
                days(plan, totals.wait_business_hours.max)
            ),
        ),
        ("expired while waiting", grouped(totals.expired_waiting)),
        (
            "without a usable certificate",
            format!(
                "{} days of all holders together, {} of one at most",
                grouped(totals.days_without_certificate),
                totals.longest_without_certificate
            ),
        ),
        (
            "p99 of the smallest and largest branches",
            format!(
                "{} and {} business days",
                days(plan, fairness.smallest.p99),
                days(plan, fairness.largest.p99)
            ),
        ),
        ("queue clear", totals.clear_at.chars().take(10).collect()),
        (
            "to keep p99 of every week under a day",
            takes(|t| t.within_a_day),
        ),
        ("to let nothing expire", takes(|t| t.none_expires)),
    ])
}

/// The weeks in which some waited for more than a business day.
fn weeks(plan: &Plan) -> String {
    let limit = plan.report.business_hours_per_day;
    let long = plan
        .report
        .weeks
        .iter()
        .filter(|week| week.wait_business_hours.p99 > limit);
    let rows: Vec<_> = long
        .map(|week| {
            let waits = &week.wait_business_hours;
            vec![
                week.week.clone(),
                format!("{:.0}", week.arrivals_per_business_day),
                grouped(week.issued),
                grouped(week.queue),
                days(plan, waits.p50),
                days(plan, waits.p99),
                days(plan, waits.max),
                grouped(week.expired_waiting),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::from("In every week 99 of 100 waited for at most one business day.");
    }
    let header = [
        "week",
        "arrivals/day",
        "issued",
        "waiting",
        "p50 days",
        "p99 days",
        "max days",
        "expired",
    ];
    let shown = table(&header, rows);
    format!(
        "Weeks in which more than one of a hundred waited for more than a business day:\n{shown}"
    )
}

/// Several plans, a line each.
pub(super) fn side_by_side(plans: &[Plan]) -> String {
    let row = |plan: &Plan| {
        let totals = &plan.report.totals;
        let fairness = &plan.report.fairness;
        vec![
            plan.habit.to_owned(),
            plan.order.to_owned(),
            format!("{:.1}", totals.worst_week_p50_business_days),
            days(plan, totals.wait_business_hours.p99),
            days(plan, totals.wait_business_hours.max),
            grouped(totals.expired_waiting),
            grouped(totals.days_without_certificate),
            format!("{:.0}", totals.busiest_week_per_business_day),
            format!(
                "{} / {}",
                days(plan, fairness.smallest.p99),
                days(plan, fairness.largest.p99)
            ),
        ]
    };
    let header = [
        "habit",
        "order",
        "worst week p50",
        "p99",
        "max",
        "expired waiting",
        "days without",
        "busiest week",
        "p99 small/large",
    ];
    let first = plans.first().map(capacity).unwrap_or_default();
    format!(
        "{}\nSimulated; waits in business days. Capacity: {first}.",
        table(&header, plans.iter().map(row))
    )
}
