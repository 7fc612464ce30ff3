//! `mochi report RUN... [--out PAGE] [--figures DIR]`, `mochi report PLAN|STUDY [--out PAGE] [--figures DIR]`

mod study;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mochi_files::shell_word;
use mochi_report::ReportError;

use crate::failure::{Failure, Outcome, print_line};
use crate::{figures, output_file};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder; several are compared on one page. Or one study: its plan, a TOML file, or its folder
    #[arg(required = true, value_name = "RUN|STUDY")]
    runs: Vec<PathBuf>,
    /// Page to write instead of report.html in the folder of the run or of the study; an HTML file. Several runs need it, or --figures
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write charts, and figures as the paper has them, as PNG and SVG files into this folder
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
}

/// Runs the subcommand: the paths of what was written go to stdout.
pub fn run(arguments: Arguments) -> Outcome {
    if let [path] = &arguments.runs[..]
        && study::is_study(path)
    {
        return study::report(path, arguments.out.as_ref(), arguments.figures.as_ref());
    }
    arguments.runs.iter().try_for_each(|run| check_no_study(run))?;
    match &arguments.runs[..] {
        [run] => {
            let path = match &arguments.out {
                None => mochi_report::write_page(run)?,
                Some(out) => write(out, || mochi_report::run_page(run))?,
            };
            print_line(&path.display().to_string())?;
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

/// Refuses what is no run beside other paths: a study has a page of its own.
fn check_no_study(path: &Path) -> Outcome<()> {
    if !study::is_study(path) {
        return Ok(());
    }
    let what = format!("{} is a study, and only runs are compared on one page", path.display());
    let path = shell_word(path);
    let hint =
        format!("`mochi report {path}` writes the page of the study; its runs are the folders in cells/ of its folder");
    Err(Failure::new(what, hint))
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
    print_line(&write(out, || mochi_report::comparison_page(runs))?.display().to_string())
}

/// Writes a page to the path of `--out`, which is checked before the page is made.
fn write(out: &Path, page: impl FnOnce() -> Result<String, ReportError>) -> Outcome<PathBuf> {
    output_file::PAGE.check_name(out, "page.html")?;
    output_file::PAGE.check(out)?;
    mochi_files::write_atomic(out, page()?.as_bytes())?;
    Ok(out.to_owned())
}
