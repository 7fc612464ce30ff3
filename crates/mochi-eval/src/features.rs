//! Frozen features of a dataset, one row per image: the input of every evaluation.
//!
//! Views are the evaluation form of the run's augmentation pipeline (`Augmentation::evaluation`), so the normalization is the one that the
//! encoder was trained with. The encoder is in evaluation mode, no gradients are recorded, and the encoder is checked unchanged
//! afterwards. Memory: 4 N F bytes for the features, and a few batches in the loader.

use crate::classes::{at_least_two, match_names};
use crate::{EvalError, FrozenEncoder, Progress, Stage};
use mochi_data::{BadImage, Cancel, Dataset, Loader, LoaderOptions, Order, Position, Shard};
use mochi_nets::{Encoder, NormMode};
use mochi_tensor::{Device, Kind, Tensor, from_f32, no_grad};
use mochi_views::Augmentation;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The layer that features are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureSource {
    /// Pooled backbone features, before the head.
    Backbone,
    /// Unit embeddings, the output of the head.
    Embedding,
    /// The normalized pixels of the view: the baseline that an encoder should exceed.
    Pixels,
}

/// Function from views (B, 3, S, S) to features (B, F).
#[derive(Debug, Clone, Copy)]
pub enum Extractor<'a> {
    /// Pooled backbone features, before the head.
    Backbone(&'a Encoder),
    /// Unit embeddings, the output of the head.
    Embedding(&'a Encoder),
    /// The view's own values, flattened. Of images with one channel (IDX files) the view holds three equal planes; one is taken.
    Pixels,
}

impl<'a> Extractor<'a> {
    /// The layer that features are taken from.
    pub fn source(self) -> FeatureSource {
        match self {
            Self::Backbone(_) => FeatureSource::Backbone,
            Self::Embedding(_) => FeatureSource::Embedding,
            Self::Pixels => FeatureSource::Pixels,
        }
    }

    fn encoder(self) -> Option<&'a Encoder> {
        match self {
            Self::Backbone(encoder) | Self::Embedding(encoder) => Some(encoder),
            Self::Pixels => None,
        }
    }

    /// Features (B, F), float32 on the CPU; `planes` of the view's three are taken as pixels.
    fn features(self, view: &Tensor, planes: i64) -> Result<Tensor, EvalError> {
        let features = match self {
            Self::Backbone(encoder) => encoder.features(view, NormMode::Eval)?,
            Self::Embedding(encoder) => encoder.embed(view, NormMode::Eval)?,
            Self::Pixels => view.f_narrow(1, 0, planes)?.f_flatten(1, -1)?,
        };
        Ok(features.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?)
    }
}

/// How images become views.
#[derive(Debug, Clone)]
pub struct ViewOptions {
    /// Augmentation pipeline of the run; evaluation uses its normalization.
    pub augmentation: Augmentation,
    /// Width and height of a view in pixels.
    pub size: u32,
    /// Images per batch; affects speed and memory only.
    pub batch: usize,
    /// Loader threads; 0 means one per core.
    pub threads: usize,
    /// Fraction of bad images above which the evaluation fails.
    pub max_bad_fraction: f64,
    /// Part of each batch whose features are extracted.
    pub shard: Shard,
    /// Only these images, by rising index; `None`: all.
    pub images: Option<Arc<[u32]>>,
    /// Ends waiting for images with [`mochi_data::DataError::Canceled`].
    pub cancel: Cancel,
}

impl ViewOptions {
    /// Batches of 256 up to 64 px and of 64 above (a ResNet's widest layer then takes about 200 MB at 224 px), one thread per core,
    /// at most 1 % of bad images.
    pub fn new(augmentation: Augmentation, size: u32) -> Self {
        let batch = if size <= 64 { 256 } else { 64 };
        let (threads, max_bad_fraction, shard, cancel) = (0, 0.01, Shard::WHOLE, Cancel::default());
        Self { augmentation, size, batch, threads, max_bad_fraction, shard, images: None, cancel }
    }

