//! The rule of `mochi ablate --prune`.
//!
//! A variant is hopeless if at least [`SEEDS`] of its seeds are finished and the paired 95 % interval of its difference to the best variant in the
//! plan's first protocol lies below 0. The best variant is the one of highest mean among those with at least [`SEEDS`] finished seeds. Cells
//! of a hopeless variant are not started; the baseline is never hopeless, since the table compares with it.

use crate::statistics::{mean, paired};

/// Finished seeds that a variant needs before it can be hopeless or best.
pub const SEEDS: usize = 3;

/// Hopeless variants, by index. `scores[variant]` holds (seed, score) of its finished cells; higher is better.
pub fn hopeless(scores: &[Vec<(u64, f64)>]) -> Vec<bool> {
    let enough = |variant: &&Vec<(u64, f64)>| variant.len() >= SEEDS;
    let average = |variant: &Vec<(u64, f64)>| {
        mean(&variant.iter().map(|(_, score)| *score).collect::<Vec<_>>()).unwrap_or(f64::NEG_INFINITY)
    };
    let best = scores.iter().filter(enough).max_by(|a, b| average(a).total_cmp(&average(b)));
    let below = |variant: &Vec<(u64, f64)>| {
        let Some(best) = best.filter(|_| variant.len() >= SEEDS) else { return false };
        let outcome = paired(&differences(variant, best));
        outcome.and_then(|outcome| outcome.interval).is_some_and(|[_, high]| high < 0.0)
    };
    scores.iter().enumerate().map(|(index, variant)| index > 0 && below(variant)).collect()
}

/// Differences `a - b` of the seeds that both have, by rising seed.
pub(crate) fn differences(a: &[(u64, f64)], b: &[(u64, f64)]) -> Vec<f64> {
    let mut pairs: Vec<(u64, f64)> = a
        .iter()
        .filter_map(|(seed, score)| Some((*seed, score - b.iter().find(|(other, _)| other == seed)?.1)))
        .collect();
    pairs.sort_by_key(|(seed, _)| *seed);
    pairs.into_iter().map(|(_, difference)| difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_variant_that_is_clearly_below_the_best_is_hopeless() {
        let of = |scores: &[f64]| scores.iter().enumerate().map(|(i, s)| (i as u64, *s)).collect::<Vec<_>>();
        let baseline = of(&[30.0, 30.5, 29.8]);
        let best = of(&[40.0, 40.5, 39.9]);
        let near = of(&[39.0, 41.0, 39.5]);
        let bad = of(&[35.0, 35.2, 34.9]);
        let young = of(&[10.0, 10.1]);
        assert_eq!(hopeless(&[baseline, best, near, bad, young.clone()]), [false, false, false, true, false]);
        assert_eq!(hopeless(&[young.clone(), young]), [false, false]);
    }

    #[test]
    fn differences_pair_equal_seeds() {
        assert_eq!(differences(&[(3, 5.0), (1, 2.0), (9, 0.0)], &[(1, 1.0), (3, 1.0)]), [1.0, 4.0]);
    }
}
