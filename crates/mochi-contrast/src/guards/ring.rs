//! Ring (Wu et al., *Conditional Negative Sampling for Contrastive Learning of Visual Representations*, ICLR 2021): negatives come from a
//! ring around the query, neither the hardest, which are often false, nor the many easy ones.
//!
//! Of V valid columns in the order hardest first (ties: the lower column first), ranks `floor(from V) <= r < ceil(to V)` stay, the others
//! are masked. In the paper's terms these are the percentiles 1 - to and 1 - from of the similarity. The two cuts are found by selection,
//! exactly and without a sort.

use crate::hardest::order_key;

/// Room for one row, reused.
#[derive(Debug, Default)]
pub struct Ranks {
    keys: Vec<u64>,
}

/// First rank that stays and first that does not.
pub(crate) fn cuts(from: f64, to: f64, valid: usize) -> (usize, usize) {
    let share = |part: f64| part * valid as f64;
    (share(from).floor() as usize, (share(to).ceil() as usize).min(valid))
}

/// Masks the cosines outside of the ring.
#[inline(always)]
pub(crate) fn mask(from: f64, to: f64, cosines: &mut [f32], work: &mut Ranks) {
    let keys = &mut work.keys;
    keys.clear();
    keys.extend((0u32..).zip(cosines.iter()).filter(|(_, c)| **c > f32::NEG_INFINITY).map(|(at, &c)| order_key(c, at)));
    let (first, end) = cuts(from, to, keys.len());
    // Small keys are hard: what stays lies from `lowest` up to, and without, `beyond`.
    let beyond = if end < keys.len() { *keys.select_nth_unstable(end).1 } else { u64::MAX };
    let lowest = if first > 0 && first < keys.len() { *keys.select_nth_unstable(first).1 } else { 0 };
    for (at, cosine) in (0u32..).zip(cosines) {
        let key = order_key(*cosine, at);
        *cosine = if key >= lowest && key < beyond { *cosine } else { f32::NEG_INFINITY };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keeps_exactly_the_ranks_between_the_cuts(
            row in prop::collection::vec(prop_oneof![-1.0f32..1.0, Just(0.25), Just(f32::NEG_INFINITY)], 0..400),
            from in 0.0..0.9f64,
            width in 0.01..1.0f64,
        ) {
            let to = (from + width).min(1.0);
            let mut order: Vec<usize> = (0..row.len()).filter(|&i| row[i] > f32::NEG_INFINITY).collect();
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
            let (first, end) = cuts(from, to, order.len());
            let mut wanted = vec![f32::NEG_INFINITY; row.len()];
            for &column in &order[first.min(end)..end] {
                wanted[column] = row[column];
            }
            let mut masked = row.clone();
            mask(from, to, &mut masked, &mut Ranks::default());
            prop_assert_eq!(masked, wanted);
        }
    }
}
