//! `detection_reference.safetensors`, which `detection_reference.py` wrote from torchvision and pycocotools.

use std::collections::BTreeMap;
use std::path::Path;

use mochi_tensor::{Kind, Tensor, read_tensors};
use serde_json::Value;

pub struct Fixture {
    tensors: BTreeMap<String, Tensor>,
    pub about: Value,
}

impl Fixture {
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/detection_reference.safetensors");
        let (tensors, metadata) = read_tensors(&path).unwrap();
        Self { tensors, about: serde_json::from_str(&metadata["about"]).unwrap() }
    }

    pub fn tensor(&self, name: &str) -> Tensor {
        self.tensors[name].shallow_clone()
    }

    /// float32 or float64 values, as float32.
    pub fn floats(&self, name: &str) -> Vec<f32> {
        Vec::try_from(&self.tensor(name).to_kind(Kind::Float).view([-1])).unwrap()
    }

    pub fn boxes(&self, name: &str) -> Vec<[f32; 4]> {
        self.floats(name).as_chunks::<4>().0.to_vec()
    }

    pub fn integers(&self, name: &str) -> Vec<i64> {
        Vec::try_from(&self.tensor(name).to_kind(Kind::Int64).view([-1])).unwrap()
    }

    pub fn indices(&self, name: &str) -> Vec<usize> {
        self.integers(name).into_iter().map(|i| usize::try_from(i).unwrap()).collect()
    }
}

/// The largest difference.
pub fn gap(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    let wide = |x: &Tensor| x.detach().to_kind(Kind::Double);
    (wide(a) - wide(b)).abs().max().double_value(&[])
}

/// The largest difference, relative to 1 or to the value where that is larger.
pub fn box_gap(a: &[[f32; 4]], b: &[[f32; 4]]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.as_flattened().iter().zip(b.as_flattened());
    pairs.map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max)
}
