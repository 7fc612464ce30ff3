//! Query mixing, the "even harder" negatives (MoCHi, section 3.3; SynCo's "interpolation"): `h' = normalize(b q + (1-b) n_j)`, b ~ U(0, 1/2),
//! so that the query's share stays the smaller.
//!
//! With `a_j = q·n_j` no dot product is needed at all:
//!
//! ```text
//! r     = |b q + (1-b) n_j| = sqrt(b² + (1-b)² + 2 b (1-b) a_j)
//! q·h'  = (b + (1-b) a_j) / r
//! d(q·h')/dq = (b/r) q + ((1-b)/r) n_j                                             h' is a constant (the paper)
//!            = (2b/r - c b²/r²) q + ((1-b)/r - c b (1-b)/r²) n_j,   c = q·h'        with gradient through the inner q
//! ```
//!
//! Bounds: `a_j <= q·h' <= sqrt((1 + a_j)/2)` for b in [0, 1/2]; b = 0 gives n_j. Options: the distribution of `b`, the inner gradient.

use super::Coefficients;
use crate::draws::{Coefficient, Law, Second, Share, purpose};

/// Coefficients of a mix in which the query has the share `b`.
#[inline(always)]
pub fn coefficients(b: f64) -> Coefficients {
    Coefficients { query: b, first: 1.0 - b, second: 0.0 }
}

pub(crate) fn law(beta: Coefficient) -> Law {
    let share = Share { word: 1, offset: 0.0, coefficient: beta };
    Law { purpose: purpose::QUERY_MIXES, second: Second::Same, share: Some(share) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::{Cosines, ExtraDots, Point, normalised, with_inner_gradient};
    use proptest::prelude::*;

    fn mix(b: f64, square: f64, first: f64, inner: bool) -> Point {
        let dots = Cosines { square, first, second: first, parents: 1.0 };
        let point = normalised(coefficients(b), dots, ExtraDots::default());
        if inner { with_inner_gradient(point) } else { point }
    }

    proptest! {
        #[test]
        fn lies_between_its_parent_and_the_half_angle(b in 0.0..=0.5f64, cos in -0.999..1.0f64) {
            let point = mix(b, 1.0, cos, false);
            prop_assert!(point.cosine >= cos - 1e-12);
            prop_assert!(point.cosine <= ((1.0 + cos) / 2.0).sqrt() + 1e-12);
        }

        #[test]
        fn equals_the_vector_that_it_stands_for(b in 0.0..0.5f64, angle in 0.0..3.1f64) {
            // q = (1, 0), n = (cos, sin)
            let (x, y) = (b + (1.0 - b) * angle.cos(), (1.0 - b) * angle.sin());
            let point = mix(b, 1.0, angle.cos(), false);
            prop_assert!((point.cosine - x / x.hypot(y)).abs() < 1e-12);
        }

        #[test]
        fn the_inner_gradient_is_the_derivative(b in 0.01..0.5f64, angle in 0.1..3.0f64) {
            // The cosine q·h'(q) as a function of a free q = (x, y), by central differences.
            let n = (angle.cos(), angle.sin());
            let value = |x: f64, y: f64| mix(b, x * x + y * y, x * n.0 + y * n.1, true).cosine;
            let e = 1e-6;
            let numeric = ((value(1.0 + e, 0.0) - value(1.0 - e, 0.0)) / (2.0 * e), (value(1.0, e) - value(1.0, -e)) / (2.0 * e));
            let point = mix(b, 1.0, n.0, true);
            prop_assert!((point.query + point.first * n.0 - numeric.0).abs() < 1e-6);
            prop_assert!((point.first * n.1 - numeric.1).abs() < 1e-6);
        }
    }

    #[test]
    fn no_share_of_the_query_gives_the_parent() {
        assert_eq!(mix(0.0, 1.0, 0.3, false).cosine, 0.3);
    }
}
