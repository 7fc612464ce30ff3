//! `mochi eval knn|linear|few-shot|fine-tune|all RUN --train DIR --test DIR`, `mochi eval all RUN --plan FILE`, `mochi eval coco GT.json RESULTS.json`

mod all;
mod coco;
mod evaluation;
mod few_shot;
mod fine_tune;
mod inputs;
mod knn;
mod linear;
mod plan;
pub mod stages;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mochi_config::plan::Place;
use mochi_data::DataError;
use mochi_eval::EvalError;
use mochi_term::StopFlag;

use crate::drive::listen;
use crate::failure::{Failure, Outcome};
use crate::numbers::whole;
use crate::output_file;
use crate::ranks::{self, in_group};

/// Evaluation protocols.
#[derive(Subcommand)]
pub enum Command {
    /// Weighted k-nearest neighbors on frozen features
    Knn(knn::Arguments),
    /// Linear classifier on frozen features
    Linear(linear::Arguments),
    /// Nearest class mean of a few training images per class, on frozen features
    FewShot(few_shot::Arguments),
    /// Training of the whole network on labeled images, or on a fraction of their labels
    FineTune(fine_tune::Arguments),
    /// Several protocols, on the same features; with --plan also of several data sets
    All(all::Arguments),
    /// Average precision of detections by COCO's rules: the numbers of pycocotools
    Coco(coco::Arguments),
}

/// Arguments of every protocol.
#[derive(Args)]
pub struct Common {
    #[command(flatten)]
    labeled: Labeled,
    #[command(flatten)]
    subject: Subject,
}

/// Labeled images.
#[derive(Clone, Args)]
pub struct Labeled {
    /// Labeled training images: a folder with one folder per class, IDX or CIFAR files, or anything else with labels
    #[arg(long, value_name = "DATA")]
    train: PathBuf,
    /// Labeled test images, likewise
    #[arg(long, value_name = "DATA")]
    test: PathBuf,
    /// Name of these images in tables and pages, if they are of another data set than usual: results of data sets are kept apart
    #[arg(long, value_name = "NAME", value_parser = dataset_name)]
    dataset: Option<String>,
    /// Where a plan file names the images.
    #[arg(skip)]
    places: Option<[Place; 2]>,
}

/// What is evaluated, and how it is printed.
#[derive(Clone, Args)]
pub struct Subject {
    /// Run folder, or `pixels` to evaluate raw pixels as a baseline
    run: PathBuf,
    /// Evaluate the checkpoint of this step, of those that the run has kept [default: the newest]
    #[arg(long, value_name = "STEP", value_parser = whole::<u64>)]
    step: Option<u64>,
    /// View size for `pixels` [default: image size of IDX and CIFAR files, otherwise 32]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=4096))]
    size: Option<u32>,
    /// Fail if a larger fraction of the images of a split cannot be read
    #[arg(long, value_name = "FRACTION", default_value_t = 0.01)]
    max_bad_fraction: f64,
    /// Print one JSON object per protocol
    #[arg(long)]
    json: bool,
}

impl Subject {
    /// Whether raw pixels are evaluated.
    fn is_pixels(&self) -> bool {
        self.run == Path::new("pixels")
    }
}

/// A name that can be part of the name of a file.
fn dataset_name(text: &str) -> Result<String, String> {
    let fits =
        !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match fits && !text.starts_with('.') {
        true => Ok(text.to_owned()),
        false => Err("expected up to 64 letters, digits, hyphens, underscores and dots".to_owned()),
    }
}

/// The file of one result.
#[derive(Args)]
pub struct ResultFile {
    /// Also write the result to this file, as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl ResultFile {
    /// The path, after a check that it can be written.
    fn checked(&self) -> Outcome<Option<&Path>> {
        if let Some(path) = &self.out {
            output_file::RESULT.check(path)?;
        }
        Ok(self.out.as_deref())
    }
}

/// Runs the subcommand.
pub fn run(command: Command) -> Outcome {
    if let Command::Coco(arguments) = command {
        return coco::run(arguments);
    }
    let launched = ranks::launched()?;
    let engine = mochi_tensor::start(None)?;
    let stop = match launched {
        Some(_) => listen()?,
        None => StopFlag::default(),
    };
    in_group(launched.as_ref(), &engine, &stop, |ranks| {
        let subject = command.subject().cloned();
        let outcome = match command {
            Command::Knn(arguments) => knn::run(arguments, ranks, &engine),
            Command::Linear(arguments) => linear::run(arguments, ranks, &engine),
            Command::FewShot(arguments) => few_shot::run(arguments, ranks, &engine),
            Command::FineTune(arguments) => fine_tune::run(arguments, ranks, &engine),
            Command::All(arguments) => all::run(arguments, ranks, &engine),
            Command::Coco(arguments) => coco::run(arguments),
        }?;
        if let Some(subject) = subject.filter(|subject| ranks.is_first() && !subject.is_pixels()) {
            mochi_report::write_page(&subject.run)?;
        }
        Ok(outcome)
    })
}

impl Command {
    /// What is evaluated; `None` for detections in files.
    fn subject(&self) -> Option<&Subject> {
        Some(match self {
            Command::Knn(arguments) => &arguments.common.subject,
            Command::Linear(arguments) => &arguments.common.subject,
            Command::FewShot(arguments) => &arguments.common.subject,
            Command::FineTune(arguments) => &arguments.common.subject,
            Command::All(arguments) => &arguments.subject,
            Command::Coco(_) => return None,
        })
    }
}

/// "top-1 40.2 % [37.1, 43.0], top-5 71.0 %"; top-5 only where there are more than five classes.
fn accuracies(top1: f64, [low, high]: [f64; 2], top5: f64, classes: usize) -> String {
    let mut text = format!("top-1 {top1:.2} % [{low:.2}, {high:.2}]");
    if classes > 5 {
        text += &format!(", top-5 {top5:.2} %");
    }
    text
}

/// An evaluation error with hints that name this program's options.
fn failure(error: EvalError) -> Failure {
    let hint = match &error {
        EvalError::Data(DataError::TooManyBad { .. }) => {
            "repair or remove the bad files, or raise --max-bad-fraction to tolerate them"
        }
        EvalError::NothingToHoldOut => "add training images, or choose the learning rate with --learning-rate",
        EvalError::Diverged { .. } => "choose a smaller learning rate with --learning-rate",
        EvalError::Option { .. } => {
            "`mochi eval knn --help`, and so on for `linear`, `few-shot` and `fine-tune`, lists the options"
        }
        _ => return error.into(),
    };
    Failure::new(error.to_string(), hint)
}
