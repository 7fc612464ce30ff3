//! The page of a look at a data set: what was found, histograms, copies side by side, a contact sheet, bad files.

use std::fmt::Write as _;

use crate::bars::Bars;
use crate::escape::Escaped;
use crate::frame;
use crate::page::grouped;
use crate::picture::Picture;

/// Everything that stands on the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataPage {
    /// The heading.
    pub name: String,
    /// The line under it.
    pub summary: String,
    /// What it means for a run, the heaviest first.
    pub remarks: Vec<Remark>,
    /// Terms and values in brief.
    pub facts: Vec<(String, String)>,
    /// Histograms and counts.
    pub bars: Vec<Bars>,
    /// Random pictures, by class where there are any.
    pub sheet: Vec<Section>,
    /// Further classes that are not shown.
    pub more_sections: usize,
    /// Groups of copies, by kind of copy.
    pub copies: Vec<Copies>,
    /// Files that could not be read.
    pub bad: Vec<BadFile>,
    /// Further ones that are not listed here.
    pub more_bad: usize,
}

/// One remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How much it weighs: decides the mark before it.
    pub weight: Weight,
    /// One sentence.
    pub what: String,
    /// The next step.
    pub hint: String,
}

/// How much a remark weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A run would stop.
    Breaks,
    /// A run would be the worse for it.
    Doubtful,
    /// Good to know.
    Note,
}

impl Weight {
    fn word(self) -> &'static str {
        match self {
            Self::Breaks => "stops a run",
            Self::Doubtful => "doubtful",
            Self::Note => "note",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Breaks => "breaks",
            Self::Doubtful => "doubtful",
            Self::Note => "note",
        }
    }
}

/// A part of the contact sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The class; empty where there are none.
    pub title: String,
    /// Images that the pictures were drawn from.
    pub of: usize,
    /// The pictures.
    pub pictures: Vec<Picture>,
}

/// Groups of copies of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// The heading.
    pub title: String,
    /// What counts as a copy here.
    pub meaning: String,
    /// The groups that are shown.
    pub groups: Vec<Group>,
    /// Further groups that are not shown.
    pub more: usize,
}

/// Images that show the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// A remark, such as "the same bytes" or "in different classes".
    pub note: String,
    /// The pictures, each named.
    pub pictures: Vec<Picture>,
    /// Further members that are not shown.
    pub more: usize,
}

/// A file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile {
    /// Its name.
    pub name: String,
    /// The reason in a word.
    pub reason: String,
    /// The decoder's or the system's words.
    pub detail: String,
}

impl DataPage {
    /// The whole page as HTML.
    pub fn render(&self) -> String {
        let mut page = frame::begin(&self.name, &self.summary);
        page.push_str("<dl>");
        for (term, value) in &self.facts {
            let _ = write!(page, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(term), Escaped(value));
        }
        page.push_str("</dl>\n");
        self.push_remarks(&mut page);
        if !self.bars.is_empty() {
            page.push_str("<h2>Counts</h2>\n<div class=\"charts\">\n");
            self.bars.iter().for_each(|bars| bars.push(&mut page));
            page.push_str("</div>\n");
        }
        self.push_bad(&mut page);
        self.copies.iter().filter(|copies| !copies.groups.is_empty()).for_each(|copies| copies.push(&mut page));
        self.push_sheet(&mut page);
        frame::end(&mut page, "Thumbnails are averages over areas; hover for a picture's name.");
        page
    }

    fn push_remarks(&self, page: &mut String) {
        page.push_str("<h2>What it means for a run</h2>\n");
        if self.remarks.is_empty() {
            page.push_str("<p>Nothing stands out.</p>\n");
            return;
        }
        page.push_str("<ul class=\"remarks\">\n");
        for Remark { weight, what, hint } in &self.remarks {
            let _ = writeln!(
                page,
                "<li><span class=\"mark {}\">{}</span><div>{}<br><span class=\"small\">{}</span></div></li>",
                weight.class(),
                weight.word(),
                Escaped(what),
                Escaped(hint)
            );
        }
        page.push_str("</ul>\n");
    }

    fn push_bad(&self, page: &mut String) {
        if self.bad.is_empty() {
            return;
        }
        let _ = writeln!(
            page,
            "<h2>Bad files</h2>\n<div class=\"wide\"><table class=\"bad\"><thead><tr><th>file</th><th>reason</th><th>detail</th></tr></thead><tbody>"
        );
        for BadFile { name, reason, detail } in &self.bad {
            let _ = writeln!(
                page,
                "<tr><td><code>{}</code></td><td>{}</td><td class=\"small\">{}</td></tr>",
                Escaped(name),
                Escaped(reason),
                Escaped(detail)
            );
        }
        page.push_str("</tbody></table></div>\n");
        push_more(page, self.more_bad, "bad files");
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
            for picture in &section.pictures {
                let _ = write!(page, "{picture}");
            }
            page.push_str("</div>\n");
        }
        if self.more_sections > 0 {
            let more = grouped(self.more_sections as u64);
            let _ = writeln!(page, "<p class=\"small\">{more} more classes are not shown.</p>");
        }
    }
}

impl Copies {
    fn push(&self, page: &mut String) {
        let _ = writeln!(
            page,
            "<h2>{}</h2>\n<p class=\"small\">{}</p>\n<div class=\"groups\">",
            Escaped(&self.title),
            Escaped(&self.meaning)
        );
        for group in &self.groups {
            page.push_str("<div class=\"group\">");
            for picture in &group.pictures {
                let name = Escaped(&picture.name);
                let _ = write!(page, "<figure>{picture}<figcaption>{name}</figcaption></figure>");
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
        push_more(page, self.more, "groups");
    }
}

fn push_more(page: &mut String, more: usize, what: &str) {
    if more > 0 {
        let more = grouped(more as u64);
        let _ = writeln!(page, "<p class=\"small\">{more} more {what} are not shown; <code>--json</code> has all.</p>");
    }
}
