//! Mixed images as queries: which baseline, and what its loss counts.

use mochi_config::{ImageMix, Mix};
use mochi_contrast::images::{Mixed, Place, i_mix, mixco, un_mix};
use mochi_contrast::{ContrastError, Objective};
use mochi_random::Beta;
use mochi_tensor::Tensor;

/// A baseline with its options.
#[derive(Debug)]
pub(crate) struct Mixing {
    images: ImageMix,
    law: Beta,
    region: f64,
    weight: f64,
    temperature: f64,
}

impl Mixing {
    /// What `[mix]` asks for.
    pub fn new(mix: &Mix) -> Option<Self> {
        (mix.images != ImageMix::None).then(|| Self {
            images: mix.images,
            law: Beta::symmetric(mix.alpha),
            region: mix.region,
            weight: if mix.images == ImageMix::IMix { 1.0 } else { mix.weight },
            temperature: mix.temperature,
        })
    }

    /// Whether it takes the plain loss's place.
    pub fn replaces_plain(&self) -> bool {
        self.images == ImageMix::IMix
    }

    /// Whether the batch's keys stand among its columns whatever the plain loss has.
    pub fn meets_batch(&self) -> bool {
        matches!(self.images, ImageMix::IMix | ImageMix::Mixco)
    }

    /// Weight of its loss beside the plain one.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The plain objective at its own temperature, if it has one.
    pub fn objective(&self, plain: &Objective) -> Objective {
        let temperature = if self.images == ImageMix::Mixco { self.temperature } else { plain.temperature };
        Objective { temperature, ..plain.clone() }
    }

    /// Mixes views (B, 3, S, S).
    pub fn mix(&self, views: &Tensor, place: Place) -> Result<Mixed, ContrastError> {
        match self.images {
            ImageMix::IMix => i_mix(views, &self.law, self.region, place),
            ImageMix::Mixco => mixco(views, &self.law, place),
            ImageMix::UnMix | ImageMix::None => un_mix(views, &self.law, self.region, place),
        }
    }
}
