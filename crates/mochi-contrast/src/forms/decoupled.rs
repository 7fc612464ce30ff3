//! Decoupled contrastive loss (Yeh et al., ECCV 2022): the positive is left out of the denominator, so that an easy positive does not
//! damp the gradient of the negatives. `L = -x+ + log Σ ω e^x`; `dL/dx = ω e^x / Σ ω e^x`, `dL/dx+ = -1`.

use super::{Slopes, Sums};

/// Loss and slopes of one query.
#[inline(always)]
pub fn slopes(sums: &Sums) -> Slopes {
    Slopes { loss: sums.plain.ln() - sums.positive, positive: -1.0, plain: 1.0 / sums.plain, ..Slopes::default() }
}
