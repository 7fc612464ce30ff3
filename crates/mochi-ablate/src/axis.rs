//! What varies in a plan: `[[axis]]`.

use std::collections::BTreeSet;

use mochi_config::plan::{PlanError, PlanTable};
use toml::{Table, Value};

/// One axis: what varies, and its values; the first is the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Heading of its column.
    pub name: String,
    /// The key that its values are of; `None` for values that set several keys and have names.
    pub key: Option<String>,
    /// The values.
    pub values: Vec<AxisValue>,
}

impl Axis {
    /// Its name, or the last part of its key, for figures.
    pub fn title(&self) -> &str {
        match &self.key {
            Some(key) if *key == self.name => key.rsplit('.').next().unwrap_or(key),
            _ => &self.name,
        }
    }
}

/// One value of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AxisValue {
    /// How the table calls it.
    pub label: String,
    /// `KEY=VALUE` arguments that it stands for.
    pub settings: Vec<String>,
    /// Line of the plan on which they are.
    pub line: usize,
}

/// One `[[axis]]`.
pub(crate) fn axis_of(axis: &PlanTable) -> Result<Axis, PlanError> {
    axis.only(&["key", "name", "values"])?;
    let key = axis.text("key")?;
    let Some(name) = axis.text("name")?.or(key) else {
        let hint = "add the key that varies: key = \"moco.queue\"";
        return Err(axis.problem(None, "an axis has neither `key` nor `name`", hint));
    };
    let wrong = |message: String, hint: &str| axis.problem(Some("values"), &message, hint);
    let values = axis.required("values", axis.list("values")?)?;
    if values.is_empty() {
        return Err(wrong(format!("the axis \"{name}\" has no values"), "write e.g. values = [0.2, 0.1]"));
    }
    if key == Some("seed") {
        return Err(axis.problem(Some("key"), "`seed` is no axis", "list the seeds with seeds = [0, 1, 2]"));
    }
    let of_key = axis.place(Some("key")).line;
    let lines = axis.lines_of_values("values").into_iter().map(Some).chain(std::iter::repeat(None));
    let values = values.iter().zip(lines).map(|(value, line)| match (key, value) {
        (Some(key), value) => {
            let text = written(value);
            let label = value.as_str().map_or_else(|| text.clone(), str::to_owned);
            Ok(AxisValue { label, settings: vec![format!("{key}={text}")], line: of_key })
        }
        (None, Value::Table(table)) => {
            let mut table = table.clone();
            let Some(label) = table.remove("name").and_then(|name| name.as_str().map(str::to_owned)) else {
                return Err(wrong(
                    format!("a value of the axis \"{name}\" has no name"),
                    "write e.g. { name = \"MoCo v2\", negatives.pairs = 0 }",
                ));
            };
            Ok(AxisValue { label, settings: assignments(&table), line: line.unwrap_or(of_key) })
        }
        (None, value) => Err(wrong(
            format!("the axis \"{name}\" has no `key`, so its values must be tables, got {}", written(value)),
            "add the key that varies, or write e.g. { name = \"MoCo v2\", negatives.pairs = 0 }",
        )),
    });
    let values: Vec<AxisValue> = values.collect::<Result<_, _>>()?;
    let labels: BTreeSet<&str> = values.iter().map(|value| value.label.as_str()).collect();
    if labels.len() != values.len() {
        return Err(wrong(format!("two values of the axis \"{name}\" have one name"), "give each value its own name"));
    }
    Ok(Axis { values, name: name.to_owned(), key: key.map(str::to_owned) })
}

/// A value as it is written on the command line and in a settings file.
fn written(value: &Value) -> String {
    value.to_string().trim().to_owned()
}

/// `KEY=VALUE` of a table; sections are joined with dots.
fn assignments(table: &Table) -> Vec<String> {
    let mut all = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(section) => all.extend(assignments(section).into_iter().map(|one| format!("{key}.{one}"))),
            value => all.push(format!("{key}={}", written(value))),
        }
    }
    all
}
