//! A detector beside one that started from random weights.

use std::path::{Path, PathBuf};

use mochi_run::metric::{Metric, detection};
use mochi_run::{MetricsLog, RunFolder};
use mochi_text::aligned;

use crate::failure::{Outcome, print_line};

/// The folder of the run from random weights beside `run`.
pub fn from_random_weights(run: &Path) -> PathBuf {
    let mut name = run.file_name().unwrap_or_default().to_os_string();
    name.push("-from-random-weights");
    run.with_file_name(name)
}

/// Metrics that are compared.
const COMPARED: [&Metric; 6] = [
    &detection::AP,
    &detection::AP50,
    &detection::AP75,
    &detection::MASK_AP,
    &detection::MASK_AP50,
    &detection::MASK_AP75,
];

/// The values of the last evaluation, by metric.
pub fn last_evaluation(run: &Path) -> Outcome<Vec<(&'static Metric, f64)>> {
    let records = MetricsLog::read(&RunFolder::read(run)?.metrics_path())?;
    let last = records.iter().rev().find(|record| record.values.get(&detection::AP).is_some());
    Ok(COMPARED.into_iter().filter_map(|metric| Some((metric, last?.values.get(metric)?))).collect())
}

/// Prints both and their difference.
pub fn print(run: &Path, random: &Path) -> Outcome<()> {
    let (ours, theirs) = (last_evaluation(run)?, last_evaluation(random)?);
    let head = ["", "from these weights", "from random weights", "difference"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    for ((metric, value), (_, other)) in ours.iter().zip(&theirs) {
        let percent = |value: f64| format!("{:.2}", 100.0 * value);
        rows.push(vec![
            metric.key.replace('_', " "),
            percent(*value),
            percent(*other),
            format!("{:+.2}", 100.0 * (value - other)),
        ]);
    }
    print_line(&aligned(&rows).join("\n"))
}
