//! `mochi config RUN`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_config::{Resolved, Task, detection};
use mochi_run::RunFolder;
use serde::Serialize;

use crate::failure::{Outcome, print_json, print_line};

/// Arguments of `mochi config`.
#[derive(Args)]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Print one JSON object with the value and source of each key
    #[arg(long)]
    json: bool,
}

/// One setting of `--json`.
#[derive(Serialize)]
struct Setting<V> {
    value: V,
    source: String,
}

/// Prints the settings of a run with the source of each value.
pub fn run(arguments: Arguments) -> Outcome {
    let run = RunFolder::read(&arguments.run)?;
    let (text, path) = (run.read_config()?, run.config_path());
    let rows = match Task::parse(&text, &path)? {
        Task::Pretraining => Resolved::parse(&text, &path)?.describe(),
        Task::Detection => detection::Resolved::parse(&text, &path)?.describe(),
    };
    if arguments.json {
        let map: BTreeMap<_, _> = rows
            .into_iter()
            .map(|row| (row.key, Setting { value: row.value, source: row.origin.to_string() }))
            .collect();
        print_json(&map)?;
    } else {
        let rows: Vec<_> = rows.into_iter().map(|row| (row.key, row.value.to_string(), row.origin)).collect();
        let keys = rows.iter().map(|(key, ..)| key.len()).max().unwrap_or(0);
        // A long path must not push the sources of all values off the screen.
        let values = rows.iter().map(|(_, value, _)| value.len()).filter(|&n| n <= 24).max().unwrap_or(0);
        for (key, value, origin) in rows {
            print_line(&format!("{key:keys$} = {value:values$}  # {origin}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
