//! `mochi eval knn|linear RUN --train DIR --test DIR`

mod knn;
mod linear;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mochi_config::Device;
use mochi_data::{Cancel, Dataset, Recipe, Split, display_source};
use mochi_eval::{Extractor, ViewOptions};
use mochi_run::{Progress, RunFolder, Task};
use mochi_train::{LoadedEncoder, load_encoder};
use serde::Serialize;

use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::finding::begin;

/// How to judge.
#[derive(Subcommand)]
pub enum Verb {
    /// Weighted k-nearest neighbours on frozen features
    Knn(knn::Arguments),
    /// A linear classifier on frozen features
    Linear(linear::Arguments),
}

/// Words of every judgement.
#[derive(Args)]
pub struct Common {
    /// Folder of the run; the word `pixels` judges raw pixels instead
    run: PathBuf,
    /// Training images with labels: class folders, IDX or CIFAR files
    #[arg(long, value_name = "DIR")]
    train: PathBuf,
    /// Test images, likewise
    #[arg(long, value_name = "DIR")]
    test: PathBuf,
    /// Side of a view of raw pixels; the images' own where they share one, else 32
    #[arg(long, value_name = "PIXELS")]
    size: Option<u32>,
    /// Also write the result to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(verb: Verb) -> Outcome {
    match verb {
        Verb::Knn(arguments) => knn::run(arguments),
        Verb::Linear(arguments) => linear::run(arguments),
    }
}

/// What is judged, and on what.
struct Subject {
    loaded: Option<LoadedEncoder>,
    train: Dataset,
    test: Dataset,
    views: ViewOptions,
    progress: Progress,
}

/// A result with the run and the step that it judges.
#[derive(Serialize)]
struct Judged<'a, T: Serialize> {
    #[serde(flatten)]
    result: &'a T,
    /// "raw pixels", "untrained" or "trained": the row of the report's table.
    subject: &'static str,
    run: Option<String>,
    step: Option<u64>,
    train: String,
    test: String,
}

impl Subject {
    fn open(common: &Common) -> Outcome<Self> {
        let progress = Progress::detect();
        let finding = [(&common.train, Split::Train), (&common.test, Split::Test)]
            .map(|(path, split)| begin(vec![path.clone()], split, Cancel::default()));
        let engine = mochi_tensor::start(None)?;
        let raw = common.run == Path::new("pixels");
        let loaded = if raw { None } else { Some(load_encoder(&common.run, &engine)?) };
        let [train, test] = finding;
        let (train, test) = (train.wait(&progress)?, test.wait(&progress)?);
        if common.train == common.test && train.fingerprint() == test.fingerprint() {
            let what = format!("{} is both the training and the test set", display_source(&common.train));
            return Err(Failure::new(
                what,
                "give two folders; an encoder judged on the images that its labels come from proves nothing",
            ));
        }
        let (recipe, size) = match &loaded {
            Some(loaded) => (mochi_train::recipe(&loaded.settings)?, loaded.settings.data.size),
            None => {
                let recipe = Recipe::preset("eval")
                    .ok_or_else(|| Failure::new("the recipe \"eval\" is missing", "this is a defect"))?;
                (recipe, common.size.or_else(|| train.uniform_size().map(|(w, h)| w.min(h))).unwrap_or(32))
            }
        };
        Ok(Self { loaded, train, test, views: ViewOptions::new(recipe, size), progress })
    }

    fn extractor(&self) -> Extractor<'_> {
        self.loaded.as_ref().map_or(Extractor::Pixels, |loaded| Extractor::Encoder(&loaded.encoder))
    }

    /// Where a classifier on the features is trained.
    fn device(&self) -> mochi_tensor::Device {
        match &self.loaded {
            Some(loaded) if loaded.settings.compute.device != Device::Cpu => loaded.encoder.compute().device,
            _ => mochi_tensor::Device::Cpu,
        }
    }

    /// Stores the result beside the run (or where `--out` says) and prints it.
    fn finish<T: Serialize>(&self, common: &Common, name: &str, result: &T, text: &str) -> Outcome {
        let step = self.loaded.as_ref().map(|loaded| loaded.step);
        let judged = Judged {
            result,
            subject: match step {
                None => "raw pixels",
                Some(0) => "untrained",
                Some(_) => "trained",
            },
            run: step.map(|_| common.run.display().to_string()),
            step,
            train: display_source(&common.train),
            test: display_source(&common.test),
        };
        if self.loaded.is_some() {
            RunFolder::read(&common.run)?.write_result(name, &judged)?;
        }
        if let Some(out) = &common.out {
            let text = serde_json::to_vec_pretty(&judged)
                .map_err(|e| Failure::new(e.to_string(), "this is a defect, please report it"))?;
            mochi_run::folder::write_whole(out, &text)?;
        }
        if common.json {
            print_json(&judged)?;
        } else {
            print_line(text);
        }
        Ok(std::process::ExitCode::SUCCESS)
    }
}

/// Shows a judgement's stages as one line each.
struct Stages {
    progress: Progress,
    what: &'static str,
    current: Option<(mochi_eval::Stage, usize, Task)>,
}

impl Stages {
    fn new(progress: &Progress, what: &'static str) -> Self {
        Self { progress: progress.clone(), what, current: None }
    }

    fn update(&mut self, now: mochi_eval::Progress) {
        let fresh = self.current.as_ref().is_none_or(|(stage, done, _)| *stage != now.stage || now.done < *done);
        if fresh {
            self.finish();
            let task = self.progress.task(&format!("{}: {}", self.what, now.stage), now.total as u64);
            self.current = Some((now.stage, 0, task));
        }
        if let Some((_, done, task)) = &mut self.current {
            task.advance(now.done.saturating_sub(*done) as u64);
            *done = now.done;
        }
    }

    fn finish(&mut self) {
        if let Some((_, _, task)) = self.current.take() {
            task.finish();
        }
    }
}
