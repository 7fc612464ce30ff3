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

use super::Mixture;
use crate::ContrastError;
use mochi_random::{Beta, DrawKey, purpose};

const PURPOSE: u8 = purpose::MIXCO;

/// How the B/2 pairs of a batch are mixed in one step.
///
/// # Errors
/// A batch of fewer than two images.
pub fn mixco(batch: u32, beta: &Beta, key: DrawKey) -> Result<Mixture, ContrastError> {
    let pairs = batch / 2;
    if pairs == 0 {
        return Err(ContrastError::shape("mixing needs at least two images".into()));
    }
    let lambda = (0..pairs).map(|i| beta.draw(key.with_purpose(PURPOSE).words(0, i)[0])).collect();
    let pairs = i64::from(pairs);
    Ok(Mixture { rows: [(0..pairs).collect(), (pairs..2 * pairs).collect()], lambda, cut: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_tensor::{Device, Kind, Tensor};

    #[test]
    fn halves_are_mixed_in_the_shares_that_they_weigh() {
        let images =
            Tensor::arange(7, (Kind::Float, Device::Cpu)).view([7, 1, 1, 1]).expand([7, 3, 4, 4], false).contiguous();
        let key = DrawKey { seed: 2, step: 3, ..DrawKey::default() };
        let mixture = mixco(7, &Beta::symmetric(1.0), key).unwrap();
        let mixed = mixture.of_batch(&images).unwrap();
        let [own, other] = &mixture.targets();
        assert_eq!((own.keys.as_slice(), other.keys.as_slice()), (&[0, 1, 2][..], &[3, 4, 5][..]));
        for i in 0..3 {
            let lambda = own.weights[i] * 3.0;
            let wanted = lambda * i as f64 + (1.0 - lambda) * (i + 3) as f64;
            assert!((mixed.get(i as i64).max().double_value(&[]) - wanted).abs() < 1e-5);
            assert!((own.weights[i] + other.weights[i] - 1.0 / 3.0).abs() < 1e-12);
        }
        assert!(mixco(1, &Beta::symmetric(1.0), key).is_err());
        // The weights of a part are those of the mean over the part, its pixels those of the whole.
        let part = mixture.part(1..3);
        assert!(part.of_batch(&images).unwrap().equal(&mixed.narrow(0, 1, 2)));
        assert_eq!((&part.rows()[0][..], &part.rows()[1][..]), (&[1, 2][..], &[4, 5][..]));
        assert!((part.targets()[0].weights[0] * 2.0 - own.weights[1] * 3.0).abs() < 1e-12);
    }
}
