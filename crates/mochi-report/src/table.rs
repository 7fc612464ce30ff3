//! Tables of pages. A wide one scrolls inside the page; on a phone each row becomes a list of its columns' headings and values.

use mochi_figures::Escaped;

use std::fmt::Write as _;

/// Adds a table. `head`: the heading of each column; `rows`: cells as HTML, as many as there are headings.
pub(crate) fn push<H: AsRef<str>>(page: &mut String, head: &[H], rows: impl IntoIterator<Item = Vec<String>>) {
    page.push_str("<div class=\"wide\"><table class=\"stack\"><thead><tr>");
    for heading in head {
        let _ = write!(page, "<th>{}</th>", Escaped(heading.as_ref()));
    }
    page.push_str("</tr></thead><tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for (heading, cell) in head.iter().zip(row) {
            // Without a heading the cell is the name of the row.
            let _ = match heading.as_ref() {
                "" => write!(page, "<td>{cell}</td>"),
                heading => write!(page, "<td data-label=\"{}\">{cell}</td>", Escaped(heading)),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

/// A cell of plain text.
pub(crate) fn text(cell: &str) -> String {
    Escaped(cell).to_string()
}

/// A cell of code.
pub(crate) fn code(cell: &str) -> String {
    format!("<code>{}</code>", Escaped(cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_the_headings_of_their_columns() {
        let mut page = String::new();
        push(&mut page, &["", "a<b"], [vec![code("x"), text("1 > 0")]]);
        assert!(page.contains("<tr><td><code>x</code></td><td data-label=\"a&lt;b\">1 &gt; 0</td></tr>"), "{page}");
        assert!(page.contains("<thead><tr><th></th><th>a&lt;b</th></tr>"));
    }
}
