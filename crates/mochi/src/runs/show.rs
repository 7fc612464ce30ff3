//! `mochi runs show RUN`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_config::{Origin, Resolved, Task, detection};
use mochi_registry::{OUTDATED, columns, is_setting};
use mochi_run::{Protocol, RunFolder, StoredResult};

use super::{json_of, one, text};
use crate::failure::{Outcome, print_json, print_line};

/// Whether a result is one of the columns: that of a protocol with its defaults, on the usual images, at the newest checkpoint.
fn in_a_column(result: &StoredResult) -> bool {
    Protocol::find(&result.name).is_some() && result.outdated.is_none()
}

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Print one JSON object with every column
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Outcome {
    let values = one(&arguments.run)?;
    if arguments.json {
        print_json(&json_of(&values))?;
        return Ok(ExitCode::SUCCESS);
    }
    for name in columns().filter(|name| !is_setting(name) && values.contains_key(name) && name != OUTDATED) {
        print_line(&format!("{name:<18} {}", text(&name, values.get(&name))))?;
    }
    let folder = RunFolder::read(&arguments.run)?;
    for result in folder.read_results()?.iter().filter(|result| !in_a_column(result)) {
        let step = result.outdated.map(|step| format!(" of step {step}")).unwrap_or_default();
        if let Some(top1) = result.top1() {
            print_line(&format!("{:<18} {top1:.2}", format!("{}{step}", result.name)))?;
        }
    }
    let (written, config) = (folder.read_config()?, folder.config_path());
    let settings = match Task::read(&config)? {
        Task::Pretraining => Resolved::parse(&written, &config)?.describe(),
        Task::Detection => detection::Resolved::parse(&written, &config)?.describe(),
    };
    for line in settings {
        // What a run's config.toml says of a value's origin is text.
        let own = match &line.origin {
            Origin::Run(remark) => !remark.starts_with("preset "),
            Origin::Preset(_) => false,
            _ => true,
        };
        if own {
            print_line(&format!("{:<32} = {}  # {}", line.key, line.value, line.origin))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
