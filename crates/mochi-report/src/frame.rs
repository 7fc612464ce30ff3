//! Beginning and end of every page.

use std::fmt::Write as _;

use mochi_figures::{CHARTS, Escaped, Figure, PALETTE};

const PAGE: &str = include_str!("page.css");
const IMAGES: &str = include_str!("images.css");
const OBJECTS: &str = include_str!("objects.css");

/// Browsers load nothing for a page and run no script in it, whatever its text contains.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// Head and heading of a page.
pub(crate) fn begin(title: &str, summary: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} - Mochi</title>\n<style>\n{PALETTE}{PAGE}{CHARTS}{IMAGES}{OBJECTS}</style></head>\n<body>\n<header><h1>{title}</h1>\
         <p class=\"sub\">{}</p></header>\n",
        Escaped(summary),
        title = Escaped(title)
    )
}

/// Terms with values, as a grid.
pub(crate) fn push_facts<'a>(page: &mut String, facts: impl Iterator<Item = (&'a str, &'a str)>) {
    page.push_str("<dl>");
    for (term, value) in facts {
        page.push_str(&format!("<div><dt>{}</dt><dd>{}</dd></div>", Escaped(term), Escaped(value)));
    }
    page.push_str("</dl>\n");
}

/// Adds a section of figures to a page, or nothing without any.
pub(crate) fn push_figures(page: &mut String, title: &str, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    let _ = writeln!(page, "<h2>{title}</h2>");
    push_charts(page, figures);
}

/// Adds figures, as many in a row as fit, or nothing without any.
pub(crate) fn push_charts(page: &mut String, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    page.push_str("<div class=\"charts\">\n");
    for figure in figures {
        page.push_str(&figure.svg);
        page.push('\n');
    }
    page.push_str("</div>\n");
}

/// Footer and end of a page.
pub(crate) fn end(page: &mut String, text: &str) {
    page.push_str(&format!(
        "<footer>{} Mochi {}.</footer>\n</body></html>\n",
        Escaped(text),
        env!("CARGO_PKG_VERSION")
    ));
}
