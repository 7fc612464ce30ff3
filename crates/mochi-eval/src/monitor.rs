//! Evaluation of an encoder while it is trained: always the same images, so that its values can be compared over the steps.
//!
//! The sample is drawn once, from the seed. In evaluation mode, with one view per image:
//!
//! * without labels, on at most [`LABEL_FREE`] images: RankMe of the features, uniformity and spread of the embeddings
//!   (`analysis`), and the fraction of each image's [`NEIGHBORS`] nearest neighbors that were its neighbors at the observation before;
//! * with labels: a third of each class is held out, and k-NN (`knn/2`) and a linear classifier (`linear-cached/1`, whose rate is selected on a tenth of the rest) that
//!   know the other two thirds are evaluated on it.
//!
//! What is held out here may be used to choose when to stop. Results that are reported come from test images that nothing was chosen by.
//!
//! Nothing of training is touched: no gradient is recorded, the encoder is checked bitwise unchanged, and random draws are functions of the seed.

use crate::analysis::neighbors::{Neighbors, neighbors, stability};
use crate::analysis::rank_me::rank_me;
use crate::analysis::sample::{Draw, check_finite, pass};
use crate::analysis::spread::spread;
use crate::classes::at_least_two;
use crate::draws::hold_out;
use crate::features::{as_i64, labels_of};
use crate::{
    EvalError, FeatureSource, Features, FrozenEncoder, KnnOptions, LinearOptions, Stage, ViewOptions, knn,
    linear_cached,
};
use mochi_contrast::uniformity;
use mochi_data::{Cancel, Dataset};
use mochi_nets::Encoder;
use mochi_tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Images of the measures that need no labels, at most: all pairs of them are compared.
pub const LABEL_FREE: usize = 2048;
/// Neighbors of an image.
pub const NEIGHBORS: usize = 10;
/// One of so many labeled images is held out.
const HELD_OUT: usize = 3;

/// What is observed, and how.
#[derive(Clone, Debug)]
pub struct MonitorOptions {
    /// Images of the sample, at most.
    pub images: usize,
    /// Seed of the sample, of what is held out and of the classifier.
    pub seed: u64,
    /// Views; their augmentation pipeline is that of the run.
    pub views: ViewOptions,
}

/// One evaluation. Accuracies are fractions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Top-1 accuracy of k-NN on the held-out images; `None` without labels.
    pub knn: Option<f64>,
    /// The same of a linear classifier.
    pub linear: Option<f64>,
    /// Number of held-out images; `None` without labels.
    pub held_out: Option<usize>,
    /// RankMe of the features.
    pub rank_me: Option<f64>,
    /// Uniformity of the embeddings.
    pub uniformity: Option<f64>,
    /// Spread of the embeddings.
    pub spread: Option<f64>,
    /// Fraction of the neighbors that are those of the observation before; `None` at the first.
    pub stability: Option<f64>,
}

/// Observes an encoder during training.
#[derive(Debug)]
pub struct Monitor {
    dataset: Dataset,
    labeled: bool,
    options: MonitorOptions,
    /// Images and neighbors of the last observation.
    before: Option<(Vec<u32>, Neighbors)>,
}

impl Monitor {
    /// Observes on images of `dataset`, whose labels count if `labeled`.
    ///
    /// # Errors
    /// Fewer than two images; labels that are asked for and missing, of one class only, or of classes too small for a part to be held out.
    pub fn new(dataset: Dataset, labeled: bool, options: MonitorOptions) -> Result<Self, EvalError> {
        if dataset.len().min(options.images) < 2 {
            return Err(EvalError::TooFewImages { images: dataset.len().min(options.images), needed: 2 });
        }
        if labeled {
            let labels = labels_of(&dataset, "evaluation")?;
            at_least_two(labels)?;
            let (fitted, held_out) = hold_out(labels, HELD_OUT, options.seed);
            if held_out.is_empty() {
                return Err(EvalError::NothingToHoldOut);
            }
            LinearOptions { seed: options.seed, ..LinearOptions::default() }.check(&take(labels, &fitted))?;
        }
        Ok(Self { dataset, labeled, options, before: None })
    }

