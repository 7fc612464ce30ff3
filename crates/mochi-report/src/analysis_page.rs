//! Page of the embeddings of a run: findings, measures over the checkpoints, curves of the hardest negatives, and the views, nearest
//! neighbors and hardest negatives of some images.

use std::fmt::Write as _;

use crate::frame::push_figures;
use mochi_figures::Escaped;

use crate::analysis_charts::{self, PointMap};
use crate::analysis_curves::AnalysisCurves;
use crate::data_page::{BadFile, push_bad};
use crate::image::Image;
use crate::{frame, table};

/// Content of the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnalysisPage {
    /// Heading.
    pub name: String,
    /// Line below the heading.
    pub summary: String,
    /// Terms with values.
    pub facts: Vec<(String, String)>,
    /// Sentences; `true` marks a warning.
    pub findings: Vec<(bool, String)>,
    /// Columns of the table of measures.
    pub columns: Vec<String>,
    /// Its rows, one for each checkpoint.
    pub rows: Vec<Vec<String>>,
    /// Measures over the steps, similarities, curves of the hardest negatives.
    pub curves: AnalysisCurves,
    /// Features in two dimensions.
    pub maps: Vec<PointMap>,
    /// Names of the classes of the maps.
    pub map_classes: Vec<String>,
    /// Images with their nearest neighbors.
    pub neighbors: Vec<NeighborRow>,
    /// Whether the images have classes.
    pub labeled: bool,
    /// Files that could not be read.
    pub bad: Vec<BadFile>,
    /// Number of bad files that are not listed.
    pub more_bad: usize,
    /// Terms with their meanings, below everything.
    pub glossary: Vec<(String, String)>,
}

/// An image with its two views, its nearest neighbors and its hardest negatives.
#[derive(Clone, Debug, PartialEq)]
pub struct NeighborRow {
    /// The image.
    pub query: Image,
    /// Its class; empty if it is unknown.
    pub class: String,
    /// Its two augmented views; empty if they could not be drawn.
    pub views: Vec<ShownImage>,
    /// Nearest first; those of another class are marked.
    pub neighbors: Vec<ShownImage>,
    /// Hardest first; those of the same class, false negatives, are marked.
    pub negatives: Vec<ShownImage>,
}

/// An image of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownImage {
    /// The image.
    pub image: Image,
    /// What it is, its cosine and, if it is known, its class.
    pub caption: String,
    /// Whether it has a border.
    pub marked: bool,
}

impl AnalysisPage {
    /// The page as HTML.
    pub fn render(&self) -> String {
        let mut page = frame::begin(&self.name, &self.summary);
        frame::push_facts(&mut page, self.facts.iter().map(|(term, value)| (term.as_str(), value.as_str())));
        self.push_findings(&mut page);
        push_figures(&mut page, "Over training", &self.curves.over_training());
        let mut figures = self.curves.pairs();
        figures.extend(self.maps.iter().filter_map(|map| analysis_charts::map(map, &self.map_classes)));
        push_figures(&mut page, "Pairs, hardest negatives, features", &figures);
        self.push_neighbors(&mut page);
        self.push_table(&mut page);
        push_bad(&mut page, &self.bad, self.more_bad);
        if !self.glossary.is_empty() {
            page.push_str("<details><summary>What the measures are</summary>");
            let rows = self.glossary.iter().map(|(term, meaning)| vec![table::code(term), table::text(meaning)]);
            table::push(&mut page, &["", "meaning"], rows);
            page.push_str("</details>\n");
        }
        frame::end(&mut page, "Images are seen with running batch-norm statistics; no measure selects anything.");
        page
    }

    fn push_findings(&self, page: &mut String) {
        if self.findings.is_empty() {
            return;
        }
        page.push_str("<h2>Findings</h2>\n<ul class=\"issues\">\n");
        for (warning, text) in &self.findings {
            let mark = if *warning { "warning" } else { "note" };
            let _ = writeln!(page, "<li><span class=\"mark {mark}\">{mark}</span><div>{}</div></li>", Escaped(text));
        }
        page.push_str("</ul>\n");
    }

    fn push_neighbors(&self, page: &mut String) {
        if self.neighbors.is_empty() {
            return;
        }
        let borders = if self.labeled {
            " An orange border marks a neighbor of another class, a dashed red one a false negative: a negative of the query's own class."
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "<h2>Nearest neighbors and hardest negatives</h2>\n<p class=\"small\">At the last checkpoint, with cosines. First an image and its two augmented \
             views, the query and its positive; then the images whose features are nearest to those of the image; then the hardest negatives, \
             the images whose second views have the embeddings nearest to that of the query.{borders}</p>\n<div class=\"neighbors\">"
        );
        self.neighbors.iter().for_each(|row| row.push(page));
        page.push_str("</div>\n");
    }

    fn push_table(&self, page: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        page.push_str("<h2>Values</h2>\n");
        table::push(
            page,
            &self.columns,
            self.rows.iter().map(|row| row.iter().map(|cell| table::text(cell)).collect()),
        );
    }
}

impl NeighborRow {
    fn push(&self, page: &mut String) {
        let (query, class) = (&self.query, Escaped(&self.class));
        let _ =
            write!(page, "<div><div class=\"strip\"><figure>{query}<figcaption><b>{class}</b></figcaption></figure>");
        self.views.iter().for_each(|view| view.push(page, ""));
        page.push_str("</div><div>");
        for (title, images, mark) in
            [("nearest neighbors", &self.neighbors, "other"), ("hardest negatives", &self.negatives, "false")]
        {
            if !images.is_empty() {
                let _ = write!(page, "<p class=\"small\">{title}</p><div class=\"strip\">");
                images.iter().for_each(|image| image.push(page, mark));
                page.push_str("</div>");
            }
        }
        page.push_str("</div></div>\n");
    }
}

impl ShownImage {
    /// The figure, with the class `mark` if it is marked.
    fn push(&self, page: &mut String, mark: &str) {
        let class = if self.marked { format!(" class=\"{mark}\"") } else { String::new() };
        let (image, caption) = (&self.image, Escaped(&self.caption));
        let _ = write!(page, "<figure{class}>{image}<figcaption>{caption}</figcaption></figure>");
    }
}
