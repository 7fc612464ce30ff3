//! `mochi runs ls|show|diff|best`

mod best;
mod diff;
mod ls;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mochi_registry::{Listed, OUTDATED, Query, Registry, Unread, Value};
use mochi_term::{printable, write_stderr};
use mochi_text::{counted, counted_with, duration};

use crate::failure::Outcome;

/// Most runs that a kind of warning names.
const NAMED: usize = 3;

/// Queries over runs.
#[derive(Subcommand)]
pub enum Command {
    /// List runs with their results and the settings in which they differ
    Ls(ls::Arguments),
    /// Show a run: its results, and the settings that differ from its preset
    Show(show::Arguments),
    /// Compare the settings and results of two runs
    Diff(diff::Arguments),
    /// Print the run with the best result
    Best(best::Arguments),
}

/// Which runs.
#[derive(Args)]
struct Selection {
    /// Folder that is searched for runs; its index is FOLDER/runs.sqlite
    #[arg(default_value = "runs")]
    folder: PathBuf,
    /// Condition over settings and results, as in SQL: 'negatives.pairs > 0 and knn > 40'
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
}

/// Runs the subcommand.
pub fn run(command: Command) -> Outcome {
    match command {
        Command::Ls(arguments) => ls::run(arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Best(arguments) => best::run(arguments),
    }
}

/// The columns of one run folder.
fn one(run: &Path) -> Outcome<Listed> {
    // An error that names the folder, where it is not a run.
    mochi_run::RunFolder::read(run)?;
    let mut values = mochi_registry::read(run)?;
    values.insert("path".to_owned(), Value::Text(run.display().to_string()));
    Ok(values)
}

/// All runs of a query.
fn listed(folder: &Path, query: &Query) -> Outcome<Vec<Listed>> {
    let registry = Registry::open(folder)?;
    let unread = registry.unread();
    for Unread { path, reason } in unread.iter().take(NAMED) {
        write_stderr(&printable(&format!("warning: {} is left out: {reason}", path.display())));
    }
    if unread.len() > NAMED {
        write_stderr(&format!("warning: {} left out", counted_with(unread.len() - NAMED, "more run", ["is", "are"])));
    }
    Ok(registry.query(query)?)
}

/// Says which results are left out because their runs were trained further.
fn tell_outdated(folder: &Path, runs: &[Listed]) {
    let outdated = |run: &Listed| match (run.get("path"), run.get(OUTDATED)) {
        (Some(Value::Text(path)), Some(Value::Text(results))) => Some((path.clone(), results.clone())),
        _ => None,
    };
    let all: Vec<(String, String)> = runs.iter().filter_map(outdated).collect();
    for (path, results) in all.iter().take(NAMED) {
        let path = folder.join(path);
        write_stderr(&printable(&format!("warning: {} has gone on since its results: {results}", path.display())));
    }
    if all.len() > NAMED {
        write_stderr(&format!("warning: so have {}", counted(all.len() - NAMED, "more run")));
    }
    if !all.is_empty() {
        write_stderr("hint: `mochi eval` evaluates the newest checkpoint; with --step STEP another one");
    }
}

/// A value for people: results with two decimals, times in words.
fn text(column: &str, value: Option<&Value>) -> String {
    match (column, value) {
        (_, None) => "-".to_owned(),
        ("elapsed_s", Some(Value::Number(seconds))) => duration(*seconds),
        (_, Some(Value::Number(number))) if mochi_registry::is_result(column) => format!("{number:.2}"),
        ("loss" | "accuracy_real", Some(Value::Number(number))) => format!("{number:.3}"),
        (_, Some(Value::Number(number))) => number.to_string(),
        (_, Some(Value::Integer(number))) => number.to_string(),
        (_, Some(Value::Text(text))) => text.clone(),
    }
}

/// A value for `--json`.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Integer(number) => (*number).into(),
        Value::Number(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
    }
}

/// A run for `--json`.
fn json_of(run: &Listed) -> serde_json::Value {
    run.iter().map(|(column, value)| (column.clone(), json(value))).collect::<serde_json::Map<_, _>>().into()
}
