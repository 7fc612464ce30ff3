//! `[mix]`: baselines that mix the pixels of the queries' views (Un-Mix, i-Mix, MixCo).

use super::section;
use crate::choice::ImageMix;
use crate::keys::Kind;

section! {
    /// Mixed images as queries, each answering for the keys of two images.
    Mix, MixSettings, "mix" {
        /// Which baseline: `none`, `un-mix` (the batch with its reverse, beside the plain loss), `i-mix` (each image with
        /// another one, instead of the plain loss), `mixco` (the batch's halves, beside it).
        plain images: ImageMix = Kind::Choice(ImageMix::WORDS);
        /// Shares of a mixture are drawn from Beta(v, v). 1: uniform.
        plain alpha: f64 = Kind::Positive { max: 1000.0 };
        /// Share of steps that paste a box of the other image (CutMix) instead of blending the whole: `un-mix` and `i-mix`.
        plain region: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Weight of the mixed images' loss beside the plain one: `un-mix` and `mixco`.
        plain weight: f64 = Kind::Positive { max: 1000.0 };
        /// Temperature of the mixed images' loss in `mixco`; the others use `moco.temperature`.
        plain temperature: f64 = Kind::Positive { max: 100.0 };
    }
}
