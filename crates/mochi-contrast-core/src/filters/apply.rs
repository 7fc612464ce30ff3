//! Application of filter rules to one row of cosines. The bounds of a ring are found exactly by selection, without sorting.

use super::rule::{Filter, Rule};
use crate::Context;
use crate::hard_negatives::order_key;

/// Scratch memory of one row, reused.
#[derive(Debug, Default)]
pub struct Ranks {
    keys: Vec<u64>,
}

/// First rank that is kept, and first rank after those.
pub fn cuts(from: f64, to: f64, valid: usize) -> (usize, usize) {
    let rank = |fraction: f64| fraction * valid as f64;
    (rank(from).floor() as usize, (rank(to).ceil() as usize).min(valid))
}

/// Sets the cosine of every key that is not a negative of query `row` to -infinity. Returns the number of remaining keys.
#[inline(always)]
pub(crate) fn apply(
    filters: &[Filter],
    context: &Context,
    (row, batch): (usize, usize),
    positive: f32,
    cosines: &mut [f32],
    work: &mut Ranks,
) -> usize {
    if filters.is_empty() && context.positive_indices.is_empty() {
        return cosines.len();
    }
    for &key in context.positive_indices_of(row, batch) {
        if let Some(cosine) = cosines.get_mut(key as usize) {
            *cosine = f32::NEG_INFINITY;
        }
    }
    for filter in filters {
        match filter.rule {
            Rule::Same(metadata) => {
                if let (Some(queries), Some(keys)) = (metadata.of(&context.queries), metadata.of(&context.candidates)) {
                    exclude_equal(queries[row], keys, cosines);
                }
            }
            Rule::Above(bound) => exclude_above(bound.at(f64::from(positive)) as f32, cosines),
            Rule::OutsideRanks { .. } => {}
        }
    }
    for filter in filters {
        if let Rule::OutsideRanks { from, to } = filter.rule {
            exclude_ranks(from, to, cosines, work);
        }
    }
    cosines.iter().filter(|&&c| c > f32::NEG_INFINITY).count()
}

#[inline(always)]
fn exclude_equal(own: i64, keys: &[i64], cosines: &mut [f32]) {
    if own < 0 {
        return;
    }
    for (cosine, &key) in cosines.iter_mut().zip(keys) {
        *cosine = if key == own { f32::NEG_INFINITY } else { *cosine };
    }
}

#[inline(always)]
fn exclude_above(bound: f32, cosines: &mut [f32]) {
    for cosine in cosines {
        *cosine = if *cosine > bound { f32::NEG_INFINITY } else { *cosine };
    }
}

#[inline(always)]
fn exclude_ranks(from: f64, to: f64, cosines: &mut [f32], work: &mut Ranks) {
    let keys = &mut work.keys;
    keys.clear();
    keys.extend((0u32..).zip(cosines.iter()).filter(|(_, c)| **c > f32::NEG_INFINITY).map(|(at, &c)| order_key(c, at)));
    let (first, end) = cuts(from, to, keys.len());
    // Small order keys are hard: what stays lies from `lowest` up to, and without, `beyond`.
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
        fn a_ring_keeps_exactly_the_ranks_between_its_cuts(
            row in prop::collection::vec(prop_oneof![-1.0f32..1.0, Just(0.25), Just(f32::NEG_INFINITY)], 0..400),
            from in 0.0..0.9f64,
            width in 0.01..1.0f64,
        ) {
            let to = (from + width).min(1.0);
            let mut order: Vec<usize> = (0..row.len()).filter(|&i| row[i] > f32::NEG_INFINITY).collect();
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
            let (first, end) = cuts(from, to, order.len());
            let mut wanted = vec![f32::NEG_INFINITY; row.len()];
            for &key in &order[first.min(end)..end] {
                wanted[key] = row[key];
            }
            let mut filtered = row.clone();
            exclude_ranks(from, to, &mut filtered, &mut Ranks::default());
            prop_assert_eq!(filtered, wanted);
        }
    }
}
