//! `mochi eval all`: several protocols on the same features, which are computed once.

use std::process::ExitCode;

use clap::Args;
use mochi_eval::{BadImages, FeatureSource, FewShotOptions, KnnOptions, LinearOptions, check_labels, few_shot, knn};
use mochi_run::Protocol;
use mochi_tensor::Engine;

use super::inputs::Inputs;
use super::stages::Stages;
use super::{Common, failure, few_shot, knn, linear};
use crate::failure::{Failure, Outcome};
use crate::ranks::Ranks;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Protocols, separated by commas: knn, linear, linear-10-percent, linear-1-percent, few-shot
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "knn,linear")]
    protocols: Vec<String>,
}

/// Runs the subcommand: a line, or a JSON object, for each protocol.
pub fn run(arguments: Arguments, ranks: &Ranks, engine: &Engine) -> Outcome {
    let common = &arguments.common;
    let protocols = arguments.protocols.iter().map(|name| {
        let known = || format!("the protocols are {}", Protocol::ALL.map(Protocol::name).join(", "));
        Protocol::find(name).ok_or_else(|| Failure::new(format!("unknown protocol \"{name}\""), known()))
    });
    let mut protocols = protocols.collect::<Outcome<Vec<_>>>()?;
    protocols.sort_unstable();
    protocols.dedup();
    let names: Vec<&str> = protocols.iter().map(|protocol| protocol.name()).collect();
    let inputs = Inputs::open(common, &[format!("--protocols {}", names.join(","))], ranks, engine)?;
    let options = LinearOptions { device: inputs.device(), ..LinearOptions::default() };
    if protocols.iter().any(|protocol| protocol.label_fraction().is_some()) {
        options.check(inputs.train.labels().unwrap_or_default()).map_err(failure)?;
    }
    for fraction in protocols.iter().filter_map(|protocol| protocol.label_fraction()) {
        check_labels(inputs.train.labels().unwrap_or_default(), fraction).map_err(failure)?;
    }

    let mut stages = Stages::new(&inputs.progress, "eval");
    let (train, test) = inputs.features(FeatureSource::Backbone, &mut stages).map_err(failure)?;
    stages.finish();
    inputs.report_bad_images(&BadImages { training: train.bad_images.clone(), test: test.bad_images.clone() });
    for protocol in protocols {
        let mut stages = Stages::new(&inputs.progress, protocol.name());
        let mut progress = |now| stages.update(now);
        match protocol {
            Protocol::Knn => {
                let result =
                    knn(&train, &test, &KnnOptions::default(), inputs.group(), &mut progress).map_err(failure)?;
                stages.finish();
                knn::finish(&inputs, common, None, FeatureSource::Backbone, &result)
            }
            Protocol::Linear | Protocol::Linear10Percent | Protocol::Linear1Percent => {
                let fraction = protocol.label_fraction().unwrap_or(1.0);
                let result =
                    linear::on_fraction(&inputs, &train, &test, fraction, &options, &mut progress).map_err(failure)?;
                stages.finish();
                linear::finish(&inputs, common, None, &result)
            }
            Protocol::FewShot => {
                let options = FewShotOptions::default();
                let result = few_shot(&train, &test, &options, inputs.group(), &mut progress).map_err(failure)?;
                stages.finish();
                few_shot::finish(&inputs, common, None, &options, &result)
            }
        }?;
    }
    Ok(ExitCode::SUCCESS)
}
