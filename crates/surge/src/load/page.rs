//! The report of a load as one page that stands alone.

use super::{
    aims::Aim,
    latency::Quantiles,
    lines::{Line, Picture, Tick, counted},
    report::{ActReport, GroupReport, LoadReport, number},
    tally::{Second, Side},
};
use crate::html::Page;

/// Nines of the curve's last point: 99.9999 of a hundred.
const NINES: f64 = 6.0;
/// From a tenth of a millisecond to a hundred seconds.
const DECADES: (i32, i32) = (-1, 5);

/// The page; `facts` are what the command tells of it, with their names.
#[must_use]
pub fn load_page(report: &LoadReport, facts: &[(&str, String)]) -> String {
    let mut page = Page::new("Load on a running certificate authority");
    page.text(
        "Logins, keys, applications and certificates were real. Times count from the moment at which an application was \
         due, whether or not it could be sent then.",
    );
    page.sheet(facts);
    if !report.aims.is_empty() {
        page.heading("What is aimed at");
        let aims: Vec<_> = report.aims.iter().map(Aim::row).collect();
        page.table(&Aim::HEADER, &aims);
    }
    page.heading("How long answers took");
    page.picture(&latencies(report));
    page.table(&MILLIS, &rows(report.groups.iter().flat_map(told)));
    if report.acts.len() > 1 {
        page.heading("By what was asked for");
        page.table(&MILLIS, &rows(report.acts.iter().flat_map(asked)));
    }
    page.heading("Second by second");
    page.picture(&seconds(report));
    if !report.processes.memory_mebibytes.is_empty() {
        page.picture(&memory(report));
    }
    for (heading, counts) in [
        ("Refusals", &report.refusals),
        ("Other answers", &report.failures),
        ("Applications at the end", &report.books.states),
    ] {
        if !counts.is_empty() {
            page.heading(heading);
            let counts = counts
                .iter()
                .map(|(what, n)| vec![what.clone(), n.to_string()]);
            page.table(&["what", "count"], &counts.collect::<Vec<_>>());
        }
    }
    page.finish("Made by lgpki surge load.")
}

const fn name(side: Side) -> &'static str {
    match side {
        Side::Others => "all offices",
        Side::Flooding => "the office that floods",
    }
}

/// What is told of each side's answers, with a name.
fn told(group: &GroupReport) -> [(String, &Quantiles); 3] {
    let name = name(group.side);
    [
        (format!("{name}: acknowledged"), &group.acknowledged),
        (format!("{name}: refused"), &group.refused),
        (
            format!("{name}: acknowledged, from sent"),
            &group.acknowledged_from_sent,
        ),
    ]
}

/// What is told of answers to those who asked for the same, with a name.
fn asked(act: &ActReport) -> [(String, &Quantiles); 2] {
    let name = act.act.name();
    [
        (format!("{name}: acknowledged"), &act.acknowledged),
        (format!("{name}: refused"), &act.refused),
    ]
}

const MILLIS: [&str; 7] = ["milliseconds", "count", "p50", "p90", "p99", "p99.9", "max"];

fn rows<'r>(told: impl Iterator<Item = (String, &'r Quantiles)>) -> Vec<Vec<String>> {
    let told = told.filter(|(_, quantiles)| quantiles.count > 0);
    told.map(|(name, q)| {
        let millis = [q.p50, q.p90, q.p99, q.p999, q.max].map(|value| format!("{value:.1}"));
        let mut row = vec![name, q.count.to_string()];
        row.extend(millis);
        row
    })
    .collect()
}

