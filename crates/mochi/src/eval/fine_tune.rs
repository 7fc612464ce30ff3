//! `mochi eval fine-tune`

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use mochi_data::Dataset;
use mochi_eval::{
    Event, FINE_TUNE_PROTOCOL, FineTuneOptions, Interruption, Known, PartialTraining, SweepPoint, fine_tune,
};
use mochi_run::Checkpoint;
use mochi_tensor::{Engine, read_tensors, write_tensors};
use mochi_train::LoadedEncoder;
use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use super::linear::described;
use super::stages::Stages;
use super::{Common, ResultFile, failure};
use crate::failure::{Failure, Outcome};
use crate::numbers::whole;
use crate::ranks::Ranks;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    file: ResultFile,
    /// Use the labels of this fraction of the training images of each class
    #[arg(long, value_name = "FRACTION", default_value_t = 1.0)]
    label_fraction: f64,
    /// Number of epochs [default: 30; 60 for less than 10 % of the labels]
    #[arg(long, value_parser = whole::<usize>)]
    epochs: Option<usize>,
    /// Images per step
    #[arg(long, value_name = "IMAGES", default_value_t = 64, value_parser = whole::<usize>)]
    batch: usize,
    /// Learning rate of the backbone, instead of the one of 0.001, 0.01 and 0.1 that is best on a held-out 10 % of the training images
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Seed of the labeled and the held-out images, the classifier's weights, the order and the views
    #[arg(long, default_value_t = 0, value_parser = whole::<u64>)]
    seed: u64,
}

/// What an interrupted sweep has found, and of which evaluation it is.
#[derive(Default, Serialize, Deserialize)]
struct Found {
    evaluation: String,
    sweep: Vec<SweepPoint>,
}

/// How often the network in training is written, after the first step.
const SAVE_EVERY: Duration = Duration::from_secs(30);
/// Name of the metadata that says which training it is.
const TRAINING: &str = "training";

/// A training that was interrupted, and of which evaluation it is.
#[derive(Serialize, Deserialize)]
struct Left {
    evaluation: String,
    at: Interruption,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments, ranks: &Ranks, engine: &Engine) -> Outcome {
    let usual = FineTuneOptions::default();
    let options = FineTuneOptions {
        epochs: arguments.epochs,
        batch: arguments.batch,
        learning_rates: arguments.learning_rate.map_or(usual.learning_rates, |rate| vec![rate]),
        label_fraction: arguments.label_fraction,
        seed: arguments.seed,
    };
    // Ranges first; whether images can be held out is known when the labels are.
    options.check_ranges().map_err(failure)?;
    refuse_several(ranks)?;
    let Common { subject, labeled } = &arguments.common;
    if subject.is_pixels() {
        return Err(Failure::new("raw pixels have no network to fine-tune", "give a run folder"));
    }
    let out = arguments.file.checked()?;
    let mut inputs = Inputs::open(subject, labeled, &[], ranks, engine)?;
    evaluate(&mut inputs, &options, out)
}

/// Refuses several processes: a network is fine-tuned by one.
pub fn refuse_several(ranks: &Ranks) -> Outcome<()> {
    match ranks.size() {
        1 => Ok(()),
        _ => Err(Failure::new("a network is fine-tuned in one process", "start it without a launcher")),
    }
}

