//! From images to frozen features, one row an image: what every judgement starts from.
//!
//! The view is the evaluation form of the run's own recipe (`Recipe::evaluation`), so the normalisation is the one that the encoder
//! was trained with. The encoder is in eval mode, nothing records gradients, and the encoder is checked unchanged afterwards.
//! Memory: 4 N F bytes for the features, and the loader's few batches.

use crate::{Backbone, EvalError, Progress, Stage};
use mochi_data::{BadImage, Dataset, Loader, LoaderOptions, Order, Recipe};
use mochi_nets::{Encoder, NormMode};
use mochi_tensor::{Device, Kind, Tensor, from_f32, no_grad};

/// What turns a view into a row of features.
#[derive(Debug, Clone, Copy)]
pub enum Extractor<'a> {
    /// Pooled backbone features, before the head.
    Encoder(&'a Encoder),
    /// The view's own values, flattened: the baseline that an encoder has to beat. Of images with one channel (IDX files) the view
    /// holds three equal planes, of which one is taken.
    Pixels,
}

/// How images become views.
#[derive(Debug, Clone)]
pub struct ViewOptions {
    /// The recipe that the run was trained with; evaluation takes its normalisation.
    pub recipe: Recipe,
    /// Width and height of a view in pixels.
    pub size: u32,
    /// Images in a batch; it changes speed and memory only.
    pub batch: usize,
    /// Reading threads; 0 means one for each core.
    pub threads: usize,
    /// Share of bad images above which the judgement is given up.
    pub max_bad_fraction: f64,
}

impl ViewOptions {
    /// Batches of 256 up to 64 px and of 64 above (a ResNet's widest layer then takes about 200 MB at 224 px), a thread for each core,
    /// at most 1 % of bad images.
    pub fn new(recipe: Recipe, size: u32) -> Self {
        let batch = if size <= 64 { 256 } else { 64 };
        Self { recipe, size, batch, threads: 0, max_bad_fraction: 0.01 }
    }

    /// The loader of one pass over a data set, one view per image; `shuffled` gives the seed and the number of epochs.
    pub(crate) fn loader(
        &self,
        dataset: &Dataset,
        recipe: Recipe,
        batch: usize,
        shuffled: Option<(u64, u64)>,
    ) -> Result<Loader, EvalError> {
        let (seed, end_epoch) = shuffled.unwrap_or((0, 1));
        let order = shuffled.map_or(Order::Sequential, |(seed, _)| Order::Shuffled { seed });
        let options = LoaderOptions {
            order,
            seed,
            end_epoch,
            batch,
            views: 1,
            size: self.size,
            recipe,
            drop_last: false,
            threads: self.threads,
            max_bad_fraction: self.max_bad_fraction,
            ..LoaderOptions::default()
        };
        Ok(Loader::new(dataset, options)?)
    }
}

/// Frozen features with what judging needs beside them.
#[derive(Debug)]
pub struct Features {
    /// (N, F), float32 on the CPU.
    pub values: Tensor,
    /// For each row an index into `class_names`.
    pub labels: Vec<u32>,
    /// For each row the image's index in its data set, ascending; bad images are not among them.
    pub images: Vec<u32>,
    /// The data set's classes.
    pub class_names: Vec<String>,
    /// The images that were left out.
    pub bad_images: Vec<BadImage>,
}

impl Features {
    /// N, the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether no image was usable.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// F, the number of features of an image.
    pub fn width(&self) -> usize {
        self.values.size().get(1).and_then(|&f| usize::try_from(f).ok()).unwrap_or(0)
    }

    /// Checks that there is something to judge and that every value is finite.
    pub(crate) fn check(&self, which: &'static str) -> Result<(), EvalError> {
        let rows = self.values.size().first().and_then(|&n| usize::try_from(n).ok());
        if self.values.dim() != 2
            || rows != Some(self.len())
            || self.images.len() != self.len()
            || self.values.kind() != Kind::Float
        {
            let (shape, labels) = (self.values.size(), self.len());
            return Err(EvalError::Shape(format!("{which} features of shape {shape:?} do not fit {labels} labels")));
        }
        if self.is_empty() {
            return Err(EvalError::Empty { which });
        }
        // A row's sum of |x| is finite exactly where the row is (short of overflow, which is as bad).
        let sums =
            Vec::<f32>::try_from(&self.values.f_abs()?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?)?;
        match sums.iter().zip(&self.images).find(|(sum, _)| !sum.is_finite()) {
            Some((_, &image)) => Err(EvalError::NotFinite { which, image }),
            None => Ok(()),
        }
    }
}