    /// The images, of which a sample is observed.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Evaluates the encoder as it is.
    ///
    /// # Errors
    /// Too many bad images, [`mochi_data::DataError::Canceled`], an encoder or embeddings that are not finite, an error of libtorch.
    pub fn observe(&mut self, encoder: &Encoder, cancel: &Cancel) -> Result<Observation, EvalError> {
        let frozen = FrozenEncoder::snapshot(encoder)?;
        let views = ViewOptions { cancel: cancel.clone(), ..self.options.views.clone() };
        let draw = Draw { images: self.options.images, seed: self.options.seed };
        let plain = (views.augmentation.evaluation(views.size), 1);
        let seen = pass(&self.dataset, &[encoder], plain, draw, &views, (Stage::Features, &mut |_| ()))?;
        frozen.check()?;
        let empty = || EvalError::Empty { set: "evaluation" };
        let outputs = seen.outputs.first().ok_or_else(empty)?;
        let embeddings = outputs.embeddings.first().ok_or_else(empty)?;
        check_finite(&outputs.features, &seen.images)?;
        check_finite(embeddings, &seen.images)?;

        let count = seen.images.len().min(LABEL_FREE);
        let [features, embeddings] =
            [&outputs.features, embeddings].map(|values| values.f_narrow(0, 0, as_i64(count)).map_err(EvalError::from));
        let (features, embeddings) = (features?, embeddings?);
        let found = neighbors(&features, NEIGHBORS)?;
        let observed = seen.images.get(..count).unwrap_or_default();
        let same = self.before.as_ref().filter(|(images, _)| images.as_slice() == observed);
        let mut observation = Observation {
            rank_me: rank_me(&features)?,
            uniformity: uniformity(&embeddings)?,
            spread: spread(&embeddings)?,
            stability: same.and_then(|(_, before)| stability(&found, before)),
            ..Observation::default()
        };
        if self.labeled {
            let device = encoder.compute().device;
            let (knn, linear, held_out) = self.accuracies(&outputs.features, &seen.images, device)?;
            (observation.knn, observation.linear) = (Some(knn), Some(linear));
            observation.held_out = Some(held_out);
        }
        self.before = Some((observed.to_vec(), found));
        Ok(observation)
    }

    /// Accuracies of k-NN and of a linear classifier on the held-out part of features (N, F) of `images`, and its size.
    fn accuracies(&self, features: &Tensor, images: &[u32], device: Device) -> Result<(f64, f64, usize), EvalError> {
        let labels = take(labels_of(&self.dataset, "evaluation")?, images);
        let (fitted, held_out) = hold_out(&labels, HELD_OUT, self.options.seed);
        let part = |rows: &[u32]| -> Result<Features, EvalError> {
            let index: Vec<i64> = rows.iter().map(|&row| i64::from(row)).collect();
            Ok(Features {
                values: features.f_index_select(0, &Tensor::f_from_slice(&index)?)?,
                labels: take(&labels, rows),
                images: take(images, rows),
                class_names: self.dataset.class_names().to_vec(),
                bad_images: Vec::new(),
                source: FeatureSource::Backbone,
            })
        };
        let (train, test) = (part(&fitted)?, part(&held_out)?);
        let nearest = knn(&train, &test, &KnnOptions::default(), None, &mut |_| ())?;
        let options = LinearOptions { device, seed: self.options.seed, ..LinearOptions::default() };
        let linear = linear_cached(&train, &test, &options, None, &mut |_| ())?;
        Ok((nearest.top1 / 100.0, linear.top1 / 100.0, test.len()))
    }
}

/// The values at these places.
fn take(values: &[u32], places: &[u32]) -> Vec<u32> {
    places.iter().filter_map(|&place| values.get(usize::try_from(place).ok()?).copied()).collect()
}
