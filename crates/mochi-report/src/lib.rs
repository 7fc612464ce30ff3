//! Self-contained HTML reports: a run, its embeddings, an ablation study, several runs, a dataset, augmented views; and figures as SVG and PNG files.
//!
//! [`write_page`] reads a run folder (`config.toml`, `metrics.jsonl`, `curves.jsonl`, `eval/*.json`, `analysis.json`, `views.jpg`) and writes `report.html`: one file
//! without scripts or external resources, for light and dark screens and for print. What is absent is left out, so a run without records
//! has a page as well. [`write_study_page`] does the same for a study, and [`comparison_page`] compares runs. [`write_figures`] and [`write_study_figures`]
//! write figures as files, those of the paper among them. [`AnalysisPage`], [`DataPage`], [`ObjectsPage`] and [`ViewsPage`] are pages made of plain values; [`ObjectImage`] is a figure of a page.
//!
//! # Example
//!
//! ```
//! use mochi_report::{Bars, DataPage, Issue, Severity};
//!
//! let page = DataPage {
//!     name: "photos".into(),
//!     summary: "120 images".into(),
//!     issues: vec![Issue {
//!         severity: Severity::Warning,
//!         message: "2 images are exact duplicates".into(),
//!         hint: "remove duplicates".into(),
//!     }],
//!     bars: vec![Bars { title: "Images per class".into(), bars: vec![("cat".into(), 70), ("dog".into(), 50)] }],
//!     ..DataPage::default()
//! };
//! let html = page.render();
//! assert!(html.starts_with("<!doctype html>") && html.contains("2 images are exact duplicates"));
//! ```

#![forbid(unsafe_code)]

mod analysis_charts;
mod analysis_curves;
mod analysis_page;
mod bars;
mod comparison_page;
mod curves;
mod data_page;
mod detection_results;
mod embeddings;
mod error;
mod figures;
mod frame;
mod history;
mod image;
mod matching;
mod matrix;
mod name;
mod objects;
mod objects_page;
mod overlay;
mod page;
mod paper;
mod predictions_page;
mod results;
mod results_table;
mod seed_groups;
mod settings;
mod study_page;
mod table;
mod time;
mod views;
mod views_page;

use std::path::{Path, PathBuf};

use mochi_config::Task;
use mochi_figures::{Chart, Figure};
use mochi_run::{BadImageLog, CurveRecord, CurvesLog, MetricsLog, Record, RunFolder, Session};

use history::History;
use name::{name_of, numbered_name};
use overlay::Line;
use page::Content;
use paper::RunData;

use seed_groups::SeedGroup;
use settings::RunSettings;

pub use analysis_charts::{Point, PointMap, RankCurve, SimilarityChart};
pub use analysis_curves::{AnalysisCurves, MeasureChart};
pub use analysis_page::{AnalysisPage, NeighborRow, ShownImage};
pub use bars::Bars;
pub use comparison_page::comparison_page;
pub use data_page::{BadFile, DataPage, Duplicates, Group, Issue, Section, Severity};
pub use error::ReportError;
pub use figures::WrittenFigures;
pub use image::{Encoding, Image};
pub use objects::{CLASS_COLORS, DrawnObject, ObjectImage, object_legend};
pub use objects_page::{ObjectsPage, ProblemRow};
pub use paper::{NotDrawn, PAPER_FIGURES, PaperFigure, paper_figures_table};
pub use predictions_page::PredictionsPage;
pub use study_page::{write_study_figures, write_study_page};
pub use views_page::{ShownView, ViewsPage, ViewsRow};

/// Writes `report.html` into a run folder, replacing an older one, and returns its path.
///
/// # Errors
/// `run` is not a run folder; `config.toml`, `metrics.jsonl` or `curves.jsonl` cannot be read; the page cannot be written. A result
/// under `eval/` that cannot be read is named on the page instead.
pub fn write_page(run: &Path) -> Result<PathBuf, ReportError> {
    let folder = RunFolder::read(run)?;
    Ok(folder.write_page(&page_of(&folder, run, true)?)?)
}

