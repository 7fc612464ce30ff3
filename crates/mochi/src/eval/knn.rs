//! `mochi eval knn`

use std::path::Path;

use clap::{Args, ValueEnum};
use mochi_eval::{FeatureSource, KnnOptions, KnnResult, knn};
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
    /// Features to compare: `backbone` (protocol knn/2) or `embedding`, the output of the head (knn-embedding/1)
    #[arg(long, value_enum, default_value = "backbone", hide_possible_values = true)]
    features: Layer,
    /// Number of neighbors [default: half the training images per class, 5 to 200]
    #[arg(short, value_parser = whole::<usize>)]
    k: Option<usize>,
    /// Temperature of the weights exp(cosine / temperature)
    #[arg(long, default_value_t = 0.1)]
    temperature: f64,
}

/// The layer that features are taken from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layer {
    Backbone,
    Embedding,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments, ranks: &Ranks, engine: &Engine) -> Outcome {
    let common = &arguments.common;
    let options = KnnOptions { k: arguments.k, temperature: arguments.temperature };
    options.check().map_err(failure)?;
    let source = match arguments.features {
        Layer::Backbone => FeatureSource::Backbone,
        Layer::Embedding if common.subject.is_pixels() => {
            return Err(Failure::new("raw pixels have no embedding", "leave --features out"));
        }
        Layer::Embedding => FeatureSource::Embedding,
    };
    let out = arguments.file.checked()?;
    let k = options.k.map_or_else(|| "auto".to_owned(), |k| k.to_string());
    let compared =
        [format!("-k {k}"), format!("--temperature {}", options.temperature), format!("features: {source:?}")];
    let inputs = Inputs::open(&common.subject, &common.labeled, &compared, ranks, engine)?;
    let mut stages = Stages::new(&inputs.progress, "k-NN");
    let (train, test) = inputs.features(source, &mut stages).map_err(failure)?;
    let result = knn(&train, &test, &options, inputs.group(), &mut |now| stages.update(now)).map_err(failure)?;
    stages.finish();
    inputs.report_bad_images(&result.bad_images);
    finish(&inputs, out, source, &options, &result)
}

/// Writes and prints the result, after a warning if there are fewer neighbors than asked for.
pub fn finish(
    inputs: &Inputs,
    out: Option<&Path>,
    source: FeatureSource,
    options: &KnnOptions,
    result: &KnnResult,
) -> Outcome {
    if let Some(asked) = options.k.filter(|&asked| asked > result.k) {
        let used = counted(result.k, "training image");
        inputs.progress.warning(&format!("-k {asked} exceeds the {used}: all of them are neighbors"));
    }
    let usual = result.k_automatic && result.temperature == KnnOptions::default().temperature;
    let name = match (source, usual) {
        (FeatureSource::Embedding, _) => "knn-embedding".to_owned(),
        (_, true) => "knn".to_owned(),
        (_, false) => format!("knn-k-{}-t-{}", result.k, result.temperature),
    };
    let [low, high] = result.top1_interval;
    let text = format!(
        "k-NN top-1 {:.2} % [{low:.2}, {high:.2}]  ({}, k {}{}, t {}, {})",
        result.top1,
        result.protocol,
        result.k,
        if result.k_automatic { " (automatic)" } else { "" },
        result.temperature,
        counts(result.train_images, result.test_images, result.classes, &result.bad_images)
    );
    inputs.finish(out, &name, result, &text)
}
