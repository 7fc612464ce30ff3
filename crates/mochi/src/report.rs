//! `mochi report RUN [--figures DIR]`, `mochi report RUN... [--out PAGE] [--figures DIR]`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::failure::{Failure, Outcome, print_line};
use crate::{figures, output_file};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder; several are compared on one page
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Page that compares several runs, an HTML file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write charts, and figures as the paper has them, as PNG and SVG files into this folder
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
}

/// Runs the subcommand: the paths of what was written go to stdout.
pub fn run(arguments: Arguments) -> Outcome {
    match &arguments.runs[..] {
        [run] => {
            if arguments.out.is_some() {
                let what = "--out is for the comparison of several runs";
                return Err(Failure::new(what, "leave it out: the page is RUN/report.html"));
            }
            print_line(&mochi_report::write_page(run)?.display().to_string())?;
        }
        runs => compare(runs, &arguments)?,
    }
    if let Some(folder) = &arguments.figures {
        let written = mochi_report::write_figures(&arguments.runs, folder)?;
        for path in &written.paths {
            print_line(&path.display().to_string())?;
        }
        figures::tell_missing(&written);
    }
    Ok(ExitCode::SUCCESS)
}

/// One page for several runs.
fn compare(runs: &[PathBuf], arguments: &Arguments) -> Outcome<()> {
    let Some(out) = &arguments.out else {
        if arguments.figures.is_some() {
            return Ok(());
        }
        let hint = "add --out comparison.html, or --figures DIR";
        return Err(Failure::new("several runs are compared on a page of their own", hint));
    };
    output_file::PAGE.check(out)?;
    let page = mochi_report::comparison_page(runs)?;
    mochi_files::write_atomic(out, page.as_bytes())?;
    print_line(&out.display().to_string())
}
