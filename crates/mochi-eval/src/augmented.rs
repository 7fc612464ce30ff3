//! The published linear probe: protocol `linear-augmented/1`.
//!
//! Each step draws new views (crop 0.08 to 1, flip: `Augmentation::linear_training`). The frozen encoder turns them into backbone features in
//! evaluation mode, and one linear layer is trained on those without standardization: SGD with momentum 0.9 and no weight decay, the
//! rate multiplied by a factor at given epochs. Source: `main_lincls.py` of facebookresearch/moco (commit 7397dfe) for `in1k`,
//! Kalantidis et al. 2020 for `in100`. The encoder is checked bitwise unchanged after the first epoch and at the end.
//!
//! In several processes each computes the features of its share of every batch, gathers the others' and takes the same step of the classifier: the steps are
//! those of one process, up to the rounding of features in batches of another size.

use crate::classes::{at_least_two, match_names};
use crate::features::{Shuffled, as_i64, labels_of};
use crate::interval::bootstrap_interval;
use crate::probe::Probe;
use crate::ranks::{extract_together, gather_rows, share_bad};
use crate::standardize::{label_tensor, with_ones};
use crate::{BadImages, EvalError, Extractor, FrozenEncoder, LinearResult, Progress, Stage, ViewOptions, extract};
use mochi_data::{Dataset, Position, Shard};
use mochi_nets::{Encoder, NormMode};
use mochi_tensor::{Device, Group, Kind, Tensor, from_f32, no_grad};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Name and version of this protocol, part of every result.
pub const LINEAR_AUGMENTED_PROTOCOL: &str = "linear-augmented/1";

/// Training recipe of the augmented probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentedRecipe {
    /// Name in the result.
    pub name: String,
    /// Epochs of training.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Epochs, counted from 0, at whose start the rate is multiplied by `factor`.
    pub milestones: Vec<usize>,
    /// Factor of each milestone.
    pub factor: f64,
}

