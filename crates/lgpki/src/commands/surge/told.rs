//! A plan told to a person: a sheet, the weeks in which some waited long, and several plans side by side.

use lgpki_surge::Plan;

use super::rows::{self, days};
use crate::{
    commands::forecast::chart::grouped,
    output::{sheet, table},
};

/// One plan.
pub(super) fn single(plan: &Plan, per_examiner: u32) -> String {
    format!("{}\n{}", summary(plan, per_examiner), weeks(plan))
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
    let mut rows = vec![
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
        ("capacity", rows::capacity(&plan.basis)),
        (
            "signatures",
            format!("{} a second", plan.signatures_per_second),
        ),
    ];
    let lost = rows::lost(&plan.report, totals.renewals, None);
    rows.extend(rows::waits(&plan.report, lost));
    rows.extend([
        ("queue clear", totals.clear_at.chars().take(10).collect()),
        (
            "to keep p99 of every week under a day",
            takes(|t| t.within_a_day),
        ),
        ("to let nothing expire", takes(|t| t.none_expires)),
    ]);
    sheet(&rows)
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
                days(&plan.report, waits.p50),
                days(&plan.report, waits.p99),
                days(&plan.report, waits.max),
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
            days(&plan.report, totals.wait_business_hours.p99),
            days(&plan.report, totals.wait_business_hours.max),
            grouped(totals.expired_waiting),
            grouped(totals.days_without_certificate),
            format!("{:.0}", totals.busiest_week_per_business_day),
            format!(
                "{} / {}",
                days(&plan.report, fairness.smallest.p99),
                days(&plan.report, fairness.largest.p99)
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
    let first = plans
        .first()
        .map(|plan| rows::capacity(&plan.basis))
        .unwrap_or_default();
    format!(
        "{}\nSimulated; waits in business days. Capacity: {first}.",
        table(&header, plans.iter().map(row))
    )
}
