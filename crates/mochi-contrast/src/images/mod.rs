//! Image mixing: queries of mixed images, each with the keys of two images as weighted positives.
//!
//! ```text
//! loss(mixed) = Σ_m  w_m l(q̃_m, k_{i(m)}) + w'_m l(q̃_m, k_{j(m)}),      Σ_m w_m + w'_m = 1
//! ```
//!
//! where `l` is any loss of [`crate::info_nce`]. A method draws which images are mixed and how ([`Mixture`]), from which pixels and two lists of keys and
//! weights follow, so it can be combined with all strategies, negative filters and loss variants. If the batch's keys are candidate keys, key i(m) is not a
//! negative. What is drawn does not depend on pixels, so a rank that has a part of the batch knows of which images it needs the pixels.
//!
//! | method | mixes | added to the loss without mixing | candidate keys |
//! |---|---|---|---|
//! | [`un_mix`] | the batch with its reverse, whole or in a box, one coefficient per step | yes | the queue |
//! | [`i_mix`] | every image with another one, one coefficient per image | no, replaces it | batch keys and queue |
//! | [`mixco`] | the batch's halves, one coefficient per pair | yes, with its own temperature | batch keys and queue |
//!
//! In a symmetric loss each direction mixes the views of its queries. (Un-Mix's public code uses those of the first view for both.)

mod i_mix;
mod mixco;
mod un_mix;

pub use i_mix::i_mix;
pub use mixco::mixco;
pub use un_mix::un_mix;

use crate::{Affine, Context, ContrastError, Loss, Objective, SampleMetadata, info_nce};
use mochi_random::below;
use mochi_tensor::{Tensor, upload};
use std::ops::Range;

/// One positive of each mixed image: the image of its key, and the weight of its loss (λ or 1 - λ).
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Row of the key in the batch, for each mixed image.
    pub keys: Vec<i64>,
    /// Weight of the term, for each mixed image. The weights of both targets sum to 1.
    pub weights: Vec<f64>,
}

/// Which images of a batch are mixed in a step, and how: M mixed images, each of an image and its partner.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    /// Rows of the images in the batch, and of their partners.
    rows: [Vec<i64>; 2],
    /// Mixing coefficients of the images; those of the partners are 1 - λ.
    lambda: Vec<f64>,
    /// The box that has the partner's pixels; `None` where pixels are blended.
    cut: Option<CutBox>,
}

impl Mixture {
    /// M.
    pub fn len(&self) -> usize {
        self.lambda.len()
    }

    /// Whether nothing is mixed.
    pub fn is_empty(&self) -> bool {
        self.lambda.is_empty()
    }

    /// Rows of the images in the batch, and of their partners.
    pub fn rows(&self) -> &[Vec<i64>; 2] {
        &self.rows
    }

    /// Some of the mixed images. The targets of a part are those of the mean over the part.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let of = |rows: &Vec<i64>| rows.get(range.clone()).unwrap_or_default().to_vec();
        let lambda = self.lambda.get(range.clone()).unwrap_or_default().to_vec();
        Self { rows: [of(&self.rows[0]), of(&self.rows[1])], lambda, cut: self.cut }
    }

    /// The mixed pixels (M, 3, H, W) of the images and of their partners, each (M, 3, H, W).
    ///
    /// # Errors
    /// Another number of images.
    pub fn pixels(&self, images: &Tensor, partners: &Tensor) -> Result<Tensor, ContrastError> {
        match self.cut {
            Some(cut) => cut.paste(images, partners),
            None => blend(images, partners, &self.lambda),
        }
    }

    /// [`Self::pixels`] of the whole batch (B, 3, H, W).
    ///
    /// # Errors
    /// An image that is not in the batch.
    pub fn of_batch(&self, batch: &Tensor) -> Result<Tensor, ContrastError> {
        let of = |rows: &[i64]| -> Result<Tensor, ContrastError> {
            let in_order = rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
            Ok(match rows.first() {
                // Without a copy.
                Some(&first) if in_order => batch.f_narrow(0, first, self.len() as i64)?,
                _ => batch.f_index_select(0, &upload(&Tensor::f_from_slice(rows)?, batch.device())?)?,
            })
        };
        self.pixels(&of(&self.rows[0])?, &of(&self.rows[1])?)
    }

    /// The positives of each mixed image.
    pub fn targets(&self) -> [Target; 2] {
        let count = self.len().max(1) as f64;
        let target = |keys: &[i64], weight: &dyn Fn(f64) -> f64| Target {
            keys: keys.to_vec(),
            weights: self.lambda.iter().map(|&lambda| weight(lambda) / count).collect(),
        };
        [target(&self.rows[0], &|lambda| lambda), target(&self.rows[1], &|lambda| 1.0 - lambda)]
    }
}

/// Offset between the rows of the draws of a batch and of the two terms of its mixed images: more than any batch has.
const TERM: u32 = 1 << 24;

/// The loss of mixed queries (M, D): the weighted sum of [`info_nce`] with the positives (B, D) of each target.
///
/// `context` is that of the B images of the batch; each term uses the part of its images. Measurements are those of the first target.
///
/// # Errors
/// As [`info_nce`], and a target with an image that is not in the batch.
pub fn loss(
    query: &Tensor,
    positives: &Tensor,
    candidates: &Tensor,
    targets: &[Target; 2],
    objective: &Objective,
    context: &Context,
) -> Result<Loss, ContrastError> {
    let [first, second] = targets;
    let mut sum = term(query, positives, candidates, first, 1, objective, context)?;
    let other = term(query, positives, candidates, second, 2, objective, context)?;
    sum.value += other.value;
    sum.chance += other.chance;
    sum.gradient = sum.gradient.f_add(&other.gradient)?;
    sum.fewer_hard_negatives = sum.fewer_hard_negatives.into_iter().chain(other.fewer_hard_negatives).min();
    Ok(sum)
}

