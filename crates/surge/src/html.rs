//! A report as one HTML page that stands alone: no script, no font, no picture, no style from anywhere else.

use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#1a1a1a}\
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}table{border-collapse:collapse;margin:1em 0}\
td,th{padding:.2em .7em;border-bottom:1px solid #e2e8f0;text-align:right;font-variant-numeric:tabular-nums}\
td:first-child,th:first-child{text-align:left}th{background:#f7fafc}table.sheet td{text-align:left}\
figure{margin:1em 0}svg{max-width:100%;height:auto}footer{margin-top:3em;color:#666666}";

/// A page that is being written.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self {
            title: escaped(title),
            body: String::new(),
        }
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) {
        let _ = writeln!(self.body, "<h2>{}</h2>", escaped(text));
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p>{}</p>", escaped(text));
    }

    /// A picture, as an SVG made by this program.
    pub fn picture(&mut self, svg: &str) {
        let _ = writeln!(self.body, "<figure>{svg}</figure>");
    }

    /// What, and its value; empty values are left out.
    pub fn sheet(&mut self, rows: &[(&str, String)]) {
        self.body.push_str("<table class=\"sheet\">\n");
        for (what, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
            let (what, value) = (escaped(what), escaped(value));
            let _ = writeln!(self.body, "<tr><td>{what}</td><td>{value}</td></tr>");
        }
        self.body.push_str("</table>\n");
    }

    /// Rows under a header.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let row = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
            let mut row = String::from("<tr>");
            for cell in cells {
                let _ = write!(row, "<{tag}>{}</{tag}>", escaped(cell));
            }
            row + "</tr>\n"
        };
        self.body.push_str("<table>\n");
        self.body.push_str(&row("th", &mut header.iter().copied()));
        for cells in rows {
            let cells = &mut cells.iter().map(String::as_str);
            self.body.push_str(&row("td", cells));
        }
        self.body.push_str("</table>\n");
    }

    /// The whole page; `made_by` stands at its foot.
    #[must_use]
    pub fn finish(self, made_by: &str) -> String {
        let Self { title, body } = self;
        let made_by = escaped(made_by);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}<footer>{made_by}</footer>\n</body>\n</html>\n"
        )
    }
}

/// Text as it may stand in HTML and SVG.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_stands_alone_and_nothing_in_it_is_taken_for_markup() {
        let mut page = Page::new("a < b");
        page.heading("h");
        page.text("\"x\" & y");
        page.sheet(&[("one", String::from("1")), ("none", String::new())]);
        page.table(&["a", "b"], &[vec![String::from("<i>"), String::from("2")]]);
        page.picture("<svg></svg>");
        let html = page.finish("me");
        assert!(html.contains("<title>a &lt; b</title>"));
        assert!(html.contains("&quot;x&quot; &amp; y") && html.contains("&lt;i&gt;"));
        assert!(!html.contains("none") && !html.contains("<script") && !html.contains("http"));
        for tag in ["table", "tr", "td", "th", "p", "h1", "h2", "figure"] {
            let opened = html.matches(&format!("<{tag}>")).count()
                + html.matches(&format!("<{tag} class")).count();
            assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
