//! `mochi report RUN [--figures DIR]`, `mochi report RUN... [--out PAGE] [--figures DIR]`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mochi_files::shell_word;

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
    arguments.runs.iter().try_for_each(|run| check_no_study(run))?;
    match &arguments.runs[..] {
        [run] => {
            if let Some(out) = &arguments.out {
                let (run, out) = (shell_word(run), shell_word(out));
                let what = "--out is the page that compares several runs, and one run was given";
                let hint = format!(
                    "`mochi report {run}` writes its page, report.html in its folder; `mochi report {run} OTHER_RUN --out {out}` compares two runs"
                );
                return Err(Failure::new(what, hint));
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

/// Refuses a study and the plan of one, whose page `mochi ablate` writes.
fn check_no_study(path: &Path) -> Outcome<()> {
    if path.is_file() && path.extension().is_some_and(|extension| extension == "toml") {
        let plan = shell_word(path);
        let what = format!("{} is a file, expected the folder of a run", path.display());
        let hint = format!(
            "if it is the plan of a study, `mochi ablate {plan}` trains what is missing and writes the study's page, and `mochi ablate {plan} --table text` prints its table"
        );
        return Err(Failure::new(what, hint));
    }
    if path.join("plan.toml").is_file() && path.join("cells").is_dir() {
        let what = format!("{} is the folder of a study, expected that of a run", path.display());
        let (page, cells) = (path.join("report.html"), path.join("cells"));
        let hint = format!(
            "the study's page is {}; `mochi report {}/NAME` is of one of its runs",
            page.display(),
            shell_word(&cells)
        );
        return Err(Failure::new(what, hint));
    }
    Ok(())
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
