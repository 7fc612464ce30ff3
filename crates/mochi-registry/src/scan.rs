//! Run folders below a folder, and what the index keeps of each.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use mochi_config::{Resolved, Task, detection};
use mochi_run::metric::contrastive::ACCURACY_REAL;
use mochi_run::metric::general::{ELAPSED_S, LOSS};
use mochi_run::{MetricsLog, Protocol, RunFolder};

use crate::column::{EVALUATED, OUTDATED, Value, result, value_of};
use crate::error::RegistryError;

/// How deep runs are searched below the folder.
const DEPTH: usize = 6;

/// Format of what the index keeps of a run: another one is read again.
const FORMAT: u32 = 3;
/// What a run folder holds from its first step on.
const OF_A_RUN: [&str; 3] = ["metrics.jsonl", "checkpoints", "sessions.jsonl"];

/// A run folder and what tells whether it has changed.
pub(crate) struct Found {
    /// Relative to the scanned folder.
    pub(crate) path: PathBuf,
    /// Sizes and times of change of its files.
    pub(crate) signature: String,
    /// Whether it holds other files of a run; another program may have a `config.toml` too.
    pub(crate) is_run: bool,
}

/// Every run below `root`, `root` itself included, by path. Links to folders are not followed.
pub(crate) fn runs(root: &Path) -> Result<Vec<Found>, RegistryError> {
    let mut found = Vec::new();
    std::fs::read_dir(root).map_err(|source| RegistryError::Folder { path: root.to_owned(), source })?;
    search(root, Path::new(""), DEPTH, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn search(root: &Path, below: &Path, depth: usize, found: &mut Vec<Found>) {
    let folder = root.join(below);
    if folder.join("config.toml").is_file() {
        let path = if below.as_os_str().is_empty() { PathBuf::from(".") } else { below.to_owned() };
        let is_run = OF_A_RUN.iter().any(|name| folder.join(name).exists());
        found.push(Found { path, signature: signature(&folder), is_run });
        return;
    }
    // A folder that cannot be read has no runs to show.
    let Some(entries) = std::fs::read_dir(&folder).ok().filter(|_| depth > 0) else { return };
    for entry in entries.flatten() {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            search(root, &below.join(entry.file_name()), depth - 1, found);
        }
    }
}

fn signature(run: &Path) -> String {
    let mut files = vec![run.join("config.toml"), run.join("metrics.jsonl")];
    files.extend(Protocol::ALL.map(|protocol| run.join("eval").join(format!("{}.json", protocol.name()))));
    let of = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(format!("{}@{}", metadata.len(), changed.as_nanos()))
    };
    // Whether a result is outdated depends on the newest checkpoint.
    let newest = RunFolder::read(run).ok().and_then(|run| run.checkpoints().newest_step());
    let newest = newest.map(|step| step.to_string()).unwrap_or_default();
    let files = files.iter().map(|file| of(file).unwrap_or_default());
    [FORMAT.to_string(), newest].into_iter().chain(files).collect::<Vec<_>>().join(" ")
}

/// The columns of a run with a value, or why its `config.toml` cannot be read as a run's.
pub(crate) fn read(root: &Path, path: &Path) -> Result<Vec<(String, Value)>, String> {
    let run = RunFolder::read(&root.join(path)).map_err(text_of)?;
    let (text, config) = (run.read_config().map_err(text_of)?, run.config_path());
    let task = Task::read(&config).map_err(text_of)?;
    let (preset, settings) = match task {
        Task::Pretraining => {
            let settings = Resolved::parse(&text, &config).map_err(text_of)?;
            (settings.preset_name().to_owned(), settings.describe())
        }
        Task::Detection => {
            let settings = detection::Resolved::parse(&text, &config).map_err(text_of)?;
            (settings.preset_name().to_owned(), settings.describe())
        }
    };
    let mut values = vec![
        ("path".to_owned(), Value::Text(path.display().to_string())),
        ("task".to_owned(), Value::Text(task.to_string())),
        ("preset".to_owned(), Value::Text(preset)),
    ];
    let mut records = MetricsLog::read(&run.metrics_path()).unwrap_or_default();
    for metric in EVALUATED {
        // Each value of the last evaluation that has it.
        let last = records.iter().rev().find_map(|record| record.values.get(metric));
        values.extend(last.map(|value| (metric.key.to_owned(), Value::Number(100.0 * value))));
    }
    if let Some(last) = records.pop() {
        values.push(("step".to_owned(), Value::Integer(i64::try_from(last.step).unwrap_or(i64::MAX))));
        for (name, metric) in [("elapsed_s", &ELAPSED_S), ("loss", &LOSS), ("accuracy_real", &ACCURACY_REAL)] {
            values.extend(last.values.get(metric).map(|value| (name.to_owned(), Value::Number(value))));
        }
    }
    let mut outdated = Vec::new();
    for stored in run.read_results().unwrap_or_default() {
        match (Protocol::find(&stored.name), stored.top1(), stored.outdated) {
            (Some(protocol), Some(_), Some(step)) => outdated.push(format!("{} of step {step}", result(protocol))),
            (Some(protocol), Some(top1), None) => values.push((result(protocol), Value::Number(top1))),
            _ => {}
        }
    }
    if !outdated.is_empty() {
        values.push((OUTDATED.to_owned(), Value::Text(outdated.join(", "))));
    }
    values.extend(settings.into_iter().map(|line| (line.key.to_owned(), value_of(&line.value))));
    Ok(values)
}

fn text_of(error: impl std::error::Error) -> String {
    error.to_string()
}
