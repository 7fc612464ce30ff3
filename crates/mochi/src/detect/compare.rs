//! A detector beside one that started from random weights.

use std::path::{Path, PathBuf};

use mochi_run::metric::{Metric, detection};
use mochi_run::{MetricsLog, RunFolder};
use mochi_term::Progress;
use mochi_text::aligned;

use crate::failure::{Outcome, print_line};
use mochi_registry::EVALUATED;

/// The folder of the run from random weights beside `run`.
pub fn from_random_weights(run: &Path) -> PathBuf {
    let mut name = run.file_name().unwrap_or_default().to_os_string();
    name.push("-from-random-weights");
    run.with_file_name(name)
}

/// The values of the last evaluation, by metric.
pub fn last_evaluation(run: &Path) -> Outcome<Vec<(&'static Metric, f64)>> {
    let records = MetricsLog::read(&RunFolder::read(run)?.metrics_path())?;
    let last = records.iter().rev().find(|record| record.values.get(&detection::AP).is_some());
    Ok(EVALUATED.into_iter().filter_map(|metric| Some((metric, last?.values.get(metric)?))).collect())
}

/// A metric's name for people: "AP", "mask AP50".
pub fn name(metric: &Metric) -> String {
    metric.key.replace('_', " ").replace("ap", "AP")
}

/// Prints the average precision of a run that has ended: on stdout, or on stderr where that has one JSON object.
pub fn print_result(run: &Path, json: bool, progress: &Progress) -> Outcome<()> {
    let values = last_evaluation(run)?;
    if values.is_empty() {
        progress.note("the run was not evaluated: the data has no split for evaluation");
        return Ok(());
    }
    let values: Vec<String> =
        values.iter().map(|(metric, value)| format!("{} {:.2}", name(metric), 100.0 * value)).collect();
    say(&format!("{} (percent, COCO's metric, after the last iteration)", values.join(", ")), json, progress)
}

/// Prints both and their difference, likewise.
pub fn print(run: &Path, random: &Path, json: bool, progress: &Progress) -> Outcome<()> {
    let (ours, theirs) = (last_evaluation(run)?, last_evaluation(random)?);
    let head = ["", "from these weights", "from random weights", "difference"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    for ((metric, value), (_, other)) in ours.iter().zip(&theirs) {
        let percent = |value: f64| format!("{:.2}", 100.0 * value);
        rows.push(vec![name(metric), percent(*value), percent(*other), format!("{:+.2}", 100.0 * (value - other))]);
    }
    aligned(&rows).iter().try_for_each(|line| say(line, json, progress))
}

fn say(line: &str, json: bool, progress: &Progress) -> Outcome<()> {
    if json {
        progress.note(line);
        return Ok(());
    }
    print_line(line)
}