fn term(
    query: &Tensor,
    positives: &Tensor,
    candidates: &Tensor,
    target: &Target,
    number: u32,
    objective: &Objective,
    context: &Context,
) -> Result<Loss, ContrastError> {
    let batch = positives.size().first().map_or(0, |&n| usize::try_from(n).unwrap_or(0));
    let images: Vec<usize> = target.keys.iter().map(|&key| usize::try_from(key).unwrap_or(usize::MAX)).collect();
    if let Some(image) = images.iter().find(|&&image| image >= batch) {
        return Err(ContrastError::shape(format!("a mixture names image {image} of {batch}")));
    }
    let whole = |values: Option<&[i64]>| values.map(|values| pick(values, &images));
    let (ids, labels) = (whole(context.queries.images), whole(context.queries.labels));
    let width = context.positive_indices.len() / batch.max(1);
    let own: Vec<u32> = images
        .iter()
        .flat_map(|&image| context.positive_indices.iter().copied().skip(image * width).take(width))
        .collect();
    let affine: Option<Vec<Affine>> = context.positive.map(|positive| pick(positive, &images));
    let context = Context {
        draws: context.draws.from_row(number * TERM),
        queries: SampleMetadata { images: ids.as_deref(), labels: labels.as_deref() },
        candidates: context.candidates,
        positive_indices: &own,
        weights: Some(&target.weights),
        positive: affine.as_deref(),
        samples: &[],
    };
    let key = positives.f_index_select(0, &upload(&Tensor::f_from_slice(&target.keys)?, positives.device())?)?;
    info_nce(query, &key, candidates, objective, &context)
}

/// The entries of `images`. Indices out of range are skipped; the resulting length mismatch is an error later.
fn pick<T: Copy>(values: &[T], images: &[usize]) -> Vec<T> {
    images.iter().filter_map(|&image| values.get(image).copied()).collect()
}

/// `lambda · a + (1 - lambda) · b` with a coefficient for each image.
fn blend(a: &Tensor, b: &Tensor, shares: &[f64]) -> Result<Tensor, ContrastError> {
    let shares = upload(&Tensor::f_from_slice(shares)?.f_view([-1, 1, 1, 1])?.f_to_kind(a.kind())?, a.device())?;
    Ok(b.f_lerp_tensor(a, &shares)?)
}

/// CutMix's box (Yun et al. 2019): sides √(1 - lambda) of the image's around a uniform center, clipped at the border.
#[derive(Debug, Clone, Copy, PartialEq)]
struct CutBox {
    top: i64,
    left: i64,
    height: i64,
    width: i64,
}

impl CutBox {
    fn draw(height: i64, width: i64, lambda: f64, words: [u32; 2]) -> Self {
        let span = |side: i64, word: u32| {
            let half = (side as f64 * (1.0 - lambda).max(0.0).sqrt()) as i64 / 2;
            let center = i64::from(below(word, u32::try_from(side).unwrap_or(u32::MAX)));
            let (from, to) = ((center - half).clamp(0, side), (center + half).clamp(0, side));
            (from, to - from)
        };
        let ((top, height), (left, width)) = (span(height, words[0]), span(width, words[1]));
        Self { top, left, height, width }
    }

    /// Fraction of the image outside of the box.
    fn lambda(self, height: i64, width: i64) -> f64 {
        1.0 - (self.height * self.width) as f64 / (height * width).max(1) as f64
    }

    /// `images` with the partners' pixels inside of the box.
    fn paste(self, images: &Tensor, partners: &Tensor) -> Result<Tensor, ContrastError> {
        let mixed = images.copy();
        if self.height > 0 && self.width > 0 {
            let window = |t: &Tensor| t.f_narrow(2, self.top, self.height)?.f_narrow(3, self.left, self.width);
            window(&mixed)?.f_copy_(&window(partners)?)?;
        }
        Ok(mixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn boxes_lie_in_the_image_and_tell_their_lambda(h in 1i64..40, w in 1i64..40, lambda in 0.0..=1.0f64, words in any::<[u32; 2]>()) {
            let cut = CutBox::draw(h, w, lambda, words);
            prop_assert!(cut.top >= 0 && cut.left >= 0 && cut.top + cut.height <= h && cut.left + cut.width <= w);
            // Clipping at the border only shrinks the box.
            prop_assert!(cut.lambda(h, w) >= lambda - 1e-9);
        }
    }

    #[test]
    fn a_box_in_the_middle_is_cut_mix_s() {
        // Coefficient 3/4: half of each side, center (16, 16).
        let cut = CutBox::draw(32, 32, 0.75, [1 << 31, 1 << 31]);
        assert_eq!(cut, CutBox { top: 8, left: 8, height: 16, width: 16 });
        assert_eq!(cut.lambda(32, 32), 0.75);
        assert_eq!(CutBox::draw(32, 32, 1.0, [5, 5]).lambda(32, 32), 1.0);
    }
}
