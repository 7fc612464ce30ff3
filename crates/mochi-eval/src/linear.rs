//! Linear probe on cached features: protocol `linear-cached/1`.
//!
//! 1. Features of one evaluation view per image, standardized with the training split's mean and variance (`standardize.rs`).
//! 2. A tenth of each training class is held out (drawn from the seed). One classifier per rate of the sweep is trained on the rest,
//!    all at once. The rate with the best held-out top-1 is selected, the smaller of equals. The test split has no part in it.
//! 3. With that rate a new classifier is trained on the whole training split and evaluated once on the test split.
//!
//! In several processes the rates of the sweep are dealt to the ranks, in the groups in which one process trains them (`fit.rs`). The final training cannot
//! be split, since each of its steps needs the one before: every rank does it.
//!
//! Training: SGD, momentum 0.9, no weight decay, weights from N(0, 0.01^2), cosine schedule over all steps to 0. Epochs: 100 up to
//! 15,000 images; above, as many as give 1.5 million rows, at least 20.
//!
//! This is not the paper's protocol, which augments ([`crate::linear_augmented`]): results of the two are not comparable.
//! Memory: the features of both splits twice.

use crate::dealt::summed;
use crate::draws::hold_out_tenth;
use crate::features::{as_i64, check_pair};
use crate::fit::{Plan, Rows};
use crate::interval::bootstrap_interval;
use crate::standardize::{Standardizer, label_tensor};
use crate::subset::{balanced_rows, check_label_fraction};
use crate::{BadImages, EvalError, Features, Progress, Stage};
use mochi_tensor::{Device, Group, Kind, Tensor};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Name and version of this protocol, part of every result.
pub const LINEAR_CACHED_PROTOCOL: &str = "linear-cached/1";

/// Options of [`linear_cached`].
#[derive(Debug, Clone, PartialEq)]
pub struct LinearOptions {
    /// Epochs of the sweep and of the final training; `None` derives them from the number of images.
    pub epochs: Option<usize>,
    /// Rows per step; a smaller training split is one batch.
    pub batch: usize,
    /// Seed of the held-out tenth, the initial weights and the order of every epoch.
    pub seed: u64,
    /// Learning rates of the sweep, ascending; a single one is used without a sweep.
    pub learning_rates: Vec<f64>,
    /// Device on which the classifiers are trained.
    pub device: Device,
}

impl Default for LinearOptions {
    /// Batch 256, seed 0, eight rates from 0.1 to 300, on the CPU.
    fn default() -> Self {
        let learning_rates = vec![0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
        Self { epochs: None, batch: 256, seed: 0, learning_rates, device: Device::Cpu }
    }
}

/// One learning rate of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// The learning rate.
    pub learning_rate: f64,
    /// Top-1 on the held-out tenth in percent; `null` if the classifier diverged.
    pub validation_top1: Option<f64>,
}

/// Result of a trained classifier, a linear probe of either protocol or a fine-tuned network; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearResult {
    /// [`LINEAR_CACHED_PROTOCOL`], [`crate::LINEAR_AUGMENTED_PROTOCOL`] or [`crate::FINE_TUNE_PROTOCOL`].
    pub protocol: String,
    /// Name of the published recipe, if one was followed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recipe: Option<String>,
    /// Percentage of test images whose class has the highest logit.
    pub top1: f64,
    /// 95 % interval of `top1` over test images.
    pub top1_interval: [f64; 2],
    /// Percentage of test images whose class has one of the five highest logits.
    pub top5: f64,
    /// The learning rate: selected by the sweep, or the recipe's.
    pub learning_rate: f64,
    /// Whether the selected rate is the first or last of the sweep, so that a better one may exist outside.
    #[serde(default)]
    pub learning_rate_at_edge: bool,
    /// Top-1 of the selected rate on the held-out tenth, in percent; absent without a sweep.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validation_top1: Option<f64>,
    /// Every rate of the sweep.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sweep: Vec<SweepPoint>,
    /// Fraction of the training images of each class whose labels were used; absent where all were.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label_fraction: Option<f64>,
    /// Names of the images whose labels were used; empty where all were.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub labeled_images: Vec<String>,
    /// Epochs of training.
    pub epochs: usize,
    /// Rows per step.
    pub batch: usize,
    /// Number of training images.
    pub train_images: usize,
    /// Number of test images.
    pub test_images: usize,
    /// Number of training images that could not be read.
    pub bad_train_images: usize,
    /// Number of test images that could not be read.
    pub bad_test_images: usize,
    /// Number of classes that the training split names.
    pub classes: usize,
    /// Number of features per image.
    pub features: usize,
    /// Seed of all random draws.
    pub seed: u64,
    /// Seconds of the evaluation; for cached features without their extraction.
    pub seconds: f64,
    /// The images that could not be read.
    #[serde(default)]
    pub bad_images: BadImages,
}

