//! Query mixing, the "even harder" negatives (MoCHi, section 3.3; SynCo's "interpolation"): `h' = normalize(b q + (1-b) n_j)`, b ~ U(0, 1/2),
//! so that the query contributes less than the negative.
//!
//! With `a_j = q·n_j` no dot product is needed at all:
//!
//! ```text
//! r     = |b q + (1-b) n_j| = sqrt(b² + (1-b)² + 2 b (1-b) a_j)
//! q·h'  = (b + (1-b) a_j) / r
//! d(q·h')/dq = (b/r) q + ((1-b)/r) n_j                                             h' is a constant (the paper)
//! ```
//!
//! Bounds: `a_j <= q·h' <= sqrt((1 + a_j)/2)` for b in [0, 1/2]; b = 0 gives n_j.

use super::description::{Linear, Sampling, Strategy, Uniform};

/// Purpose of its draws.
pub const PURPOSE: u8 = 2;

/// `s` query mixes per query.
pub const fn strategy(s: usize) -> Strategy {
    Strategy {
        sampling: Sampling::Random { count: s, two_parents: false, coefficient: Some(Uniform { low: 0.0, high: 0.5 }) },
        query: Linear::COEFFICIENT,
        first: Linear::COMPLEMENT,
        ..Strategy::copies("query mixing", PURPOSE, s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::{Cosines, ExtraDots, Synthetic, normalized};
    use proptest::prelude::*;

    fn mix(b: f64, first: f64) -> Synthetic {
        let dots = Cosines { square: 1.0, first, second: first, parents: 1.0 };
        normalized(strategy(1).coefficients(b), dots, ExtraDots::default())
    }

    proptest! {
        #[test]
        fn lies_between_its_parent_and_the_half_angle(b in 0.0..=0.5f64, cos in -0.999..1.0f64) {
            let synthetic = mix(b, cos);
            prop_assert!(synthetic.cosine >= cos - 1e-12);
            prop_assert!(synthetic.cosine <= ((1.0 + cos) / 2.0).sqrt() + 1e-12);
        }

        #[test]
        fn equals_the_explicit_vector(b in 0.0..0.5f64, angle in 0.0..3.1f64) {
            // q = (1, 0), n = (cos, sin)
            let (x, y) = (b + (1.0 - b) * angle.cos(), (1.0 - b) * angle.sin());
            prop_assert!((mix(b, angle.cos()).cosine - x / x.hypot(y)).abs() < 1e-12);
        }
    }

    #[test]
    fn without_the_query_it_is_the_parent() {
        assert_eq!(mix(0.0, 0.3).cosine, 0.3);
    }
}
