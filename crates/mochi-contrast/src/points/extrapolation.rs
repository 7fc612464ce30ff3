//! Extrapolation (SynCo, Giakoumoglou and Stathaki 2024, type 2): `h = normalize(q + b (n - q)) = normalize(n + (b-1)(n - q))`,
//! b ~ U(1, 1.5): the negative is pushed beyond itself, away from the query.
//!
//! As coefficients of the common form: `c_q = 1 - b`, `c_i = b`. No dot product: `r² = (1-b)² + b² + 2 b (1-b) a_i`. A point lies no nearer
//! to the query than its parent; b = 1 gives the parent. Option: the upper end of b. (Public code: giakoumoglou/synco, `builder.py`.)

use super::Coefficients;
use crate::draws::{Coefficient, Law, Second, Share, purpose};

/// Coefficients of a point extrapolated by the factor `b`.
#[inline(always)]
pub fn coefficients(b: f64) -> Coefficients {
    Coefficients { query: 1.0 - b, first: b, second: 0.0 }
}

pub(crate) fn law(max: f64) -> Law {
    let share = Share { word: 1, offset: 1.0, coefficient: Coefficient::Uniform { high: max - 1.0 } };
    Law { purpose: purpose::EXTRAPOLATE, second: Second::Same, share: Some(share) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::{Cosines, ExtraDots, normalised};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_vector_that_it_stands_for_and_is_no_harder_than_its_parent(b in 1.0..2.0f64, angle in 0.0..3.1f64) {
            // q = (1, 0), n = (cos, sin)
            let (x, y) = ((1.0 - b) + b * angle.cos(), b * angle.sin());
            prop_assume!(x.hypot(y) > 1e-6);
            let dots = Cosines { square: 1.0, first: angle.cos(), ..Cosines::default() };
            let point = normalised(coefficients(b), dots, ExtraDots::default());
            prop_assert!((point.cosine - x / x.hypot(y)).abs() < 1e-9);
            prop_assert!(point.cosine <= angle.cos() + 1e-9);
        }
    }
}
