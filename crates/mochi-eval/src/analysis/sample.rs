//! Features and embeddings of a sample of a dataset by several encoders, with each image read once for all of them.
//!
//! The sample is the beginning of an epoch in shuffled order: a function of the seed and the dataset. A bad image is replaced by the next one, as in
//! training; an image that would be in the sample twice is left out.

use crate::features::as_i64;
use crate::{EvalError, Progress, Stage, ViewOptions};
use mochi_data::{BadImage, Dataset, Loader, LoaderOptions, Order};
use mochi_nets::{Encoder, NormMode};
use mochi_tensor::{Device, Kind, Tensor, from_f32, no_grad};
use mochi_views::Augmentation;
use std::collections::HashSet;

/// Which images of a dataset are in a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    /// Number of images, at most.
    pub images: usize,
    /// Seed of the order and of the views.
    pub seed: u64,
}

/// What one encoder makes of the sample's N images.
pub(crate) struct Outputs {
    /// (N, F), float32 on the CPU, of the first view.
    pub features: Tensor,
    /// For each view (N, D), unit rows, float32 on the CPU.
    pub embeddings: Vec<Tensor>,
}

/// One pass over the sample.
pub(crate) struct Pass {
    /// For each row the image's index in the dataset.
    pub images: Vec<u32>,
    /// Images that could not be read.
    pub bad: Vec<BadImage>,
    /// For each encoder.
    pub outputs: Vec<Outputs>,
}

/// Reads the sample once, with `views` views of `augmentation` for each image. `progress` counts images.
pub(crate) fn pass(
    dataset: &Dataset,
    encoders: &[&Encoder],
    (augmentation, views): (Augmentation, usize),
    draw: Draw,
    options: &ViewOptions,
    (stage, progress): (Stage, &mut dyn FnMut(Progress)),
) -> Result<Pass, EvalError> {
    let wanted = draw.images.min(dataset.len());
    let mut loader = loader(dataset, (augmentation, views), draw.seed, options)?;
    let mut seen = HashSet::new();
    let mut images: Vec<u32> = Vec::new();
    let mut read = 0;
    let mut parts: Vec<Parts> = encoders.iter().map(|_| Parts::new(views)).collect();
    while read < wanted {
        let Some(batch) = loader.next() else { break };
        let batch = batch?;
        let rows = batch.images.iter().take(wanted - read);
        let fresh: Vec<i64> = rows.zip(0i64..).filter(|&(&image, _)| seen.insert(image)).map(|(_, row)| row).collect();
        read += batch.images.len();
        images.extend(fresh.iter().filter_map(|&row| batch.images.get(usize::try_from(row).ok()?)));
        let (fresh, count) = (Tensor::f_from_slice(&fresh)?, as_i64(batch.images.len()));
        let side = i64::from(options.size);
        for view in 0..views {
            let pixels = from_f32(batch.view(view), &[count, 3, side, side])?.f_index_select(0, &fresh)?;
            for (encoder, parts) in encoders.iter().zip(&mut parts) {
                parts.add(encoder, &pixels, view)?;
            }
        }
        loader.recycle(batch);
        progress(Progress { stage, done: read.min(wanted), total: wanted });
    }
    if images.is_empty() {
        return Err(EvalError::TooFewImages { images: 0, needed: 2 });
    }
    let outputs = parts.iter().map(Parts::finish).collect::<Result<_, _>>()?;
    Ok(Pass { images, bad: loader.bad_images(), outputs })
}

/// Refuses values that are not finite and fewer than two rows.
pub(crate) fn check_finite(values: &Tensor, images: &[u32]) -> Result<(), EvalError> {
    if images.len() < 2 {
        return Err(EvalError::TooFewImages { images: images.len(), needed: 2 });
    }
    let sums = Vec::<f32>::try_from(values.f_abs()?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?)?;
    match sums.iter().zip(images).find(|(sum, _)| !sum.is_finite()) {
        Some((_, &image)) => Err(EvalError::FeaturesNotFinite { set: "given", image }),
        None => Ok(()),
    }
}

fn loader(
    dataset: &Dataset,
    (augmentation, views): (Augmentation, usize),
    seed: u64,
    options: &ViewOptions,
) -> Result<Loader, EvalError> {
    let options = LoaderOptions {
        order: Order::Shuffled { seed },
        seed,
        batch: options.batch,
        views,
        size: options.size,
        augmentation,
        drop_last: false,
        threads: options.threads,
        max_bad_fraction: options.max_bad_fraction,
        cancel: options.cancel.clone(),
        ..LoaderOptions::default()
    };
    Ok(Loader::new(dataset, options)?)
}

/// Outputs of an encoder so far, by batch.
struct Parts {
    features: Vec<Tensor>,
    embeddings: Vec<Vec<Tensor>>,
}

impl Parts {
    fn new(views: usize) -> Self {
        Self { features: Vec::new(), embeddings: (0..views).map(|_| Vec::new()).collect() }
    }

    fn add(&mut self, encoder: &Encoder, pixels: &Tensor, view: usize) -> Result<(), EvalError> {
        no_grad(|| {
            let host = |t: &Tensor| t.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float);
            let features = encoder.features(pixels, NormMode::Eval)?;
            if let Some(parts) = self.embeddings.get_mut(view) {
                parts.push(host(&encoder.project(&features, NormMode::Eval)?)?);
            }
            if view == 0 {
                self.features.push(host(&features)?);
            }
            Ok(())
        })
    }

    fn finish(&self) -> Result<Outputs, EvalError> {
        let embeddings = self.embeddings.iter().map(|parts| Tensor::f_cat(parts, 0));
        Ok(Outputs { features: Tensor::f_cat(&self.features, 0)?, embeddings: embeddings.collect::<Result<_, _>>()? })
    }
}
