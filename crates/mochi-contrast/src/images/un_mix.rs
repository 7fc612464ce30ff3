//! Un-Mix (Shen, Liu, Liu, Savvides, Darrell, Xing: *Un-Mix: Rethinking Image Mixtures for Unsupervised Visual Representation Learning*, AAAI
//! 2022; the "iMix" rows of MoCHi's tables mix images in this manner): the batch mixed with itself in reverse order.
//!
//! ```text
//! loss = l(q, k) + λ l(q̃, k) + (1-λ) l(q̃, k_rev)          λ ~ Beta(α, α), one for each step; rev(i) = B-1-i
//! global: x̃ = λ x + (1-λ) x_rev          region: x̃ = x with a box of x_rev, λ is then the fraction outside of the box
//! ```
//!
//! x is the query's view; keys are of unmixed views. The public code reverses q̃, this file reverses k, which gives the same sum.
//! Options: α (1), and the fraction of steps that mix a box (1/2).

use super::{CutBox, Mixture};
use mochi_random::{Beta, DrawKey, purpose, unit};

const PURPOSE: u8 = purpose::UN_MIX;

/// How a batch of views of `height` x `width` pixels is mixed in one step; a fraction `region` of steps mixes a box instead of the whole image.
pub fn un_mix(batch: u32, [height, width]: [i64; 2], beta: &Beta, region: f64, key: DrawKey) -> Mixture {
    let [choice, lambda, row, column] = key.with_purpose(PURPOSE).words(0, 0);
    let drawn = beta.draw(lambda);
    let cut = (unit(choice) < region).then(|| CutBox::draw(height, width, drawn, [row, column]));
    let lambda = cut.map_or(drawn, |cut| cut.lambda(height, width));
    let rows = [(0..i64::from(batch)).collect(), (0..i64::from(batch)).rev().collect()];
    Mixture { rows, lambda: vec![lambda; batch as usize], cut }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_tensor::{Device, Kind, Tensor};

    fn place(step: u64) -> DrawKey {
        DrawKey { seed: 1, step, ..DrawKey::default() }
    }

    #[test]
    fn pixels_and_weights_tell_the_same_share() {
        // Image i is i everywhere, so a pixel of a mixture of i and B-1-i says what it is made of.
        let images =
            Tensor::arange(4, (Kind::Float, Device::Cpu)).view([4, 1, 1, 1]).expand([4, 3, 8, 8], false).contiguous();
        let beta = Beta::symmetric(1.0);
        for region in [0.0, 1.0] {
            for step in 0..20 {
                let mixture = un_mix(4, [8, 8], &beta, region, place(step));
                let mixed = mixture.of_batch(&images).unwrap();
                let [own, other] = &mixture.targets();
                assert_eq!((own.keys.as_slice(), other.keys.as_slice()), (&[0, 1, 2, 3][..], &[3, 2, 1, 0][..]));
                let total: f64 = own.weights.iter().chain(&other.weights).sum();
                assert!((total - 1.0).abs() < 1e-12);
                for i in 0..4 {
                    let (lambda, mean) =
                        (own.weights[i] * 4.0, mixed.get(i as i64).mean(Kind::Double).double_value(&[]));
                    assert!((mean - (lambda * i as f64 + (1.0 - lambda) * (3 - i) as f64)).abs() < 1e-5);
                }
                let whole = mixed.get(0).max().double_value(&[]) == mixed.get(0).min().double_value(&[]);
                assert!(region > 0.0 || whole);
            }
        }
    }

    #[test]
    fn half_of_the_steps_cut_a_box() {
        let images = Tensor::arange(2 * 3 * 64, (Kind::Float, Device::Cpu)).view([2, 3, 8, 8]);
        let beta = Beta::symmetric(1.0);
        // A box leaves pixels as they are or as the partner's; a blend changes them.
        let boxes = (0..400).filter(|&step| {
            let mixed = un_mix(2, [8, 8], &beta, 0.5, place(step)).of_batch(&images).unwrap();
            let kept = mixed.eq_tensor(&images).logical_or(&mixed.eq_tensor(&images.flip([0])));
            kept.all().int64_value(&[]) == 1
        });
        assert!((160..240).contains(&boxes.count()));
        assert!(un_mix(3, [8, 8], &beta, 0.5, place(0)).of_batch(&images).is_err());
    }
}
