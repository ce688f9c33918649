//! Bar charts: as text of block characters, and as a standalone SVG without scripts or fonts of its own.

use std::fmt::Write as _;

/// Cells of the longest bar in the terminal.
const WIDTH: u64 = 48;
/// Eighths of a cell, from one to eight.
const BLOCKS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Bars under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Chart {
    /// Of whom; empty for all together.
    pub(in crate::commands) name: String,
    /// Label, what is counted, and what is counted beside it: revoked certificates, for one.
    pub(in crate::commands) bars: Vec<(String, u32, u32)>,
    /// What stands beside, in a word.
    pub(in crate::commands) beside: &'static str,
}

fn longest(charts: &[Chart]) -> u64 {
    let bars = charts.iter().flat_map(|chart| &chart.bars);
    let lengths = bars.map(|(_, unrevoked, revoked)| u64::from(*unrevoked) + u64::from(*revoked));
    lengths.max().unwrap_or_default().max(1)
}

/// A number with its thousands set apart.
pub(in crate::commands) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The charts for a terminal, all to one scale; what is counted beside stands behind as light blocks.
pub(in crate::commands) fn text(charts: &[Chart]) -> String {
    let longest = longest(charts);
    let mut text = String::new();
    for chart in charts {
        if !chart.name.is_empty() {
            let _ = writeln!(text, "{}", chart.name);
        }
        for (label, unrevoked, revoked) in &chart.bars {
            let eighths = u64::from(*unrevoked) * WIDTH * 8 / longest;
            let light = u64::from(*revoked) * WIDTH / longest;
            let _ = write!(text, "{label}  {}", bar(eighths, *unrevoked));
            text.extend((0..light).map(|_| '░'));
            let _ = write!(text, " {}", grouped(u64::from(*unrevoked)));
            if *revoked > 0 {
                let number = grouped(u64::from(*revoked));
                let _ = write!(text, " (+{number} {})", chart.beside);
            }
            text.push('\n');
        }
    }
    text
}

/// What is not nothing is seen.
fn bar(eighths: u64, number: u32) -> String {
    let eighths = if number > 0 { eighths.max(1) } else { 0 };
    let mut bar: String = (0..eighths / 8).map(|_| '█').collect();
    let rest = usize::try_from(eighths % 8).unwrap_or_default();
    if let Some(block) = rest.checked_sub(1).and_then(|rest| BLOCKS.get(rest)) {
        bar.push(*block);
    }
    bar
}

/// Height of a bar with the space under it, in pixels.
const STEP: usize = 18;
/// Where bars begin, and the length of the longest.
const LEFT: usize = 120;
const LENGTH: u64 = 560;

/// The charts as one SVG document.
pub(in crate::commands) fn svg(title: &str, charts: &[Chart]) -> String {
    let longest = longest(charts);
    let lines: usize = charts
        .iter()
        .map(|chart| chart.bars.len() + 2 * usize::from(!chart.name.is_empty()))
        .sum();
    let height = 60 + lines * STEP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" \
         viewBox=\"0 0 860 {height}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>{title}</title>\n<rect width=\"860\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"15\" fill=\"#1a1a1a\">{title}</text>\n",
        title = escaped(title)
    );
    let mut y = 48;
    for chart in charts {
        if !chart.name.is_empty() {
            y += STEP;
            let name = escaped(&chart.name);
            let _ = writeln!(
                svg,
                "<text x=\"16\" y=\"{y}\" fill=\"#1a1a1a\" font-weight=\"bold\">{name}</text>"
            );
            y += STEP / 2;
        }
        for (label, unrevoked, revoked) in &chart.bars {
            let beside = (*revoked, chart.beside);
            draw(&mut svg, y, label, (*unrevoked, beside, longest));
            y += STEP;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(
    svg: &mut String,
    y: usize,
    label: &str,
    (unrevoked, (revoked, beside), longest): (u32, (u32, &str), u64),
) {
    let solid = u64::from(unrevoked) * LENGTH / longest;
    let light = u64::from(revoked) * LENGTH / longest;
    let (text, middle) = (y + 11, LEFT - 8);
    let label = escaped(label);
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{text}\" text-anchor=\"end\" fill=\"#444444\">{label}</text>"
    );
    let mut x = LEFT as u64;
    for (length, colour) in [(solid, "#2b6cb0"), (light, "#cbd5e0")] {
        if length > 0 {
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{length}\" height=\"14\" fill=\"{colour}\"/>"
            );
            x += length;
        }
    }
    let mut number = grouped(u64::from(unrevoked));
    if revoked > 0 {
        let _ = write!(number, " (+{} {beside})", grouped(u64::from(revoked)));
    }
    let x = x + 6;
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{text}\" fill=\"#1a1a1a\">{number}</text>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charts() -> Vec<Chart> {
        let bar = |label: &str, unrevoked, revoked| (label.to_owned(), unrevoked, revoked);
        vec![Chart {
            name: String::from("a<b"),
            beside: "revoked",
            bars: vec![
                bar("2011-01", 480, 0),
                bar("2011-02", 1, 240),
                bar("2011-03", 0, 0),
            ],
        }]
    }

    #[test]
    fn bars_are_to_scale_and_what_is_not_nothing_is_seen() {
        let text = text(&charts());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "a<b");
        assert_eq!(lines[1], format!("2011-01  {} 480", "█".repeat(48)));
        assert_eq!(
            lines[2],
            format!("2011-02  ▏{} 1 (+240 revoked)", "░".repeat(24))
        );
        assert_eq!(lines[3], "2011-03   0");
    }

    #[test]
    fn the_svg_is_well_formed_and_escapes_what_it_shows() {
        let svg = svg("\"x\" & y", &charts());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("&quot;x&quot; &amp; y") && svg.contains("a&lt;b"));
        let lengths = [
            "width=\"560\" height=\"14\"",
            "width=\"1\" height=\"14\"",
            "width=\"280\" height=\"14\"",
        ];
        assert!(lengths.iter().all(|length| svg.contains(length)), "{svg}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
