//! `mochi check DIR --format voc|coco|yolo`: a dataset with objects.

use std::path::Path;
use std::process::ExitCode;

use mochi_annotations::{Format, Problem, ProblemKind, Purpose, ReadOptions, Rule, Statistics, read};
use mochi_files::write_atomic;
use mochi_term::Progress;
use serde::Serialize;

use super::{objects_page, objects_table};
use crate::failure::{Outcome, print_json, print_line};

/// Output of `--json`.
#[derive(Serialize)]
struct Checked<'a> {
    data: String,
    format: &'static str,
    split: &'a str,
    page: Option<String>,
    #[serde(flatten)]
    statistics: &'a Statistics,
    images_left_out: u64,
    objects_left_out: u64,
    problems: Vec<Found<'a>>,
}

/// A kind of problem of `--json`.
#[derive(Serialize)]
struct Found<'a> {
    kind: ProblemKind,
    rule: Rule,
    explanation: &'static str,
    count: u64,
    /// The first ones.
    examples: &'a [Problem],
}

/// Reads a split and shows what is in it and what is wrong with it.
///
/// # Errors
/// A dataset that cannot be trained on, and a page that cannot be written.
pub fn run(folder: &Path, format: Format, split: Option<&str>, out: Option<&Path>, as_json: bool) -> Outcome {
    let progress = Progress::detect();
    let options = ReadOptions { format: Some(format), split, purpose: Purpose::Training, classes: None };
    let dataset = read(folder, &options)?;
    let statistics = Statistics::of(&dataset.annotations);
    if let Some(path) = out {
        let page = objects_page::page(folder, &dataset, &statistics, &progress);
        write_atomic(path, page.render().as_bytes())?;
    }
    if as_json {
        let problems = &dataset.problems;
        let found = problems.by_kind().map(|(kind, found)| Found {
            kind,
            rule: kind.rule(),
            explanation: kind.explanation(),
            count: found.count,
            examples: &found.examples,
        });
        print_json(&Checked {
            data: folder.display().to_string(),
            format: format.as_str(),
            split: &dataset.split,
            page: out.map(|out| out.display().to_string()),
            statistics: &statistics,
            images_left_out: problems.count_of(Rule::SkipImage),
            objects_left_out: problems.count_of(Rule::SkipObject),
            problems: found.collect(),
        })?;
    } else {
        print_line(&objects_table::table(folder, &dataset, &statistics, out))?;
    }
    Ok(ExitCode::SUCCESS)
}
