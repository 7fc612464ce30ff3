//! Adversarial negatives (SynCo, type 6): `h = normalize(n + eta sign(∇_n sim(q, n))) = normalize(n + eta sign(q))`, eta = 0.01, as the fast
//! gradient sign method moves an input.
//!
//! The extra vector `e = eta sign(q)` is shared by the row's synthetic negatives: `q·e = eta |q|_1` and `e·e = eta² D` (less where q has zeros)
//! once a row, `n_i·e` is one dot product each. (The public code computes the same: by autograd, since commit c214637 of October 15, 2024. Before, it
//! estimated the gradient along a random direction, as for [`super::perturbation`].)

use super::description::{Extra, Strategy, count, length};
use crate::spec::Spec;

/// `adversarial`.
pub static SPEC: Spec<Strategy> = Spec {
    name: "adversarial",
    doc: "`normalize(n + eta sign(q))`: hard negatives moved by the sign of that gradient (SynCo).",
    arguments: &[count(64), length("eta", 0.01, "Length of the step in each dimension.")],
    build: |values| Strategy {
        extra: Some(Extra::SignOfQuery { length: values[1] }),
        ..Strategy::copies("adversarial", 6, values[0] as usize)
    },
};
