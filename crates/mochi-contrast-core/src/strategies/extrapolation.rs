//! Extrapolation (SynCo, Giakoumoglou and Stathaki 2024, type 2): `h = normalize(q + b (n - q)) = normalize(n + (b-1)(n - q))`,
//! b ~ U(1, 1.5): the negative is pushed beyond itself, away from the query.
//!
//! As coefficients of the common form: `c_q = 1 - b`, `c_i = b`. No dot product: `r² = (1-b)² + b² + 2 b (1-b) a_i`. A synthetic negative lies no
//! nearer to the query than its parent; b = 1 gives the parent. (Public code: giakoumoglou/synco, `builder.py`.)

use super::description::{Coefficient, Linear, Sampling, SecondParent, Strategy, count};
use crate::spec::{Argument, Range, Spec};

/// `extrapolate`.
pub static SPEC: Spec<Strategy> = Spec {
    name: "extrapolate",
    doc: "`normalize(n + (b - 1)(n - q))`, b ~ U(1, max): hard negatives pushed away from the query (SynCo).",
    arguments: &[
        count(256),
        Argument { name: "max", range: Range::Number { min: 1.0, max: 100.0 }, default: 1.5, doc: "Upper end of b." },
    ],
    build: |values| {
        let (s, max) = (values[0] as usize, values[1]);
        Strategy {
            sampling: Sampling::Random {
                count: s,
                second: SecondParent::None,
                coefficient: Some(Coefficient::uniform(1.0, max)),
            },
            query: Linear::COMPLEMENT,
            first: Linear::COEFFICIENT,
            ..Strategy::copies("extrapolate", 3, s)
        }
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::{Cosines, ExtraDots, normalized};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_explicit_vector_and_is_no_harder_than_its_parent(b in 1.0..2.0f64, angle in 0.0..3.1f64) {
            // q = (1, 0), n = (cos, sin)
            let (x, y) = ((1.0 - b) + b * angle.cos(), b * angle.sin());
            prop_assume!(x.hypot(y) > 1e-6);
            let dots = Cosines { square: 1.0, first: angle.cos(), ..Cosines::default() };
            let synthetic = normalized(SPEC.defaults().build().coefficients(b), dots, ExtraDots::default());
            prop_assert!((synthetic.cosine - x / x.hypot(y)).abs() < 1e-9);
            prop_assert!(synthetic.cosine <= angle.cos() + 1e-9);
        }
    }
}
