//! A replay told to a person, and left as files: a page with pictures, a picture of waits, JSON.

use std::{fs, path::Path};

use lgpki_surge::{Curve, Estimates, Page, Played, Replay, draw};

use super::super::rows::{self, counted, days};
use crate::{
    commands::forecast::chart::grouped,
    error::CommandError,
    output::{sheet, table},
};

/// One replay.
pub(super) fn single(replay: &Replay) -> String {
    sheet(&facts(replay))
}

fn facts(replay: &Replay) -> Vec<(&'static str, String)> {
    let (played, totals) = (&replay.played, &replay.report.totals);
    let mut facts = vec![
        (
            "replayed",
            format!(
                "{} through the real services; holders {}, order {}, seed {}",
                span(played),
                played.habit,
                played.order,
                played.seed
            ),
        ),
        (
            "certificates",
            format!(
                "{}, of which {} were issued in the opening days",
                grouped(played.certificates),
                grouped(replay.imported)
            ),
        ),
        (
            "applications",
            format!(
                "{} received after that; issued or carried out: {} renewals, {} new, {} revocations",
                grouped(replay.received),
                grouped(totals.renewals),
                grouped(totals.new),
                grouped(totals.revocations)
            ),
        ),
        ("capacity", rows::capacity(&played.basis)),
    ];
    let lost = rows::lost(
        &replay.report,
        totals.renewals + replay.expired_and_open,
        Some(replay.optimum_expired_waiting),
    );
    facts.extend(rows::waits(&replay.report, lost));
    facts.extend([
        ("estimates", estimates(replay.estimates.as_ref())),
        (
            "estimates at the peak",
            estimates(replay.estimates_at_the_peak.as_ref()),
        ),
        ("sent again when told to", grouped(replay.retries)),
        ("refused", counted(&replay.refused)),
    ]);
    facts.extend(books(replay));
    facts.extend(effort(replay));
    facts
}

/// What was played: where the steady years are left out, that the books begin with the opening days and go on much later.
fn span(played: &Played) -> String {
    if played.first == played.from {
        return format!("{} to {}", played.from, played.to);
    }
    format!(
        "the opening days from {} on, then {} to {}, the years between left out,",
        played.first, played.from, played.to
    )
}

fn estimates(estimates: Option<&Estimates>) -> String {
    let told = estimates.map(|told| {
        format!(
            "{} given; wrong by {:.1} business hours in the median and {:.1} at p99; {} % within a tenth of the wait or an \
             hour; the upper end held in {} %",
            grouped(told.given),
            told.error_business_hours.p50,
            told.error_business_hours.p99,
            told.within_tolerance_percent,
            told.upper_end_held_percent
        )
    });
    told.unwrap_or_default()
}

fn books(replay: &Replay) -> Vec<(&'static str, String)> {
    let books = &replay.books;
    let balanced = if books.differences.is_empty() {
        String::from("balanced")
    } else {
        books.differences.join("\n")
    };
    vec![
        ("books", balanced),
        (
            "applications at the end",
            format!(
                "{}; {} open",
                counted(&books.applications),
                grouped(books.open)
            ),
        ),
        ("inventory", counted(&books.certificates)),
        (
            "revoked",
            format!(
                "{}, of which {} on the last CRLs; the others have expired",
                grouped(books.revoked),
                grouped(books.listed)
            ),
        ),
        ("CRLs published", counted(&books.crls)),
    ]
}

fn effort(replay: &Replay) -> Vec<(&'static str, String)> {
    let effort = &replay.effort;
    vec![
        (
            "time",
            format!(
                "{:.0} s in {} steps of the clock",
                effort.seconds,
                grouped(effort.steps)
            ),
        ),
        (
            "processor time",
            format!(
                "{:.1} s of the services, {:.1} s of front ends, subscribers and examiners",
                effort.services_seconds, effort.others_seconds
            ),
        ),
        (
            "the CA's own cryptography",
            format!(
                "{} % of the services' processor time: {} signatures checked in {:.1} s, {} made in {:.1} s",
                effort.cryptography_percent,
                grouped(effort.checks),
                effort.checking_seconds,
                grouped(effort.signatures),
                effort.signing_seconds
            ),
        ),
    ]
}

/// Several replays, a line each.
pub(super) fn side_by_side(replays: &[Replay]) -> String {
    let (header, rows) = compared(replays);
    format!("{}\n{}", table(&header, rows), legend(replays))
}

/// What the columns mean.
fn legend(replays: &[Replay]) -> String {
    let Some(first) = replays.first() else {
        return String::new();
    };
    format!(
        "Replayed {} through the real services; waits in business days. Capacity: {}. Optimum: how many would expire \
         waiting at least, for the same applications and capacity, in the order that loses fewest. Who still waits at the \
         end counts in p99 small/large (the tenth of the branches that hold least, and most) as having waited until then.",
        span(&first.played),
        rows::capacity(&first.played.basis)
    )
}

