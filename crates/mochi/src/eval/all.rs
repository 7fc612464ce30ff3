//! `mochi eval all`: every protocol on frozen features with its defaults. Features are computed once.

use clap::Args;
use mochi_eval::{FeatureSource, KnnOptions, LinearOptions, knn, linear_cached};

use super::inputs::Inputs;
use super::stages::Stages;
use super::{Common, failure, knn, linear};
use crate::failure::Outcome;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
}

/// Runs the subcommand: a line, or a JSON object, for k-NN, then one for the linear probe.
pub fn run(arguments: Arguments) -> Outcome {
    let common = &arguments.common;
    let inputs = Inputs::open(common)?;
    let options = LinearOptions { device: inputs.device(), ..LinearOptions::default() };
    options.check(inputs.train.labels().unwrap_or_default()).map_err(failure)?;

    let mut stages = Stages::new(&inputs.progress, "eval");
    let (train, test) = inputs.features(FeatureSource::Backbone, &mut stages).map_err(failure)?;
    stages.finish();

    let mut stages = Stages::new(&inputs.progress, "k-NN");
    let neighbors = knn(&train, &test, &KnnOptions::default(), &mut |now| stages.update(now)).map_err(failure)?;
    stages.finish();
    inputs.report_bad_images(&neighbors.bad_images);
    knn::finish(&inputs, common, None, FeatureSource::Backbone, &neighbors)?;

    let mut stages = Stages::new(&inputs.progress, "linear");
    let probe = linear_cached(&train, &test, &options, &mut |now| stages.update(now)).map_err(failure)?;
    stages.finish();
    linear::finish(&inputs, common, None, &probe)
}
