//! Fine-tuning: protocol `fine-tune/1`. The whole network is trained on labeled images, of which `label_fraction` may be a small part.
//!
//! 1. A tenth of each training class is held out (drawn from the seed). For each learning rate of a small grid the network starts from the pre-trained backbone
//!    and is trained on the rest; the rate with the best held-out top-1 is selected, the smaller of equals. The test images have no part in it.
//! 2. With that rate it is trained on all labeled images and evaluated once on the test images, one central view each.
//!
//! Training: random-resized crops of 8 to 100 % of the image and flips (`Augmentation::linear_training`), SGD with momentum 0.9, no weight decay, cosine schedule to 0, batches of
//! 64, batch statistics; incomplete batches are left out. A linear classifier on the pooled features (weights from N(0, 0.01^2)) learns at ten times the rate. 30 epochs, 60 if less than 10 % of the
//! labels are used.
//!
//! Sources: Chen et al., *A Simple Framework for Contrastive Learning of Visual Representations*, ICML 2020, appendix B.5 (labels of 1 % and 10 %: only random crops and flips, no weight
//! decay, 60 and 30 epochs) and B.8 (rates from 0.0001 to 0.1, selected on held-out training images); Caron et al., *Unsupervised Learning of Visual Features by Contrasting Cluster
//! Assignments*, NeurIPS 2020, for a larger rate of the classifier (its `eval_semisup.py`; the factor of ten is ours, and so are the batch and the three rates).

mod network;
mod options;
mod partial;
#[cfg(test)]
mod tests;
mod tuning;

use std::time::Instant;

use mochi_data::Dataset;
use mochi_nets::Encoder;

use self::network::Network;
pub use self::options::FineTuneOptions;
pub use self::partial::{Event, Interruption, Known, PartialTraining, Tell};
use self::tuning::{Training, Tuning};
use crate::classes::{at_least_two, match_names};
use crate::draws::hold_out_tenth;
use crate::features::labels_of;
use crate::interval::bootstrap_interval;
use crate::linear::{LinearResult, SweepPoint, select};
use crate::{BadImages, EvalError, Stage, ViewOptions};

/// Name and version of this protocol, part of every result.
pub const FINE_TUNE_PROTOCOL: &str = "fine-tune/1";

/// Fine-tunes the encoder's backbone on `train` and evaluates it on `test`; afterwards the encoder is again as it was. `known`: what an interrupted call of the same
/// evaluation has found. `tell` is called with each event.
///
/// # Errors
/// As [`FineTuneOptions::check`] and [`crate::check_splits`]; [`EvalError::Diverged`] if no rate stayed finite, or too many bad images.
pub fn fine_tune(
    encoder: &mut Encoder,
    train: &Dataset,
    test: &Dataset,
    options: &FineTuneOptions,
    views: &ViewOptions,
    known: &Known,
    tell: &mut Tell<'_>,
) -> Result<LinearResult, EvalError> {
    let start = Instant::now();
    let (labels, test_labels) = (labels_of(train, "training")?, labels_of(test, "test")?);
    at_least_two(labels)?;
    match_names((train.class_names(), labels), (test.class_names(), test_labels))?;
    options.check(labels)?;
    let (images, kept) = options.labels(labels);
    let tuning = Tuning { train, labels, options, views };
    let rates = &options.learning_rates;

    let mut sweep: Vec<SweepPoint> = Vec::new();
    let mut best = rates.first().map(|&rate| (rate, None));
    if rates.len() > 1 {
        let of =
            |rows: &[u32]| -> Vec<u32> { rows.iter().filter_map(|&row| images.get(row as usize).copied()).collect() };
        let (fitted, held_out) = hold_out_tenth(&kept, options.seed);
        let (fitted, held_out) = (of(&fitted), of(&held_out));
        let total = rates.len() * tuning.steps(fitted.len());
        for (number, &learning_rate) in rates.iter().enumerate() {
            let before = number * tuning.steps(fitted.len());
            let point = match known.sweep.iter().find(|point| point.learning_rate == learning_rate) {
                Some(point) => point.clone(),
                None => {
                    let mut network = Network::new(encoder, train.class_names().len(), options.seed)?;
                    let training = Training { stage: Stage::Sweep, learning_rate, before, total };
                    let validation_top1 = match tuning.train(&mut network, &fitted, &training, known, tell)? {
                        Some(_) => Some(tuning.accuracy(&network, train, Some(&held_out), &mut |_| ())?.top1()),
                        None => None,
                    };
                    let point = SweepPoint { learning_rate, validation_top1 };
                    tell(Event::Point(&point));
                    point
                }
            };
            sweep.push(point);
        }
        best = select(&sweep);
    }
    let diverged = |learning_rates: Vec<f64>| EvalError::Diverged { learning_rates };
    let (learning_rate, validation_top1) = best.ok_or_else(|| diverged(rates.clone()))?;

    let mut network = Network::new(encoder, train.class_names().len(), options.seed)?;
    let training = Training { stage: Stage::Fit, learning_rate, before: 0, total: tuning.steps(images.len()) };
    let bad = tuning.train(&mut network, &images, &training, known, tell)?;
    let bad = bad.ok_or_else(|| diverged(vec![learning_rate]))?;
    let tested = tuning.accuracy(&network, test, None, &mut |now| tell(Event::Progress(now)))?;
    let at_edge = |point: Option<&SweepPoint>| point.is_some_and(|point| point.learning_rate == learning_rate);
    let fraction = (options.label_fraction < 1.0).then_some(options.label_fraction);
    Ok(LinearResult {
        protocol: FINE_TUNE_PROTOCOL.to_owned(),
        recipe: None,
        top1: tested.top1(),
        top1_interval: bootstrap_interval(tested.top1(), tested.images),
        top5: tested.accuracy.top5.first().copied().unwrap_or(0.0),
        learning_rate,
        learning_rate_at_edge: at_edge(sweep.first()) || at_edge(sweep.last()),
        validation_top1,
        sweep,
        label_fraction: fraction,
        labeled_images: match fraction {
            Some(_) => images.iter().map(|&image| train.name_of(image as usize)).collect(),
            None => Vec::new(),
        },
        epochs: options.epochs(),
        batch: tuning.batch(images.len()),
        train_images: images.len().saturating_sub(bad.len()),
        test_images: tested.images,
        bad_train_images: bad.len(),
        bad_test_images: tested.bad.len(),
        classes: train.class_names().len(),
        features: tested.width,
        seed: options.seed,
        seconds: start.elapsed().as_secs_f64(),
        bad_images: BadImages { training: bad, test: tested.bad },
    })
}
