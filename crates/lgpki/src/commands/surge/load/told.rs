//! A load told to a person: while it runs, as a sheet, and as files.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use lgpki_surge::{ActReport, Aim, Before, GroupReport, LoadReport, Quantiles, Side, load_page};

use super::{
    super::rows::{self, counted},
    drive::{Drive, lock},
};
use crate::{
    commands::forecast::chart::grouped,
    error::CommandError,
    output::{Output, sheet, table},
};

/// What is left for programs, and for a later run to compare with.
const JSON: &str = "load.json";

/// A bar over the seconds of the run.
pub(super) fn bar(output: Output, seconds: u32) -> ProgressBar {
    let bar = output.progress(u64::from(seconds), "");
    if let Ok(style) = ProgressStyle::with_template("{pos:>4}/{len} s [{bar:20}] {wide_msg}") {
        bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
    }
    bar
}

/// Shows how it goes.
pub(super) fn tick(bar: &ProgressBar, drive: &Drive) {
    let (counts, p99) = {
        let tally = lock(&drive.tally);
        (tally.counts(), tally.p99())
    };
    let (acknowledged, refused, failed) = counts;
    let elapsed: Duration = drive.elapsed();
    bar.set_position(elapsed.as_secs().min(bar.length().unwrap_or(u64::MAX)));
    bar.set_message(format!(
        "{} acknowledged, {} refused, {} failed, {} open; p99 {p99:.0} ms",
        grouped(acknowledged),
        grouped(refused),
        grouped(failed),
        grouped(drive.under_way()),
    ));
}

/// The whole of it.
pub(super) fn single(report: &LoadReport) -> String {
    let aims = table(&Aim::HEADER, report.aims.iter().map(Aim::row));
    format!("{}\n{aims}", sheet(&facts(report)))
}

/// Reads what an earlier run left in this directory.
pub(super) fn before(dir: &Path) -> Result<Before, CommandError> {
    let path = dir.join(JSON);
    let text = fs::read_to_string(&path).map_err(|e| {
        CommandError::file("read", &path, &e).hint("name a directory that a load left with --out")
    })?;
    serde_json::from_str(&text).map_err(|e| {
        CommandError::from_error(&path.display().to_string(), &e)
            .hint("name a directory that a load of this version left with --out")
    })
}

fn facts(report: &LoadReport) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("load", demanded(report)),
        ("sent", sent(report)),
        (
            "acknowledged",
            format!(
                "{} in a second on the average while applications were due; {:.0} s until the last answer",
                rounded(report.acknowledged_per_second),
                report.seconds
            ),
        ),
    ];
    for group in &report.groups {
        facts.extend(times(group));
    }
    if report.acts.len() > 1 {
        facts.extend(report.acts.iter().map(|act| asked(act, report)));
    }
    facts.extend([
        ("refused", counted(&report.refusals)),
        ("told when to come back", returns(report)),
        ("other answers", counted(&report.failures)),
        ("processor time", cost(report)),
        ("memory of the services", memory(report)),
        ("books", books(report)),
    ]);
    facts
}

fn demanded(report: &LoadReport) -> String {
    let plan = &report.plan;
    let how = match (plan.rate, plan.workers) {
        (Some(rate), _) => {
            let profile = plan.profile.map_or("steady", lgpki_surge::Profile::name);
            format!("{rate} due in a second on the average, {profile}")
        }
        (None, workers) => format!("{} workers", workers.unwrap_or_default()),
    };
    let batch = match plan.batch {
        1 => String::new(),
        n => format!(", {n} in each stream"),
    };
    let flood = plan
        .flood
        .as_ref()
        .map_or_else(String::new, |(branch, rate)| {
            format!("; branch {branch} floods with {rate} in a second")
        });
    format!(
        "{how}{batch}{flood}; {} offices at {}, {} s, {}, seed {}, run {}",
        plan.offices, plan.server, plan.seconds, plan.mix, plan.seed, plan.run
    )
}

