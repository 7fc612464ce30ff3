//! The folder of an ablation study:
//!
//! ```text
//! STUDY/plan.toml         the plan as it was last given
//!      base.toml          its [base], the settings file of every run
//!      cells/NAME-ID/     run folders; eval/*.json in them are the results
//!      cells/NAME-ID/cell.json   how long the cell took
//!      detection.toml     its [detection], the settings file of every detector
//!      detectors/ID-ID/   runs of detectors that start from the cell's encoder
//!      failed/ID.json     why a cell failed
//!      leases/            which cells are being trained, and by whom
//!      logs/ID.log        what the processes of a cell wrote to stderr
//!      table.{txt,md,csv,tex}, report.html   the results
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mochi_config::detection;
use mochi_files::{read_capped, write_atomic};
use mochi_run::{MetricsLog, Protocol, RunFolder};
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::error::AblateError;
use crate::lease::Leases;
use crate::name::short_hash;
use crate::plan::Plan;

/// Largest of the folder's own files in bytes.
const LIMIT: u64 = 1 << 20;
const PLAN: &str = "plan.toml";
const BASE: &str = "base.toml";
const CELL: &str = "cell.json";
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
    /// Every protocol has its result.
    Finished(Finished),
    /// It failed, and is not started again without a request.
    Failed(Failed),
    /// A worker has its lease; its name.
    Running(String),
    /// To be trained, or to be trained on.
    Pending,
}

/// How long a cell took.
#[derive(Serialize, Deserialize)]
struct Record {
    seconds: f64,
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
        let own = path.join(PLAN);
        let is_study = own.is_file() && study.base().is_file() && path.join(CELLS).is_dir();
        if path.exists() && !is_study {
            let mut entries = std::fs::read_dir(path).map_err(AblateError::io("read", path))?;
            if entries.next().is_some() {
                return Err(AblateError::NotAStudy { path: path.to_owned() });
            }
        }
        Ok(study)
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
    /// [`AblateError::Io`]. A result that cannot be read, or of other images than the plan's, counts as missing.
    pub fn state(&self, cell: &Cell, plan: &Plan, leases: &Leases) -> Result<State, AblateError> {
        let run = self.run(cell)?;
        let scores = self.scores(cell, plan)?;
        if plan.evaluate.iter().all(|protocol| scores.contains_key(protocol)) {
            let seconds = read_json::<Record>(&run.join(CELL)).map(|record| record.seconds);
            return Ok(State::Finished(Finished { scores, seconds }));
        }
        if let Some(holder) = leases.holder(&cell.id)? {
            return Ok(State::Running(holder));
        }
        Ok(read_json(&self.failure(cell)).map_or(State::Pending, State::Failed))
    }

    /// Protocols of a plan that a cell has no result for.
    ///
    /// # Errors
    /// [`AblateError::Io`].
    pub fn missing(&self, cell: &Cell, plan: &Plan) -> Result<Vec<Protocol>, AblateError> {
        let scores = self.scores(cell, plan)?;
        Ok(plan.evaluate.iter().copied().filter(|protocol| !scores.contains_key(protocol)).collect())
    }

    /// The results that a cell has.
    fn scores(&self, cell: &Cell, plan: &Plan) -> Result<BTreeMap<Protocol, f64>, AblateError> {
        let mut scores = results(&self.run(cell)?, plan);
        scores.extend(self.detector(cell, plan).map(|run| detected(&run)).unwrap_or_default());
        Ok(scores)
    }

