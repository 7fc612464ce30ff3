//! The hard negatives Q^N: the N keys with the largest cosines (MoCHi, section 3.1), exact as a set, without sorting the row.
//!
//! A sample of the row gives an estimated threshold that slightly more than N values exceed. One pass over the row collects these values, and a selection
//! among them makes the set exact. If the estimate was too high, it is lowered and the pass is repeated. Of equal cosines the lower position is selected.
//! Cosines of -infinity (filtered keys) and NaN are never selected. Positions are in ascending order.

/// Scratch memory, reused for each row.
#[derive(Debug, Default)]
pub struct Candidates {
    keys: Vec<u64>,
    ranked: Vec<u64>,
    sample: Vec<f32>,
}

/// Number of values of a row from which the threshold is estimated.
const SAMPLE: usize = 2048;

/// Writes the positions of the `n` largest values of `row` into `out`, in ascending order; fewer if fewer are valid.
#[inline(always)]
pub fn select(row: &[f32], n: usize, work: &mut Candidates, out: &mut Vec<u32>) {
    out.clear();
    let n = n.min(row.len());
    if n == 0 {
        return;
    }
    let mut threshold = f32::NEG_INFINITY;
    if n < row.len() {
        let sample = &mut work.sample;
        sample.clear();
        let step = (row.len() / SAMPLE).max(1);
        sample.extend(row.iter().copied().step_by(step));
        let mut rank = sample.len() * n / row.len();
        // Several standard deviations of the sample's count above, so that the first estimate is nearly always sufficient.
        let deviation = (rank.max(1) as f64).sqrt();
        rank += 2 + (2.5 * deviation) as usize;
        loop {
            threshold = if rank < sample.len() {
                *sample.select_nth_unstable_by(rank, |a, b| b.total_cmp(a)).1
            } else {
                f32::NEG_INFINITY
            };
            collect(row, threshold, &mut work.keys);
            if work.keys.len() >= n || threshold == f32::NEG_INFINITY {
                break;
            }
            rank = rank * 2 + 1;
        }
    } else {
        collect(row, threshold, &mut work.keys);
    }
    // The keys are in the order of their positions; the n-th smallest is found in a copy, so that they need no sorting after.
    let last = if work.keys.len() > n {
        work.ranked.clear();
        work.ranked.extend_from_slice(&work.keys);
        *work.ranked.select_nth_unstable(n - 1).1
    } else {
        u64::MAX
    };
    out.extend(work.keys.iter().filter(|&&key| key <= last).map(|key| (key & 0xffff_ffff) as u32));
}

/// A value and its position as a number that sorts hardest first, then by position.
///
/// Order-preserving bits, reversed: large values get small keys. Adding 0.0 first would merge -0.0 with 0.0; the sign of a zero cosine is
/// noise, so it may break a tie.
#[inline(always)]
pub(crate) fn order_key(value: f32, position: u32) -> u64 {
    let bits = value.to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 };
    (u64::from(!ordered) << 32) | u64::from(position)
}

/// Values at or above the threshold (and above -infinity) as keys that sort hardest first, then by position; in the order of their positions.
#[inline(always)]
fn collect(row: &[f32], threshold: f32, keys: &mut Vec<u64>) {
    const BLOCK: usize = 16;
    keys.clear();
    let passes = |value: f32| value >= threshold && value > f32::NEG_INFINITY;
    let blocks = row.chunks_exact(BLOCK);
    let tail = blocks.remainder();
    for (b, block) in (0u32..).zip(blocks) {
        let mut any = false;
        for &value in block {
            any |= value >= threshold;
        }
        if any {
            // Every value is written and only passing ones are kept, because branches would be unpredictable.
            let (mut found, mut count) = ([0u64; BLOCK], 0usize);
            for (i, &value) in (0u32..).zip(block) {
                found[count & (BLOCK - 1)] = order_key(value, b * BLOCK as u32 + i);
                count += usize::from(passes(value));
            }
            keys.extend_from_slice(&found[..count.min(BLOCK)]);
        }
    }
    let done = row.len() - tail.len();
    for (i, &value) in (done as u32..).zip(tail) {
        if passes(value) {
            keys.push(order_key(value, i));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by sorting all values.
    fn by_sorting(row: &[f32], n: usize) -> Vec<u32> {
        let mut order: Vec<usize> = (0..row.len()).filter(|&i| row[i] > f32::NEG_INFINITY).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
        let mut positions: Vec<u32> = order[..n.min(order.len())].iter().map(|&i| i as u32).collect();
        positions.sort_unstable();
        positions
    }

    fn chosen(row: &[f32], n: usize) -> Vec<u32> {
        let mut out = vec![9, 9];
        select(row, n, &mut Candidates::default(), &mut out);
        out
    }

    proptest! {
        #[test]
        fn equals_sorting_for_any_row(row in prop::collection::vec(-1.0f32..1.0, 0..5000), n in 0usize..600) {
            prop_assert_eq!(chosen(&row, n), by_sorting(&row, n));
        }

        #[test]
        fn ties_are_resolved_by_position_and_filtered_keys_are_left_out(
            row in prop::collection::vec(prop_oneof![Just(0.5f32), Just(-0.5f32), Just(f32::NEG_INFINITY), Just(f32::NAN)], 0..3000),
            n in 0usize..3000,
        ) {
            prop_assert_eq!(chosen(&row, n), by_sorting(&row, n));
        }
    }

    #[test]
    fn a_misleading_sample_is_corrected() {
        // Every sampled position is high, everything else low: the first threshold lets far too few pass.
        let row: Vec<f32> = (0..65_536u32).map(|i| if i % 64 == 0 { 0.9 } else { -0.9 + i as f32 * 1e-6 }).collect();
        assert_eq!(chosen(&row, 2000), by_sorting(&row, 2000));
        let rising: Vec<f32> = (0..65_536u32).map(|i| i as f32 / 65_536.0).collect();
        assert_eq!(chosen(&rising, 1024), (64_512..65_536).collect::<Vec<_>>());
    }
}
