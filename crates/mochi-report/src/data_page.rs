//! Page of a dataset report: issues, histograms, bad files, duplicates, a contact sheet.

use std::fmt::Write as _;

use mochi_figures::{Escaped, grouped};
use mochi_text::counted_with;

use crate::bars::Bars;
use crate::frame;
use crate::image::Image;

/// Content of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataPage {
    /// Heading.
    pub name: String,
    /// Line below the heading.
    pub summary: String,
    /// Issues, the most severe first.
    pub issues: Vec<Issue>,
    /// Terms with values.
    pub facts: Vec<(String, String)>,
    /// Histograms and counts.
    pub bars: Vec<Bars>,
    /// Random images, by class if there are classes.
    pub sheet: Vec<Section>,
    /// Number of classes that are not shown.
    pub more_sections: usize,
    /// Exact and near duplicates.
    pub duplicates: Vec<Duplicates>,
    /// Files that could not be read.
    pub bad: Vec<BadFile>,
    /// Number of bad files that are not listed.
    pub more_bad: usize,
}

/// An issue of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Severity, shown as a label.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Severity of an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A run fails.
    Error,
    /// A run may give worse results.
    Warning,
    /// Information.
    Note,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A part of the contact sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The class; empty without classes.
    pub title: String,
    /// Number of images of the class.
    pub of: usize,
    /// The images shown.
    pub images: Vec<Image>,
}

/// Groups of duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicates {
    /// Heading.
    pub title: String,
    /// Definition of a duplicate.
    pub meaning: String,
    /// The groups shown.
    pub groups: Vec<Group>,
    /// Number of groups that are not shown.
    pub more: usize,
}

/// Images that are duplicates of each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// A note, such as "identical files" or "in different classes".
    pub note: String,
    /// The images shown.
    pub images: Vec<Image>,
    /// Number of images that are not shown.
    pub more: usize,
}

/// A file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile {
    /// Name.
    pub name: String,
    /// Reason, one word.
    pub reason: String,
    /// Message of the decoder or of the system.
    pub detail: String,
}

impl DataPage {
    /// The page as HTML.
    pub fn render(&self) -> String {
        let mut page = frame::begin(&self.name, &self.summary);
        frame::push_facts(&mut page, self.facts.iter().map(|(term, value)| (term.as_str(), value.as_str())));
        self.push_issues(&mut page);
        if !self.bars.is_empty() {
            page.push_str("<h2>Counts</h2>\n<div class=\"charts\">\n");
            self.bars.iter().for_each(|bars| bars.push(&mut page));
            page.push_str("</div>\n");
        }
        push_bad(&mut page, &self.bad, self.more_bad);
        self.duplicates.iter().filter(|d| !d.groups.is_empty()).for_each(|d| d.push(&mut page));
        self.push_sheet(&mut page);
        frame::end(&mut page, "Thumbnails are area averages; hover over one for its name.");
        page
    }

    fn push_issues(&self, page: &mut String) {
        page.push_str("<h2>Issues</h2>\n");
        if self.issues.is_empty() {
            page.push_str("<p>No issues found.</p>\n");
            return;
        }
        page.push_str("<ul class=\"issues\">\n");
        for Issue { severity, message, hint } in &self.issues {
            let _ = writeln!(
                page,
                "<li><span class=\"mark {0}\">{0}</span><div>{1}<br><span class=\"small\">{2}</span></div></li>",
                severity.name(),
                Escaped(message),
                Escaped(hint)
            );
        }
        page.push_str("</ul>\n");
    }

    fn push_sheet(&self, page: &mut String) {
        if self.sheet.is_empty() {
            return;
        }
        page.push_str("<h2>Contact sheet</h2>\n");
        for section in &self.sheet {
            if !section.title.is_empty() {
                let count = grouped(section.of as u64);
                let _ = write!(page, "<h3>{} <span class=\"small\">{count}</span></h3>", Escaped(&section.title));
            }
            page.push_str("<div class=\"sheet\">");
            for image in &section.images {
                let _ = write!(page, "{image}");
            }
            page.push_str("</div>\n");
        }
        if self.more_sections > 0 {
            let more = more(self.more_sections, "class");
            let _ = writeln!(page, "<p class=\"small\">{more}.</p>");
        }
    }
}

impl Duplicates {
    fn push(&self, page: &mut String) {
        let _ = writeln!(
            page,
            "<h2>{}</h2>\n<p class=\"small\">{}</p>\n<div class=\"groups\">",
            Escaped(&self.title),
            Escaped(&self.meaning)
        );
        for group in &self.groups {
            page.push_str("<div class=\"group\">");
            for image in &group.images {
                let name = Escaped(&image.name);
                let _ = write!(page, "<figure>{image}<figcaption>{name}</figcaption></figure>");
            }
            let mut note = group.note.clone();
            if group.more > 0 {
                let separator = if note.is_empty() { "" } else { "; " };
                let _ = write!(note, "{separator}{} more", group.more);
            }
            if !note.is_empty() {
                let _ = write!(page, "<p class=\"small\">{}</p>", Escaped(&note));
            }
            page.push_str("</div>\n");
        }
        page.push_str("</div>\n");
        push_more(page, self.more, "group");
    }
}

/// The section of bad files, or nothing if there are none.
pub(crate) fn push_bad(page: &mut String, bad: &[BadFile], more_bad: usize) {
    if bad.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "<h2>Bad files</h2>\n<div class=\"wide\"><table class=\"bad\"><thead><tr><th>file</th><th>reason</th><th>detail</th></tr></thead><tbody>"
    );
    for BadFile { name, reason, detail } in bad {
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td class=\"small\">{}</td></tr>",
            Escaped(name),
            Escaped(reason),
            Escaped(detail)
        );
    }
    page.push_str("</tbody></table></div>\n");
    push_more(page, more_bad, "bad file");
}

/// `1 more group is not shown`
fn more(number: usize, noun: &str) -> String {
    counted_with(grouped(number as u64), &format!("more {noun}"), ["is not shown", "are not shown"])
}

fn push_more(page: &mut String, number: usize, noun: &str) {
    if number > 0 {
        let more = more(number, noun);
        let _ = writeln!(page, "<p class=\"small\">{more}; <code>--json</code> lists all.</p>");
    }
}
