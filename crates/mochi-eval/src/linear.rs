//! The linear probe on cached features: protocol `linear-cached/1`.
//!
//! 1. Features of one evaluation view an image, standardised with the training split's mean and variance (`standardise.rs`).
//! 2. A tenth of each training class is held out (by the seed). A classifier for every rate of the sweep is trained on the rest, all
//!    at once; the rate with the best held-out top-1 is chosen, the smaller of equals. The test split has no part in it.
//! 3. With that rate a new classifier is trained on the whole training split and judged once on the test split.
//!
//! Training: SGD, momentum 0.9, no weight decay, weights from N(0, 0.01^2), cosine schedule over all steps to 0. Epochs: 100 up to
//! 15,000 images, fewer above, so that about 1.5 million rows are seen, and never under 20.
//!
//! Not the paper's protocol, which augments ([`crate::linear_augmented`]): the numbers of the two are not comparable.
//! Memory: the features of both splits twice.

use crate::features::{as_i64, check_pair};
use crate::fit::{Plan, Rows};
use crate::split::hold_out_tenth;
use crate::standardise::{Standardiser, label_tensor};
use crate::{EvalError, Features, Progress, Stage};
use mochi_tensor::{Device, Kind, Tensor};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Name and version of this protocol; it stands in every result.
pub const LINEAR_CACHED_PROTOCOL: &str = "linear-cached/1";

/// What can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearOptions {
    /// Epochs of the sweep and of the final training; `None` follows the number of images (see the head of this file).
    pub epochs: Option<usize>,
    /// Rows in a step; a smaller training split is one batch.
    pub batch: usize,
    /// Decides the held-out tenth, the initial weights and every epoch's order.
    pub seed: u64,
    /// The rates of the sweep, ascending; with a single one the sweep is left out.
    pub learning_rates: Vec<f64>,
    /// Where the classifiers are trained.
    pub device: Device,
}

impl Default for LinearOptions {
    /// Batch 256, seed 0, eight rates from 0.1 to 300, on the CPU.
    fn default() -> Self {
        let learning_rates = vec![0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
        Self { epochs: None, batch: 256, seed: 0, learning_rates, device: Device::Cpu }
    }
}

/// One rate of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// The rate.
    pub learning_rate: f64,
    /// Top-1 on the held-out tenth in percent; `null` where the classifier diverged.
    pub validation_top1: Option<f64>,
}

/// A linear probe's judgement, of either protocol; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearResult {
    /// [`LINEAR_CACHED_PROTOCOL`] or [`crate::LINEAR_AUGMENTED_PROTOCOL`].
    pub protocol: String,
    /// The published recipe's name, where one was followed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recipe: Option<String>,
    /// Share of test images whose class has the highest logit, in percent.
    pub top1: f64,
    /// Share of test images whose class has one of the five highest logits, in percent.
    pub top5: f64,
    /// The learning rate: chosen by the sweep, or the recipe's.
    pub learning_rate: f64,
    /// Whether the chosen rate is the first or last of the sweep, so that a better one may lie outside.
    #[serde(default)]
    pub learning_rate_at_edge: bool,
    /// Top-1 of the chosen rate on the held-out tenth, in percent; none without a sweep.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validation_top1: Option<f64>,
    /// Every rate of the sweep.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sweep: Vec<SweepPoint>,
    /// Epochs of training.
    pub epochs: usize,
    /// Rows in a step.
    pub batch: usize,
    /// Training images.
    pub train_images: usize,
    /// Test images.
    pub test_images: usize,
    /// Classes of the training split.
    pub classes: usize,
    /// Features of an image.
    pub features: usize,
    /// The seed of everything drawn.
    pub seed: u64,
    /// Time of the judgement; for cached features without their extraction.
    pub seconds: f64,
}

