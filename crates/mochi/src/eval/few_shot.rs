//! `mochi eval few-shot`

use std::path::Path;

use clap::Args;
use mochi_eval::{FeatureSource, FewShotOptions, FewShotResult, few_shot};
use mochi_tensor::Engine;
use mochi_text::counted;

use super::inputs::{Inputs, counts};
use super::stages::Stages;
use super::{Common, ResultFile, failure};
use crate::failure::Outcome;
use crate::numbers::whole;
use crate::ranks::Ranks;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    file: ResultFile,
    /// Classes per episode
    #[arg(long, value_name = "CLASSES", default_value_t = 5, value_parser = whole::<usize>)]
    ways: usize,
    /// Training images per class
    #[arg(long, value_name = "IMAGES", default_value_t = 5, value_parser = whole::<usize>)]
    shots: usize,
    /// Test images per class
    #[arg(long, value_name = "IMAGES", default_value_t = 15, value_parser = whole::<usize>)]
    queries: usize,
    /// Number of episodes
    #[arg(long, default_value_t = 600, value_parser = whole::<usize>)]
    episodes: usize,
    /// Seed of the episodes
    #[arg(long, default_value_t = 0, value_parser = whole::<u64>)]
    seed: u64,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments, ranks: &Ranks, engine: &Engine) -> Outcome {
    let Arguments { ways, shots, queries, episodes, seed, .. } = arguments;
    let options = FewShotOptions { ways, shots, queries, episodes, seed };
    options.check().map_err(failure)?;
    let out = arguments.file.checked()?;
    let compared = [("ways", ways), ("shots", shots), ("queries", queries), ("episodes", episodes)];
    let mut compared = compared.map(|(name, value)| format!("--{name} {value}")).to_vec();
    compared.push(format!("--seed {seed}"));
    let inputs = Inputs::open(&arguments.common.subject, &arguments.common.labeled, &compared, ranks, engine)?;
    options.check_labels(inputs.train.labels().unwrap_or_default()).map_err(failure)?;
    let mut stages = Stages::new(&inputs.progress, "few-shot");
    let (train, test) = inputs.features(FeatureSource::Backbone, &mut stages).map_err(failure)?;
    let result = few_shot(&train, &test, &options, inputs.group(), &mut |now| stages.update(now)).map_err(failure)?;
    stages.finish();
    inputs.report_bad_images(&result.bad_images);
    finish(&inputs, out, &options, &result)
}

/// Writes and prints the result.
pub fn finish(inputs: &Inputs, out: Option<&Path>, options: &FewShotOptions, result: &FewShotResult) -> Outcome {
    let [low, high] = result.top1_interval;
    let text = format!(
        "{}-way {}-shot {:.2} % [{low:.2}, {high:.2}]  ({}, {}, seed {}, {})",
        result.ways,
        result.shots,
        result.top1,
        result.protocol,
        counted(result.episodes, "episode"),
        result.seed,
        counts(result.train_images, result.test_images, result.classes, &result.bad_images)
    );
    let name = if *options == FewShotOptions::default() {
        "few-shot".to_owned()
    } else {
        format!("few-shot-{}-way-{}-shot", options.ways, options.shots)
    };
    inputs.finish(out, &name, result, &text)
}