/// Fine-tunes and evaluates; resumes an interrupted call of the same evaluation.
pub fn evaluate(inputs: &mut Inputs, options: &FineTuneOptions, out: Option<&Path>) -> Outcome {
    let name = name_of(options);
    let stored = inputs.result_name(&name);
    let folder = inputs.folder()?;
    let mut stages = Stages::new(&inputs.progress, "fine-tune");
    let progress = inputs.progress.clone();
    let Some(loaded) = &mut inputs.loaded else {
        return Err(Failure::new("raw pixels have no network to fine-tune", "give a run folder"));
    };
    let mut found = Found { evaluation: identity(loaded, &inputs.train, options), sweep: Vec::new() };
    if let Some(before) = folder.as_ref().and_then(|folder| folder.read_partial::<Found>(&stored))
        && before.evaluation == found.evaluation
    {
        let rates: Vec<String> = before.sweep.iter().map(|point| point.learning_rate.to_string()).collect();
        progress.note(&format!("known from an interrupted call: the learning rates {}", rates.join(", ")));
        found = before;
    }
    let training = folder.as_ref().and_then(|folder| left(&folder.partial_network(&stored)?, &found.evaluation));
    let known = Known { sweep: found.sweep.clone(), training };
    let (mut saved, mut warned) = (None::<Instant>, false);
    let mut check = |kept: Outcome<()>| {
        if let (Err(error), false) = (kept, std::mem::replace(&mut warned, true)) {
            progress.warning(&format!("an interruption would lose what was found so far: {}", error.what()));
        }
    };
    let mut tell = |event: Event<'_>| match (event, &folder) {
        (Event::Progress(now), _) => stages.update(now),
        (Event::Resumed(at), _) => {
            progress.note(&format!("resumed after step {} at learning rate {}", at.steps, at.learning_rate));
        }
        (Event::Point(point), Some(folder)) => {
            found.sweep.push(point.clone());
            check(folder.write_partial(&stored, &found).map_err(Failure::from));
            // The next state is that of another training.
            saved = None;
        }
        (Event::Step(state), Some(folder)) if saved.is_none_or(|at| at.elapsed() >= SAVE_EVERY) => {
            check(folder.write_partial_network(&stored, |path| keep(path, &state(), &found.evaluation)));
            saved = Some(Instant::now());
        }
        _ => (),
    };
    let views = &inputs.views;
    let result = fine_tune(&mut loaded.encoder, &inputs.train, &inputs.test, options, views, &known, &mut tell)
        .map_err(failure)?;
    stages.finish();
    inputs.report_bad_images(&result.bad_images);
    inputs.finish(out, &name, &result, &described("fine-tuning", inputs, &result))?;
    Ok(folder.map_or(Ok(()), |folder| folder.remove_partial(&stored)).map(|()| std::process::ExitCode::SUCCESS)?)
}

/// What a result depends on, in words: with anything else, nothing of an interrupted call is taken up.
fn identity(loaded: &LoadedEncoder, train: &Dataset, options: &FineTuneOptions) -> String {
    let checkpoint = Checkpoint { step: loaded.step, path: loaded.checkpoint.clone() };
    let weights = checkpoint.checksum("model.safetensors").unwrap_or_default();
    let compute = &loaded.settings.compute;
    format!(
        "{FINE_TUNE_PROTOCOL}, {options:?}, weights {weights}, images {:016x}, {} in {} with {} threads",
        train.fingerprint(),
        compute.device,
        compute.precision,
        compute.threads
    )
}

/// Writes a training that is not complete.
fn keep(path: &Path, training: &PartialTraining, evaluation: &str) -> Outcome<()> {
    let left = Left { evaluation: evaluation.to_owned(), at: training.at.clone() };
    let text = serde_json::to_string(&left).unwrap_or_default();
    Ok(write_tensors(path, &training.tensors, &BTreeMap::from([(TRAINING.to_owned(), text)]))?)
}

/// The training that an interrupted call of the same evaluation has left; `None` if there is none that can be read.
fn left(path: &Path, evaluation: &str) -> Option<PartialTraining> {
    let (tensors, metadata) = read_tensors(path).ok()?;
    let left: Left = serde_json::from_str(metadata.get(TRAINING)?).ok()?;
    (left.evaluation == evaluation).then_some(PartialTraining { at: left.at, tensors })
}

/// The name of a result: what differs from the defaults is part of it.
fn name_of(options: &FineTuneOptions) -> String {
    let usual = FineTuneOptions::default();
    let mut name = "fine-tune".to_owned();
    if options.label_fraction < 1.0 {
        name += &format!("-{}-percent", 100.0 * options.label_fraction);
    }
    if let Some(epochs) = options.epochs {
        name += &format!("-epochs-{epochs}");
    }
    if options.batch != usual.batch {
        name += &format!("-batch-{}", options.batch);
    }
    if let ([rate], true) = (options.learning_rates.as_slice(), options.learning_rates != usual.learning_rates) {
        name += &format!("-learning-rate-{rate}");
    }
    if options.seed != usual.seed {
        name += &format!("-seed-{}", options.seed);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_run::{Method, Protocol};

    #[test]
    fn results_with_the_defaults_have_the_names_of_the_table() {
        for protocol in Protocol::ALL {
            if let Method::FineTune(label_fraction) = protocol.method() {
                assert_eq!(name_of(&FineTuneOptions { label_fraction, ..FineTuneOptions::default() }), protocol.name());
            }
        }
        let other =
            FineTuneOptions { epochs: Some(5), learning_rates: vec![0.02], seed: 3, ..FineTuneOptions::default() };
        assert_eq!(name_of(&other), "fine-tune-epochs-5-learning-rate-0.02-seed-3");
    }
}