/// Judges `test` by a linear classifier trained on `train`. `progress` counts epochs.
///
/// # Errors
/// [`EvalError::Option`], [`EvalError::TooFew`], features that cannot be judged (as [`crate::match_classes`]), or what libtorch says.
pub fn linear_cached(
    train: &Features,
    test: &Features,
    options: &LinearOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<LinearResult, EvalError> {
    let start = Instant::now();
    let truth = check_pair(train, test)?;
    check_options(options)?;
    let classes = train.class_names.len();
    let epochs = options.epochs.unwrap_or_else(|| default_epochs(train.len()));
    let standardiser = Standardiser::of(&train.values)?;
    let set = Rows {
        values: standardiser.apply(&train.values, options.device)?,
        labels: label_tensor(&train.labels, options.device)?,
        device: options.device,
    };
    let plan = Plan { epochs, batch: options.batch, seed: options.seed };
    let mut sweep = Vec::new();
    let mut best: Option<(f64, Option<f64>)> = options.learning_rates.first().map(|&rate| (rate, None));
    if options.learning_rates.len() > 1 {
        let (fitted, held_out) = hold_out_tenth(&train.labels, options.seed);
        if held_out.is_empty() {
            return Err(EvalError::TooFew(
                "no class has two images, so none can be held out to choose the learning rate".into(),
            ));
        }
        let mut probes = set.probes(&options.learning_rates, classes, options.seed)?;
        set.fit(&mut probes, &fitted, plan, Stage::Sweep, progress)?;
        let held_out = set.order(&held_out)?;
        let mut scores = Vec::new();
        for probe in &probes {
            let top1 = probe.accuracy(&set.values, &set.labels, &held_out)?.top1;
            scores.extend(top1.iter().zip(probe.finite()?).map(|(&top1, finite)| finite.then_some(top1)));
        }
        let points = options.learning_rates.iter().zip(scores);
        sweep = points.map(|(&learning_rate, validation_top1)| SweepPoint { learning_rate, validation_top1 }).collect();
        best = choose(&sweep);
    }
    let Some((learning_rate, validation_top1)) = best else {
        return Err(EvalError::TooFew("every learning rate of the sweep diverged".into()));
    };

    let all: Vec<u32> = (0u32..).take(train.len()).collect();
    let mut probes = set.probes(&[learning_rate], classes, options.seed)?;
    set.fit(&mut probes, &all, plan, Stage::Fit, progress)?;
    let test_rows = standardiser.apply(&test.values, options.device)?;
    let every = Tensor::f_arange(as_i64(test.len()), (Kind::Int64, options.device))?;
    let probe = probes.first().ok_or_else(|| EvalError::TooFew("no classifier was trained".into()))?;
    let accuracy = probe.accuracy(&test_rows, &label_tensor(&truth, options.device)?, &every)?;
    let at_edge = sweep.first().is_some_and(|p| p.learning_rate == learning_rate)
        || sweep.last().is_some_and(|p| p.learning_rate == learning_rate);
    Ok(LinearResult {
        protocol: LINEAR_CACHED_PROTOCOL.to_owned(),
        recipe: None,
        top1: accuracy.top1.first().copied().unwrap_or(0.0),
        top5: accuracy.top5.first().copied().unwrap_or(0.0),
        learning_rate,
        learning_rate_at_edge: at_edge,
        validation_top1,
        sweep,
        epochs,
        batch: options.batch,
        train_images: train.len(),
        test_images: test.len(),
        classes,
        features: train.width(),
        seed: options.seed,
        seconds: start.elapsed().as_secs_f64(),
    })
}

fn default_epochs(images: usize) -> usize {
    (1_500_000 / images.max(1)).clamp(20, 100)
}

fn check_options(options: &LinearOptions) -> Result<(), EvalError> {
    let wrong = |option, value: String, expected| Err(EvalError::Option { option, value, expected });
    if options.epochs == Some(0) {
        return wrong("epochs", "0".into(), "it must be at least 1");
    }
    if options.batch == 0 {
        return wrong("batch", "0".into(), "it must be at least 1");
    }
    if options.learning_rates.is_empty() {
        return wrong("learning_rates", "empty".into(), "at least one is needed");
    }
    match options.learning_rates.iter().find(|r| !(r.is_finite() && **r > 0.0)) {
        Some(rate) => wrong("learning_rates", rate.to_string(), "each must be above 0"),
        None if !options.learning_rates.is_sorted() => {
            wrong("learning_rates", "out of order".into(), "they must ascend")
        }
        None => Ok(()),
    }
}

/// The rate of the best held-out top-1; the smaller of equals, as rates ascend.
fn choose(sweep: &[SweepPoint]) -> Option<(f64, Option<f64>)> {
    let mut best: Option<(f64, f64)> = None;
    for point in sweep {
        if let Some(top1) = point.validation_top1
            && best.is_none_or(|(_, highest)| top1 > highest)
        {
            best = Some((point.learning_rate, top1));
        }
    }
    best.map(|(rate, top1)| (rate, Some(top1)))
}

#[cfg(test)]
#[path = "linear_tests.rs"]
mod tests;
