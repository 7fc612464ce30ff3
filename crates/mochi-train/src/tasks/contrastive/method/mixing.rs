//! Mixed images as queries: the mixing method and the weight of its loss.

use mochi_config::{ImageMix, Mix};
use mochi_contrast::images::{Mixture, i_mix, mixco, un_mix};
use mochi_contrast::{ContrastError, Objective};
use mochi_random::{Beta, DrawKey};

/// An image-mixing method with its options.
#[derive(Debug)]
pub(crate) struct Mixing {
    images: ImageMix,
    beta: Beta,
    region: f64,
    weight: f64,
    temperature: f64,
}

impl Mixing {
    /// The method that `[mix]` selects.
    pub fn new(mix: &Mix) -> Option<Self> {
        (mix.images != ImageMix::None).then(|| Self {
            images: mix.images,
            beta: Beta::symmetric(mix.alpha),
            region: mix.region,
            weight: if mix.images == ImageMix::IMix { 1.0 } else { mix.weight },
            temperature: mix.temperature,
        })
    }

    /// Whether it replaces the plain loss.
    pub fn replaces_plain(&self) -> bool {
        self.images == ImageMix::IMix
    }

    /// Whether the batch's keys are among its candidate keys, independent of the plain loss.
    pub fn meets_batch(&self) -> bool {
        matches!(self.images, ImageMix::IMix | ImageMix::Mixco)
    }

    /// Weight of its loss relative to the plain one.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The plain objective at its positive_indices temperature, if it has one.
    pub fn objective(&self, plain: &Objective) -> Objective {
        let temperature = if self.images == ImageMix::Mixco { self.temperature } else { plain.temperature };
        Objective { temperature, ..plain.clone() }
    }

    /// How a batch of `batch` views of `size` (height, width) is mixed.
    pub fn draw(&self, batch: usize, size: [i64; 2], key: DrawKey) -> Result<Mixture, ContrastError> {
        let batch = u32::try_from(batch).unwrap_or(u32::MAX);
        match self.images {
            ImageMix::IMix => Ok(i_mix(batch, size, &self.beta, self.region, key)),
            ImageMix::Mixco => mixco(batch, &self.beta, key),
            ImageMix::UnMix | ImageMix::None => Ok(un_mix(batch, size, &self.beta, self.region, key)),
        }
    }
}
