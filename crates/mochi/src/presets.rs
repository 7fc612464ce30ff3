//! `mochi presets [NAME]`

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mochi_config::{ConfigError, Preset, Problem, Settings, Task, detection};
use serde::Serialize;

use crate::failure::{Outcome, print_json, print_line};

/// Arguments of `mochi presets`.
#[derive(Args)]
pub struct Arguments {
    /// Print this preset as a settings file, with the source of its values
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Only presets of this task. Without it, all are listed, and a NAME of both tasks is that of pretraining
    #[arg(long, value_name = "TASK")]
    task: Option<TaskName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A task, as named on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum TaskName {
    Pretraining,
    Detection,
}

impl From<TaskName> for Task {
    fn from(name: TaskName) -> Task {
        match name {
            TaskName::Pretraining => Task::Pretraining,
            TaskName::Detection => Task::Detection,
        }
    }
}

/// One preset.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    task: Task,
    summary: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Row {
    fn of(task: Task, preset: &Preset) -> Row {
        Row { name: preset.name, task, summary: preset.summary(), text: None }
    }
}

/// Lists the presets, or prints one.
pub fn run(arguments: Arguments) -> Outcome {
    let task = arguments.task.map(Task::from);
    match &arguments.name {
        Some(name) => print_one(name, task, arguments.json)?,
        None => print_list(task, arguments.json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Every task, or only the named one.
fn tasks(only: Option<Task>) -> impl Iterator<Item = Task> {
    Task::ALL.iter().copied().filter(move |&task| only.is_none_or(|only| only == task))
}

fn print_one(name: &str, only: Option<Task>, json: bool) -> Outcome<()> {
    let found = tasks(only).find_map(|task| task.schema().preset(name).map(|preset| (task, preset)));
    let Some((task, preset)) = found else {
        return Ok(unknown(name, only)?);
    };
    let text = preset.complete_text(task.schema());
    if json {
        print_json(&Row { text: Some(text), ..Row::of(task, preset) })?;
    } else {
        print_line(text.trim_end())?;
    }
    Ok(())
}

/// The error of an unknown name, of the task that has a similar one.
fn unknown(name: &str, only: Option<Task>) -> Result<(), ConfigError> {
    let similar = |error: &ConfigError| {
        error.problems().iter().any(|problem| matches!(problem, Problem::UnknownPreset { nearest: Some(_), .. }))
    };
    let of = |task| match task {
        Task::Pretraining => Settings::preset(name).map(drop),
        Task::Detection => detection::Settings::preset(name).map(drop),
    };
    match only {
        Some(task) => of(task),
        None => of(Task::Pretraining).map_err(|error| match of(Task::Detection) {
            Err(other) if similar(&other) && !similar(&error) => other,
            _ => error,
        }),
    }
}

fn print_list(only: Option<Task>, json: bool) -> Outcome<()> {
    let rows = |task: Task| task.schema().presets().map(move |preset| Row::of(task, preset));
    if json {
        return print_json(&tasks(only).flat_map(rows).collect::<Vec<_>>());
    }
    let width = tasks(only).flat_map(rows).map(|row| row.name.len()).max().unwrap_or(0);
    for (i, task) in tasks(only).enumerate() {
        let gap = if i == 0 { "" } else { "\n" };
        print_line(&format!("{gap}Presets of `{}`:", task.command()))?;
        for row in rows(task) {
            print_line(&format!("  {:width$}  {}", row.name, row.summary))?;
        }
    }
    Ok(())
}
