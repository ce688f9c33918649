//! What plan, replay and load tell in the same way: rows of a table, counts, and the files that they leave.

use std::{collections::BTreeMap, fs, path::Path};

use lgpki_surge::{Basis, CapacityFrom, Report};

use crate::{commands::forecast::chart::grouped, error::CommandError};

/// How many of what.
pub(super) fn counted(counts: &BTreeMap<String, u64>) -> String {
    let each = counts
        .iter()
        .map(|(what, count)| format!("{} {what}", grouped(*count)));
    each.collect::<Vec<_>>().join(", ")
}

/// Leaves files in `dir`, which is made if it is not there.
pub(super) fn leave(dir: &Path, files: &[(&str, String)]) -> Result<(), CommandError> {
    fs::create_dir_all(dir).map_err(|e| CommandError::file("make", dir, &e))?;
    for (name, content) in files {
        let path = dir.join(name);
        fs::write(&path, content).map_err(|e| CommandError::file("write", &path, &e))?;
    }
    Ok(())
}

/// Business days with one digit.
pub(super) fn days(report: &Report, hours: f64) -> String {
    format!("{:.1}", hours / report.business_hours_per_day)
}

/// The capacity, and where it comes from.
pub(super) fn capacity(basis: &Basis) -> String {
    let how = match basis.capacity_from {
        CapacityFrom::Derived => format!(
            ": 1.2 times the mean of {} applications that fall due on {} business days from {} to {}",
            grouped(basis.window_applications),
            basis.window_business_days,
            basis.window_first,
            basis.window_last
        ),
        CapacityFrom::Given => String::from(", as given"),
        CapacityFrom::Least => String::from(
            ": the least at which the optimum loses none of those who come in the last two months",
        ),
    };
    format!("{} a business day{how}", basis.capacity_per_business_day)
}

/// How many expired while they waited, and how many of a hundred renewals that is; beside the optimum, where it is known.
pub(super) fn lost(report: &Report, renewals: u64, optimum: Option<u64>) -> String {
    let lost = report.totals.expired_waiting;
    let share = match lost {
        0 => String::new(),
        _ => format!(
            ", {} % of the renewals",
            lgpki_surge::percent(lost, renewals)
        ),
    };
    let beside = optimum.map_or_else(String::new, |optimum| {
        format!(
            "; the offline optimum for the same applications and capacity loses {}",
            grouped(optimum)
        )
    });
    format!("{}{share}{beside}", grouped(lost))
}

/// How long they waited, who expired waiting, and whether small branches fared as large ones did.
pub(super) fn waits(report: &Report, lost: String) -> [(&'static str, String); 5] {
    let (totals, fairness) = (&report.totals, &report.fairness);
    [
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
                days(report, totals.wait_business_hours.max)
            ),
        ),
        ("expired while waiting", lost),
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
                days(report, fairness.smallest.p99),
                days(report, fairness.largest.p99)
            ),
        ),
    ]
}