/// Checks both splits, and that they are as wide as each other; gives the test labels in the training split's numbering.
pub(crate) fn check_pair(train: &Features, test: &Features) -> Result<Vec<u32>, EvalError> {
    train.check("training")?;
    test.check("test")?;
    if train.width() != test.width() {
        let text = format!("training images have {} features each, test images {}", train.width(), test.width());
        return Err(EvalError::Shape(text));
    }
    if let Some(label) = train.labels.iter().find(|&&l| usize::try_from(l).is_ok_and(|l| l >= train.class_names.len()))
    {
        let text =
            format!("a training label is {label}, but the training set names {} classes", train.class_names.len());
        return Err(EvalError::Shape(text));
    }
    if train.class_names.len() < 2 {
        return Err(EvalError::TooFew(format!("it has {} class", train.class_names.len())));
    }
    crate::match_classes(train, test)
}

/// The labels of a data set that must have them.
pub(crate) fn labels_of(dataset: &Dataset) -> Result<&[u32], EvalError> {
    dataset.labels().ok_or_else(|| EvalError::NoLabels { kind: dataset.kind(), first: dataset.name_of(0) })
}

/// Extracts the features of every good image, in the data set's order. `progress` counts images.
///
/// # Errors
/// [`EvalError::NoLabels`], [`EvalError::BackboneMoved`], too many bad images, or what libtorch says.
pub fn extract(
    dataset: &Dataset,
    extractor: Extractor,
    options: &ViewOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Features, EvalError> {
    let all_labels = labels_of(dataset)?;
    let backbone = match extractor {
        Extractor::Encoder(encoder) => Some(Backbone::watch(encoder)?),
        Extractor::Pixels => None,
    };
    // IDX files hold one channel; the loader repeats it.
    let planes: i64 = if dataset.kind() == "IDX" { 1 } else { 3 };
    let side = i64::from(options.size);
    let total = dataset.len();
    let mut loader = options.loader(dataset, options.recipe.evaluation(options.size), options.batch, None)?;
    let mut values: Option<Tensor> = None;
    let mut images: Vec<u32> = Vec::with_capacity(total);
    while let Some(batch) = loader.next() {
        let batch = batch?;
        let (rows, done) = (as_i64(batch.images.len()), as_i64(images.len()));
        let view = batch.view(0);
        no_grad(|| -> Result<(), EvalError> {
            let view = from_f32(view, &[rows, 3, side, side])?;
            let part = match extractor {
                Extractor::Encoder(encoder) => {
                    encoder.features(&view, NormMode::Eval)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?
                }
                Extractor::Pixels => view.f_narrow(1, 0, planes)?.f_reshape([rows, planes * side * side])?,
            };
            let width = part.size().get(1).copied().unwrap_or(0);
            // Allocated once and whole, when the width is known.
            let place = match values.take() {
                Some(place) => place,
                None => Tensor::f_zeros([as_i64(total), width], (Kind::Float, Device::Cpu))?,
            };
            place.f_narrow(0, done, rows)?.f_copy_(&part)?;
            values = Some(place);
            Ok(())
        })?;
        images.extend_from_slice(&batch.images);
        loader.recycle(batch);
        progress(Progress { stage: Stage::Features, done: images.len(), total });
    }
    if let Some(backbone) = backbone {
        backbone.check()?;
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
        Features { values, labels: labels.to_vec(), images, class_names, bad_images: vec![] }
    }

    #[test]
    fn what_cannot_be_judged_is_named() {
        let good = features(&[&[1.0, 2.0], &[0.0, 1.0]], &[0, 1], &["a", "b"]);
        assert_eq!(check_pair(&good, &good).unwrap(), [0, 1]);
        let infinite = features(&[&[1.0, 2.0], &[f32::INFINITY, 1.0]], &[0, 1], &["a", "b"]);
        assert!(matches!(check_pair(&good, &infinite), Err(EvalError::NotFinite { which: "test", image: 1 })));
        let narrow = features(&[&[1.0]], &[0], &["a", "b"]);
        assert!(matches!(check_pair(&good, &narrow), Err(EvalError::Shape(_))));
        let one_class = features(&[&[1.0, 2.0]], &[0], &["a"]);
        assert!(matches!(check_pair(&one_class, &good), Err(EvalError::TooFew(_))));
        let empty = features(&[], &[], &["a", "b"]);
        assert!(matches!(check_pair(&good, &empty), Err(EvalError::Empty { which: "test" })));
        let beyond = features(&[&[1.0, 2.0]], &[2], &["a", "b"]);
        assert!(matches!(check_pair(&beyond, &good), Err(EvalError::Shape(_))));
    }
}
