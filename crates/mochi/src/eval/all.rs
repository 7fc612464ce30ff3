//! `mochi eval all`: several protocols on the same features, which are computed once for each data set.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mochi_eval::{BadImages, FeatureSource};
use mochi_run::Protocol;
use mochi_tensor::Engine;

use super::evaluation::Evaluation;
use super::inputs::Inputs;
use super::plan::{self, Planned};
use super::stages::Stages;
use super::{Labeled, Subject, dataset_name, failure, fine_tune};
use crate::failure::{Failure, Outcome};
use crate::ranks::Ranks;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Labeled training images, as of the other protocols; not with --plan
    #[arg(long, value_name = "DATA", requires = "test", conflicts_with = "plan")]
    train: Option<PathBuf>,
    /// Labeled test images, likewise
    #[arg(long, value_name = "DATA", requires = "train", conflicts_with = "plan")]
    test: Option<PathBuf>,
    /// Name of these images in tables and pages, if they are of another data set than usual: results of data sets are kept apart
    #[arg(long, value_name = "NAME", value_parser = dataset_name, requires = "train")]
    dataset: Option<String>,
    #[command(flatten)]
    pub subject: Subject,
    /// Protocols, separated by commas: knn, linear, few-shot, fine-tune; linear and fine-tune also with -10-percent and -1-percent [default: knn,linear]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "plan")]
    protocols: Option<Vec<String>>,
    /// Data sets, protocols and their options, from a TOML file instead of --train, --test and --protocols
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

/// Runs the subcommand: a line, or a JSON object, for each protocol.
pub fn run(arguments: Arguments, ranks: &Ranks, engine: &Engine) -> Outcome {
    let planned = match (&arguments.plan, &arguments.train, &arguments.test) {
        (Some(path), ..) => plan::read(path)?,
        (None, Some(train), Some(test)) => {
            let labeled =
                Labeled { train: train.clone(), test: test.clone(), dataset: arguments.dataset.clone(), places: None };
            vec![Planned { labeled, evaluations: named(&arguments)?.into_iter().map(|one| (one, None)).collect() }]
        }
        _ => return Err(Failure::new("no labeled images are given", "add --train DIR --test DIR, or --plan FILE")),
    };
    if planned.iter().flat_map(|one| &one.evaluations).any(|(one, _)| one.fine_tunes()) {
        fine_tune::refuse_several(ranks)?;
    }
    // All data sets are checked before the first is evaluated.
    let mut all = Vec::new();
    for Planned { labeled, evaluations } in planned {
        let options: Vec<String> = evaluations.iter().map(|(evaluation, _)| format!("{evaluation:?}")).collect();
        let inputs = Inputs::open(&arguments.subject, &labeled, &options, ranks, engine)?;
        let mut checked = Vec::new();
        for (evaluation, place) in evaluations {
            evaluation.check(&inputs).map_err(|failure| match &place {
                Some(place) => failure.within(place),
                None => failure,
            })?;
            checked.push(evaluation);
        }
        all.push((inputs, checked));
    }
    for (mut inputs, evaluations) in all {
        let mut features = None;
        if evaluations.iter().any(Evaluation::needs_features) {
            let mut stages = Stages::new(&inputs.progress, "eval");
            features = Some(inputs.features(FeatureSource::Backbone, &mut stages).map_err(failure)?);
            stages.finish();
        }
        if let Some((train, test)) = &features {
            let (training, test) = (train.bad_images.clone(), test.bad_images.clone());
            inputs.report_bad_images(&BadImages { training, test });
        }
        for evaluation in &evaluations {
            evaluation.run(&mut inputs, features.as_ref())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The protocols of `--protocols`, in the order of the table, each once.
fn named(arguments: &Arguments) -> Outcome<Vec<Evaluation>> {
    let Some(names) = &arguments.protocols else {
        return Ok(Protocol::DEFAULT.into_iter().filter_map(Evaluation::of).collect());
    };
    let find = |name: &String| {
        let known = || format!("the protocols are {}", Protocol::names_of_images());
        let protocol = Protocol::find(name).filter(|protocol| Evaluation::of(*protocol).is_some());
        protocol.ok_or_else(|| Failure::new(format!("unknown protocol \"{name}\""), known()))
    };
    let mut protocols = names.iter().map(find).collect::<Outcome<Vec<_>>>()?;
    protocols.sort_unstable();
    protocols.dedup();
    Ok(protocols.into_iter().filter_map(Evaluation::of).collect())
}
