//! Columns of the index.

use mochi_config::Task;
use mochi_run::metric::detection;
use mochi_run::{Metric, Protocol};

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number; booleans are 0 and 1.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// Text; lists are written as in a settings file.
    Text(String),
}

/// Columns that are neither settings nor results.
pub(crate) const OWN: [&str; 8] = ["path", "task", "preset", "step", "elapsed_s", "loss", "accuracy_real", OUTDATED];

/// Results of earlier steps than the newest checkpoint, which are not in the columns of results: "knn of step 776".
pub const OUTDATED: &str = "outdated_results";

/// Results of the last evaluation of a detector, whose columns have the names of the metrics.
pub const EVALUATED: [&Metric; 6] = [
    &detection::AP,
    &detection::AP50,
    &detection::AP75,
    &detection::MASK_AP,
    &detection::MASK_AP50,
    &detection::MASK_AP75,
];

/// Names of all columns: the run's own, results by protocol (hyphens become underscores) and of detection, settings of every task.
pub fn columns() -> impl Iterator<Item = String> {
    let results = of_images().map(result).chain(EVALUATED.iter().map(|metric| metric.key.to_owned()));
    let settings = Task::ALL.iter().copied().enumerate().flat_map(|(at, task)| {
        // A key that several tasks have is one column.
        let new = move |name: &str| Task::ALL[..at].iter().all(|before| before.schema().key(name).is_none());
        task.schema().keys().map(|key| key.name).filter(move |name| new(name))
    });
    OWN.into_iter().map(str::to_owned).chain(results).chain(settings.map(str::to_owned))
}

/// Whether a column is a result in percent: the top-1 accuracy of a protocol, or a detector's average precision.
pub fn is_result(name: &str) -> bool {
    EVALUATED.iter().any(|metric| metric.key == name) || protocol_of(name).is_some()
}

/// The protocol on labeled images whose result a column has.
pub fn protocol_of(name: &str) -> Option<Protocol> {
    of_images().find(|protocol| result(*protocol) == name)
}

/// Whether a column is a setting.
pub fn is_setting(name: &str) -> bool {
    Task::ALL.iter().copied().any(|task| task.schema().key(name).is_some())
}

/// Protocols whose results a run has under `eval/`; those of detection belong to the run of a detector.
fn of_images() -> impl Iterator<Item = Protocol> {
    Protocol::ALL.into_iter().filter(|protocol| protocol.detection_metric().is_none())
}

/// Column of a protocol's top-1 accuracy in percent.
pub(crate) fn result(protocol: Protocol) -> String {
    protocol.name().replace('-', "_")
}

/// A value of a settings file.
pub(crate) fn value_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::Integer(number) => Value::Integer(*number),
        toml::Value::Float(number) => Value::Number(*number),
        toml::Value::Boolean(flag) => Value::Integer(i64::from(*flag)),
        toml::Value::String(text) => Value::Text(text.clone()),
        other => Value::Text(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_differ() {
        let mut all: Vec<String> = columns().collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.contains(&"negatives.pairs".to_owned()) && all.contains(&"linear_10_percent".to_owned()));
    }
}