/// The page of a run as HTML, for a file outside of its folder: it has no links to the folder's files.
///
/// # Errors
/// As [`write_page`].
pub fn run_page(run: &Path) -> Result<String, ReportError> {
    page_of(&RunFolder::read(run)?, run, false)
}

/// `inside`: whether the page is in the run's folder.
fn page_of(folder: &RunFolder, run: &Path, inside: bool) -> Result<String, ReportError> {
    let settings = RunSettings::read(folder)?;
    let records = MetricsLog::read(&folder.metrics_path())?;
    let figures = run_figures(&records, &CurvesLog::read(&folder.curves_path())?);
    let results = results::read(folder);
    let history = History {
        sessions: Session::read(&folder.sessions_path())?,
        bad_images: BadImageLog::read(&folder.bad_images_path())?,
    };
    let mut detections = String::new();
    detection_results::push(&mut detections, folder);
    let (mut embeddings, mut views) = (String::new(), String::new());
    if settings.task == Task::Pretraining {
        embeddings::push(&mut embeddings, folder, run, inside);
        views::push(&mut views, folder, &settings);
    }
    Ok(page::render(&Content {
        name: &name_of(run),
        settings: &settings,
        records: &records,
        figures: &figures,
        results: &results,
        history: &history,
        detections: &detections,
        embeddings: &embeddings,
        views: &views,
    }))
}

/// Writes figures of runs as PNG and SVG files into `folder`, which is created if necessary: of a single run every chart, and `overview` with the main ones;
/// of several runs their curves, a line for runs that differ in their seed only; and those of [`PAPER_FIGURES`] that the runs have the data of.
///
/// # Errors
/// As [`write_page`]; no run has anything to draw; `folder` cannot be created or written to.
pub fn write_figures(runs: &[PathBuf], folder: &Path) -> Result<WrittenFigures, ReportError> {
    let name = |at: usize, path: &PathBuf| if runs.len() > 1 { numbered_name(at + 1, path) } else { name_of(path) };
    let data = runs.iter().enumerate().map(|(at, path)| RunData::read(path, name(at, path)));
    let data = data.collect::<Result<Vec<_>, _>>()?;
    let charts = match &data[..] {
        [run] => run_figures(&run.records, &run.curves),
        all => curves_of(all),
    };
    let (paper, not_drawn) = paper::of_runs(&data);
    if charts.is_empty() && paper.is_empty() {
        return Err(ReportError::NoFigures { folders: runs.to_vec() });
    }
    let paper = paper.iter().map(|(name, figure)| (name.clone(), vec![figure]));
    let all: Vec<_> = figures::named(&charts).into_iter().chain(paper).collect();
    Ok(WrittenFigures { paths: figures::write(&all, folder)?, not_drawn })
}

/// Metrics of several runs over training; runs that differ in their seed only are one line.
fn curves_of(runs: &[RunData]) -> Vec<Figure> {
    let named: Vec<_> = runs.iter().map(|run| (run.path.clone(), &run.settings)).collect();
    let groups = seed_groups::seed_groups(&named);
    let records = |group: &SeedGroup| group.runs.iter().filter_map(|&run| Some(&runs.get(run)?.records[..])).collect();
    let lines: Vec<_> = groups.iter().map(|group| Line { name: group.short.clone(), runs: records(group) }).collect();
    overlay::figures(&lines, "")
}

/// The charts of a run in the order of the table of metrics, then the matching probabilities.
fn run_figures(records: &[Record], matched: &[CurveRecord]) -> Vec<Figure> {
    let metrics: Vec<Figure> = curves::charts(records).iter().filter_map(Chart::render).collect();
    [metrics, matching::charts(matched)].concat()
}
