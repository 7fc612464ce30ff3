//! `mochi eval linear`

use std::path::Path;

use clap::Args;
use mochi_eval::{AugmentedRecipe, FeatureSource, LinearOptions, LinearResult, linear_augmented, linear_cached};
use mochi_text::counted;

use super::inputs::{Inputs, counts};
use super::stages::Stages;
use super::{Common, ResultFile, failure};
use crate::failure::{Failure, Outcome};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    file: ResultFile,
    /// Published training recipe with augmentation: in1k or in100. By default, train on cached features and select the learning rate
    /// on a held-out 10 % of the training images
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Number of epochs [default: the recipe's; 20 to 100 on cached features, fewer for more images]
    #[arg(long)]
    epochs: Option<usize>,
    /// Learning rate, instead of the sweep or of the recipe's
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    learning_rate: Option<f64>,
    /// Seed of the held-out images, the initial weights and the order
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let common = &arguments.common;
    let recipe = arguments.recipe()?;
    let options = arguments.cached();
    // Ranges first; whether images can be held out is known when the labels are.
    options.check(&[0, 0]).map_err(failure)?;
    let out = arguments.file.checked()?;
    let inputs = Inputs::open(common)?;
    let mut stages = Stages::new(&inputs.progress, "linear");
    let result = match (&recipe, &inputs.loaded) {
        (Some(recipe), Some(loaded)) => {
            let (encoder, views) = (&loaded.encoder, &inputs.views);
            let mut progress = |now| stages.update(now);
            linear_augmented(encoder, &inputs.train, &inputs.test, recipe, views, arguments.seed, &mut progress)
        }
        _ => cached(&inputs, &options, &mut stages),
    };
    let result = result.map_err(failure)?;
    stages.finish();
    inputs.report_bad_images(&result.bad_images);
    finish(&inputs, common, out, &result)
}

/// Writes and prints the result.
pub fn finish(inputs: &Inputs, common: &Common, out: Option<&Path>, result: &LinearResult) -> Outcome {
    if result.learning_rate_at_edge {
        inputs.progress.warning(&format!(
            "the selected learning rate, {}, is at the edge of the sweep: a better one may exist outside",
            result.learning_rate
        ));
    }
    let text = format!(
        "linear {}  ({}, learning rate {}, {}, seed {}, {})",
        super::accuracies(result.top1, result.top5, result.classes),
        result.protocol,
        result.learning_rate,
        counted(result.epochs, "epoch"),
        result.seed,
        counts(result.train_images, result.test_images, result.classes, &result.bad_images)
    );
    inputs.finish(common, out, "linear", result, &text)
}

fn cached(
    inputs: &Inputs,
    options: &LinearOptions,
    stages: &mut Stages,
) -> Result<LinearResult, mochi_eval::EvalError> {
    options.check(inputs.train.labels().unwrap_or_default())?;
    let options = LinearOptions { device: inputs.device(), ..options.clone() };
    let (train, test) = inputs.features(FeatureSource::Backbone, stages)?;
    linear_cached(&train, &test, &options, &mut |now| stages.update(now))
}

impl Arguments {
    /// The published recipe with what was overridden.
    fn recipe(&self) -> Outcome<Option<AugmentedRecipe>> {
        let Some(name) = &self.recipe else { return Ok(None) };
        if self.common.run == Path::new("pixels") {
            return Err(Failure::new("raw pixels have no recipe with augmentation", "leave --recipe out"));
        }
        let Some(mut recipe) = AugmentedRecipe::preset(name) else {
            let names = AugmentedRecipe::PRESETS.join(" or ");
            return Err(Failure::new(format!("unknown recipe \"{name}\""), format!("use {names}")));
        };
        recipe.epochs = self.epochs.unwrap_or(recipe.epochs);
        recipe.learning_rate = self.learning_rate.unwrap_or(recipe.learning_rate);
        recipe.check().map_err(failure)?;
        Ok(Some(recipe))
    }

    fn cached(&self) -> LinearOptions {
        let options = LinearOptions { epochs: self.epochs, seed: self.seed, ..LinearOptions::default() };
        match self.learning_rate {
            Some(rate) => LinearOptions { learning_rates: vec![rate], ..options },
            None => options,
        }
    }
}