    /// Adds to the recorded time of a cell, which may be trained in several sessions; gives the sum.
    ///
    /// # Errors
    /// [`AblateError::File`], [`AblateError::Io`].
    pub fn add_seconds(&self, cell: &Cell, seconds: f64) -> Result<f64, AblateError> {
        let path = self.run(cell)?.join(CELL);
        let before = read_json::<Record>(&path).map_or(0.0, |record| record.seconds);
        write_json(&path, &Record { seconds: before + seconds })?;
        Ok(before + seconds)
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

    fn failure(&self, cell: &Cell) -> PathBuf {
        self.path.join("failed").join(format!("{}.json", cell.id))
    }
}

/// Top-1 accuracies under `eval/` of a run, of those results that were computed on the plan's labeled images.
fn results(run: &Path, plan: &Plan) -> BTreeMap<Protocol, f64> {
    let stored = RunFolder::read(run).and_then(|run| run.read_results()).unwrap_or_default();
    let [train, test] = plan.labeled.each_ref().map(|path| path.display().to_string());
    let top1 = |text: &str| {
        let result = serde_json::from_str::<serde_json::Value>(text).ok()?;
        let is = |key: &str, path: &String| result.get(key).and_then(serde_json::Value::as_str) == Some(path.as_str());
        // An address is written without its secrets.
        let own = plan.labeled.iter().any(|path| path.to_string_lossy().contains("://"))
            || (is("train", &train) && is("test", &test));
        result.get("top1")?.as_f64().filter(|_| own)
    };
    let of = |protocol: Protocol| {
        let (_, text) = stored.iter().find(|(name, _)| name == protocol.name())?;
        Some((protocol, top1(text.as_ref().ok()?)?))
    };
    Protocol::ALL.into_iter().filter_map(of).collect()
}

/// Average precisions in percent of a detector's run that has ended: those of the evaluation after its last iteration.
fn detected(run: &Path) -> BTreeMap<Protocol, f64> {
    let last = || {
        let folder = RunFolder::read(run).ok()?;
        let settings = detection::Resolved::parse(&folder.read_config().ok()?, &folder.config_path()).ok()?;
        MetricsLog::read(&folder.metrics_path()).ok()?.pop().filter(|record| record.step == settings.iterations)
    };
    let Some(last) = last() else { return BTreeMap::new() };
    let of = |protocol: Protocol| Some((protocol, 100.0 * last.values.get(protocol.detection_metric()?)?));
    Protocol::ALL.into_iter().filter_map(of).collect()
}

fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&read_capped(path, LIMIT).ok()?).ok()
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), AblateError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| AblateError::io("write", path)(std::io::Error::other(error)))?;
    Ok(write_atomic(path, &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cells;
    use std::time::Duration;

    #[test]
    fn the_state_of_a_cell_follows_from_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        let text =
            "[data]\nimages = \"a\"\ntrain = \"b\"\ntest = \"c\"\n[[axis]]\nkey = \"moco.queue\"\nvalues = [64, 128]\n";
        std::fs::write(&path, text).unwrap();
        let plan = Plan::read(&path).unwrap();
        let out = folder.path().join("study");
        let study = StudyFolder::at(&out).unwrap();
        assert!(!out.exists(), "nothing is written before the first cell");
        study.write_plan(&plan).unwrap();
        let leases = Leases::new(study.leases(), Duration::from_secs(60));
        let cells = Cells::of(&plan).unwrap().cells;
        let state = |cell: &Cell| study.state(cell, &plan, &leases).unwrap();
        assert_eq!(state(&cells[0]), State::Pending);

        let lease = leases.acquire(&cells[0].id).unwrap().unwrap();
        assert!(matches!(state(&cells[0]), State::Running(_)));
        drop(lease);
        let failed = Failed { reason: "no memory".into(), log: study.log(&cells[0]) };
        study.record_failure(&cells[0], &failed).unwrap();
        assert_eq!(state(&cells[0]), State::Failed(failed));
        study.forget_failure(&cells[0]).unwrap();
        study.forget_failure(&cells[0]).unwrap();
        assert_eq!(state(&cells[0]), State::Pending);

        // Its folder keeps its name when the labels of the plan change.
        let run = out.join("cells").join(format!("another-name-{}", cells[0].id));
        std::fs::create_dir_all(run.join("eval")).unwrap();
        std::fs::write(run.join("config.toml"), "").unwrap();
        assert_eq!(study.run(&cells[0]).unwrap(), run);
        assert_eq!(study.run(&cells[1]).unwrap(), out.join("cells").join(&cells[1].folder));
        let [train, test] = plan.labeled.each_ref().map(|path| path.display().to_string());
        let result = |top1: f64| serde_json::json!({"top1": top1, "train": train, "test": test}).to_string();
        std::fs::write(run.join("eval/knn.json"), result(40.5)).unwrap();
        std::fs::write(run.join("eval/linear.json"), "{\"top").unwrap();
        assert_eq!(state(&cells[0]), State::Pending, "a torn result counts as missing");
        assert_eq!(study.missing(&cells[0], &plan).unwrap(), [Protocol::Linear]);
        std::fs::write(run.join("eval/linear.json"), "{\"top1\": 50, \"train\": \"b\", \"test\": \"other\"}").unwrap();
        assert_eq!(state(&cells[0]), State::Pending, "so does a result of other images");
        std::fs::write(run.join("eval/linear.json"), result(50.0)).unwrap();
        study.add_seconds(&cells[0], 10.0).unwrap();
        assert_eq!(study.add_seconds(&cells[0], 2.5).unwrap(), 12.5);
        let scores = BTreeMap::from([(Protocol::Knn, 40.5), (Protocol::Linear, 50.0)]);
        assert_eq!(state(&cells[0]), State::Finished(Finished { scores, seconds: Some(12.5) }));

        StudyFolder::at(&out).unwrap();
        let error = StudyFolder::at(folder.path()).unwrap_err();
        assert!(matches!(error, AblateError::NotAStudy { .. }), "a folder with somebody's plan.toml is not one");
        let other = folder.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("photo.jpg"), "").unwrap();
        assert!(matches!(StudyFolder::at(&other), Err(AblateError::NotAStudy { .. })));
    }
}