fn latencies(report: &LoadReport) -> String {
    let (low, high) = DECADES;
    let span = f64::from(high - low);
    let up = |millis: f64| (millis.max(0.1).log10() - f64::from(low)) / span;
    // Each nine is as far from the next: 90, 99, 99.9 of a hundred.
    let across = |percent: f64| -(1.0 - percent / 100.0).max(1e-9).log10() / NINES;
    let line = |(name, quantiles): (String, &Quantiles)| Line {
        name,
        points: quantiles
            .curve
            .iter()
            .map(|(percent, millis)| (across(*percent), up(*millis)))
            .collect(),
    };
    let lines = report.groups.iter().flat_map(|group| {
        let [acknowledged, refused, _] = told(group);
        [acknowledged, refused]
    });
    let lines = lines.filter(|(_, quantiles)| quantiles.count > 0);
    let ticks: [(f64, &str); 6] = [
        (0.0, "0 %"),
        (90.0, "90 %"),
        (99.0, "99 %"),
        (99.9, "99.9 %"),
        (99.99, "99.99 %"),
        (99.999, "99.999 %"),
    ];
    let decade = |power: i32| {
        let millis = 10_f64.powi(power);
        (up(millis), millis.to_string())
    };
    Picture {
        title: "Time from due to answered",
        what: "Milliseconds within which a share of all was answered; both scales are logarithmic",
        across: ticks.map(|(at, text)| (across(at), text.to_owned())).into(),
        up: (low..=high).map(decade).collect(),
        lines: lines.map(line).collect(),
    }
    .svg()
}

/// A scale of so many seconds.
fn time(seconds: usize) -> Vec<Tick> {
    let tick = |part: usize| {
        let at = number(part as u64) / 5.0;
        (at, format!("{} s", seconds * part / 5))
    };
    (0..=5).map(tick).collect()
}

fn place(index: usize, of: usize) -> f64 {
    number(index as u64) / number(of.max(1) as u64)
}

/// What is read of a second.
type Value = fn(&Second) -> u64;

fn seconds(report: &LoadReport) -> String {
    let all = &report.by_second;
    let values: [(&str, Value); 4] = [
        ("due", |second| second.due),
        ("acknowledged", |second| second.acknowledged),
        ("refused", |second| second.refused),
        ("other answers", |second| second.failed),
    ];
    let most = values
        .iter()
        .flat_map(|(_, value)| all.iter().map(value))
        .max();
    let (up, top) = counted(number(most.unwrap_or_default()));
    let line = |(name, value): (&str, Value)| Line {
        name: name.to_owned(),
        points: all
            .iter()
            .enumerate()
            .map(|(at, second)| (place(at, all.len()), number(value(second)) / top))
            .collect(),
    };
    Picture {
        title: "Applications in each second",
        what: "Due for the first time, and answered",
        across: time(all.len()),
        up,
        lines: values.map(line).into(),
    }
    .svg()
}

fn memory(report: &LoadReport) -> String {
    let all = &report.processes.memory_mebibytes;
    let (up, top) = counted(f64::from(all.iter().copied().max().unwrap_or_default()));
    let points = all.iter().enumerate();
    Picture {
        title: "Memory of the services",
        what: "Mebibytes",
        across: time(all.len()),
        up,
        lines: vec![Line {
            name: String::from("resident"),
            points: points
                .map(|(at, size)| (place(at, all.len()), f64::from(*size) / top))
                .collect(),
        }],
    }
    .svg()
}

#[cfg(test)]
mod tests {
    use super::{super::report::tests::report, *};

    #[test]
    fn a_page_stands_alone_and_shows_what_was_counted() {
        let mut report = report();
        report.processes.memory_mebibytes = vec![100, 101];
        let page = load_page(&report, &[("server", String::from("<here>"))]);
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(page.contains("BRANCH_QUOTA") && page.contains("&lt;here&gt;"));
        assert!(page.contains("all offices: acknowledged") && !page.contains("floods"));
        assert!(!page.contains("<script") && !page.contains("NaN") && !page.contains("inf"));
        // The pictures' own name space apart, nothing points anywhere.
        assert_eq!(
            page.matches("http").count(),
            page.matches("http://www.w3.org/2000/svg").count()
        );
    }
}
