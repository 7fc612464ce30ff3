//! `mochi report RUN [--figures DIR]`, `mochi report RUN... --out PAGE`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::{Failure, Outcome, print_line};
use crate::output_file;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder; several are compared on one page
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Page that compares several runs, an HTML file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also write each chart as an SVG file into this folder
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
}

/// Runs the subcommand: the paths of what was written go to stdout.
pub fn run(arguments: Arguments) -> Outcome {
    let [run] = &arguments.runs[..] else { return compare(&arguments) };
    if arguments.out.is_some() {
        return Err(Failure::new(
            "--out is for the comparison of several runs",
            "leave it out: the page is RUN/report.html",
        ));
    }
    let page = mochi_report::write_page(run)?;
    print_line(&page.display().to_string())?;
    if let Some(folder) = &arguments.figures {
        for figure in mochi_report::write_figures(run, folder)? {
            print_line(&figure.display().to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One page for several runs.
fn compare(arguments: &Arguments) -> Outcome {
    if arguments.figures.is_some() {
        return Err(Failure::new("--figures is for a single run", "name one run"));
    }
    let Some(out) = &arguments.out else {
        return Err(Failure::new("several runs are compared on a page of their own", "add --out comparison.html"));
    };
    output_file::PAGE.check(out)?;
    let page = mochi_report::comparison_page(&arguments.runs)?;
    mochi_files::write_atomic(out, page.as_bytes())?;
    print_line(&out.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}
