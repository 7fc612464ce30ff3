//! Self-contained HTML reports: a run, its embeddings, an ablation study, several runs, a dataset, augmented views; and a run's charts as SVG files.
//!
//! [`write_page`] reads a run folder (`config.toml`, `metrics.jsonl`, `curves.jsonl`, `eval/*.json`) and writes `report.html`: one file
//! without scripts or external resources, for light and dark screens and for print. What is absent is left out, so a run without records
//! has a page as well. [`write_study_page`] does the same for a study, and [`comparison_page`] compares runs. [`write_figures`] writes the same charts
//! as SVG files. [`AnalysisPage`], [`DataPage`], [`ObjectsPage`] and [`ViewsPage`] are pages made of plain values; [`ObjectImage`] is a figure of a page.
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
mod analysis_page;
mod axis;
mod bars;
mod chart;
mod comparison_page;
mod curves;
mod data_page;
mod detection_results;
mod error;
mod escape;
mod figures;
mod frame;
mod history;
mod image;
mod matching;
mod matrix;
mod number;
mod objects;
mod objects_page;
mod overlay;
mod page;
mod plot;
mod predictions_page;
mod results;
mod results_table;
mod rows;
mod scale;
mod series;
mod settings;
mod study_page;
mod views_page;

use std::path::{Path, PathBuf};

use mochi_files::Folder;
use mochi_run::{BadImageLog, CurvesLog, MetricsLog, Record, RunFolder, Session};

use chart::Chart;
use history::History;
use plot::Figure;
use settings::RunSettings;

pub use analysis_charts::{Point, RankCurve, SimilarityChart};
pub use analysis_page::{AnalysisPage, MeasureChart, NeighborRow, ShownNeighbor};
pub use bars::Bars;
pub use comparison_page::comparison_page;
pub use data_page::{BadFile, DataPage, Duplicates, Group, Issue, Section, Severity};
pub use error::ReportError;
pub use image::{Encoding, Image};
pub use objects::{CLASS_COLORS, DrawnObject, ObjectImage, object_legend};
pub use objects_page::{ObjectsPage, ProblemRow};
pub use predictions_page::PredictionsPage;
pub use study_page::write_study_page;
pub use views_page::{ShownView, ViewsPage, ViewsRow};

/// Writes `report.html` into a run folder, replacing an older one, and returns its path.
///
/// # Errors
/// `run` is not a run folder; `config.toml`, `metrics.jsonl` or `curves.jsonl` cannot be read; the page cannot be written. A result
/// under `eval/` that cannot be read is named on the page instead.
pub fn write_page(run: &Path) -> Result<PathBuf, ReportError> {
    let folder = RunFolder::read(run)?;
    let settings = RunSettings::read(&folder)?;
    let records = MetricsLog::read(&folder.metrics_path())?;
    let figures = figures_of(&folder, &records)?;
    let results = results::read(&folder);
    let name = std::path::absolute(run).ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let name = name.unwrap_or_else(|| run.display().to_string());
    let history = History {
        sessions: Session::read(&folder.sessions_path())?,
        bad_images: BadImageLog::read(&folder.bad_images_path())?,
    };
    let mut detections = String::new();
    detection_results::push(&mut detections, &folder);
    let page = page::render(&name, &settings, &records, &figures, &results, &detections, &history);
    Ok(folder.write_page(&page)?)
}

/// Writes every chart of a run as an SVG file into `folder`, which is created if necessary, and `overview.svg` with the main ones.
/// Returns the paths, the overview first.
///
/// # Errors
/// As [`write_page`]; a run without records; `folder` cannot be created or written to.
pub fn write_figures(run: &Path, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let source = RunFolder::read(run)?;
    let records = MetricsLog::read(&source.metrics_path())?;
    let files = figures::files(&figures_of(&source, &records)?);
    if files.is_empty() {
        return Err(ReportError::NoFigures { run: run.to_owned() });
    }
    let target = Folder::create(folder)?;
    let mut written = Vec::new();
    for (name, svg) in files {
        target.write(&name, svg.as_bytes())?;
        written.push(folder.join(name));
    }
    Ok(written)
}

/// The charts of a run in the order of the table of metrics, then the matching probabilities.
fn figures_of(folder: &RunFolder, records: &[Record]) -> Result<Vec<Figure>, ReportError> {
    let matched = CurvesLog::read(&folder.curves_path())?;
    let metrics: Vec<Figure> = curves::charts(records).iter().filter_map(Chart::render).collect();
    Ok([metrics, matching::charts(&matched)].concat())
}
