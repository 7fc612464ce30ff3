//! `mochi presets`

use std::process::ExitCode;

use clap::Args;
use mochi_config::presets;
use serde::Serialize;

use crate::failure::{Outcome, print_json, print_line};

/// Words of the verb.
#[derive(Args)]
pub struct Arguments {
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    summary: String,
}

/// Runs the verb.
pub fn run(arguments: Arguments) -> Outcome {
    let rows: Vec<Row> = presets::all().map(|preset| Row { name: preset.name, summary: preset.summary() }).collect();
    if arguments.json {
        print_json(&rows)?;
    } else {
        let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        for row in rows {
            print_line(&format!("{:width$}  {}", row.name, row.summary));
        }
    }
    Ok(ExitCode::SUCCESS)
}
