//! Evaluation results as a table: one column per protocol, one row per subject.

use std::fmt::Write as _;

use crate::results::{Evaluation, Results};
use crate::table;
use mochi_figures::Escaped;

/// Adds the section, or nothing without results.
pub(crate) fn push(page: &mut String, results: &Results) {
    if results.evaluations.is_empty() && results.unread.is_empty() {
        return;
    }
    page.push_str("<h2>Evaluation, top-1 in %</h2>\n");
    let (protocols, subjects) = (results.protocols(), results.subjects());
    if !protocols.is_empty() {
        let head: Vec<&str> = std::iter::once("").chain(protocols.iter().copied()).collect();
        let rows = subjects.iter().map(|subject| {
            let cell = |protocol: &&str| results.find(protocol, subject).map_or_else(String::new, cell);
            std::iter::once(format!("<b>{}</b>", Escaped(subject))).chain(protocols.iter().map(cell)).collect()
        });
        table::push(page, &head, rows);
    }
    for unread in &results.unread {
        let _ = writeln!(page, "<p class=\"small\">Not shown: {}</p>", Escaped(unread));
    }
}

/// Accuracy with what belongs to it.
pub(crate) fn cell(result: &Evaluation) -> String {
    format!("<span><b>{:.2}</b> <span class=\"small\">{}</span></span>", result.top1, Escaped(&result.details))
}