impl AugmentedRecipe {
    /// Names of the published recipes.
    pub const PRESETS: [&'static str; 2] = ["in1k", "in100"];

    /// A published recipe: `in1k` (100 epochs, rate 30, batch 256, a tenth at 60 and 80) or `in100` (60 epochs, rate 10, batch 128, a
    /// tenth at 30, 40 and 50).
    pub fn preset(name: &str) -> Option<Self> {
        let recipe = |epochs, batch, learning_rate, milestones: &[usize]| {
            Some(Self {
                name: name.to_owned(),
                epochs,
                batch,
                learning_rate,
                milestones: milestones.to_vec(),
                factor: 0.1,
            })
        };
        match name {
            "in1k" => recipe(100, 256, 30.0, &[60, 80]),
            "in100" => recipe(60, 128, 10.0, &[30, 40, 50]),
            _ => None,
        }
    }

    /// Product of the factors of the milestones up to `epoch`, counted from 0.
    fn decay(&self, epoch: usize) -> f64 {
        self.milestones.iter().filter(|&&m| epoch >= m).fold(1.0, |decay, _| decay * self.factor)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`EvalError::Option`].
    pub fn check(&self) -> Result<(), EvalError> {
        let wrong = |option, value: String, expected| Err(EvalError::Option { option, value, expected });
        if self.epochs == 0 || self.batch == 0 {
            let option = if self.epochs == 0 { "epochs" } else { "batch" };
            return wrong(option, "0".into(), "at least 1");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return wrong("learning rate", self.learning_rate.to_string(), "a number above 0");
        }
        if !(self.factor.is_finite() && self.factor > 0.0) {
            return wrong("factor", self.factor.to_string(), "a number above 0");
        }
        Ok(())
    }
}

/// Trains a linear layer on features of augmented views of `train` and evaluates it on `test`, in a `group` with a share of the images on each rank; all get
/// the whole result. `progress` counts epochs, then test images. `seconds` of the result is the whole time.
///
/// # Errors
/// As [`crate::check_splits`] for labels and classes; [`EvalError::Diverged`], [`EvalError::EncoderChanged`], or too many bad images.
pub fn linear_augmented(
    encoder: &Encoder,
    [train, test]: [&Dataset; 2],
    recipe: &AugmentedRecipe,
    views: &ViewOptions,
    seed: u64,
    group: Option<&Group>,
    progress: &mut dyn FnMut(Progress),
) -> Result<LinearResult, EvalError> {
    let start = Instant::now();
    recipe.check()?;
    let (labels, test_labels) = (labels_of(train, "training")?, labels_of(test, "test")?);
    let classes = train.class_names().len();
    at_least_two(labels)?;
    match_names((train.class_names(), labels), (test.class_names(), test_labels))?;
    let frozen = FrozenEncoder::snapshot(encoder)?;
    let device = encoder.compute().device;
    let mut probe: Option<Probe> = None;
    let epochs = Some(Shuffled { seed, start: Position::default(), end_epoch: recipe.epochs as u64 });
    let shards = |size: usize| (0..size).map(move |rank| Shard { rank, world_size: size });
    let shard = group.map_or(Shard::WHOLE, |group| Shard { rank: group.rank(), world_size: group.size() });
    let sharded = ViewOptions { shard, ..views.clone() };
    let mut loader = sharded.loader(train, views.augmentation.linear_training(), recipe.batch, epochs)?;
    let mut next = loader.next().transpose()?;
    let batches = loader.batches();
    for (epoch, number) in (0..recipe.epochs).flat_map(|epoch| (0..batches).map(move |number| (epoch, number))) {
        // A rank has no such batch if it has none of its images.
        let batch = next.take_if(|batch| (batch.epoch, batch.number) == (epoch as u64, number));
        let (images, view) = batch.as_ref().map_or((&[][..], &[][..]), |batch| (&batch.images, batch.view(0)));
        let mut features = features(encoder, view, images.len(), views.size)?;
        let truth: Vec<u32> = images.iter().filter_map(|&i| labels.get(usize::try_from(i).ok()?).copied()).collect();
        let mut truth = label_tensor(&truth, device)?;
        if let Some(group) = group {
            let first = number * recipe.batch;
            let whole = first..labels.len().min(first + recipe.batch);
            let counts: Vec<usize> = shards(group.size()).map(|shard| shard.of(whole.start, whole.end).len()).collect();
            features = gather_rows(&features, &counts, group, "gathering features")?;
            truth = gather_rows(&truth, &counts, group, "gathering labels")?;
        }
        let probe = match &mut probe {
            Some(probe) => probe,
            empty => {
                let width = usize::try_from(features.size().get(1).copied().unwrap_or(0)).unwrap_or(0);
                empty.insert(Probe::new(width, classes, &[recipe.learning_rate], seed, device)?)
            }
        };
        probe.step(&with_ones(&features)?, &truth, recipe.decay(epoch))?;
        if let Some(batch) = batch {
            loader.recycle(batch);
            next = loader.next().transpose()?;
        }
        if number + 1 == batches {
            if epoch == 0 {
                frozen.check()?;
            }
            progress(Progress { stage: Stage::Fit, done: epoch + 1, total: recipe.epochs });
        }
    }
    // Those of the last epoch.
    let mut bad = loader.bad_images();
    let probe = probe.ok_or(EvalError::Empty { set: "training" })?;
    if probe.finite()? != [true] {
        return Err(EvalError::Diverged { learning_rates: vec![recipe.learning_rate] });
    }

    let extractor = Extractor::Backbone(encoder);
    let tested = match group {
        None => extract(test, extractor, views, progress)?,
        Some(group) => {
            bad = share_bad(bad, group)?;
            extract_together(test, extractor, views, group, progress)?
        }
    };
    tested.check("test")?;
    let truth = match_names((train.class_names(), labels), (&tested.class_names, &tested.labels))?;
    let rows = with_ones(&tested.values.f_to_device(device)?)?;
    let every = Tensor::f_arange(as_i64(tested.len()), (Kind::Int64, device))?;
    let accuracy = probe.accuracy(&rows, &label_tensor(&truth, device)?, &every)?;
    frozen.check()?;
    let top1 = accuracy.top1.first().copied().unwrap_or(0.0);
    Ok(LinearResult {
        protocol: LINEAR_AUGMENTED_PROTOCOL.to_owned(),
        recipe: Some(recipe.name.clone()),
        top1,
        top1_interval: bootstrap_interval(top1, tested.len()),
        top5: accuracy.top5.first().copied().unwrap_or(0.0),
        learning_rate: recipe.learning_rate,
        learning_rate_at_edge: false,
        validation_top1: None,
        sweep: vec![],
        label_fraction: None,
        labeled_images: vec![],
        epochs: recipe.epochs,
        batch: recipe.batch,
        train_images: labels.len().saturating_sub(bad.len()),
        test_images: tested.len(),
        bad_train_images: bad.len(),
        bad_test_images: tested.bad_images.len(),
        classes,
        features: tested.width(),
        seed,
        seconds: start.elapsed().as_secs_f64(),
        bad_images: BadImages { training: bad, test: tested.bad_images },
    })
}

/// Features (B, F) of planar views (B, 3, S, S), float32 on the encoder's device, without gradients.
fn features(encoder: &Encoder, view: &[f32], rows: usize, size: u32) -> Result<Tensor, EvalError> {
    let side = i64::from(size);
    no_grad(|| {
        let images = match rows {
            // A rank without an image of the last batch learns the shape from a black one.
            0 => Tensor::f_zeros([1, 3, side, side], (Kind::Float, Device::Cpu))?,
            _ => from_f32(view, &[as_i64(rows), 3, side, side])?,
        };
        let features = encoder.features(&images, NormMode::Eval)?.f_to_kind(Kind::Float)?;
        Ok(features.f_narrow(0, 0, as_i64(rows))?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_equal_the_published_ones() {
        let in1k = AugmentedRecipe::preset("in1k").unwrap();
        let rates: Vec<f64> = [0, 59, 60, 79, 80, 99].iter().map(|&e| in1k.learning_rate * in1k.decay(e)).collect();
        for (rate, wanted) in rates.iter().zip([30.0, 30.0, 3.0, 3.0, 0.3, 0.3]) {
            assert!((rate - wanted).abs() < 1e-12, "{rates:?}");
        }
        let in100 = AugmentedRecipe::preset("in100").unwrap();
        assert_eq!((in100.epochs, in100.batch, in100.learning_rate), (60, 128, 10.0));
        assert!(
            (in100.decay(29) - 1.0).abs() + (in100.decay(49) - 0.01).abs() + (in100.decay(50) - 0.001).abs() < 1e-12
        );
        assert!(
            AugmentedRecipe::PRESETS
                .iter()
                .all(|name| AugmentedRecipe::preset(name).is_some_and(|r| r.check().is_ok()))
        );
        assert!(AugmentedRecipe::preset("in22k").is_none());
    }
}
