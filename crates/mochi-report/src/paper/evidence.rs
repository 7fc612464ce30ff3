//! What the figures of the paper read of a run: records, matching probabilities, and the analysis of its checkpoints (`analysis.json`).

use std::path::{Path, PathBuf};

use mochi_run::{CurveRecord, CurvesLog, MetricsLog, Record, RunFolder};
use serde_json::Value;

use super::missing::Missing;
use crate::error::ReportError;
use crate::settings::RunSettings;

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunData {
    /// Its folder.
    pub(crate) path: PathBuf,
    /// How figures call it.
    pub(crate) name: String,
    pub(crate) settings: RunSettings,
    pub(crate) records: Vec<Record>,
    pub(crate) curves: Vec<CurveRecord>,
    /// By rising step; empty if the run was not analyzed.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

/// The measures of a checkpoint, a JSON object as `mochi analyze` writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Checkpoint(Value);

impl Checkpoint {
    /// A finite measure by its key.
    pub(crate) fn get(&self, key: &str) -> Option<f64> {
        self.0.get(key)?.as_f64().filter(|value| value.is_finite())
    }

    /// Steps done.
    pub(crate) fn step(&self) -> Option<f64> {
        self.get("step")
    }
}

impl RunData {
    /// Reads a run. An analysis that cannot be read counts as missing.
    ///
    /// # Errors
    /// `path` is not a run folder, or its settings, metrics or curves cannot be read.
    pub(crate) fn read(path: &Path, name: String) -> Result<Self, ReportError> {
        let folder = RunFolder::read(path)?;
        let analysis = folder.read_analysis()?.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let checkpoints = analysis.and_then(|mut value| match value.get_mut("checkpoints").map(Value::take) {
            Some(Value::Array(all)) => Some(all.into_iter().map(Checkpoint).collect()),
            _ => None,
        });
        Ok(Self {
            path: path.to_owned(),
            name,
            settings: RunSettings::read(&folder)?,
            records: MetricsLog::read(&folder.metrics_path())?,
            curves: CurvesLog::read(&folder.curves_path())?,
            checkpoints: checkpoints.unwrap_or_default(),
        })
    }

    /// The command that analyzes the run; `data`: what it is to be given.
    pub(crate) fn analyze(&self, data: &str) -> String {
        format!("mochi analyze {} {data}", mochi_files::shell_word(&self.path))
    }

    /// What a figure of measures needs where no run has them.
    pub(crate) fn no_analysis(runs: &[RunData], what: &str, data: &str) -> Missing {
        let command = runs.first().map_or_else(|| format!("mochi analyze RUN {data}"), |run| run.analyze(data));
        Missing::new(format!("an analysis with {what}"), command)
    }
}
