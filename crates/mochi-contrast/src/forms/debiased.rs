//! Debiased contrastive loss (Chuang et al., NeurIPS 2020): a share c of the negatives is taken to be of the positive's class, and their
//! part, estimated by the positive itself, is subtracted.
//!
//! ```text
//! G = max( (Σ ω e^x - M c e^{x+}) / (1 - c),  M e^{-1/t} )            L = -log( e^{x+} / (e^{x+} + G) )
//! dL/dx = ω e^x / ((1-c) (e^{x+} + G)),   dL/dx+ = e^{x+} (1 - M c/(1-c)) / (e^{x+} + G) - 1
//! ```
//!
//! Where the bound M e^{-1/t} holds, G is a constant: no gradient for the negatives. Option: c (0.1 in the paper).

use super::{Slopes, Sums};

/// Loss and slopes of one query.
#[inline(always)]
pub fn slopes(sums: &Sums, c: f64) -> Slopes {
    corrected(sums, c, sums.plain, Slopes { plain: 1.0, ..Slopes::default() })
}

/// The correction of any estimate of the negatives' sum (relative to the shift), with its derivatives.
#[inline(always)]
pub(super) fn corrected(sums: &Sums, c: f64, estimate: f64, derivative: Slopes) -> Slopes {
    let kept = 1.0 / (1.0 - c);
    let free = (estimate - sums.count * c * sums.own) * kept;
    let least = sums.count * (-sums.inverse_t - sums.shift).exp();
    let bound = free <= least;
    let negatives = if bound { least } else { free };
    let total = sums.own + negatives;
    let (factor, own) = if bound { (0.0, 0.0) } else { (kept / total, -sums.count * c * kept * sums.own / total) };
    Slopes {
        loss: total.ln() - sums.positive,
        positive: own - negatives / total,
        plain: factor * derivative.plain,
        tilted: factor * derivative.tilted,
        hard: factor * derivative.hard,
    }
}
