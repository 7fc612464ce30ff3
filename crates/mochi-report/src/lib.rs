//! The page of a run: `report.html`, one self-contained file without script or network, light and dark, fit to print.
//!
//! Reads what the run left (`config.toml`, `metrics.jsonl`, `curves.jsonl`, `eval/*.json`) and draws it; computes nothing but where
//! ink goes. What is absent is left out: a run that was only started has a page as well.
//!
//! Two more pages are drawn from plain values that are handed in: [`DataPage`], a look at a data set before a run, and [`ViewsPage`],
//! images beside the views that training sees.

#![forbid(unsafe_code)]

mod axis;
mod bars;
mod chart;
mod curves;
mod data_page;
mod drawing;
mod error;
mod escape;
mod frame;
mod matching;
mod page;
mod picture;
mod results;
mod series;
mod views_page;

use std::path::{Path, PathBuf};

use mochi_config::Resolved;
use mochi_run::{CurvesLog, MetricsLog, RunFolder};

pub use bars::Bars;
pub use data_page::{BadFile, Copies, DataPage, Group, Remark, Section, Weight};
pub use error::ReportError;
pub use picture::{Encoding, Picture};
pub use views_page::{ShownView, ViewsPage, ViewsRow};

/// Writes `report.html` into a run's folder, over an older one, and returns its path.
///
/// # Errors
/// A path that is no run, a `config.toml`, `metrics.jsonl` or `curves.jsonl` that cannot be read, a disk that refuses. A result under
/// `eval/` that cannot be read is named on the page instead.
pub fn write_page(run: &Path) -> Result<PathBuf, ReportError> {
    let folder = RunFolder::read(run)?;
    let settings = Resolved::read(&folder.config_path())?;
    let records = MetricsLog::read(&folder.metrics_path())?;
    let curves = CurvesLog::read(&folder.curves_path())?;
    let results = results::read(&run.join("eval"));
    let name = std::path::absolute(run).ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let name = name.unwrap_or_else(|| run.display().to_string());
    let page = page::render(&name, &settings, &records, &curves, &results);
    let path = run.join("report.html");
    mochi_run::folder::write_whole(&path, page.as_bytes())?;
    Ok(path)
}
