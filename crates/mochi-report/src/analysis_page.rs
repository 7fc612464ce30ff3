//! Page of the embeddings of a run: findings, measures over the checkpoints, curves of the hardest negatives, and the nearest neighbors of some images.

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

/// An image with its nearest neighbors.
#[derive(Clone, Debug, PartialEq)]
pub struct NeighborRow {
    /// The image.
    pub query: Image,
    /// Its class; empty if it is unknown.
    pub class: String,
    /// Nearest first.
    pub neighbors: Vec<ShownNeighbor>,
}

/// A neighbor of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownNeighbor {
    /// The neighbor.
    pub image: Image,
    /// Its cosine and, if it is known, its class.
    pub caption: String,
    /// Whether it is of another class, which is marked with a border.
    pub other_class: bool,
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
        let border = if self.labeled { " An orange border marks a neighbor of another class." } else { "" };
        let _ = writeln!(
            page,
            "<h2>Nearest neighbors</h2>\n<p class=\"small\">At the last checkpoint: an image, then the images whose features are nearest, with their cosines.{border}</p>\n\
             <div class=\"neighbors\">"
        );
        for row in &self.neighbors {
            let (query, class) = (&row.query, Escaped(&row.class));
            let _ =
                write!(page, "<div><figure class=\"query\">{query}<figcaption><b>{class}</b></figcaption></figure>");
            for ShownNeighbor { image, caption, other_class } in &row.neighbors {
                let class = if *other_class { " class=\"other\"" } else { "" };
                let caption = Escaped(caption);
                let _ = write!(page, "<figure{class}>{image}<figcaption>{caption}</figcaption></figure>");
            }
            page.push_str("</div>\n");
        }
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
