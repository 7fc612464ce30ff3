//! One evaluation of `mochi eval all`: a protocol with its options.

use mochi_eval::{
    FeatureSource, Features, FewShotOptions, FineTuneOptions, KnnOptions, LinearOptions, check_labels, few_shot, knn,
};
use mochi_run::{Method, Protocol};

use super::inputs::Inputs;
use super::stages::Stages;
use super::{failure, few_shot as few_shot_command, fine_tune, knn as knn_command, linear};
use crate::failure::{Failure, Outcome};

/// A protocol with its options.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluation {
    Knn(KnnOptions),
    /// With the fraction of the labels that are used.
    Linear(LinearOptions, f64),
    FewShot(FewShotOptions),
    FineTune(FineTuneOptions),
}

impl Evaluation {
    /// A protocol with its defaults; `None` for one that takes no labeled images.
    pub fn of(protocol: Protocol) -> Option<Self> {
        Some(match protocol.method() {
            Method::Knn => Self::Knn(KnnOptions::default()),
            Method::Linear(fraction) => Self::Linear(LinearOptions::default(), fraction),
            Method::FewShot => Self::FewShot(FewShotOptions::default()),
            Method::FineTune(label_fraction) => {
                Self::FineTune(FineTuneOptions { label_fraction, ..FineTuneOptions::default() })
            }
            Method::Detection(_) => return None,
        })
    }

    /// Whether it takes features of the frozen encoder.
    pub fn needs_features(&self) -> bool {
        !self.fine_tunes()
    }

    /// Whether it trains the network.
    pub fn fine_tunes(&self) -> bool {
        matches!(self, Self::FineTune(_))
    }

    /// Checks the options, and what the labels of the training images allow, before anything is computed.
    pub fn check(&self, inputs: &Inputs) -> Outcome<()> {
        let labels = inputs.train.labels().unwrap_or_default();
        match self {
            Self::Knn(options) => options.check(),
            Self::Linear(options, fraction) => check_labels(labels, *fraction).and_then(|()| options.check(labels)),
            Self::FewShot(options) => options.check().and_then(|()| options.check_labels(labels)),
            Self::FineTune(_) if inputs.loaded.is_none() => {
                return Err(Failure::new("raw pixels have no network to fine-tune", "leave fine-tuning out"));
            }
            Self::FineTune(options) => options.check(labels),
        }
        .map_err(failure)
    }

    /// Evaluates, writes and prints the result. `features`: of the training and of the test images.
    pub fn run(&self, inputs: &mut Inputs, features: Option<&(Features, Features)>) -> Outcome {
        let missing = || Failure::new("an evaluation without features", "report this bug in Mochi");
        let mut stages = Stages::new(&inputs.progress, "eval");
        match self {
            Self::FineTune(options) => fine_tune::evaluate(inputs, options, None),
            Self::Knn(options) => {
                let (train, test) = features.ok_or_else(missing)?;
                let result =
                    knn(train, test, options, inputs.group(), &mut |now| stages.update(now)).map_err(failure)?;
                stages.finish();
                knn_command::finish(inputs, None, FeatureSource::Backbone, options, &result)
            }
            Self::Linear(options, fraction) => {
                let (train, test) = features.ok_or_else(missing)?;
                let options = LinearOptions { device: inputs.device(), ..options.clone() };
                let mut progress = |now| stages.update(now);
                let result = linear::on_fraction(inputs, train, test, *fraction, &options, &mut progress);
                let result = result.map_err(failure)?;
                stages.finish();
                linear::finish(inputs, None, &options, &result)
            }
            Self::FewShot(options) => {
                let (train, test) = features.ok_or_else(missing)?;
                let result =
                    few_shot(train, test, options, inputs.group(), &mut |now| stages.update(now)).map_err(failure)?;
                stages.finish();
                few_shot_command::finish(inputs, None, options, &result)
            }
        }
    }
}
