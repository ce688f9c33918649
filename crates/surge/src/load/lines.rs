//! Lines over two scales in one picture: a standalone SVG without scripts or fonts of its own.

use std::fmt::Write as _;

use crate::{chart::COLOURS, html::escaped};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 72.0;
const TOP: f64 = 64.0;
/// Length and height of what is drawn in.
const LONG: f64 = 640.0;
const HIGH: f64 = 300.0;

/// A line; both coordinates are shares of the picture, from 0 to 1.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// A place on a scale, and what stands there.
pub(super) type Tick = (f64, String);

/// A picture.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) title: &'static str,
    pub(super) what: &'static str,
    pub(super) across: Vec<Tick>,
    pub(super) up: Vec<Tick>,
    pub(super) lines: Vec<Line>,
}

impl Picture {
    /// Draws it.
    pub(super) fn svg(&self) -> String {
        let (title, what) = (escaped(self.title), escaped(self.what));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
             <text x=\"16\" y=\"28\" font-size=\"15\" fill=\"#1a1a1a\">{title}</text>\n\
             <text x=\"16\" y=\"48\" fill=\"#444444\">{what}</text>\n"
        );
        self.scales(&mut svg);
        for (number, line) in self.lines.iter().enumerate() {
            draw(&mut svg, number, line);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn scales(&self, svg: &mut String) {
        let (right, left, foot) = (LEFT + LONG, LEFT - 8.0, TOP + HIGH + 20.0);
        for (place, text) in &self.up {
            let (_, y) = on_paper((0.0, *place));
            let text = escaped(text);
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#e2e8f0\"/>\n\
                 <text x=\"{left}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444444\">{text}</text>",
                y + 4.0
            );
        }
        for (place, text) in &self.across {
            let (x, _) = on_paper((*place, 0.0));
            let text = escaped(text);
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{foot}\" text-anchor=\"middle\" fill=\"#444444\">{text}</text>"
            );
        }
    }
}

fn on_paper((x, y): (f64, f64)) -> (f64, f64) {
    let share = |part: f64| part.clamp(0.0, 1.0);
    (LEFT + LONG * share(x), TOP + HIGH * (1.0 - share(y)))
}

fn draw(svg: &mut String, number: usize, line: &Line) {
    let colour = COLOURS[number % COLOURS.len()];
    let mut points = String::new();
    for point in &line.points {
        let (x, y) = on_paper(*point);
        let _ = write!(points, "{x:.1},{y:.1} ");
    }
    let points = points.trim_end();
    let place = f64::from(u16::try_from(number).unwrap_or(u16::MAX));
    let (left, y) = (LEFT + LONG + 24.0, TOP + 10.0 + place * 22.0);
    let (swatch, text) = (left + 18.0, left + 24.0);
    let _ = writeln!(
        svg,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
         <line x1=\"{left}\" y1=\"{y}\" x2=\"{swatch}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"3\"/>\n\
         <text x=\"{text}\" y=\"{}\" fill=\"#1a1a1a\">{}</text>",
        y + 4.0,
        escaped(&line.name),
    );
}

/// A scale from nothing to a round number that is no less than `most`, in five steps; and that number.
pub(super) fn counted(most: f64) -> (Vec<Tick>, f64) {
    let mut step = 1.0;
    while most > step * 5.0 {
        step *= 2.0;
        if most > step * 5.0 {
            step *= 2.5;
        }
        if most > step * 5.0 {
            step *= 2.0;
        }
    }
    let ticks = (0..=5).map(|n| (f64::from(n) / 5.0, format!("{:.0}", f64::from(n) * step)));
    (ticks.collect(), step * 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_numbers_and_hold_what_they_must() {
        for (most, end) in [
            (0.0, 5.0),
            (5.0, 5.0),
            (6.0, 10.0),
            (26.0, 50.0),
            (900.0, 1000.0),
        ] {
            let (ticks, top) = counted(most);
            assert!(
                ticks.len() == 6 && (top - end).abs() < f64::EPSILON,
                "{most}"
            );
            assert_eq!(ticks[5], (1.0, format!("{end}")));
        }
    }

    #[test]
    fn a_picture_names_its_lines_and_keeps_them_on_the_paper() {
        let picture = Picture {
            title: "a < b",
            what: "c",
            across: vec![(0.0, String::from("0 s"))],
            up: counted(3.0).0,
            lines: vec![Line {
                name: String::from("x & y"),
                points: vec![(0.0, -3.0), (2.0, 0.5)],
            }],
        };
        let svg = picture.svg();
        assert!(svg.contains("a &lt; b") && svg.contains("x &amp; y") && svg.contains("0 s"));
        assert!(svg.contains("points=\"72.0,364.0 712.0,214.0\""), "{svg}");
    }
}
