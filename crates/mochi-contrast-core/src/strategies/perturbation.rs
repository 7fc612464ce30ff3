//! Perturbation (SynCo, type 5): `h = normalize(n + delta ∇_n sim(q, n)) = normalize(n + delta q)`, delta = 0.01: a step of the negative along
//! the gradient of its similarity with the query, which for the dot product is the query itself.
//!
//! As coefficients of the common form: `c_q = delta`, `c_i = 1`; only the parent is drawn. A synthetic negative is at least as hard as its
//! parent. (The public code, giakoumoglou/synco `builder.py`, computes the same: by autograd, since commit c214637 of October 15, 2024. Before, it
//! estimated that gradient along one random direction, so that its synthetic negatives differed from their parents by about 1e-7 in each
//! dimension.)

use super::description::{Linear, Strategy, count, length};
use crate::spec::Spec;

/// `perturb`.
pub static SPEC: Spec<Strategy> = Spec {
    name: "perturb",
    doc: "`normalize(n + delta q)`: hard negatives moved along the gradient of their similarity (SynCo).",
    arguments: &[count(64), length("delta", 0.01, "Length of the step towards the query.")],
    build: |values| Strategy {
        query: Linear::constant(values[1]),
        ..Strategy::copies("perturb", 5, values[0] as usize)
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::{Cosines, ExtraDots, normalized};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_explicit_vector_and_is_no_easier_than_its_parent(delta in 0.0..0.5f64, angle in 0.0..3.1f64) {
            let (x, y) = (delta + angle.cos(), angle.sin());
            let dots = Cosines { square: 1.0, first: angle.cos(), ..Cosines::default() };
            let strategy = SPEC.configure([("delta", delta)]).unwrap().build();
            let synthetic = normalized(strategy.coefficients(0.0), dots, ExtraDots::default());
            prop_assert!((synthetic.cosine - x / x.hypot(y)).abs() < 1e-9);
            prop_assert!(synthetic.cosine >= angle.cos() - 1e-9);
        }
    }
}
