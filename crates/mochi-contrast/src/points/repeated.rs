//! Repeated hard negatives, a control: `h = n_i`, drawn from the N hardest and not mixed. What mixing is worth is what it does better than
//! this with the same number of points (MoCHi's ablation of "more weight on the hardest").
//!
//! `c_i = 1` and nothing else: cosine and gradient are the parent's.

use super::Coefficients;
use crate::draws::{Law, Second, purpose};

/// Coefficients of the parent itself.
#[inline(always)]
pub fn coefficients() -> Coefficients {
    Coefficients { query: 0.0, first: 1.0, second: 0.0 }
}

pub(crate) const LAW: Law = Law { purpose: purpose::REPEAT, second: Second::Same, share: None };
