//! Answers of NumPy to a small problem, `tests/fixtures/analysis.json`, made by `make_analysis.py` beside it.

use mochi_contrast::{ExplicitSamples, Objective};
use mochi_contrast_core::strategies::{pair_mixing, query_mixing};
use mochi_tensor::{Kind, Tensor};
use serde_json::Value;

fn value(name: &str) -> Value {
    read(include_str!("../../tests/fixtures/analysis.json"))[name].clone()
}

pub(crate) fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn number(name: &str) -> f64 {
    value(name).as_f64().unwrap()
}

pub(crate) fn numbers(name: &str) -> Vec<f64> {
    serde_json::from_value(value(name)).unwrap()
}

pub(crate) fn labels() -> Vec<u32> {
    serde_json::from_value(value("labels")).unwrap()
}

/// Rows of indices.
pub(crate) fn indices(name: &str) -> Vec<Vec<u32>> {
    serde_json::from_value(value(name)).unwrap()
}

/// The objective of the fixture's proxy task, MoCHi (4, 6, 4), with the parents and coefficients of its synthetic negatives.
pub(crate) fn proxy_samples() -> (Objective, [ExplicitSamples; 2]) {
    let shares = |name: &str| serde_json::from_value::<Vec<Vec<f64>>>(value(name)).unwrap().concat();
    let pairs = ExplicitSamples {
        purpose: pair_mixing::PURPOSE,
        first: indices("first_parents").concat(),
        second: indices("second_parents").concat(),
        coefficient: shares("pair_shares"),
    };
    let mixes = ExplicitSamples {
        purpose: query_mixing::PURPOSE,
        first: indices("mix_parents").concat(),
        second: vec![],
        coefficient: shares("mix_shares"),
    };
    (Objective::mochi(0.2, 4, 6, 4), [pairs, mixes])
}

/// A matrix in float32.
pub(crate) fn matrix(name: &str) -> Tensor {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value(name)).unwrap();
    Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1]).to_kind(Kind::Float)
}

#[track_caller]
pub(crate) fn close(found: f64, wanted: f64, tolerance: f64) {
    assert!((found - wanted).abs() <= tolerance, "{found} is not {wanted}");
}
