//! InfoNCE (van den Oord et al. 2018; MoCo, eq. 1): `L = -log( e^{x+} / (e^{x+} + Σ ω e^x) )`.
//!
//! With `Z = e^{x+} + Σ ω e^x`: `dL/dx = ω e^x / Z`, `dL/dx+ = e^{x+}/Z - 1 = -Σ ω e^x / Z`, which loses no digits where the positive has
//! nearly all of Z.

use super::{Slopes, Sums};

/// Loss and slopes of one query.
#[inline(always)]
pub fn slopes(sums: &Sums) -> Slopes {
    let total = sums.own + sums.plain;
    Slopes { loss: total.ln() - sums.positive, positive: -sums.plain / total, plain: 1.0 / total, ..Slopes::default() }
}
