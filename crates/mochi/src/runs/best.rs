//! `mochi runs best [FOLDER] --by COLUMN`

use std::process::ExitCode;

use clap::Args;
use mochi_registry::{Order, Query, Value, columns, is_result, protocol_of};

use super::{Selection, json_of, listed, tell_outdated, text};
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

/// The command that gives a run a result.
fn command_of(result: &str) -> String {
    match protocol_of(result) {
        Some(protocol) => {
            let name = protocol.name();
            format!("evaluate the runs first: `mochi eval all RUN --protocols {name} --train DIR --test DIR`")
        }
        None => "`mochi detect train` evaluates its detector if its images have a split `val` or `test`".to_owned(),
    }
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
    let query = Query { condition, order: Some((arguments.by.clone(), Order::Falling)) };
    let runs = listed(&folder, &query)?;
    tell_outdated(&folder, &runs);
    let Some(best) = runs.into_iter().next().filter(|run| run.contains_key(&arguments.by)) else {
        return Err(Failure::new(
            format!("no run below {} has a value of {}", folder.display(), arguments.by),
            command_of(&arguments.by),
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
