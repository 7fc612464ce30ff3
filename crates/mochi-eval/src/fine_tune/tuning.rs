//! One training of an evaluation, and the accuracy of its network.

use std::collections::BTreeMap;
use std::sync::Arc;

use mochi_data::{BadImage, Dataset, Position};
use mochi_tensor::{Device, Kind, Tensor, from_f32};

use super::network::Network;
use super::options::FineTuneOptions;
use super::partial::{Event, Interruption, Known, PartialTraining, Tell};
use crate::classes::match_names;
use crate::features::{Shuffled, as_i64};
use crate::probe::Accuracy;
use crate::standardize::{label_tensor, with_ones};
use crate::{EvalError, Extractor, Progress, Stage, ViewOptions, extract};

/// What all trainings of an evaluation have in common.
pub(super) struct Tuning<'a> {
    pub train: &'a Dataset,
    pub labels: &'a [u32],
    pub options: &'a FineTuneOptions,
    pub views: &'a ViewOptions,
}

/// Identifies one of an evaluation's training runs.
pub(super) struct Training {
    pub stage: Stage,
    pub learning_rate: f64,
    /// Steps of the stage before this training.
    pub before: usize,
    /// Steps of the stage.
    pub total: usize,
}

/// Accuracy of a network on a set of images.
pub(super) struct Tested {
    pub accuracy: Accuracy,
    pub images: usize,
    pub width: usize,
    pub bad: Vec<BadImage>,
}

impl Tested {
    /// In percent.
    pub(super) fn top1(&self) -> f64 {
        self.accuracy.top1.first().copied().unwrap_or(0.0)
    }
}

impl Tuning<'_> {
    /// Images per step of a training on `images` images.
    pub(super) fn batch(&self, images: usize) -> usize {
        self.options.batch.min(images)
    }

    /// Steps of a training on `images` images.
    pub(super) fn steps(&self, images: usize) -> usize {
        self.options.epochs() * (images / self.batch(images).max(1))
    }

    /// Trains on these images, from where `known` has left this training; the bad ones among them, or `None` if the loss was not finite.
    pub(super) fn train(
        &self,
        network: &mut Network,
        images: &[u32],
        training: &Training,
        known: &Known,
        tell: &mut Tell<'_>,
    ) -> Result<Option<Vec<BadImage>>, EvalError> {
        let (batch_size, steps) = (self.batch(images.len()), self.steps(images.len()));
        let views = ViewOptions { images: Some(Arc::from(images)), ..self.views.clone() };
        let fit = training.stage == Stage::Fit;
        let mut at = Interruption {
            fit,
            learning_rate: training.learning_rate,
            steps: 0,
            next: Position::default(),
            bad_images: BTreeMap::new(),
        };
        let same = |left: &&PartialTraining| (left.at.fit, left.at.learning_rate) == (fit, training.learning_rate);
        if let Some(left) = known.training.as_ref().filter(same)
            && network.load(&left.tensors)?
        {
            at = left.at.clone();
            tell(Event::Resumed(&at));
        }
        let shuffled = Shuffled { seed: self.options.seed, start: at.next, end_epoch: self.options.epochs() as u64 };
        let mut loader = views.loader(self.train, views.augmentation.linear_training(), batch_size, Some(shuffled))?;
        let (side, device) = (i64::from(views.size), network.encoder().compute().device);
        while let Some(batch) = loader.next() {
            let batch = batch?;
            at.next = match batch.number + 1 == loader.batches() {
                true => Position { epoch: batch.epoch + 1, batch: 0 },
                false => Position { epoch: batch.epoch, batch: batch.number + 1 },
            };
            if batch.images.len() == batch_size {
                let truth = batch.images.iter().filter_map(|&image| self.labels.get(image as usize).copied());
                let truth = label_tensor(&truth.collect::<Vec<_>>(), device)?;
                let pixels = from_f32(batch.view(0), &[as_i64(batch_size), 3, side, side])?;
                let through = at.steps as f64 / steps as f64;
                let rate = training.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * through).cos());
                if !network.step(&pixels, &truth, rate)?.is_finite() {
                    return Ok(None);
                }
                at.steps += 1;
                tell(Event::Progress(Progress {
                    stage: training.stage,
                    done: training.before + at.steps,
                    total: training.total,
                }));
            }
            loader.recycle(batch);
            at.bad_images.extend(loader.new_bad_images().into_iter().map(|image| (image.index, image)));
            tell(Event::Step(&|| PartialTraining { at: at.clone(), tensors: network.export() }));
        }
        // The loss of a step is that before it: the last one may have left what is not finite.
        Ok((network.probe()?.finite()? == [true]).then(|| at.bad_images.into_values().collect()))
    }

    /// Accuracy on the images of a dataset, or on some of them, one central view each.
    pub(super) fn accuracy(
        &self,
        network: &Network,
        dataset: &Dataset,
        images: Option<&[u32]>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Tested, EvalError> {
        let views = ViewOptions { images: images.map(Arc::from), ..self.views.clone() };
        let features = extract(dataset, Extractor::Backbone(network.encoder()), &views, progress)?;
        features.check("test")?;
        let known = (self.train.class_names(), self.labels);
        let truth = match_names(known, (&features.class_names, &features.labels))?;
        let device: Device = network.encoder().compute().device;
        let rows = with_ones(&features.values.f_to_device(device)?)?;
        let every = Tensor::f_arange(as_i64(features.len()), (Kind::Int64, device))?;
        let accuracy = network.probe()?.accuracy(&rows, &label_tensor(&truth, device)?, &every)?;
        Ok(Tested { accuracy, images: features.len(), width: features.width(), bad: features.bad_images })
    }
}
