//! Weighted hard negatives, a control without chance: each of the N hardest weighs 1 + w times in the sums over negatives. In the common
//! form: every one of the N once more, as itself (`c_i = 1`), with the weight w.

use crate::draws::{Drawn, to_u32};

/// Every position below `n`, `count` at most.
#[inline(always)]
pub(crate) fn all(n: usize, count: usize, out: &mut Drawn) {
    for position in 0..to_u32(n.min(count)) {
        out.first.push(position);
        out.second.push(position);
        out.share.push(0.0);
    }
}
