//! `mochi check DIR [--preset NAME | --config FILE] [--out PAGE.html] [--json] [KEY=VALUE ...]`, and with `--format voc|coco|yolo [--split S]` the objects of a
//! dataset.

mod objects;
mod objects_page;
mod objects_table;
mod page;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_annotations::Format;
use mochi_data::dataset_report::{DatasetReport, ReportOptions, Severity, Stage, check_dataset};
use mochi_data::{Cancel, display_source, sampled};
use mochi_files::{shell_word, write_atomic};
use mochi_term::{Progress, Task};
use serde::Serialize;

use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::numbers::whole;
use crate::output_file;
use crate::settings::SettingArguments;
use crate::sources::Sources;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    settings: SettingArguments,
    /// Check the objects of a dataset in this format, voc, coco or yolo: classes, boxes, masks
    #[arg(long)]
    format: Option<Format>,
    /// With --format: the split; without it the one that is trained on
    #[arg(long, value_name = "NAME", requires = "format")]
    split: Option<String>,
    /// Also write a page with histograms, bad files, duplicates and a contact sheet; with --format, images with their objects
    #[arg(long, value_name = "PAGE.html")]
    out: Option<PathBuf>,
    /// Number of threads; 0 means one per core
    #[arg(long, default_value_t = 0, value_parser = whole::<usize>)]
    threads: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Output of `--json`.
#[derive(Serialize)]
struct Checked<'a> {
    data: String,
    page: Option<String>,
    #[serde(flatten)]
    report: &'a DatasetReport,
}

/// Runs the subcommand: status 1 if a run would fail on this dataset.
pub fn run(arguments: Arguments) -> Outcome {
    let settings = arguments.settings.load()?;
    if let Some(path) = &arguments.out {
        output_file::PAGE.check(path)?;
        if !output_file::PAGE.names(path) {
            let what = format!("--out expects a name ending in .html, got {}", path.display());
            return Err(Failure::new(what, "for example --out dataset.html"));
        }
    }
    if let Some(format) = arguments.format {
        if arguments.sources.has_more() {
            return Err(Failure::new(
                "--format checks one dataset",
                "leave out --also, and check each dataset by itself",
            ));
        }
        return objects::run(&objects::Check {
            folder: arguments.sources.data(),
            format,
            split: arguments.split.as_deref(),
            out: arguments.out.as_deref(),
            threads: arguments.threads,
            json: arguments.json,
        });
    }
    // No stop signal is caught: nothing is written before the end, so Ctrl-C may quit immediately.
    let progress = Progress::detect();
    let dataset = arguments.sources.begin(&settings, Cancel::default()).wait(&progress)?;
    let options = ReportOptions {
        view: settings.view_size(sampled(&dataset, &Cancel::default()).short_side),
        max_bad_fraction: settings.data.max_bad_fraction,
        threads: arguments.threads,
    };
    let mut line = Line { progress: progress.clone(), current: None };
    let report = check_dataset(&dataset, &options, &mut |stage, done, of| line.update(stage, done, of))?;
    line.finish();
    if let Some(path) = &arguments.out {
        let page = page::page(arguments.sources.data(), &dataset, &report, &progress);
        write_atomic(path, page.render().as_bytes())?;
    }
    if arguments.json {
        let page = arguments.out.as_ref().map(|out| out.display().to_string());
        print_json(&Checked { data: display_source(arguments.sources.data()), page, report: &report })?;
    } else {
        print_line(&table::table(arguments.sources.data(), &report, arguments.out.as_deref()))?;
    }
    let data = arguments.sources.data();
    if let Ok((format, _)) = mochi_annotations::splits(data, None) {
        progress
            .note(&format!("the folder has annotated objects in the format of {format}, which this check leaves out"));
        progress.hint(&format!("`mochi check {} --format {}` checks them", shell_word(data), format.as_str()));
    }
    match report.issues.iter().find(|issue| issue.severity == Severity::Error) {
        // The table shows all issues with their hints; JSON on stdout is read by a program.
        Some(_) if !arguments.json => Ok(ExitCode::FAILURE),
        Some(issue) => Err(Failure::new(issue.message.clone(), issue.hint.clone())),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Progress: one line per stage.
struct Line {
    progress: Progress,
    current: Option<(Stage, usize, Task)>,
}

impl Line {
    fn update(&mut self, stage: Stage, done: usize, of: usize) {
        if self.current.as_ref().is_none_or(|current| current.0 != stage) {
            self.finish();
            let title = match stage {
                Stage::Reading => "reading",
                Stage::Comparing => "comparing",
            };
            self.current = Some((stage, 0, self.progress.task(title, of as u64)));
        }
        if let Some((_, before, task)) = &mut self.current {
            task.advance(done.saturating_sub(*before) as u64);
            *before = done;
        }
    }

    fn finish(&mut self) {
        if let Some((_, _, task)) = self.current.take() {
            task.finish();
        }
    }
}
