//! The key of a draw: what it is for, and for which row of which step.

use crate::Philox;

/// Key of the counter-based random numbers of one purpose in one step.
///
/// Two draws that differ in any part, in their block, row or item use different counters or different streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrawKey {
    /// The run's seed.
    pub seed: u64,
    /// What is drawn; numbers below 128 are those of strategies of synthetic negatives, the others are in [`purpose`].
    pub purpose: u8,
    /// Training step.
    pub step: u64,
    /// Which loss of the step: 0, 1 for the second direction of a symmetric loss, and so on.
    pub direction: u16,
    /// Index of the first row of this batch in the global batch: a part of a batch draws what the whole batch would.
    pub first_row: u32,
}

/// Purposes of draws outside of the strategies of synthetic negatives.
pub mod purpose {
    /// The order of a batch that is shuffled between groups of batch statistics.
    pub const SHUFFLE_BATCH_NORM: u8 = 128;
    /// Un-Mix: choice of box or blend, mixing coefficient, box.
    pub const UN_MIX: u8 = 129;
    /// i-Mix: choice of box or blend, mixing coefficients, box.
    pub const I_MIX: u8 = 130;
    /// i-Mix: each image's partner.
    pub const I_MIX_PARTNERS: u8 = 131;
    /// MixCo: mixing coefficients.
    pub const MIXCO: u8 = 132;
    /// Feature Transformation: extrapolation of positives.
    pub const EXTRAPOLATED_POSITIVE: u8 = 133;
    /// Feature Transformation: each key's partner.
    pub const INTERPOLATION_PARTNERS: u8 = 134;
    /// Feature Transformation: mixing coefficients of each dimension of each key.
    pub const INTERPOLATION_MASK: u8 = 135;
}

impl DrawKey {
    /// The key of the same step for another purpose.
    #[inline(always)]
    pub fn with_purpose(self, purpose: u8) -> Self {
        Self { purpose, ..self }
    }

    /// The key of the rows from `row` on.
    #[inline(always)]
    pub fn from_row(self, row: u32) -> Self {
        Self { first_row: self.first_row.wrapping_add(row), ..self }
    }

    /// The first three parts of a counter, of row `row` of the batch; the fourth is the item.
    #[inline(always)]
    pub fn counter(self, row: usize) -> [u32; 3] {
        // A batch has fewer than 2^32 rows.
        let row = self.first_row.wrapping_add((row & 0xffff_ffff) as u32);
        [(self.step & 0xffff_ffff) as u32, (self.step >> 32) as u32, row]
    }

    /// The family of block `block` of this purpose and direction; further numbers of one item come from further blocks.
    #[inline(always)]
    pub fn family(self, block: u32) -> Philox {
        Philox::new(self.seed, self.stream(block))
    }

    /// The four words of an item of a row.
    #[inline]
    pub fn words(self, row: usize, item: u32) -> [u32; 4] {
        let [a, b, c] = self.counter(row);
        self.family(0).words([a, b, c, item])
    }

    /// Purpose, direction and block in one number, each with bits of its own:
    ///
    /// ```text
    /// bits  0..3   purpose, low 3 bits       3   direction, lowest bit       4..36   block
    ///      36..51  direction, other bits    51..56   purpose, other bits
    /// ```
    ///
    /// The lowest bits are those that the expected values of the tests were drawn with.
    #[inline(always)]
    fn stream(self, block: u32) -> u64 {
        let (purpose, direction) = (u64::from(self.purpose), u64::from(self.direction));
        (purpose & 7) | (direction & 1) << 3 | u64::from(block) << 4 | (direction >> 1) << 36 | (purpose >> 3) << 51
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn h6_12_no_two_purposes_directions_and_blocks_share_a_stream() {
        // Until now the second direction's stride of 8 met the redraws' stride of 16 from direction 2 on.
        let mut seen = BTreeSet::new();
        let mut count = 0;
        for purpose in [0, 1, 4, 7, 8, 9, 15, 16, 127, 128, 135, 255] {
            for direction in [0, 1, 2, 3, 4, 16, 1 << 14, u16::MAX] {
                for block in [0, 1, 2, 8, 1 << 20, u32::MAX] {
                    seen.insert(DrawKey { purpose, direction, ..DrawKey::default() }.stream(block));
                    count += 1;
                }
            }
        }
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn a_part_of_a_batch_draws_what_the_whole_batch_does() {
        let key = DrawKey { seed: 3, purpose: 2, step: 1 << 40, direction: 1, first_row: 0 };
        assert_eq!(key.words(7, 5), key.from_row(4).words(3, 5));
        assert_ne!(key.words(7, 5), key.words(6, 5));
        assert_ne!(key.words(7, 5), key.with_purpose(3).words(7, 5));
        assert_ne!(key.words(7, 5), DrawKey { direction: 2, ..key }.words(7, 5));
        assert_ne!(key.words(7, 5), DrawKey { step: 1, ..key }.words(7, 5));
        assert_ne!(key.family(1), key.family(2));
    }

    #[test]
    fn words_are_those_of_the_expected_values() {
        // tests/fixtures/make_strategy_cases.py: stream = purpose + 8 direction + 16 block.
        let key = DrawKey { seed: 77, purpose: 4, step: (3 << 32) + 5, direction: 1, first_row: 6 };
        assert_eq!(key.family(2), Philox::new(77, 4 + 8 + 32));
        assert_eq!(key.counter(2), [5, 3, 8]);
    }
}
