//! The matching-probability curve (MoCHi, section 3.1 and figure 2): softmax probability of negatives by rank.
//!
//! ```text
//! p_n = e^{q·n/t} / (e^{q·k/t} + Σ_m e^{q·m/t})                   over the candidate keys, or over candidate keys and synthetic negatives
//! curve(r) = mean over the queries of the r-th largest p_n        r = 1 .. 1,024
//! ```
//!
//! p is a negative's weight in the gradient, so only negatives with a large p matter. During training the curve becomes steeper, because fewer of the K
//! keys matter. An excluded key has p = 0. A synthetic negative with weight w has w e^x instead of e^x. For other loss variants the curve is that of
//! InfoNCE. The curve has about fifty ranks, evenly spaced in the logarithm.

use crate::ContrastError;
use crate::queue::to_i64;
use mochi_tensor::{Device, Kind, Tensor};

/// Ranks of the curve.
const TOP: i64 = 1024;
/// Steps of the logarithm from rank 1 to [`TOP`]: 16 = 1024^(24/60) and 256 = 1024^(48/60) are among the ranks.
const STEPS: u32 = 60;

/// Mean matching probabilities by rank.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MatchingCurve {
    /// Ranks from 1, in increasing order.
    pub ranks: Vec<u32>,
    /// Probability at each rank, among candidate keys.
    pub real: Vec<f64>,
    /// Probability at each rank, among candidate keys and synthetic negatives; `None` without synthesis.
    pub all: Option<Vec<f64>>,
}

/// The curves of logits of the positive (B, 1), the candidate keys (B, K) and the synthetic negatives (B, n), with ln w added for a weight w.
pub(crate) fn curve(
    positive: &Tensor,
    real: &Tensor,
    synthetic: Option<&Tensor>,
) -> Result<MatchingCurve, ContrastError> {
    let top = TOP.min(real.size()[1]);
    let ranks = ranks(top);
    let hardest = real.f_topk(top, 1, true, true)?.0; // (B, top)
    let z = positive.f_logaddexp(&real.f_logsumexp([1i64].as_slice(), true)?)?; // (B, 1)
    let all = match synthetic {
        None => None,
        Some(synthetic) => {
            let z = z.f_logaddexp(&synthetic.f_logsumexp([1i64].as_slice(), true)?)?;
            // The hardest of all are among the synthetic negatives and the hardest candidate keys.
            let both = Tensor::f_cat(&[&hardest, synthetic], 1)?.f_topk(top, 1, true, true)?.0;
            Some(means(&both, &z, &ranks)?)
        }
    };
    Ok(MatchingCurve { real: means(&hardest, &z, &ranks)?, all, ranks })
}

/// Means over the rows of e^{x - z} at the ranks.
fn means(logits: &Tensor, z: &Tensor, ranks: &[u32]) -> Result<Vec<f64>, ContrastError> {
    let p = logits.f_sub(z)?.f_exp()?.f_mean_dim([0i64].as_slice(), false, Kind::Double)?;
    let p = Vec::<f64>::try_from(p.f_to_device(Device::Cpu)?)?;
    Ok(ranks.iter().filter_map(|&rank| p.get(rank as usize - 1).copied()).collect())
}

/// At most 61 ranks from 1 to `top`, evenly spaced in the logarithm of 1 to 1,024, including `top`.
fn ranks(top: i64) -> Vec<u32> {
    let at = |i: u32| (TOP as f64).powf(f64::from(i) / f64::from(STEPS)).round() as u32;
    let mut ranks: Vec<u32> = (0..=STEPS).map(at).filter(|&rank| to_i64(rank as usize) < top).collect();
    ranks.push(u32::try_from(top).unwrap_or(u32::MAX));
    ranks.dedup();
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_rise_to_the_top_and_hold_what_tensorboard_shows() {
        let full = ranks(1024);
        assert!(full.len() <= 64 && [1, 16, 256, 1024].iter().all(|rank| full.contains(rank)), "{full:?}");
        assert_eq!(ranks(1), [1]);
        assert_eq!(ranks(5), [1, 2, 3, 4, 5]);
        for top in 1..=1024 {
            assert!(ranks(top).windows(2).all(|pair| pair[0] < pair[1]) && ranks(top).last() == Some(&(top as u32)));
        }
    }

    proptest! {
        #[test]
        fn falls_with_rank_sums_to_less_than_1_and_knows_no_order(
            values in prop::collection::vec(-5.0..5.0f64, 12..200), masked in 0usize..10, shift in -3.0..3.0f64,
        ) {
            let mut real = values.clone();
            real[..masked].fill(f64::NEG_INFINITY);
            let row = |values: &[f64]| Tensor::from_slice(values).view([1, -1]);
            let there = curve(&row(&[0.5]), &row(&real), Some(&row(&values[..4]))).unwrap();
            real.reverse();
            let shifted: Vec<f64> = real.iter().map(|x| x + shift).collect();
            let points: Vec<f64> = values[..4].iter().map(|x| x + shift).collect();
            let back = curve(&row(&[0.5 + shift]), &row(&shifted), Some(&row(&points))).unwrap();
            let all = there.all.as_ref().unwrap();
            for (a, b) in [(&there.real, &back.real), (all, back.all.as_ref().unwrap())] {
                prop_assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12));
                prop_assert!(a.windows(2).all(|pair| pair[0] >= pair[1]));
                prop_assert!(a.iter().sum::<f64>() < 1.0);
            }
            // More negatives share the same probability.
            prop_assert!(all.iter().sum::<f64>() < 1.0 && there.ranks.len() == all.len());
        }
    }
}
