//! `mochi runs diff A B`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_registry::columns;
use mochi_text::aligned;

use super::{json, one, text};
use crate::failure::{Outcome, print_json, print_line};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder
    a: PathBuf,
    /// Run folder to compare with
    b: PathBuf,
    /// Print one JSON object: column, value of A, value of B
    #[arg(long)]
    json: bool,
}

/// Prints every column in which the runs differ.
pub fn run(arguments: &Arguments) -> Outcome {
    let [a, b] = [one(&arguments.a)?, one(&arguments.b)?];
    let differing: Vec<String> = columns().filter(|name| name != "path" && a.get(name) != b.get(name)).collect();
    if arguments.json {
        let pair = |name: &String| [a.get(name), b.get(name)].map(|value| value.map_or(serde_json::Value::Null, json));
        let map: serde_json::Map<_, _> =
            differing.iter().map(|name| (name.clone(), serde_json::Value::from(pair(name).to_vec()))).collect();
        print_json(&map)?;
        return Ok(ExitCode::SUCCESS);
    }
    if differing.is_empty() {
        print_line("no differences")?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = vec![String::new(), arguments.a.display().to_string(), arguments.b.display().to_string()];
    let rows = differing.iter().map(|name| vec![name.clone(), text(name, a.get(name)), text(name, b.get(name))]);
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    print_line(&aligned(&rows).join("\n"))?;
    Ok(ExitCode::SUCCESS)
}
