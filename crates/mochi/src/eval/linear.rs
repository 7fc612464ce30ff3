//! `mochi eval linear`

use std::path::Path;

use clap::Args;
use mochi_eval::{
    AugmentedRecipe, FeatureSource, Features, LinearOptions, LinearResult, check_label_fraction, linear_augmented,
    linear_cached,
};
use mochi_tensor::Engine;
use mochi_text::counted;

use super::inputs::{Inputs, counts};
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
    /// Published training recipe with augmentation: in1k or in100. By default, train on cached features and select the learning rate
    /// on a held-out 10 % of the training images
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Number of epochs [default: the recipe's; 20 to 100 on cached features, fewer for more images]
    #[arg(long, value_parser = whole::<usize>)]
    epochs: Option<usize>,
    /// Learning rate, instead of the sweep or of the recipe's
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Use the labels of this fraction of the training images of each class
    #[arg(
        long,
        value_name = "FRACTION",
        default_value_t = 1.0,
        allow_negative_numbers = true,
        conflicts_with = "recipe"
    )]
    label_fraction: f64,
    /// Seed of the labeled and the held-out images, the initial weights and the order
    #[arg(long, default_value_t = 0, value_parser = whole::<u64>)]
    seed: u64,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments, ranks: &Ranks, engine: &Engine) -> Outcome {
    let common = &arguments.common;
    let recipe = arguments.recipe()?;
    let options = arguments.cached();
    // Ranges first; whether images can be held out is known when the labels are.
    options.check(&[0, 0]).map_err(failure)?;
    check_label_fraction(arguments.label_fraction).map_err(failure)?;
    let out = arguments.file.checked()?;
    let inputs = Inputs::open(&common.subject, &common.labeled, &arguments.compared(), ranks, engine)?;
    let mut stages = Stages::new(&inputs.progress, "linear");
    let options = LinearOptions { device: inputs.device(), ..options };
    let result = match (&recipe, &inputs.loaded) {
        (Some(recipe), Some(loaded)) => {
            let (encoder, views) = (&loaded.encoder, &inputs.views);
            let mut progress = |now| stages.update(now);
            let data = [&inputs.train, &inputs.test];
            linear_augmented(encoder, data, recipe, views, arguments.seed, inputs.group(), &mut progress)
        }
        _ => {
            // Before features are computed.
            options.check(inputs.train.labels().unwrap_or_default()).map_err(failure)?;
            let (train, test) = inputs.features(FeatureSource::Backbone, &mut stages).map_err(failure)?;
            on_fraction(&inputs, &train, &test, arguments.label_fraction, &options, &mut |now| stages.update(now))
        }
    };
    let result = result.map_err(failure)?;
    stages.finish();
    inputs.report_bad_images(&result.bad_images);
    finish(&inputs, out, &options, &result)
}

/// Writes and prints the result.
pub fn finish(inputs: &Inputs, out: Option<&Path>, options: &LinearOptions, result: &LinearResult) -> Outcome {
    let name = match &result.recipe {
        Some(recipe) => format!("linear-{recipe}"),
        None => name_of(options, result.label_fraction),
    };
    inputs.finish(out, &name, result, &described("linear", inputs, result))
}

/// The name of a result on cached features: what differs from the defaults is part of it.
fn name_of(options: &LinearOptions, fraction: Option<f64>) -> String {
    let usual = LinearOptions::default();
    let mut name = fraction.map_or("linear".to_owned(), |fraction| format!("linear-{}-percent", 100.0 * fraction));
    if let Some(epochs) = options.epochs {
        name += &format!("-epochs-{epochs}");
    }
    if let ([rate], true) = (options.learning_rates.as_slice(), options.learning_rates != usual.learning_rates) {
        name += &format!("-learning-rate-{rate}");
    }
    if options.seed != usual.seed {
        name += &format!("-seed-{}", options.seed);
    }
    name
}

/// A result in one line, after a warning if its learning rate is at the edge of the sweep.
pub fn described(title: &str, inputs: &Inputs, result: &LinearResult) -> String {
    if result.learning_rate_at_edge {
        inputs.progress.warning(&format!(
            "the selected learning rate, {}, is at the edge of the sweep: a better one may exist outside",
            result.learning_rate
        ));
    }
    let labels = result.label_fraction.map_or(String::new(), |f| format!("{} % of labels, ", 100.0 * f));
    format!(
        "{title} {}  ({}, {labels}learning rate {}, {}, seed {}, {})",
        super::accuracies(result.top1, result.top1_interval, result.top5, result.classes),
        result.protocol,
        result.learning_rate,
        counted(result.epochs, "epoch"),
        result.seed,
        counts(result.train_images, result.test_images, result.classes, &result.bad_images)
    )
}

/// The classifier on the labels of a fraction of the training images, or on all.
pub fn on_fraction(
    inputs: &Inputs,
    train: &Features,
    test: &Features,
    fraction: f64,
    options: &LinearOptions,
    progress: &mut dyn FnMut(mochi_eval::Progress),
) -> Result<LinearResult, mochi_eval::EvalError> {
    if fraction == 1.0 {
        return linear_cached(train, test, options, inputs.group(), progress);
    }
    let labeled = train.label_fraction(fraction, options.seed)?;
    let mut result = linear_cached(&labeled, test, options, inputs.group(), progress)?;
    result.label_fraction = Some(fraction);
    result.labeled_images = labeled.images.iter().map(|&image| inputs.train.name_of(image as usize)).collect();
    Ok(result)
}

impl Arguments {
    /// The published recipe with what was overridden.
    fn recipe(&self) -> Outcome<Option<AugmentedRecipe>> {
        let Some(name) = &self.recipe else { return Ok(None) };
        if self.common.subject.is_pixels() {
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

    /// What must be the same on all ranks, a line each.
    fn compared(&self) -> Vec<String> {
        let or_default = |value: Option<String>| value.unwrap_or_else(|| "by default".to_owned());
        vec![
            format!("--recipe {}", or_default(self.recipe.clone())),
            format!("--epochs {}", or_default(self.epochs.map(|epochs| epochs.to_string()))),
            format!("--learning-rate {}", or_default(self.learning_rate.map(|rate| rate.to_string()))),
            format!("--label-fraction {}", self.label_fraction),
            format!("--seed {}", self.seed),
        ]
    }

    fn cached(&self) -> LinearOptions {
        let options = LinearOptions { epochs: self.epochs, seed: self.seed, ..LinearOptions::default() };
        match self.learning_rate {
            Some(rate) => LinearOptions { learning_rates: vec![rate], ..options },
            None => options,
        }
    }
}
