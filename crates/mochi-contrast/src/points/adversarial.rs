//! Adversarial points (SynCo, type 6): `h = normalize(n + eta sign(∇_n sim(q, n))) = normalize(n + eta sign(q))`, eta = 0.01, as the fast
//! gradient sign method moves an input.
//!
//! The extra vector `e = eta sign(q)` is the row's, shared by its points: `q·e = eta |q|_1` and `e·e = eta² D` (less where q has zeros) once a
//! row, `n_i·e` is one dot product a point. Option: eta. (The public code estimates the gradient along a random direction, as for
//! [`super::perturbation`]; this is the paper's formula.)

use crate::draws::{Law, Second, purpose};

/// The row's extra vector (D,) without its length: the signs of q, 0 where q is 0.
#[inline(always)]
pub(crate) fn signs(query: &[f32], out: &mut Vec<f32>) {
    out.clear();
    out.extend(query.iter().map(|&x| {
        if x > 0.0 {
            1.0
        } else if x < 0.0 {
            -1.0
        } else {
            0.0
        }
    }));
}

pub(crate) const LAW: Law = Law { purpose: purpose::ADVERSARIAL, second: Second::Same, share: None };