    /// The loader of one view per image of a dataset: once in its order, or shuffled.
    pub(crate) fn loader(
        &self,
        dataset: &Dataset,
        augmentation: Augmentation,
        batch: usize,
        shuffled: Option<Shuffled>,
    ) -> Result<Loader, EvalError> {
        let order = shuffled.as_ref().map_or(Order::Sequential, |shuffled| Order::Shuffled { seed: shuffled.seed });
        let Shuffled { seed, start, end_epoch } =
            shuffled.unwrap_or(Shuffled { seed: 0, start: Position::default(), end_epoch: 1 });
        let options = LoaderOptions {
            order,
            seed,
            start,
            end_epoch,
            batch,
            views: 1,
            size: self.size,
            augmentation,
            drop_last: false,
            threads: self.threads,
            max_bad_fraction: self.max_bad_fraction,
            shard: self.shard,
            images: self.images.clone(),
            cancel: self.cancel.clone(),
            ..LoaderOptions::default()
        };
        Ok(Loader::new(dataset, options)?)
    }
}

/// Epochs of a dataset, each in another order.
pub(crate) struct Shuffled {
    pub seed: u64,
    pub start: Position,
    pub end_epoch: u64,
}

/// Frozen features with labels.
#[derive(Debug)]
pub struct Features {
    /// (N, F), float32 on the CPU.
    pub values: Tensor,
    /// For each row an index into `class_names`.
    pub labels: Vec<u32>,
    /// For each row the image's index in its dataset, ascending; bad images are not among them.
    pub images: Vec<u32>,
    /// Class names of the dataset.
    pub class_names: Vec<String>,
    /// Images that could not be read.
    pub bad_images: Vec<BadImage>,
    /// The layer that the features are taken from; part of the protocol's name.
    pub source: FeatureSource,
}

impl Features {
    /// N, the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether no image could be read.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// F, the number of features per image.
    pub fn width(&self) -> usize {
        self.values.size().get(1).and_then(|&f| usize::try_from(f).ok()).unwrap_or(0)
    }

    /// Checks that there is a row, that the parts fit each other, and that every value is finite.
    pub(crate) fn check(&self, set: &'static str) -> Result<(), EvalError> {
        let rows = self.values.size().first().and_then(|&n| usize::try_from(n).ok());
        if self.values.dim() != 2
            || rows != Some(self.len())
            || self.images.len() != self.len()
            || self.values.kind() != Kind::Float
        {
            let (shape, labels) = (self.values.size(), self.len());
            let text = format!("expected {set} features of shape ({labels}, F) in float32, got {shape:?}");
            return Err(EvalError::Shape(text));
        }
        if self.is_empty() {
            return Err(EvalError::Empty { set });
        }
        // A row's sum of |x| is finite exactly if the row is (short of overflow, which is as bad).
        let sums =
            Vec::<f32>::try_from(&self.values.f_abs()?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?)?;
        match sums.iter().zip(&self.images).find(|(sum, _)| !sum.is_finite()) {
            Some((_, &image)) => Err(EvalError::FeaturesNotFinite { set, image }),
            None => Ok(()),
        }
    }
}

/// The test labels in the training split's numbering.
///
/// # Errors
/// [`EvalError::UnknownClasses`] naming every class with test images that has no training image. A test class without images is
/// ignored.
pub fn match_classes(train: &Features, test: &Features) -> Result<Vec<u32>, EvalError> {
    match_names((&train.class_names, &train.labels), (&test.class_names, &test.labels))
}

/// Checks both splits and that they match; returns the test labels in the training split's numbering.
pub(crate) fn check_pair(train: &Features, test: &Features) -> Result<Vec<u32>, EvalError> {
    train.check("training")?;
    test.check("test")?;
    if (train.width(), train.source) != (test.width(), test.source) {
        let text = format!(
            "expected features of one kind, got {} {:?} features per training image and {} {:?} features per test image",
            train.width(),
            train.source,
            test.width(),
            test.source
        );
        return Err(EvalError::Shape(text));
    }
    at_least_two(&train.labels)?;
    match_classes(train, test)
}

/// The labels of a dataset that must have them.
pub(crate) fn labels_of<'a>(dataset: &'a Dataset, set: &'static str) -> Result<&'a [u32], EvalError> {
    dataset.labels().ok_or_else(|| EvalError::NoLabels { set, kind: dataset.kind(), first: dataset.name_of(0) })
}