impl LinearOptions {
    /// Checks the ranges, and that the sweep has images to hold out from `train_labels`; [`linear_cached`] does so too, but only after
    /// the features have been extracted.
    ///
    /// # Errors
    /// [`EvalError::Option`], [`EvalError::NothingToHoldOut`].
    pub fn check(&self, train_labels: &[u32]) -> Result<(), EvalError> {
        let wrong = |option, value: String, expected| Err(EvalError::Option { option, value, expected });
        if self.epochs == Some(0) {
            return wrong("epochs", "0".into(), "at least 1");
        }
        if self.batch == 0 {
            return wrong("batch", "0".into(), "at least 1");
        }
        if self.learning_rates.is_empty() {
            return wrong("learning_rates", "an empty list".into(), "at least one");
        }
        if let Some(rate) = self.learning_rates.iter().find(|r| !(r.is_finite() && **r > 0.0)) {
            return wrong("learning rate", rate.to_string(), "a number above 0");
        }
        if !self.learning_rates.is_sorted() {
            return wrong("learning_rates", format!("{:?}", self.learning_rates), "ascending rates");
        }
        if self.learning_rates.len() > 1 && hold_out_tenth(train_labels, self.seed).1.is_empty() {
            return Err(EvalError::NothingToHoldOut);
        }
        Ok(())
    }
}

/// Checks before features are computed that a linear classifier with the default options can be trained on `fraction` of these training labels.
///
/// # Errors
/// [`EvalError::NothingToHoldOut`], [`EvalError::TooFewLabels`].
pub fn check_labels(labels: &[u32], fraction: f64) -> Result<(), EvalError> {
    check_label_fraction(fraction)?;
    let options = LinearOptions::default();
    let rows = balanced_rows(labels, fraction, options.seed);
    let kept: Vec<u32> = rows.iter().filter_map(|&row| labels.get(row as usize).copied()).collect();
    match options.check(&kept) {
        Err(EvalError::NothingToHoldOut) if fraction < 1.0 => {
            Err(EvalError::TooFewLabels { percent: 100.0 * fraction })
        }
        outcome => outcome,
    }
}

