//! The folder of an ablation study:
//!
//! ```text
//! STUDY/plan.toml         the plan as it was last given
//!      base.toml          its [base], the settings file of every run
//!      cells/NAME-ID/     run folders; eval/*.json in them are the results
//!      cells/NAME-ID/cell.json   how long the cell took, and on what it was evaluated
//!      detection.toml     its [detection], the settings file of every detector
//!      detectors/ID-ID/   runs of detectors that start from the cell's encoder
//!      failed/ID.json     why a cell failed
//!      leases/            which cells are being trained, and by whom
//!      logs/ID.log        what the processes of a cell wrote to stderr
//!      table.{txt,md,csv,tex}, report.html   the results
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mochi_files::write_atomic;
use mochi_run::Protocol;
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::error::AblateError;
use crate::lease::Leases;
use crate::name::short_hash;
use crate::plan::Plan;
use crate::record::{Record, read_json, write_json};
use crate::results::{Training, labeled, of_detector, of_images};

const PLAN: &str = "plan.toml";
const BASE: &str = "base.toml";
const CELLS: &str = "cells";

/// Results of a cell that was trained and evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// Results in percent: top-1 accuracies, average precisions.
    pub scores: BTreeMap<Protocol, f64>,
    /// Training and evaluation, in seconds; `None` where it was not recorded.
    pub seconds: Option<f64>,
}

/// Why a cell failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The process's error, or how it ended.
    pub reason: String,
    /// File with everything that it wrote to stderr.
    pub log: PathBuf,
}

/// State of a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Its training has ended, and every protocol has its result.
    Finished(Finished),
    /// It failed, and is not started again without a request.
    Failed(Failed),
    /// A worker has its lease; its name.
    Running(String),
    /// To be trained, or to be trained on.
    Pending,
}

/// The folder of a study.
#[derive(Clone, Debug)]
pub struct StudyFolder {
    path: PathBuf,
}

impl StudyFolder {
    /// The folder of a study, which need not exist; writes nothing.
    ///
    /// # Errors
    /// [`AblateError::NotAStudy`] for a folder that holds something else, [`AblateError::Io`].
    pub fn at(path: &Path) -> Result<StudyFolder, AblateError> {
        let study = StudyFolder { path: path.to_owned() };
        let is_study = StudyFolder::is_study(path) && study.base().is_file();
        if path.exists() && !is_study {
            let mut entries = std::fs::read_dir(path).map_err(AblateError::io("read", path))?;
            if entries.next().is_some() {
                return Err(AblateError::NotAStudy { path: path.to_owned() });
            }
        }
        Ok(study)
    }

    /// Whether a path is the folder of a study: it has a plan and cells.
    pub fn is_study(path: &Path) -> bool {
        path.join(PLAN).is_file() && path.join(CELLS).is_dir()
    }

