//! `mochi runs ls [FOLDER] [--where CONDITION]`

use std::process::ExitCode;

use clap::Args;
use mochi_registry::{Listed, Order, Query, columns, is_result, is_setting};
use mochi_term::write_stderr;
use mochi_text::{aligned, counted};

use super::{Selection, json_of, listed, tell_outdated, text};
use crate::failure::{Outcome, print_json, print_line};

/// Most settings that are shown without `--columns`.
const SETTINGS: usize = 6;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Sort by this column, the largest first; - before it: the smallest first
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Columns to show, separated by commas [default: results, and the settings in which the runs differ]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    columns: Vec<String>,
    /// Print one JSON array with every column
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let order = arguments.sort.map(|name| match name.strip_prefix('-') {
        Some(name) => (name.to_owned(), Order::Rising),
        None => (name, Order::Falling),
    });
    let query = Query { condition: arguments.selection.condition, order };
    for name in &arguments.columns {
        mochi_registry::check_column(name)?;
    }
    let runs = listed(&arguments.selection.folder, &query)?;
    if arguments.json {
        print_json(&runs.iter().map(json_of).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (chosen, left_out) = if arguments.columns.is_empty() { usual(&runs) } else { (arguments.columns, 0) };
    let shown: Vec<String> =
        std::iter::once("path".to_owned()).chain(chosen.into_iter().filter(|name| name != "path")).collect();
    let rows = runs.iter().map(|run| shown.iter().map(|name| text(name, run.get(name))).collect());
    let rows: Vec<Vec<String>> = std::iter::once(shown.clone()).chain(rows).collect();
    if !runs.is_empty() {
        print_line(&aligned(&rows).join("\n"))?;
    }
    write_stderr(&counted(runs.len(), "run"));
    tell_outdated(&arguments.selection.folder, &runs);
    if left_out > 0 {
        let more = counted(left_out, "more setting");
        write_stderr(&format!("hint: the runs differ in {more}; --columns chooses, --json has all"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Steps, time, results that there are, and the settings in which the runs differ; the number of settings left out.
fn usual(runs: &[Listed]) -> (Vec<String>, usize) {
    let some = |name: &String| runs.iter().any(|run| run.contains_key(name));
    // Values of the runs that have the column: a setting of another task is no difference.
    let differ = |name: &String| {
        let mut values = runs.iter().filter_map(|run| run.get(name));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let mut shown: Vec<String> = [String::from("task")].into_iter().filter(differ).collect();
    shown.extend(["step".to_owned(), "elapsed_s".to_owned()]);
    shown.extend(columns().filter(|name| is_result(name)).filter(some));
    let settings: Vec<String> = columns().filter(|name| is_setting(name)).filter(differ).collect();
    let left_out = settings.len().saturating_sub(SETTINGS);
    shown.extend(settings.into_iter().take(SETTINGS));
    (shown, left_out)
}
