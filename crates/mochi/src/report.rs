//! `mochi report RUN`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::{Outcome, print_line};

/// Words of the verb.
#[derive(Args)]
pub struct Arguments {
    /// Folder of the run
    run: PathBuf,
}

/// Runs the verb: the page's path goes to stdout.
pub fn run(arguments: Arguments) -> Outcome {
    let page = mochi_report::write_page(&arguments.run)?;
    print_line(&page.display().to_string());
    Ok(ExitCode::SUCCESS)
}
