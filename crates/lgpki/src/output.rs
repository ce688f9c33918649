//! How a command speaks: tables and sentences for people, JSON for machines.
//!
//! Results go to standard output, everything else (progress, next steps, errors) to standard error,
//! so that a pipe carries results alone. Widths count full-width Japanese characters as two.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{IsTerminal, Write},
};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::error::CommandError;

/// How to speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) const fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// A result: `value` for machines, `human` for people.
    pub(crate) fn result(self, value: &impl Serialize, human: impl FnOnce() -> String) {
        let text = if self.json {
            serde_json::to_string_pretty(value).unwrap_or_else(|_| String::from("null"))
        } else {
            lines(&human()).into_owned()
        };
        line(&text);
    }

    /// One result of a stream: one line of JSON each, or a sentence.
    pub(crate) fn item(self, value: &impl Serialize, human: impl FnOnce() -> String) {
        let text = if self.json {
            serde_json::to_string(value).unwrap_or_else(|_| String::from("null"))
        } else {
            lines(&human()).into_owned()
        };
        line(&text);
    }

    /// A result that is a file of its own.
    pub(crate) fn raw(bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        // See `line`.
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// What is going on; for people, on standard error.
    pub(crate) fn say(self, text: impl AsRef<str>) {
        if !self.json && !self.quiet {
            let _ = writeln!(std::io::stderr().lock(), "{}", lines(text.as_ref()));
        }
    }

    /// What is going on, on standard error, for people and machines.
    pub(crate) fn notice(self, value: &impl Serialize, human: impl FnOnce() -> String) {
        if self.json {
            let text = serde_json::to_string(value).unwrap_or_else(|_| String::from("null"));
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        } else {
            self.say(human());
        }
    }

    /// An error, and what to do next.
    pub(crate) fn error(self, error: &CommandError) {
        let mut err = std::io::stderr().lock();
        if self.json {
            let _ = writeln!(err, "{}", error.to_json());
            return;
        }
        let _ = writeln!(err, "error: {}", lines(&error.to_string()));
        if let Some(hint) = error.next_step() {
            let _ = writeln!(err, "  → {hint}");
        }
    }

    fn target(self) -> ProgressDrawTarget {
        let shown = !self.json && !self.quiet && std::io::stderr().is_terminal();
        if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        }
    }

    /// A spinner, for work whose end is not known.
    pub(crate) fn spinner(self) -> ProgressBar {
        ProgressBar::with_draw_target(None, self.target())
    }

    /// A progress bar over `total` things; hidden where nobody watches.
    pub(crate) fn progress(self, total: u64, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(total), self.target());
        if let Ok(style) =
            ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} ({per_sec}, {eta} left)")
        {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_message(what);
        bar
    }
}

/// Whether a character changes how a terminal shows others, or where.
fn moves(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(|c| moves(c) && !stays(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if moves(c) && !stays(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// What is told, without what a text from elsewhere could bring into it to have a terminal show another.
fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// A text from elsewhere that cannot end its line.
pub(crate) fn inline(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away (`| head`) wants no more, and there is nobody left to tell.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A table of `rows` under `header`, aligned for full-width text.
pub(crate) fn table<R>(header: &[&str], rows: R) -> String
where
    R: IntoIterator<Item = Vec<String>>,
{
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    if table.is_empty() {
        String::from("(none)")
    } else {
        table.to_string()
    }
}

/// Two columns without a header: what, and its value; empty values are left out.
pub(crate) fn sheet(rows: &[(&str, String)]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    for (what, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        table.add_row(vec![format!("{what}:"), value.clone()]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_under_full_width_text() {
        let text = table(
            &["団体", "n"],
            [
                vec!["北海道".into(), "1".into()],
                vec!["ab".into(), "2".into()],
            ],
        );
        let column = |line: &str, c| line.split(c).next().map(unicode_columns);
        let rows: Vec<_> = text
            .lines()
            .filter(|l| l.contains('1') || l.contains('2'))
            .collect();
        assert_eq!(column(rows[0], '1'), column(rows[1], '2'));
    }

    fn unicode_columns(text: &str) -> usize {
        text.chars()
            .map(|c| if u32::from(c) > 0x2fff { 2 } else { 1 })
            .sum()
    }

    #[test]
    fn a_text_from_elsewhere_cannot_speak_for_the_program() {
        let spoken = "\u{1b}]0;owned\u{7}\u{1b}[2J\n9b\u{9b}31m\u{202e}市長\t";
        let shown = lines(spoken);
        assert!(shown.contains('\n') && shown.contains("市長\t"), "{shown}");
        assert!(
            shown.starts_with("\\u{1b}]0;owned\\u{7}\\u{1b}[2J"),
            "{shown}"
        );
        for c in ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}'] {
            assert!(!shown.contains(c) && !inline(spoken).contains(c), "{shown}");
        }
        assert!(!inline(spoken).contains(['\n', '\t']));
        assert_eq!(inline("市長 A"), "市長 A");
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(table(&["a"], []), "(none)");
    }
}
