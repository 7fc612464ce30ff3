//! What the run folders of a cell say: how far its training is, and which of its results count for a plan.
//!
//! A result counts if it is of the run's last step and was computed on the plan's labeled images. Images are those of the plan if the result names the
//! path that the plan stands for on this machine, or one that `cell.json` has for what the plan writes: a study that was moved, or that several machines
//! share, keeps its results. Two machines whose plans write different paths evaluate again.

use std::collections::BTreeMap;
use std::path::Path;

use mochi_config::detection;
use mochi_run::{MetricsLog, Protocol, RunFolder};
use serde::Deserialize;
use serde_json::Value;

use crate::plan::Plan;
use crate::record::{Labeled, Record};

/// Largest `state.json` of a checkpoint in bytes.
const LIMIT: u64 = 1 << 26;

/// How far the training of a run is, as its newest checkpoint says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Steps done.
    pub step: u64,
    /// Whether the last step was among them.
    pub finished: bool,
    /// Seconds of training so far, over all sessions.
    pub elapsed_s: f64,
}

/// A whole training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whole {
    /// A number of steps.
    Steps(u64),
    /// A time budget in seconds.
    Seconds(f64),
}

/// What is read of a checkpoint's `state.json`.
#[derive(Default, Deserialize)]
struct State {
    finished: bool,
    elapsed_s: f64,
}

impl Training {
    /// That of a run folder; `None` without a checkpoint. A newest checkpoint that cannot be read is not finished.
    pub(crate) fn of(run: &Path) -> Option<Training> {
        let run = RunFolder::read(run).ok()?;
        let newest = run.checkpoints().list().ok()?.pop()?;
        let state = || -> Option<State> {
            let folder = Path::new(run.checkpoints().path().file_name()?).join(newest.path.file_name()?);
            serde_json::from_slice(&run.folder().folder(folder).ok()?.read("state.json", LIMIT).ok()?).ok()
        };
        let State { finished, elapsed_s } = state().unwrap_or_default();
        Some(Training { step: newest.step, finished, elapsed_s })
    }

    /// The fraction of a training that is left, 0 to 1. `training`: how far it is; `None` before its first checkpoint.
    pub fn left(training: Option<Training>, whole: Whole) -> f64 {
        let Some(training) = training else { return 1.0 };
        let done = match whole {
            _ if training.finished => 1.0,
            Whole::Steps(steps) => training.step as f64 / (steps as f64).max(1.0),
            Whole::Seconds(seconds) => training.elapsed_s / seconds.max(f64::MIN_POSITIVE),
        };
        1.0 - done.clamp(0.0, 1.0)
    }
}

/// The labeled images of a plan, as a record has them.
pub(crate) fn labeled(plan: &Plan) -> Labeled {
    Labeled {
        written: plan.labeled_as_written.each_ref().map(|text| identity(text).to_owned()),
        found: plan.labeled.each_ref().map(|path| identity(&path.to_string_lossy()).to_owned()),
    }
}

/// Top-1 accuracies under `eval/` of a run whose training ended at `step`: those that count for the plan.
pub(crate) fn of_images(run: &Path, plan: &Plan, record: &Record, step: u64) -> BTreeMap<Protocol, f64> {
    let stored = RunFolder::read(run).and_then(|run| run.read_results()).unwrap_or_default();
    let here = labeled(plan);
    let known = || record.labeled.iter().filter(|one| one.written == here.written).chain([&here]);
    let top1 = |result: &Value| {
        let named = |key: &str| result.get(key).and_then(Value::as_str).map(identity);
        let images = [named("train")?, named("test")?];
        let counts = known().any(|labeled| labeled.found == images) && result.get("step")?.as_u64()? == step;
        result.get("top1")?.as_f64().filter(|_| counts)
    };
    let of = |protocol: Protocol| {
        let result = stored.iter().find(|result| result.name == protocol.name())?;
        Some((protocol, top1(result.value.as_ref().ok()?)?))
    };
    Protocol::ALL.into_iter().filter_map(of).collect()
}

/// Average precisions in percent of a detector's run that has ended: those of the evaluation after its last iteration.
pub(crate) fn of_detector(run: &Path) -> BTreeMap<Protocol, f64> {
    let last = || {
        let folder = RunFolder::read(run).ok()?;
        let settings = detection::Resolved::parse(&folder.read_config().ok()?, &folder.config_path()).ok()?;
        MetricsLog::read(&folder.metrics_path()).ok()?.pop().filter(|record| record.step == settings.iterations)
    };
    let Some(last) = last() else { return BTreeMap::new() };
    let of = |protocol: Protocol| Some((protocol, 100.0 * last.values.get(protocol.detection_metric()?)?));
    Protocol::ALL.into_iter().filter_map(of).collect()
}

/// What identifies a source: a path, or an address without its query, which results hide.
fn identity(text: &str) -> &str {
    match text.split_once('?') {
        Some((address, _)) if text.contains("://") => address,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_training_follows_from_its_newest_checkpoint() {
        let at = |step, finished, elapsed_s| Some(Training { step, finished, elapsed_s });
        assert_eq!(Training::left(None, Whole::Steps(100)), 1.0);
        assert_eq!(Training::left(at(25, false, 9.0), Whole::Steps(100)), 0.75);
        assert_eq!(Training::left(at(25, false, 9.0), Whole::Seconds(36.0)), 0.75);
        assert_eq!(Training::left(at(25, true, 9.0), Whole::Seconds(36.0)), 0.0, "the last step was short");
        assert_eq!(Training::left(at(0, true, 0.0), Whole::Steps(0)), 0.0);
        assert_eq!(Training::left(at(200, false, 0.0), Whole::Steps(100)), 0.0);
    }

    #[test]
    fn the_newest_checkpoint_says_whether_training_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        assert_eq!(Training::of(run), None);
        std::fs::write(run.join("config.toml"), "").unwrap();
        assert_eq!(Training::of(run), None);
        let checkpoint = |step: u64, state: &str| {
            let path = run.join(format!("checkpoints/step-{step}"));
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("state.json"), state).unwrap();
        };
        checkpoint(10, "{\"finished\": true, \"elapsed_s\": 3.5, \"parts\": {}}");
        assert_eq!(Training::of(run), Some(Training { step: 10, finished: true, elapsed_s: 3.5 }));
        checkpoint(9, "{\"finished\": false, \"elapsed_s\": 3.0}");
        assert!(Training::of(run).unwrap().finished, "the newest counts");
        checkpoint(11, "{\"finished\": ");
        assert_eq!(Training::of(run), Some(Training { step: 11, finished: false, elapsed_s: 0.0 }));
    }
}
