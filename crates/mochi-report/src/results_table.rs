//! Evaluation results as a table: one column per protocol, one row per subject.

use std::fmt::Write as _;

use crate::escape::Escaped;
use crate::results::Results;

/// Adds the section, or nothing without results.
pub(crate) fn push(page: &mut String, results: &Results) {
    if results.evaluations.is_empty() && results.unread.is_empty() {
        return;
    }
    page.push_str("<h2>Evaluation</h2>\n");
    let (protocols, subjects) = (results.protocols(), results.subjects());
    if !protocols.is_empty() {
        page.push_str("<table class=\"results\"><thead><tr><th>top-1, %</th>");
        for protocol in &protocols {
            let _ = write!(page, "<th>{}</th>", Escaped(protocol));
        }
        page.push_str("</tr></thead><tbody>\n");
        for subject in &subjects {
            let _ = write!(page, "<tr><th>{}</th>", Escaped(subject));
            for protocol in &protocols {
                let cell = results.find(protocol, subject).map_or(String::new(), |result| {
                    format!("<b>{:.2}</b> <span class=\"small\">{}</span>", result.top1, Escaped(&result.details))
                });
                let _ = write!(page, "<td>{cell}</td>");
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody></table>\n");
    }
    for unread in &results.unread {
        let _ = writeln!(page, "<p class=\"small\">Not shown: {}</p>", Escaped(unread));
    }
}
