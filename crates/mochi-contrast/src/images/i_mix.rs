//! i-Mix (Lee, Zhu, Sohn, Li, Shin, Lee: *i-Mix: A Domain-Agnostic Strategy for Contrastive Representation Learning*, ICLR 2021), with MoCo:
//! every key of the batch is a virtual class, and a mixed image belongs to two of them.
//!
//! ```text
//! loss = mean over images of  λ_i l(q̃_i, k_i) + (1-λ_i) l(q̃_i, k_π(i)),     x̃_i = λ_i x_i + (1-λ_i) x_π(i)
//! λ_i = max(x, 1-x), x ~ Beta(α, α)          π a permutation of the batch
//! candidate keys of l: the batch's keys and the queue
//! ```
//!
//! It replaces the loss without mixing. Options: α (1), and the fraction of steps that paste a box of x_π(i) instead (0), with one λ for all images.

use super::{CutBox, Mixture};
use mochi_random::{Beta, DrawKey, permutation, purpose, unit};

const PURPOSE: u8 = purpose::I_MIX;

/// How a batch of views of `height` x `width` pixels is mixed in one step; a fraction `region` of steps mixes a box instead of the whole image.
pub fn i_mix(batch: u32, [height, width]: [i64; 2], beta: &Beta, region: f64, key: DrawKey) -> Mixture {
    let order = key.with_purpose(purpose::I_MIX_PARTNERS);
    let partners = permutation(order.family(0), order.counter(0), batch).into_iter().map(i64::from).collect();
    let rows = [(0..i64::from(batch)).collect(), partners];
    let larger = |word: u32| {
        let lambda = beta.draw(word);
        lambda.max(1.0 - lambda)
    };
    let [choice, lambda, row, column] = key.with_purpose(PURPOSE).words(0, 0);
    if unit(choice) < region {
        let cut = CutBox::draw(height, width, larger(lambda), [row, column]);
        return Mixture { rows, lambda: vec![cut.lambda(height, width); batch as usize], cut: Some(cut) };
    }
    let lambda = (1..=batch).map(|item| larger(key.with_purpose(PURPOSE).words(0, item)[0])).collect();
    Mixture { rows, lambda, cut: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_tensor::{Device, Kind, Tensor};

    #[test]
    fn pixels_and_weights_tell_the_same_share_and_the_larger_one_is_the_image_s_own() {
        let images =
            Tensor::arange(6, (Kind::Float, Device::Cpu)).view([6, 1, 1, 1]).expand([6, 3, 8, 8], false).contiguous();
        let beta = Beta::symmetric(1.0);
        for region in [0.0, 1.0] {
            for step in 0..20 {
                let mixture = i_mix(6, [8, 8], &beta, region, DrawKey { seed: 9, step, ..DrawKey::default() });
                let mixed = mixture.of_batch(&images).unwrap();
                let [own, other] = &mixture.targets();
                let mut sorted = other.keys.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..6).collect::<Vec<_>>());
                let total: f64 = own.weights.iter().chain(&other.weights).sum();
                assert!((total - 1.0).abs() < 1e-12);
                for i in 0..6 {
                    let lambda = own.weights[i] * 6.0;
                    assert!(lambda >= 0.5 - 1e-9);
                    let mean = mixed.get(i as i64).mean(Kind::Double).double_value(&[]);
                    assert!((mean - (lambda * i as f64 + (1.0 - lambda) * other.keys[i] as f64)).abs() < 1e-5);
                }
                assert!(region > 0.0 || own.weights[0] != own.weights[1], "each image has its own lambda");
            }
        }
    }
}
