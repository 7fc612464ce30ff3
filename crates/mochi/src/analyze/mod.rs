//! `mochi analyze RUN DATA [--images N] [-k N] [--seed N] [--max-bad-fraction FRACTION] [--out FILE] [--json]`

mod encoders;
mod page;
mod sheet;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_data::{Cancel, DataError, Dataset, Split, display_source};
use mochi_eval::analysis::{Analysis, AnalysisOptions, Analyzer};
use mochi_eval::{EvalError, ViewOptions};
use mochi_files::write_atomic;
use mochi_run::RunFolder;
use mochi_term::Progress;
use mochi_text::counted;
use serde::Serialize;

use crate::discovery::begin;
use crate::eval::stages::Stages;
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::numbers::whole;
use crate::{bad_images, output_file};

/// Checkpoints whose encoders are in memory at once; the images are read again for the next ones.
const AT_ONCE: usize = 8;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Images; their classes are used if they have any
    data: PathBuf,
    /// Number of images in the sample, at most 4096
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = whole::<usize>)]
    images: usize,
    /// Number of nearest neighbors of an image
    #[arg(short, default_value_t = 10, value_name = "N", value_parser = whole::<usize>)]
    k: usize,
    /// Seed of the sample and of the augmented views
    #[arg(long, default_value_t = 0, value_parser = whole::<u64>)]
    seed: u64,
    /// Fail if a larger fraction of the images cannot be read
    #[arg(long, value_name = "FRACTION", default_value_t = 0.01)]
    max_bad_fraction: f64,
    /// Page to write instead of RUN/analysis.html; the run folder then stays as it is
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Output of `--json` and of `analysis.json`.
#[derive(Serialize)]
struct Analyzed<'a> {
    run: String,
    data: String,
    page: String,
    #[serde(flatten)]
    analysis: &'a Analysis,
}

/// Runs the subcommand: a table and findings, or JSON, on stdout; a page and `analysis.json` in the run folder, or the page of `--out`.
pub fn run(arguments: Arguments) -> Outcome {
    arguments.check()?;
    let Arguments { run, data, .. } = &arguments;
    let progress = Progress::detect();
    let folder = RunFolder::read(run)?;
    if arguments.out.is_none() {
        folder.check_analysis_writable()?;
    }
    let opening = begin(vec![data.clone()], Split::Train, Cancel::default());
    let engine = mochi_tensor::start(None)?;
    let checkpoints = encoders::whole(&folder, &progress)?;
    let dataset = opening.wait(&progress)?;
    for warning in dataset.warnings() {
        progress.warning(warning);
    }
    if arguments.out.is_none() {
        keep_labeled(&folder, &dataset)?;
    }
    let mut stages = Stages::new(&progress, "analyze");
    let mut analyzer: Option<Analyzer> = None;
    for group in checkpoints.chunks(AT_ONCE) {
        let loaded = encoders::load(&folder, group, &engine, &progress)?;
        let added = match (&mut analyzer, loaded.first()) {
            (Some(analyzer), _) => analyzer,
            (None, Some(first)) => analyzer.insert(arguments.analyzer(&dataset, first)?),
            (None, None) => continue,
        };
        let encoders: Vec<_> = loaded.iter().map(|one| (one.step, &one.encoder)).collect();
        added.add(&encoders, &mut |now| stages.update(now)).map_err(failure)?;
    }
    let finished = analyzer.map(|analyzer| analyzer.finish(&mut |now| stages.update(now)));
    let analysis = finished.transpose().map_err(failure)?.flatten();
    stages.finish();
    let Some(analysis) = analysis else {
        return Err(mochi_run::RunError::NoCheckpoint { path: run.clone() }.into());
    };
    let bad = analysis.bad_images.iter().map(|image| ("bad image, not in the sample", image));
    bad_images::warn(bad, &progress);
    if analysis.k < arguments.k {
        let used = counted(analysis.k, "other image");
        progress.warning(&format!("-k {} exceeds the {used}: all of them are neighbors", arguments.k));
    }
    arguments.finish(&folder, &dataset, &analysis, &progress)
}

impl Arguments {
    fn check(&self) -> Outcome<()> {
        if !(0.0..=1.0).contains(&self.max_bad_fraction) {
            let what = format!("invalid --max-bad-fraction: expected 0 to 1, got {}", self.max_bad_fraction);
            return Err(Failure::new(what, "for example --max-bad-fraction 0.05 tolerates 5 % bad images"));
        }
        AnalysisOptions::check_counts(self.images, self.k).map_err(failure)?;
        if let Some(path) = &self.out {
            output_file::PAGE.check_name(path, "analysis.html")?;
            output_file::PAGE.check(path)?;
        }
        Ok(())
    }

    fn analyzer<'a>(&self, dataset: &'a Dataset, loaded: &mochi_train::LoadedEncoder) -> Outcome<Analyzer<'a>> {
        let settings = &loaded.settings;
        let views = ViewOptions::new(mochi_train::augmentation(settings)?, settings.data.size);
        let options = AnalysisOptions {
            images: self.images,
            seed: self.seed,
            k: self.k,
            objective: mochi_train::objective(settings),
            keys: settings.candidate_keys(),
            views: ViewOptions { max_bad_fraction: self.max_bad_fraction, ..views },
        };
        Analyzer::new(dataset, options).map_err(failure)
    }

    fn finish(&self, folder: &RunFolder, dataset: &Dataset, analysis: &Analysis, progress: &Progress) -> Outcome {
        let html = page::page(&self.run, &self.data, dataset, analysis, progress).render();
        let page = self.out.clone().unwrap_or_else(|| folder.analysis_page_path());
        let analyzed = Analyzed {
            run: self.run.display().to_string(),
            data: display_source(&self.data),
            page: page.display().to_string(),
            analysis,
        };
        // First: where it cannot be written, for example on a full disk, it is known nevertheless.
        let printed = match self.json {
            true => print_json(&analyzed),
            false => print_line(&table::text(&self.data, analysis, &page)),
        };
        match &self.out {
            Some(path) => write_atomic(path, html.as_bytes())?,
            None => {
                folder.write_analysis_page(&html)?;
                folder.write_analysis(&analyzed)?;
            }
        }
        printed?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses to replace an analysis of images with classes by one of images without, which has fewer measures.
fn keep_labeled(folder: &RunFolder, dataset: &Dataset) -> Outcome<()> {
    let labeled = |text: String| {
        let stored: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        stored.is_some_and(|stored| stored.get("classes").is_some_and(serde_json::Value::is_number))
    };
    if mochi_eval::analysis::is_labeled(dataset) || !folder.read_analysis()?.is_some_and(labeled) {
        return Ok(());
    }
    let path = folder.analysis_path();
    let what = format!("{} is of images with classes, and these images have none", path.display());
    let hint = format!("write another page with --out FILE, or remove {} first", mochi_files::shell_word(&path));
    Err(Failure::new(what, hint))
}

/// An error of the analysis with hints that name this subcommand's options.
fn failure(error: EvalError) -> Failure {
    let hint = match &error {
        EvalError::Data(DataError::TooManyBad { .. }) => {
            "repair or remove the bad files, or raise --max-bad-fraction to tolerate them"
        }
        EvalError::Option { .. } => "`mochi analyze --help` lists the options",
        EvalError::FeaturesNotFinite { .. } | EvalError::EncoderNotFinite { .. } => {
            "the weights of a checkpoint have diverged: remove its folder, then repeat the command"
        }
        _ => return error.into(),
    };
    Failure::new(error.to_string(), hint)
}
