//! Perturbation (SynCo, type 5): `h = normalize(n + delta ∇_n sim(q, n)) = normalize(n + delta q)`, delta = 0.01: a step of the negative along
//! the gradient of its similarity with the query, which for the dot product is the query itself.
//!
//! As coefficients of the common form: `c_q = delta`, `c_i = 1`; nothing but the parent is drawn. A point is at least as hard as its parent.
//! Option: delta. (The public code, giakoumoglou/synco `builder.py`, estimates that gradient by a finite difference along one random
//! direction of length 1e-5 and multiplies it by that direction, so that its points differ from their parents by about 1e-7 delta; this
//! is the paper's formula.)

use super::Coefficients;
use crate::draws::{Law, Second, purpose};

/// Coefficients of a parent moved by `delta` towards the query.
#[inline(always)]
pub fn coefficients(delta: f64) -> Coefficients {
    Coefficients { query: delta, first: 1.0, second: 0.0 }
}

pub(crate) const LAW: Law = Law { purpose: purpose::PERTURB, second: Second::Same, share: None };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::{Cosines, ExtraDots, normalised};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_vector_that_it_stands_for_and_is_no_easier_than_its_parent(delta in 0.0..0.5f64, angle in 0.0..3.1f64) {
            let (x, y) = (delta + angle.cos(), angle.sin());
            let dots = Cosines { square: 1.0, first: angle.cos(), ..Cosines::default() };
            let point = normalised(coefficients(delta), dots, ExtraDots::default());
            prop_assert!((point.cosine - x / x.hypot(y)).abs() < 1e-9);
            prop_assert!(point.cosine >= angle.cos() - 1e-9);
        }
    }
}
