//! Waiting times of several plans in one picture: a standalone SVG without scripts or fonts of its own.

use std::fmt::Write as _;

use crate::plan::Plan;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 64.0;
/// Height and length of what is drawn in.
const HIGH: f64 = 320.0;
const LONG: f64 = 640.0;
/// Weeks before the end that are shown at most.
const WEEKS: usize = 56;
/// One colour for each line; more lines begin again.
const COLOURS: [&str; 6] = [
    "#c53030", "#2b6cb0", "#2f855a", "#b7791f", "#6b46c1", "#4a5568",
];

/// Draws, for each plan, the median wait of each week in business days, over the weeks around the surge.
#[must_use]
pub fn svg(title: &str, plans: &[Plan]) -> String {
    let weeks = weeks(plans);
    let top = highest(plans, &weeks);
    let height = TOP + HIGH + 84.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n<title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"15\" fill=\"#1a1a1a\">{title}</text>\n\
         <text x=\"16\" y=\"48\" fill=\"#444444\">Median wait of those issued in a week, business days (simulated)</text>\n",
        title = escaped(title)
    );
    axes(&mut svg, &weeks, top);
    for (number, plan) in plans.iter().enumerate() {
        line(&mut svg, (number, plan), &weeks, top);
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The Mondays of the last weeks in which any plan has something to show.
fn weeks(plans: &[Plan]) -> Vec<&str> {
    let all = plans.iter().flat_map(|plan| &plan.report.weeks);
    let mut weeks: Vec<_> = all.map(|week| week.monday.as_str()).collect();
    weeks.sort_unstable();
    weeks.dedup();
    weeks.split_off(weeks.len().saturating_sub(WEEKS))
}

fn days(plan: &Plan, monday: &str) -> Option<f64> {
    let mut weeks = plan.report.weeks.iter();
    let week = weeks.find(|week| week.monday == monday && week.issued > 0)?;
    Some(week.wait_business_hours.p50 / plan.report.business_hours_per_day)
}

/// The top of the scale: a round number of days above the longest wait.
fn highest(plans: &[Plan], weeks: &[&str]) -> f64 {
    let each = |plan| weeks.iter().filter_map(move |monday| days(plan, monday));
    let longest = plans.iter().flat_map(each).fold(1.0, f64::max);
    let step = if longest > 50.0 { 20.0 } else { 5.0 };
    (longest / step).ceil() * step
}

fn x(index: usize, weeks: &[&str]) -> f64 {
    let place = |n: usize| f64::from(u16::try_from(n).unwrap_or(u16::MAX));
    LEFT + LONG * place(index) / place(weeks.len().saturating_sub(1).max(1))
}

fn axes(svg: &mut String, weeks: &[&str], top: f64) {
    for part in 0..=5 {
        let part = f64::from(part) / 5.0;
        let (y, days) = (TOP + HIGH * (1.0 - part), top * part);
        let (right, left, text) = (LEFT + LONG, LEFT - 8.0, y + 4.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#e2e8f0\"/>\n\
             <text x=\"{left}\" y=\"{text:.1}\" text-anchor=\"end\" fill=\"#444444\">{days:.0}</text>"
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

fn line(svg: &mut String, (number, plan): (usize, &Plan), weeks: &[&str], top: f64) {
    let colour = COLOURS[number % COLOURS.len()];
    let mut points = String::new();
    for (index, monday) in weeks.iter().enumerate() {
        if let Some(days) = days(plan, monday) {
            let y = TOP + HIGH * (1.0 - days / top);
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
    let lost = plan.report.totals.expired_waiting;
    let _ = writeln!(
        svg,
        "<line x1=\"{left}\" y1=\"{y}\" x2=\"{swatch}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"3\"{dashes}/>\n\
         <text x=\"{text}\" y=\"{}\" fill=\"#1a1a1a\">{}, {}</text>\n\
         <text x=\"{text}\" y=\"{}\" fill=\"#444444\">{lost} expired waiting</text>",
        y + 4.0,
        plan.habit,
        plan.order,
        y + 19.0,
    );
}
