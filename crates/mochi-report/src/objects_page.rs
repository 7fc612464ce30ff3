//! Page of a dataset with objects: counts, problems, and images with their boxes and masks.

use std::fmt::Write as _;

use crate::bars::Bars;
use crate::frame;
use crate::objects::{ObjectImage, object_legend};
use mochi_figures::{Escaped, grouped};

/// Content of the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectsPage {
    /// Heading.
    pub name: String,
    /// Line below the heading.
    pub summary: String,
    /// Terms with values.
    pub facts: Vec<(String, String)>,
    /// Kinds of problems.
    pub problems: Vec<ProblemRow>,
    /// Counts, such as objects per class.
    pub bars: Vec<Bars>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Images with their objects.
    pub images: Vec<ObjectImage>,
}

/// A kind of problem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProblemRow {
    /// What is wrong.
    pub explanation: String,
    /// What is done about it.
    pub rule: String,
    /// How often.
    pub count: u64,
    /// The first places: file and object, and the values.
    pub examples: Vec<(String, String)>,
}

impl ObjectsPage {
    /// The page as HTML.
    pub fn render(&self) -> String {
        let mut page = frame::begin(&self.name, &self.summary);
        frame::push_facts(&mut page, self.facts.iter().map(|(term, value)| (term.as_str(), value.as_str())));
        self.push_problems(&mut page);
        if !self.bars.is_empty() {
            page.push_str("<h2>Counts</h2>\n<div class=\"charts\">\n");
            self.bars.iter().for_each(|bars| bars.push(&mut page));
            page.push_str("</div>\n");
        }
        if !self.images.is_empty() {
            page.push_str("<h2>Images with their objects</h2>\n");
            page.push_str(&object_legend(&self.classes, &self.images));
            page.push_str("<div class=\"objects\">\n");
            for image in &self.images {
                let _ = writeln!(page, "{image}");
            }
            page.push_str("</div>\n");
        }
        frame::end(
            &mut page,
            "Images are area averages; hover over a box for its class. Dashed: crowds and difficult objects.",
        );
        page
    }

    fn push_problems(&self, page: &mut String) {
        page.push_str("<h2>Problems</h2>\n");
        if self.problems.is_empty() {
            page.push_str("<p>No problems found.</p>\n");
            return;
        }
        page.push_str(
            "<table class=\"bad problems\"><thead><tr><th>number</th><th>problem</th><th>first places</th></tr></thead><tbody>",
        );
        for ProblemRow { explanation, rule, count, examples } in &self.problems {
            let _ = write!(
                page,
                "<tr><td>{}</td><td>{}<br><span class=\"small\">{}</span></td><td class=\"small\">",
                grouped(*count),
                Escaped(explanation),
                Escaped(rule)
            );
            for (place, detail) in examples {
                let colon = if detail.is_empty() { "" } else { ":" };
                let _ = write!(page, "<code>{}</code>{colon} {}<br>", Escaped(place), Escaped(detail));
            }
            page.push_str("</td></tr>\n");
        }
        page.push_str("</tbody></table>\n");
    }
}