/// Extracts the features of every readable image, in the dataset's order. `progress` counts images.
///
/// # Errors
/// [`EvalError::NoLabels`], [`EvalError::EncoderChanged`], too many bad images, or an error of libtorch.
pub fn extract(
    dataset: &Dataset,
    extractor: Extractor,
    options: &ViewOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Features, EvalError> {
    let all_labels = labels_of(dataset, "given")?;
    let frozen = extractor.encoder().map(FrozenEncoder::snapshot).transpose()?;
    // IDX files hold one channel; the loader repeats it.
    let planes: i64 = if dataset.kind() == "IDX" { 1 } else { 3 };
    let side = i64::from(options.size);
    let total = options.images.as_ref().map_or(dataset.len(), |images| images.len());
    let mut loader = options.loader(dataset, options.augmentation.evaluation(options.size), options.batch, None)?;
    let mut values: Option<Tensor> = None;
    let mut images: Vec<u32> = Vec::with_capacity(total);
    while let Some(batch) = loader.next() {
        let batch = batch?;
        let (rows, done) = (as_i64(batch.images.len()), as_i64(images.len()));
        let view = batch.view(0);
        no_grad(|| -> Result<(), EvalError> {
            let part = extractor.features(&from_f32(view, &[rows, 3, side, side])?, planes)?;
            let width = part.size().get(1).copied().unwrap_or(0);
            // Allocated once, when the width is known.
            let all = match values.take() {
                Some(all) => all,
                None => Tensor::f_zeros([as_i64(total), width], (Kind::Float, Device::Cpu))?,
            };
            all.f_narrow(0, done, rows)?.f_copy_(&part)?;
            values = Some(all);
            Ok(())
        })?;
        images.extend_from_slice(&batch.images);
        loader.recycle(batch);
        progress(Progress { stage: Stage::Features, done: images.len(), total });
    }
    if let Some(frozen) = frozen {
        frozen.check()?;
    }
    let values = match values {
        Some(values) => values.f_narrow(0, 0, as_i64(images.len()))?,
        None => Tensor::f_zeros([0, 0], (Kind::Float, Device::Cpu))?,
    };
    let labels = images.iter().filter_map(|&i| all_labels.get(usize::try_from(i).ok()?).copied()).collect();
    Ok(Features {
        values,
        labels,
        images,
        class_names: dataset.class_names().to_vec(),
        bad_images: loader.bad_images(),
        source: extractor.source(),
    })
}

pub(crate) fn as_i64(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Features from rows, with images 0, 1, 2, ...
    pub(crate) fn features(rows: &[&[f32]], labels: &[u32], classes: &[&str]) -> Features {
        let width = rows.first().map_or(0, |r| r.len());
        let values = from_f32(&rows.concat(), &[as_i64(rows.len()), as_i64(width)]).unwrap();
        let images = (0..u32::try_from(rows.len()).unwrap()).collect();
        let class_names = classes.iter().map(|&c| c.to_owned()).collect();
        Features {
            values,
            labels: labels.to_vec(),
            images,
            class_names,
            bad_images: vec![],
            source: FeatureSource::Backbone,
        }
    }

    #[test]
    fn features_that_cannot_be_evaluated_are_refused() {
        let good = features(&[&[1.0, 2.0], &[0.0, 1.0]], &[0, 1], &["a", "b"]);
        assert_eq!(check_pair(&good, &good).unwrap(), [0, 1]);
        let infinite = features(&[&[1.0, 2.0], &[f32::INFINITY, 1.0]], &[0, 1], &["a", "b"]);
        assert!(matches!(check_pair(&good, &infinite), Err(EvalError::FeaturesNotFinite { set: "test", image: 1 })));
        let narrow = features(&[&[1.0]], &[0], &["a", "b"]);
        assert!(matches!(check_pair(&good, &narrow), Err(EvalError::Shape(_))));
        let one_class = features(&[&[1.0, 2.0]], &[0], &["a"]);
        assert!(matches!(check_pair(&one_class, &good), Err(EvalError::TooFewClasses { classes: 1 })));
        let empty = features(&[], &[], &["a", "b"]);
        assert!(matches!(check_pair(&good, &empty), Err(EvalError::Empty { set: "test" })));
        let beyond = features(&[&[1.0, 2.0], &[0.0, 1.0]], &[0, 2], &["a", "b"]);
        assert!(matches!(check_pair(&beyond, &good), Err(EvalError::Shape(_))));
        let embedding = Features { source: FeatureSource::Embedding, ..features(&[&[1.0, 2.0]], &[0], &["a", "b"]) };
        assert!(matches!(check_pair(&good, &embedding), Err(EvalError::Shape(_))));
    }
}
