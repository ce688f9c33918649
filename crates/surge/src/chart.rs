//! Curves over weeks in one picture: a standalone SVG without scripts or fonts of its own.

use std::fmt::Write as _;

use crate::{html::escaped, plan::Plan, report::Report};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 64.0;
/// Height and length of what is drawn in.
const HIGH: f64 = 320.0;
const LONG: f64 = 640.0;
/// Weeks before the end that are shown at most.
const WEEKS: usize = 56;
/// One colour for each line; more lines begin again.
pub(crate) const COLOURS: [&str; 6] = [
    "#c53030", "#2b6cb0", "#2f855a", "#b7791f", "#6b46c1", "#4a5568",
];

/// A line of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What it shows.
    pub name: String,
    /// More of that, smaller.
    pub note: String,
    /// Mondays with their values, in order.
    pub points: Vec<(String, f64)>,
}

impl Curve {
    /// A value of each week of a report; weeks without one are left out.
    #[must_use]
    pub fn of(
        (name, note): (&str, &str),
        report: &Report,
        value: impl Fn(&crate::Week) -> Option<f64>,
    ) -> Self {
        let points = report
            .weeks
            .iter()
            .filter_map(|week| Some((week.monday.clone(), value(week)?)));
        Self {
            name: name.to_owned(),
            note: note.to_owned(),
            points: points.collect(),
        }
    }

    /// The median wait of those issued in each week, in business days.
    #[must_use]
    pub fn of_waits((name, note): (&str, &str), report: &Report) -> Self {
        let day = report.business_hours_per_day;
        Self::of((name, note), report, |week| {
            (week.issued > 0).then(|| week.wait_business_hours.p50 / day)
        })
    }

    fn at(&self, monday: &str) -> Option<f64> {
        let found = self.points.iter().find(|(week, _)| week == monday);
        found.map(|(_, value)| *value)
    }
}

/// Draws, for each plan, the median wait of each week in business days, over the weeks around the surge.
#[must_use]
pub fn svg(title: &str, plans: &[Plan]) -> String {
    let curve = |plan: &Plan| {
        let name = format!("{}, {}", plan.habit, plan.order);
        let note = format!("{} expired waiting", plan.report.totals.expired_waiting);
        Curve::of_waits((&name, &note), &plan.report)
    };
    let curves: Vec<_> = plans.iter().map(curve).collect();
    draw(
        title,
        "Median wait of those issued in a week, business days (simulated)",
        &curves,
    )
}

/// Draws curves over the last weeks in which any of them has something to show.
#[must_use]
pub fn draw(title: &str, what: &str, curves: &[Curve]) -> String {
    let weeks = weeks(curves);
    let top = highest(curves, &weeks);
    let height = TOP + HIGH + 84.0;
    let (title, what) = (escaped(title), escaped(what));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n<title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"15\" fill=\"#1a1a1a\">{title}</text>\n\
         <text x=\"16\" y=\"48\" fill=\"#444444\">{what}</text>\n"
    );
    axes(&mut svg, &weeks, top);
    for (number, curve) in curves.iter().enumerate() {
        line(&mut svg, (number, curve), &weeks, top);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The last Mondays at which any curve has a point.
fn weeks(curves: &[Curve]) -> Vec<&str> {
    let all = curves.iter().flat_map(|curve| &curve.points);
    let mut weeks: Vec<_> = all.map(|(monday, _)| monday.as_str()).collect();
    weeks.sort_unstable();
    weeks.dedup();
    weeks.split_off(weeks.len().saturating_sub(WEEKS))
}

/// The top of the scale: a round number above the highest value.
fn highest(curves: &[Curve], weeks: &[&str]) -> f64 {
    let each = |curve| {
        weeks
            .iter()
            .filter_map(move |monday| Curve::at(curve, monday))
    };
    let most = curves.iter().flat_map(each).fold(1.0, f64::max);
    let mut step = 5.0;
    while most / step > 10.0 {
        step *= 4.0;
    }
    (most / step).ceil() * step
}

fn x(index: usize, weeks: &[&str]) -> f64 {
    let place = |n: usize| f64::from(u16::try_from(n).unwrap_or(u16::MAX));
    LEFT + LONG * place(index) / place(weeks.len().saturating_sub(1).max(1))
}

fn axes(svg: &mut String, weeks: &[&str], top: f64) {
    for part in 0..=5 {
        let part = f64::from(part) / 5.0;
        let (y, value) = (TOP + HIGH * (1.0 - part), top * part);
        let (right, left, text) = (LEFT + LONG, LEFT - 8.0, y + 4.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#e2e8f0\"/>\n\
             <text x=\"{left}\" y=\"{text:.1}\" text-anchor=\"end\" fill=\"#444444\">{value:.0}</text>"
        );
    }
    for (index, monday) in weeks.iter().enumerate().filter(|(index, _)| index % 8 == 0) {
        let (x, y) = (x(index, weeks), TOP + HIGH + 20.0);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#444444\">{monday}</text>"
        );
    }
}

fn line(svg: &mut String, (number, curve): (usize, &Curve), weeks: &[&str], top: f64) {
    let colour = COLOURS[number % COLOURS.len()];
    let mut points = String::new();
    for (index, monday) in weeks.iter().enumerate() {
        if let Some(value) = curve.at(monday) {
            let y = TOP + HIGH * (1.0 - value / top);
            let _ = write!(points, "{:.1},{y:.1} ", x(index, weeks));
        }
    }
    let points = points.trim_end();
    let dashes = if number >= COLOURS.len() {
        " stroke-dasharray=\"5 3\""
    } else {
        ""
    };
    let _ = writeln!(
        svg,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>"
    );
    let place = f64::from(u16::try_from(number).unwrap_or(u16::MAX));
    let (left, y) = (LEFT + LONG + 24.0, TOP + 10.0 + place * 36.0);
    let (swatch, text) = (left + 18.0, left + 24.0);
    let _ = writeln!(
        svg,
        "<line x1=\"{left}\" y1=\"{y}\" x2=\"{swatch}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"3\"{dashes}/>\n\
         <text x=\"{text}\" y=\"{}\" fill=\"#1a1a1a\">{}</text>\n\
         <text x=\"{text}\" y=\"{}\" fill=\"#444444\">{}</text>",
        y + 4.0,
        escaped(&curve.name),
        y + 19.0,
        escaped(&curve.note),
    );
}
