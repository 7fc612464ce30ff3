//! `[mix]`: methods that mix the images of the queries (Un-Mix, i-Mix, MixCo).

use crate::choice::ImageMix;
use crate::kind::Kind;
use crate::section::section;

section! {
    /// Mixed images as queries, each with the keys of two images as positives.
    Mix, MixSettings, "mix" {
        /// Image-mixing method: `none`; `un-mix` (mix the batch with its reversed order; added to the unmixed loss); `i-mix` (mix each image
        /// with another; replaces the unmixed loss); `mixco` (mix the two halves of the batch; added to the unmixed loss).
        plain images: ImageMix = Kind::Choice(ImageMix::WORDS);
        /// v: mixing coefficients are drawn from Beta(v, v). 1: uniform.
        plain alpha: f64 = Kind::Positive { max: 1000.0 };
        /// Fraction of steps that paste a box of the other image (CutMix) instead of blending the images, for `un-mix` and `i-mix`.
        plain region: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Weight of the loss of the mixed images, for `un-mix` and `mixco`.
        plain weight: f64 = Kind::Positive { max: 1000.0 };
        /// Temperature of the loss of the mixed images, for `mixco`. The others use `moco.temperature`.
        plain temperature: f64 = Kind::Positive { max: 100.0 };
    }
}
