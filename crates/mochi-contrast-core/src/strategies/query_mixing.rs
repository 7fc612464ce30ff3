//! Query mixing, the "even harder" negatives (MoCHi, section 3.3; SynCo's "interpolation"): `h' = normalize(b q + (1-b) n_j)`, b ~ U(0, 1/2),
//! so that the query contributes less than the negative.
//!
//! With `a_j = q·n_j` no dot product is needed at all:
//!
//! ```text
//! r     = |b q + (1-b) n_j| = sqrt(b² + (1-b)² + 2 b (1-b) a_j)
//! q·h'  = (b + (1-b) a_j) / r
//! d(q·h')/dq = (b/r) q + ((1-b)/r) n_j                                             h' is a constant (the paper)
//!            = (2b/r - c b²/r²) q + ((1-b)/r - c b (1-b)/r²) n_j,   c = q·h'        with gradient through the inner query
//! ```
//!
//! Bounds: `a_j <= q·h' <= sqrt((1 + a_j)/2)` for b in [0, 1/2]; b = 0 gives n_j.

use super::description::{BETA, Coefficient, Linear, Sampling, SecondParent, Strategy, count, end, switch};
use crate::spec::Spec;

/// Purpose of its draws.
pub const PURPOSE: u8 = 2;

/// `query-mixing`: the paper's, or with another distribution of b, or with gradient through the query inside it.
pub static SPEC: Spec<Strategy> = Spec {
    name: "query-mixing",
    doc: "`normalize(b q + (1 - b) n_j)` (MoCHi): `negatives.query_mixes` with other options; set that to 0.",
    arguments: &[
        count(64),
        end("low", 0.0, "Lower end of b."),
        end("high", 0.5, "Upper end of b."),
        BETA,
        switch("query_gradient", "1: the gradient passes through the query inside the mix; in MoCHi it is a constant."),
    ],
    build: |values| Strategy {
        sampling: Sampling::Random {
            count: values[0] as usize,
            second: SecondParent::None,
            coefficient: Some(Coefficient::beta(values[1], values[2], values[3])),
        },
        query: Linear::COEFFICIENT,
        first: Linear::COMPLEMENT,
        query_gradient: values[4] == 1.0,
        ..Strategy::copies("query-mixing", PURPOSE, values[0] as usize)
    },
};

/// The paper's: `s` query mixes per query.
pub fn strategy(s: usize) -> Strategy {
    (SPEC.build)(&[s as f64, 0.0, 0.5, 1.0, 0.0])
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

    proptest! {
        #[test]
        fn the_query_gradient_is_the_derivative(b in 0.01..0.5f64, angle in 0.1..3.0f64) {
            // The cosine q·h'(q) as a function of a free q = (x, y), by central differences.
            let n = (angle.cos(), angle.sin());
            let strategy = SPEC.configure([("query_gradient", 1.0)]).unwrap().build();
            let of = |x: f64, y: f64| {
                let dots = Cosines { square: x * x + y * y, first: x * n.0 + y * n.1, ..Cosines::default() };
                strategy.with_query_gradient(normalized(strategy.coefficients(b), dots, ExtraDots::default()))
            };
            let e = 1e-6;
            let numeric = (
                (of(1.0 + e, 0.0).cosine - of(1.0 - e, 0.0).cosine) / (2.0 * e),
                (of(1.0, e).cosine - of(1.0, -e).cosine) / (2.0 * e),
            );
            let synthetic = of(1.0, 0.0);
            prop_assert!((synthetic.query + synthetic.first * n.0 - numeric.0).abs() < 1e-6);
            prop_assert!((synthetic.first * n.1 - numeric.1).abs() < 1e-6);
        }
    }

    #[test]
    fn without_the_query_it_is_the_parent() {
        assert_eq!(mix(0.0, 0.3).cosine, 0.3);
    }
}
