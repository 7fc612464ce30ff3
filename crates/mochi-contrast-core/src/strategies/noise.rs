//! Noise (SynCo, type 4): `h = normalize(n + e)`, `e ~ N(0, sigma² I)`, sigma = 0.01: the only strategy whose synthetic negatives need a vector of
//! their own, which lives for one row at a time.
//!
//! `q·e`, `n_i·e` and `e·e` are three dot products a synthetic negative; the row's gradient gets `Σ p e / r`.

use super::description::{Extra, Strategy, count, length};
use crate::spec::Spec;

/// `noise`.
pub static SPEC: Spec<Strategy> = Spec {
    name: "noise",
    doc: "`normalize(n + N(0, sigma^2))`: hard negatives with noise (SynCo).",
    arguments: &[count(64), length("sigma", 0.01, "Standard deviation in each dimension.")],
    build: |values| Strategy {
        extra: Some(Extra::Normal { length: values[1] }),
        ..Strategy::copies("noise", 4, values[0] as usize)
    },
};
