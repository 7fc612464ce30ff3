//! `mochi check DIR --format voc|coco|yolo`: a dataset with objects.

use std::path::Path;
use std::process::ExitCode;

use mochi_annotations::{Format, Problem, ProblemKind, Purpose, ReadOptions, Rule, Statistics, read};
use mochi_config::detection::Settings;
use mochi_data::BadImage;
use mochi_data::objects::{ends_a_run, find_unreadable};
use mochi_files::write_atomic;
use mochi_term::Progress;
use mochi_text::part_of;
use serde::Serialize;

use super::{objects_page, objects_table};
use crate::failure::{Failure, Outcome, print_json, print_line};

/// Output of `--json`.
#[derive(Serialize)]
struct Checked<'a> {
    data: String,
    format: &'static str,
    split: &'a str,
    page: Option<String>,
    #[serde(flatten)]
    statistics: &'a Statistics,
    bad_images: &'a [BadImage],
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

/// What is checked, and how.
pub struct Check<'a> {
    pub folder: &'a Path,
    pub format: Format,
    pub split: Option<&'a str>,
    pub out: Option<&'a Path>,
    pub threads: usize,
    pub json: bool,
}

/// Reads a split, decodes its images, and shows what is in it and what is wrong with it: status 1 if a run would end on its bad images.
///
/// # Errors
/// A dataset that cannot be trained on, and a page that cannot be written.
pub fn run(check: &Check) -> Outcome {
    let &Check { folder, format, split, out, threads, json } = check;
    let progress = Progress::detect();
    let options = ReadOptions { format: Some(format), split, purpose: Purpose::Training, classes: None };
    // A split is used with the classes of the one that is trained on, where there is one.
    let classes = split.and_then(|_| read(folder, &ReadOptions { split: None, ..options }).ok());
    let classes = classes.filter(|training| Some(training.split.as_str()) != split);
    let classes = classes.as_ref().map(|training| training.annotations.classes.as_slice());
    let dataset = read(folder, &ReadOptions { classes, ..options })?;
    let statistics = Statistics::of(&dataset.annotations);
    let images = dataset.annotations.images.len();
    let mut task = progress.task("reading", images as u64);
    let bad = find_unreadable(&dataset.annotations, threads, &mut |done| task.reach(done as u64))?;
    task.finish();
    if let Some(path) = out {
        let page = objects_page::page(folder, &dataset, &statistics, &progress);
        write_atomic(path, page.render().as_bytes())?;
    }
    if json {
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
            bad_images: &bad,
            images_left_out: problems.count_of(Rule::SkipImage),
            objects_left_out: problems.count_of(Rule::SkipObject),
            problems: found.collect(),
        })?;
    } else {
        print_line(&objects_table::table(folder, &dataset, &statistics, &bad, out))?;
    }
    let limit = Settings::preset("small")?.data.max_bad_fraction;
    if ends_a_run(bad.len(), images, limit) {
        let (bad, limit) = (part_of(bad.len(), images, "image", ["is bad", "are bad"]), 100.0 * limit);
        return Err(Failure::new(
            format!("{bad}; a run allows one, or {limit} %"),
            "repair or remove the bad files, or raise data.max_bad_fraction to tolerate them",
        ));
    }
    Ok(ExitCode::SUCCESS)
}