fn sent(report: &LoadReport) -> String {
    let mut counts = BTreeMap::new();
    for (act, count) in &report.sent {
        counts.insert((*act).to_owned(), *count);
    }
    let instead = match report.instead {
        0 => String::new(),
        n => format!(
            "; {} of the issues because there was nothing to renew or revoke yet",
            grouped(n)
        ),
    };
    format!("{}{instead}", counted(&counts))
}

fn times(group: &GroupReport) -> [(&'static str, String); 2] {
    let (acknowledged, refused) = match group.side {
        Side::Others => ("from due to acknowledged", "from due to refused"),
        Side::Flooding => (
            "flood: from due to acknowledged",
            "flood: from due to refused",
        ),
    };
    [
        (acknowledged, quantiles(&group.acknowledged)),
        (refused, quantiles(&group.refused)),
    ]
}

/// What came of one thing that was asked for.
fn asked(act: &ActReport, report: &LoadReport) -> (&'static str, String) {
    let states = report.books.states_by_act.get(act.act.name());
    let states = states.map_or_else(String::new, |states| {
        format!("; at the end {}", counted(states))
    });
    let times = quantiles(&act.acknowledged);
    let told = format!(
        "{times}; {} refusals, {} other answers{states}",
        grouped(act.refused.count),
        grouped(act.failed)
    );
    (act.act.name(), told)
}

fn quantiles(q: &Quantiles) -> String {
    if q.count == 0 {
        return String::new();
    }
    format!(
        "p50 {:.1}, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1} ms ({})",
        q.p50,
        q.p90,
        q.p99,
        q.p999,
        q.max,
        grouped(q.count)
    )
}

fn returns(report: &LoadReport) -> String {
    let returns = &report.returns;
    if returns.told_when + returns.not_told_when == 0 {
        return String::new();
    }
    let held = returns
        .held_percent
        .map_or_else(String::new, |held| format!(", held for {held} %"));
    let wait = &report.told_to_wait;
    format!(
        "{} refusals (in {:.1} s at the median, {:.1} at most), {} were told nothing; {} came back within the run{held}",
        grouped(returns.told_when),
        wait.p50 / 1_000.0,
        wait.max / 1_000.0,
        grouped(returns.not_told_when),
        grouped(returns.came_back)
    )
}

fn cost(report: &LoadReport) -> String {
    let processes = &report.processes;
    let services = processes
        .services_seconds
        .map_or_else(String::new, |spent| {
            format!(", {spent:.1} s of the services")
        });
    format!(
        "{:.1} s of the load itself{services}",
        processes.own_seconds
    )
}

fn memory(report: &LoadReport) -> String {
    let sizes = &report.processes.memory_mebibytes;
    match (sizes.first(), sizes.iter().max(), sizes.last()) {
        (Some(first), Some(most), Some(last)) => {
            format!("{first} MiB at first, {most} at most, {last} at the end")
        }
        _ => String::new(),
    }
}

fn books(report: &LoadReport) -> String {
    let books = &report.books;
    let all = match books.missing.len() {
        0 => String::from("all there"),
        missing => format!("{missing} MISSING"),
    };
    let unanswered = match books.unanswered {
        0 => String::new(),
        n => format!(
            "; {} were not answered, of which {} had arrived",
            grouped(n),
            grouped(books.unanswered_that_arrived)
        ),
    };
    format!(
        "{} acknowledged, {all} ({}){unanswered}",
        grouped(books.acknowledged),
        counted(&books.states)
    )
}

fn rounded(rate: f64) -> String {
    format!("{rate:.1}")
}

/// Leaves everything in `dir`.
pub(super) fn leave(dir: &Path, report: &LoadReport) -> Result<(), CommandError> {
    let json =
        serde_json::to_string_pretty(report).map_err(|e| CommandError::from_error(JSON, &e))?;
    let page = load_page(report, &facts(report));
    rows::leave(dir, &[("report.html", page), (JSON, json)])
}
