//! `mochi runs best [FOLDER] --by COLUMN`

use std::process::ExitCode;

use clap::Args;
use mochi_registry::{Order, Query, Value, columns, is_result};

use super::{Selection, json_of, listed, text};
use crate::failure::{Failure, Outcome, print_json, print_line};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Result that decides, the largest is the best: knn, linear, few_shot, ap, ...
    #[arg(long, value_name = "COLUMN", default_value = "knn")]
    by: String,
    /// Print one JSON object with every column
    #[arg(long)]
    json: bool,
}

/// Prints the path of the best run, and its result to stderr.
pub fn run(arguments: Arguments) -> Outcome {
    let Selection { folder, condition } = arguments.selection;
    mochi_registry::check_column(&arguments.by)?;
    if !mochi_registry::is_result(&arguments.by) {
        let results = columns().filter(|name| is_result(name)).collect::<Vec<_>>().join(", ");
        return Err(Failure::new(
            format!("--by expects a result, got {}", arguments.by),
            format!("the results are {results}; `mochi runs ls --sort` orders by any column"),
        ));
    }
    let query = Query { condition, order: Some((arguments.by.clone(), Order::Falling)), limit: Some(1) };
    let best = listed(&folder, &query)?.into_iter().next().filter(|run| run.contains_key(&arguments.by));
    let Some(best) = best else {
        return Err(Failure::new(
            format!("no run below {} has a value of {}", folder.display(), arguments.by),
            "evaluate the runs first, `mochi eval all RUN --train DIR --test DIR`; of detectors, --by ap",
        ));
    };
    if arguments.json {
        print_json(&json_of(&best))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Value::Text(path)) = best.get("path") {
        print_line(&folder.join(path).display().to_string())?;
    }
    mochi_term::write_stderr(&format!("{} {}", arguments.by, text(&arguments.by, best.get(&arguments.by))));
    Ok(ExitCode::SUCCESS)
}
