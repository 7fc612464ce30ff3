//! What every page begins and ends with.

use crate::escape::Escaped;

const STYLE: &str = include_str!("page.css");
const PICTURES: &str = include_str!("pictures.css");

/// Head and heading of a page that shows pictures.
pub(crate) fn begin(title: &str, summary: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} - Mochi</title>\n<style>\n{STYLE}{PICTURES}</style></head>\n<body>\n<header><h1>{title}</h1>\
         <p class=\"sub\">{}</p></header>\n",
        Escaped(summary),
        title = Escaped(title)
    )
}

/// The foot of the page.
pub(crate) fn end(page: &mut String, words: &str) {
    page.push_str(&format!(
        "<footer>{} Mochi {}.</footer>\n</body></html>\n",
        Escaped(words),
        env!("CARGO_PKG_VERSION")
    ));
}
