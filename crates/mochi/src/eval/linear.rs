//! `mochi eval linear`

use clap::Args;
use mochi_eval::{AugmentedRecipe, LinearOptions, extract, linear_augmented, linear_cached};

use super::{Common, Stages, Subject};
use crate::failure::{Failure, Outcome};

/// Words of the verb.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// A published recipe with augmentation (in1k, in100); without it, features are cached and the learning rate is chosen on a held-out
    /// tenth of the training images
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Epochs of the classifier
    #[arg(long)]
    epochs: Option<usize>,
    /// One learning rate instead of the sweep
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Seed of the held-out tenth, the initial weights and the order
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the verb.
pub fn run(arguments: Arguments) -> Outcome {
    let subject = Subject::open(&arguments.common)?;
    let mut stages = Stages::new(&subject.progress, "linear");
    let result = if let Some(name) = &arguments.recipe {
        let Some(loaded) = &subject.loaded else {
            return Err(Failure::new("raw pixels have no recipe with augmentation", "leave --recipe out"));
        };
        let Some(mut recipe) = AugmentedRecipe::preset(name) else {
            return Err(Failure::new(format!("there is no recipe \"{name}\""), "there are in1k and in100"));
        };
        recipe.epochs = arguments.epochs.unwrap_or(recipe.epochs);
        recipe.learning_rate = arguments.learning_rate.unwrap_or(recipe.learning_rate);
        let (encoder, views) = (&loaded.encoder, &subject.views);
        linear_augmented(encoder, &subject.train, &subject.test, &recipe, views, arguments.seed, &mut |now| {
            stages.update(now)
        })?
    } else {
        let train = extract(&subject.train, subject.extractor(), &subject.views, &mut |now| stages.update(now))?;
        let test = extract(&subject.test, subject.extractor(), &subject.views, &mut |now| stages.update(now))?;
        let mut options = LinearOptions {
            epochs: arguments.epochs,
            seed: arguments.seed,
            device: subject.device(),
            ..LinearOptions::default()
        };
        if let Some(rate) = arguments.learning_rate {
            options.learning_rates = vec![rate];
        }
        linear_cached(&train, &test, &options, &mut |now| stages.update(now))?
    };
    stages.finish();
    if result.learning_rate_at_edge {
        subject.progress.warning(&format!(
            "the best learning rate, {}, is at the edge of the sweep: a better one may lie outside",
            result.learning_rate
        ));
    }
    let text = format!(
        "linear top-1 {:.2} %, top-5 {:.2} %  ({}, learning rate {}, {} epochs, seed {}, {} training and {} test images of {} classes)",
        result.top1,
        result.top5,
        result.protocol,
        result.learning_rate,
        result.epochs,
        result.seed,
        result.train_images,
        result.test_images,
        result.classes
    );
    subject.finish(&arguments.common, "linear", &result, &text)
}