fn compared(replays: &[Replay]) -> ([&'static str; 9], Vec<Vec<String>>) {
    let header = [
        "habit",
        "order",
        "worst week p50",
        "p99",
        "max",
        "expired waiting",
        "optimum",
        "days without",
        "p99 small/large",
    ];
    let row = |replay: &Replay| {
        let (totals, fairness) = (&replay.report.totals, &replay.report.fairness);
        vec![
            replay.played.habit.to_owned(),
            replay.played.order.clone(),
            format!("{:.1}", totals.worst_week_p50_business_days),
            days(&replay.report, totals.wait_business_hours.p99),
            days(&replay.report, totals.wait_business_hours.max),
            grouped(totals.expired_waiting),
            grouped(replay.optimum_expired_waiting),
            grouped(totals.days_without_certificate),
            format!(
                "{} / {}",
                days(&replay.report, fairness.smallest.p99),
                days(&replay.report, fairness.largest.p99)
            ),
        ]
    };
    (header, replays.iter().map(row).collect())
}

/// The waits of all replays in one picture.
fn picture(replays: &[Replay]) -> String {
    let title = replays.first().map(|replay| {
        format!(
            "{} certificates, {} applications examined in a business day",
            grouped(replay.played.certificates),
            replay.played.basis.capacity_per_business_day
        )
    });
    let curve = |replay: &Replay| {
        let name = format!("{}, {}", replay.played.habit, replay.played.order);
        let lost = replay.report.totals.expired_waiting;
        Curve::of_waits((&name, &format!("{lost} expired waiting")), &replay.report)
    };
    let curves: Vec<_> = replays.iter().map(curve).collect();
    let what =
        "Median wait of those issued in a week, business days (replayed through the services)";
    draw(&title.unwrap_or_default(), what, &curves)
}

fn page(replays: &[Replay]) -> String {
    let mut page = Page::new("The renewals of 2010 and 2011, replayed");
    page.text(
        "Keys, applications, examinations, certificates and CRLs are real; the clock is stepped, and holders, their habits \
         and the examiners' pace are made up.",
    );
    page.picture(&picture(replays));
    if replays.len() > 1 {
        let (header, rows) = compared(replays);
        page.text(&legend(replays));
        page.table(&header, &rows);
    }
    for replay in replays {
        let played = &replay.played;
        page.heading(&format!("Holders {}, order {}", played.habit, played.order));
        page.sheet(&facts(replay));
        page.picture(&waits(replay));
        page.picture(&queue(replay));
        page.table(&WEEK, &weeks(replay));
    }
    page.finish("Made by lgpki surge replay.")
}

fn waits(replay: &Replay) -> String {
    let day = replay.report.business_hours_per_day;
    let of = |name: &str, value: fn(&lgpki_surge::Waits) -> f64| {
        Curve::of((name, ""), &replay.report, |week| {
            (week.issued > 0).then(|| value(&week.wait_business_hours) / day)
        })
    };
    let curves = [
        of("worst", |w| w.max),
        of("p99", |w| w.p99),
        of("p90", |w| w.p90),
        of("median", |w| w.p50),
    ];
    draw("Waits of those issued in a week", "Business days", &curves)
}

fn queue(replay: &Replay) -> String {
    let number = |n: u64| Some(f64::from(u32::try_from(n).unwrap_or(u32::MAX)));
    let of = |name: &str, value: fn(&lgpki_surge::Week) -> u64| {
        Curve::of((name, ""), &replay.report, |week| number(value(week)))
    };
    let curves = [
        of("waiting at the week's end", |w| w.queue),
        of("received", |w| w.arrivals),
        of("issued", |w| w.issued),
        of("expired while waiting", |w| w.expired_waiting),
    ];
    draw("The queue", "Applications", &curves)
}

const WEEK: [&str; 9] = [
    "week", "received", "issued", "waiting", "p50 days", "p90 days", "p99 days", "max days",
    "expired",
];

/// Weeks in which more than one of a hundred waited for more than a business day.
fn weeks(replay: &Replay) -> Vec<Vec<String>> {
    let limit = replay.report.business_hours_per_day;
    let weeks = replay.report.weeks.iter();
    let long = weeks.filter(|week| week.wait_business_hours.p99 > limit);
    long.map(|week| {
        let waits = &week.wait_business_hours;
        vec![
            week.week.clone(),
            grouped(week.arrivals),
            grouped(week.issued),
            grouped(week.queue),
            days(&replay.report, waits.p50),
            days(&replay.report, waits.p90),
            days(&replay.report, waits.p99),
            days(&replay.report, waits.max),
            grouped(week.expired_waiting),
        ]
    })
    .collect()
}

/// Draws the waits of all replays.
pub(super) fn draw_waits(path: &Path, replays: &[Replay]) -> Result<(), CommandError> {
    fs::write(path, picture(replays)).map_err(|e| CommandError::file("write", path, &e))
}

/// Leaves everything in `dir`.
pub(super) fn leave(dir: &Path, replays: &[Replay]) -> Result<(), CommandError> {
    let json = serde_json::to_string_pretty(&serde_json::json!({ "replays": replays }))
        .map_err(|e| CommandError::from_error("replay.json", &e))?;
    let files = [
        ("report.html", page(replays)),
        ("waits.svg", picture(replays)),
        ("replay.json", json),
    ];
    rows::leave(dir, &files)
}
