//! Selection of the k largest values of a long row that arrives in blocks.
//!
//! A buffer of 2k candidates takes every value above the threshold; when it is full, a selection keeps the k best and the k-th becomes
//! the threshold. After the first block almost every value fails one comparison, so a pass costs little more than reading the row.
//! Equal values are ordered by their position, the smaller first: the result does not depend on the block size.

use std::cmp::Ordering;

/// Values that are compared at once.
const LANES: usize = 16;

/// The k largest values of one row so far.
#[derive(Debug, Clone)]
pub(crate) struct TopK {
    k: usize,
    threshold: f32,
    candidates: Vec<(f32, u32)>,
}

impl TopK {
    /// For the `k` largest; `k` is at least 1.
    pub(crate) fn new(k: usize) -> Self {
        Self { k: k.max(1), threshold: f32::NEG_INFINITY, candidates: Vec::with_capacity(2 * k.max(1)) }
    }

    /// Adds the next values of the row; the first has position `first`. Blocks must be in ascending order.
    pub(crate) fn offer(&mut self, values: &[f32], first: u32) {
        let mut position = first;
        for block in values.chunks(LANES) {
            // Without a branch inside, this is a vector comparison.
            let any = block.iter().fold(false, |any, &v| any | (v > self.threshold));
            if any {
                for (&value, at) in block.iter().zip(position..) {
                    // A value equal to the threshold comes after all k that are kept, so it is not among the best.
                    if value > self.threshold {
                        self.candidates.push((value, at));
                        if self.candidates.len() >= 2 * self.k {
                            self.shrink();
                        }
                    }
                }
            }
            position = position.saturating_add(u32::try_from(block.len()).unwrap_or(u32::MAX));
        }
    }

    fn shrink(&mut self) {
        if self.candidates.len() > self.k {
            self.candidates.select_nth_unstable_by(self.k - 1, better);
            self.candidates.truncate(self.k);
        }
        if let (true, Some(&(value, _))) =
            (self.candidates.len() == self.k, self.candidates.iter().max_by(|a, b| better(a, b)))
        {
            self.threshold = value;
        }
    }

    /// The k best (value, position), best first; fewer if the row is shorter.
    pub(crate) fn finish(&mut self) -> &[(f32, u32)] {
        self.shrink();
        self.candidates.sort_unstable_by(better);
        &self.candidates
    }
}

/// Larger values first, then smaller positions.
fn better(a: &(f32, u32), b: &(f32, u32)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_stable_sort_for_any_block_size(
            // Few distinct values: ties everywhere.
            row in prop::collection::vec((-4i8..4).prop_map(f32::from), 1..300),
            k in 1usize..40,
            block in 1usize..100,
        ) {
            let mut sorted: Vec<(f32, u32)> = row.iter().copied().zip(0u32..).collect();
            sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
            sorted.truncate(k);
            let mut top = TopK::new(k);
            for (i, values) in row.chunks(block).enumerate() {
                top.offer(values, u32::try_from(i * block).unwrap());
            }
            prop_assert_eq!(top.finish(), &sorted[..]);
        }
    }
}