    /// The plan as it was last given. Its paths stay as it has them, since they start at the folder in which the plan was.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn plan(&self) -> Result<Plan, AblateError> {
        Plan::read_stored(&self.path.join(PLAN))
    }

    /// Makes the folder where it is missing, and writes the plan into it.
    ///
    /// # Errors
    /// [`AblateError::Io`], [`AblateError::File`].
    pub fn write_plan(&self, plan: &Plan) -> Result<(), AblateError> {
        for folder in [CELLS, "failed", "leases", "logs"] {
            let folder = self.path.join(folder);
            std::fs::create_dir_all(&folder).map_err(AblateError::io("create", &folder))?;
        }
        write_atomic(&self.path.join(PLAN), plan.text.as_bytes())?;
        if let Some(detection) = &plan.detection {
            write_atomic(&self.detection(), detection.settings.as_bytes())?;
        }
        Ok(write_atomic(&self.base(), plan.base.as_bytes())?)
    }

    /// The settings file of every detector.
    pub fn detection(&self) -> PathBuf {
        self.path.join("detection.toml")
    }

    /// The run folder of the detector that starts from a cell's encoder; `None` if the plan has none. Its name follows from cell, settings and images.
    pub fn detector(&self, cell: &Cell, plan: &Plan) -> Option<PathBuf> {
        let detection = plan.detection.as_ref()?;
        let id = short_hash([&detection.settings, &detection.images_as_written]);
        Some(self.path.join("detectors").join(format!("{}-{id}", cell.id)))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings file of every run.
    pub fn base(&self) -> PathBuf {
        self.path.join(BASE)
    }

    /// The folder of the leases.
    pub fn leases(&self) -> PathBuf {
        self.path.join("leases")
    }

    /// The log of a cell.
    pub fn log(&self, cell: &Cell) -> PathBuf {
        self.path.join("logs").join(format!("{}.log", cell.id))
    }

    /// The run folder of a cell, whatever readable name it was made under.
    ///
    /// # Errors
    /// [`AblateError::Io`].
    pub fn run(&self, cell: &Cell) -> Result<PathBuf, AblateError> {
        let cells = self.path.join(CELLS);
        let end = format!("-{}", cell.id);
        let entries = match std::fs::read_dir(&cells) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(cells.join(&cell.folder)),
            entries => entries.map_err(AblateError::io("read", &cells))?,
        };
        for entry in entries {
            let entry = entry.map_err(AblateError::io("read", &cells))?;
            if entry.file_name().to_str().is_some_and(|name| name.ends_with(&end)) {
                return Ok(entry.path());
            }
        }
        Ok(cells.join(&cell.folder))
    }

    /// State of a cell of a plan.
    ///
    /// # Errors
    /// [`AblateError::Io`]. A result that cannot be read, of another step than the last one, or of other images than the plan's, counts as missing.
    pub fn state(&self, cell: &Cell, plan: &Plan, leases: &Leases) -> Result<State, AblateError> {
        if let Some(finished) = self.finished(cell, plan)? {
            return Ok(State::Finished(finished));
        }
        if let Some(holder) = leases.holder(&cell.id)? {
            return Ok(State::Running(holder));
        }
        Ok(self.failed(cell).map_or(State::Pending, State::Failed))
    }

    /// Whether a cell is neither finished nor failed. For the worker that has its lease: another one may have ended it just before.
    ///
    /// # Errors
    /// [`AblateError::Io`].
    pub fn is_open(&self, cell: &Cell, plan: &Plan) -> Result<bool, AblateError> {
        Ok(self.finished(cell, plan)?.is_none() && self.failed(cell).is_none())
    }

    /// How far the training of a cell is; `None` before its first checkpoint.
    ///
    /// # Errors
    /// [`AblateError::Io`].
    pub fn training(&self, cell: &Cell) -> Result<Option<Training>, AblateError> {
        Ok(Training::of(&self.run(cell)?))
    }

    /// Protocols of a plan that a cell which is not finished is evaluated by: all of them while its network is still to be trained.
    ///
    /// # Errors
    /// [`AblateError::Io`].
    pub fn missing(&self, cell: &Cell, plan: &Plan) -> Result<Vec<Protocol>, AblateError> {
        let trained = self.training(cell)?.is_some_and(|training| training.finished);
        let scores = if trained { self.scores(cell, plan)? } else { BTreeMap::new() };
        Ok(plan.evaluate.iter().copied().filter(|protocol| !scores.contains_key(protocol)).collect())
    }

    fn finished(&self, cell: &Cell, plan: &Plan) -> Result<Option<Finished>, AblateError> {
        let scores = self.scores(cell, plan)?;
        if !plan.evaluate.iter().all(|protocol| scores.contains_key(protocol)) {
            return Ok(None);
        }
        Ok(Some(Finished { scores, seconds: Record::read(&self.run(cell)?).seconds }))
    }

    /// The results of a cell that count; none before the end of its training.
    fn scores(&self, cell: &Cell, plan: &Plan) -> Result<BTreeMap<Protocol, f64>, AblateError> {
        let run = self.run(cell)?;
        let record = Record::read(&run);
        let ended = match Training::of(&run) {
            Some(training) => training.finished.then_some(training.step),
            None => record.trained_steps,
        };
        let Some(step) = ended else { return Ok(BTreeMap::new()) };
        let mut scores = of_images(&run, plan, &record, step);
        scores.extend(self.detector(cell, plan).map(|run| of_detector(&run)).unwrap_or_default());
        Ok(scores)
    }

    /// Records, between the training and the evaluation of a cell, the step at which its training ended and where the plan's labeled images are.
    ///
    /// # Errors
    /// [`AblateError::File`], [`AblateError::Io`].
    pub fn record_trained(&self, cell: &Cell, plan: &Plan) -> Result<(), AblateError> {
        let run = self.run(cell)?;
        let mut record = Record::read(&run);
        record.trained_steps = Training::of(&run).filter(|training| training.finished).map(|training| training.step);
        let labeled = labeled(plan);
        if !record.labeled.contains(&labeled) {
            record.labeled.push(labeled);
        }
        record.write(&run)
    }

    /// Adds to the recorded time of a cell, which may be trained in several sessions; gives the sum.
    ///
    /// # Errors
    /// [`AblateError::File`], [`AblateError::Io`].
    pub fn add_seconds(&self, cell: &Cell, seconds: f64) -> Result<f64, AblateError> {
        let run = self.run(cell)?;
        let record = Record::read(&run);
        let sum = record.seconds.unwrap_or(0.0) + seconds;
        Record { seconds: Some(sum), ..record }.write(&run)?;
        Ok(sum)
    }

    /// Records that a cell failed.
    ///
    /// # Errors
    /// [`AblateError::File`], [`AblateError::Io`].
    pub fn record_failure(&self, cell: &Cell, failed: &Failed) -> Result<(), AblateError> {
        write_json(&self.failure(cell), failed)
    }

    /// Forgets that a cell failed, so that it is started again.
    ///
    /// # Errors
    /// [`AblateError::Io`].
    pub fn forget_failure(&self, cell: &Cell) -> Result<(), AblateError> {
        let path = self.failure(cell);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(AblateError::io("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Writes a table; returns its path.
    ///
    /// # Errors
    /// [`AblateError::File`].
    pub fn write_table(&self, extension: &str, text: &str) -> Result<PathBuf, AblateError> {
        let path = self.path.join(format!("table.{extension}"));
        write_atomic(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Writes the report page; returns its path.
    ///
    /// # Errors
    /// [`AblateError::File`].
    pub fn write_page(&self, page: &str) -> Result<PathBuf, AblateError> {
        let path = self.path.join("report.html");
        write_atomic(&path, page.as_bytes())?;
        Ok(path)
    }

    fn failed(&self, cell: &Cell) -> Option<Failed> {
        read_json(&self.failure(cell))
    }

    fn failure(&self, cell: &Cell) -> PathBuf {
        self.path.join("failed").join(format!("{}.json", cell.id))
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
