//! HCL (Robinson et al., *Contrastive Learning with Hard Negative Samples*, ICLR 2021): the debiased loss, in which each negative weighs
//! `e^{b x}` relative to the mean of these weights.
//!
//! ```text
//! R = Σ ω e^{(1+b) x} / ( Σ ω e^{b x} / M )        in the place of Σ ω e^x of the debiased form
//! dR/dx = (M ω / T) ( (1+b) e^{(1+b) x} - (H/T) b e^{b x} ),   H = Σ ω e^{(1+b) x},  T = Σ ω e^{b x}
//! ```
//!
//! The weights are **not** detached: the authors' public code (joshr17/HCL) computes them in the graph, and so does this. Options: b (1), c
//! (0.1; 0 is reweighting alone).

use super::debiased::corrected;
use super::{Slopes, Sums};

/// Loss and slopes of one query.
#[inline(always)]
pub fn slopes(sums: &Sums, beta: f64, c: f64) -> Slopes {
    let ratio = sums.hard / sums.tilted;
    let scale = sums.count / sums.tilted;
    let derivative = Slopes { hard: scale * (1.0 + beta), tilted: -scale * ratio * beta, ..Slopes::default() };
    corrected(sums, c, sums.count * ratio, derivative)
}