/// Trains a linear classifier on `train` and evaluates it on `test`, in a `group` with a part of the sweep on each rank; all have the same features and get
/// the whole result. `progress` counts epochs.
///
/// # Errors
/// As [`LinearOptions::check`]; [`EvalError::Diverged`], features that do not fit each other (see [`crate::match_classes`]), a rank that is lost, or an
/// error of libtorch.
pub fn linear_cached(
    train: &Features,
    test: &Features,
    options: &LinearOptions,
    group: Option<&Group>,
    progress: &mut dyn FnMut(Progress),
) -> Result<LinearResult, EvalError> {
    let start = Instant::now();
    let truth = check_pair(train, test)?;
    options.check(&train.labels)?;
    let classes = train.class_names.len();
    let epochs = options.epochs.unwrap_or_else(|| default_epochs(train.len()));
    let standardizer = Standardizer::of(&train.values)?;
    let set = Rows {
        values: standardizer.apply(&train.values, options.device)?,
        labels: label_tensor(&train.labels, options.device)?,
        device: options.device,
    };
    let plan = Plan { epochs, batch: options.batch, seed: options.seed };
    let mut sweep = Vec::new();
    let mut best: Option<(f64, Option<f64>)> = options.learning_rates.first().map(|&rate| (rate, None));
    if options.learning_rates.len() > 1 {
        let (fitted, held_out) = hold_out_tenth(&train.labels, options.seed);
        let mut probes = set.probes(&options.learning_rates, classes, options.seed, group)?;
        set.fit(&mut probes, &fitted, plan, Stage::Sweep, progress)?;
        let held_out = set.order(&held_out)?;
        // For each rate its accuracy, and whether it has one.
        let mut scores = vec![[0.0; 2]; options.learning_rates.len()];
        for (first, probe) in &probes.own {
            let top1 = probe.accuracy(&set.values, &set.labels, &held_out)?.top1;
            for ((score, top1), finite) in scores.iter_mut().skip(*first).zip(top1).zip(probe.finite()?) {
                *score = if finite { [top1, 1.0] } else { [0.0; 2] };
            }
        }
        let scores = summed(scores.concat(), group, "gathering the accuracies of learning rates")?;
        let points = options.learning_rates.iter().zip(scores.chunks_exact(2));
        sweep = points
            .map(|(&learning_rate, score)| SweepPoint {
                learning_rate,
                validation_top1: (score[1] > 0.0).then_some(score[0]),
            })
            .collect();
        best = select(&sweep);
    }
    let Some((learning_rate, validation_top1)) = best else {
        return Err(EvalError::Diverged { learning_rates: options.learning_rates.clone() });
    };

    let all: Vec<u32> = (0u32..).take(train.len()).collect();
    let mut probes = set.probes(&[learning_rate], classes, options.seed, None)?;
    set.fit(&mut probes, &all, plan, Stage::Fit, progress)?;
    let diverged = || EvalError::Diverged { learning_rates: vec![learning_rate] };
    let (_, probe) = probes.own.first().ok_or_else(diverged)?;
    if probe.finite()? != [true] {
        return Err(diverged());
    }
    let test_rows = standardizer.apply(&test.values, options.device)?;
    let every = Tensor::f_arange(as_i64(test.len()), (Kind::Int64, options.device))?;
    let accuracy = probe.accuracy(&test_rows, &label_tensor(&truth, options.device)?, &every)?;
    let at_edge = sweep.first().is_some_and(|p| p.learning_rate == learning_rate)
        || sweep.last().is_some_and(|p| p.learning_rate == learning_rate);
    let top1 = accuracy.top1.first().copied().unwrap_or(0.0);
    Ok(LinearResult {
        protocol: LINEAR_CACHED_PROTOCOL.to_owned(),
        recipe: None,
        top1,
        top1_interval: bootstrap_interval(top1, test.len()),
        top5: accuracy.top5.first().copied().unwrap_or(0.0),
        learning_rate,
        learning_rate_at_edge: at_edge,
        validation_top1,
        sweep,
        label_fraction: None,
        labeled_images: vec![],
        epochs,
        batch: options.batch,
        train_images: train.len(),
        test_images: test.len(),
        bad_train_images: train.bad_images.len(),
        bad_test_images: test.bad_images.len(),
        classes,
        features: train.width(),
        seed: options.seed,
        seconds: start.elapsed().as_secs_f64(),
        bad_images: BadImages { training: train.bad_images.clone(), test: test.bad_images.clone() },
    })
}

fn default_epochs(images: usize) -> usize {
    (1_500_000 / images.max(1)).clamp(20, 100)
}

/// The rate of the best held-out top-1; the smaller of equals, as rates ascend.
pub(crate) fn select(sweep: &[SweepPoint]) -> Option<(f64, Option<f64>)> {
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
