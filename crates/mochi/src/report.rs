//! `mochi report RUN [--figures DIR]`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::{Outcome, print_line};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Also write each chart as an SVG file into this folder
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
}

/// Runs the subcommand: the paths of what was written go to stdout.
pub fn run(arguments: Arguments) -> Outcome {
    let page = mochi_report::write_page(&arguments.run)?;
    print_line(&page.display().to_string())?;
    if let Some(folder) = &arguments.figures {
        for figure in mochi_report::write_figures(&arguments.run, folder)? {
            print_line(&figure.display().to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
