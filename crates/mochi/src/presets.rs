//! `mochi presets [NAME]`

use std::process::ExitCode;

use clap::Args;
use mochi_config::{Settings, presets};
use serde::Serialize;

use crate::failure::{Outcome, print_json, print_line};

/// Arguments of `mochi presets`.
#[derive(Args)]
pub struct Arguments {
    /// Print this preset as a settings file, with the source of its values
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One preset.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    summary: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'static str>,
}

/// Lists the presets, or prints one.
pub fn run(arguments: Arguments) -> Outcome {
    match &arguments.name {
        Some(name) => print_one(name, arguments.json)?,
        None => print_list(arguments.json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_one(name: &str, json: bool) -> Outcome<()> {
    let Some(preset) = presets::find(name) else {
        // The error suggests a similar name.
        return Ok(Settings::preset(name).map(|_| ())?);
    };
    if json {
        print_json(&Row { name: preset.name, summary: preset.summary(), text: Some(preset.text) })?;
    } else {
        print_line(preset.text.trim_end())?;
    }
    Ok(())
}

fn print_list(json: bool) -> Outcome<()> {
    let rows: Vec<Row> =
        presets::all().map(|preset| Row { name: preset.name, summary: preset.summary(), text: None }).collect();
    if json {
        return print_json(&rows);
    }
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for row in rows {
        print_line(&format!("{:width$}  {}", row.name, row.summary))?;
    }
    Ok(())
}
