//! `mochi eval knn`

use clap::Args;
use mochi_eval::{KnnOptions, extract, knn};

use super::{Common, Stages, Subject};
use crate::failure::Outcome;

/// Words of the verb.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Neighbours that vote
    #[arg(short, default_value_t = 200)]
    k: usize,
    /// Temperature of the votes' weights
    #[arg(long, default_value_t = 0.1)]
    temperature: f64,
}

/// Runs the verb.
pub fn run(arguments: Arguments) -> Outcome {
    let subject = Subject::open(&arguments.common)?;
    let mut stages = Stages::new(&subject.progress, "k-NN");
    let train = extract(&subject.train, subject.extractor(), &subject.views, &mut |now| stages.update(now))?;
    let test = extract(&subject.test, subject.extractor(), &subject.views, &mut |now| stages.update(now))?;
    let options = KnnOptions { k: arguments.k, temperature: arguments.temperature };
    let result = knn(&train, &test, &options, &mut |now| stages.update(now))?;
    stages.finish();
    let text = format!(
        "k-NN top-1 {:.2} %  ({}, k {}, t {}, {} training and {} test images of {} classes)",
        result.top1,
        result.protocol,
        result.k,
        result.temperature,
        result.train_images,
        result.test_images,
        result.classes
    );
    subject.finish(&arguments.common, "knn", &result, &text)
}
