//! MixCo (Kim, Lee, Bae, Yun: *MixCo: Mix-up Contrastive Learning for Visual Representation*, NeurIPS workshop 2020), with MoCo: mixed images
//! are semi-positives of the two keys that they are made of.
//!
//! ```text
//! loss = l(q, k) + β mean over pairs of [ λ_i l_τ(q̃_i, k_i) + (1-λ_i) l_τ(q̃_i, k_{i+B/2}) ],     x̃_i = λ_i x_i + (1-λ_i) x_{i+B/2}
//! λ_i ~ U(0, 1)          l_τ: temperature τ, candidate keys: the batch's keys and the queue
//! ```
//!
//! The two terms of a pair are the cross-entropy against the soft target (λ_i, 1-λ_i) of the paper. The last image of an odd batch is not
//! mixed. Options: α of Beta(α, α) (1, which is U(0, 1)), β (1) and τ (0.05), both defaults of the public code.

use super::{Mixed, blend, shape};
use crate::ContrastError;
use mochi_random::{Beta, DrawKey, purpose};
use mochi_tensor::Tensor;

const PURPOSE: u8 = purpose::MIXCO;

/// The B/2 mixed images of one step from views (B, 3, H, W).
///
/// # Errors
/// `images` is not a batch of at least two images.
pub fn mixco(images: &Tensor, beta: &Beta, key: DrawKey) -> Result<Mixed, ContrastError> {
    let pairs = shape(images)?.0 / 2;
    if pairs == 0 {
        return Err(ContrastError::shape("mixing needs at least two images".into()));
    }
    let shares: Vec<f64> = (0..u32::try_from(pairs).unwrap_or(u32::MAX))
        .map(|i| beta.draw(key.with_purpose(PURPOSE).words(0, i)[0]))
        .collect();
    let mixed = blend(&images.f_narrow(0, 0, pairs)?, &images.f_narrow(0, pairs, pairs)?, &shares)?;
    Ok(Mixed::new(mixed, (0..pairs).collect(), (pairs..2 * pairs).collect(), |i| shares.get(i).copied().unwrap_or(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_tensor::{Device, Kind};

    #[test]
    fn halves_are_mixed_in_the_shares_that_they_weigh() {
        let images =
            Tensor::arange(7, (Kind::Float, Device::Cpu)).view([7, 1, 1, 1]).expand([7, 3, 4, 4], false).contiguous();
        let key = DrawKey { seed: 2, step: 3, ..DrawKey::default() };
        let mixed = mixco(&images, &Beta::symmetric(1.0), key).unwrap();
        let [own, other] = &mixed.targets;
        assert_eq!((own.keys.as_slice(), other.keys.as_slice()), (&[0, 1, 2][..], &[3, 4, 5][..]));
        for i in 0..3 {
            let lambda = own.weights[i] * 3.0;
            let wanted = lambda * i as f64 + (1.0 - lambda) * (i + 3) as f64;
            assert!((mixed.images.get(i as i64).max().double_value(&[]) - wanted).abs() < 1e-5);
            assert!((own.weights[i] + other.weights[i] - 1.0 / 3.0).abs() < 1e-12);
        }
        assert!(mixco(&images.narrow(0, 0, 1), &Beta::symmetric(1.0), key).is_err());
    }
}
