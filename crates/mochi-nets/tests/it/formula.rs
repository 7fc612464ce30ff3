//! The formulas of `fixtures/make_resnet_cases.py`: weights, images and summaries that both sides compute instead of storing them.
#![allow(dead_code, reason = "each test that shares this takes what it needs")]

use mochi_tensor::{Kind, Tensor};

/// FNV-1a, 64 bits.
pub fn fnv(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

pub fn splitmix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The tensor that the script's formula gives for this name and shape.
pub fn formula(name: &str, shape: &[i64]) -> Tensor {
    let (low, width) = match (name, name.rsplit('.').next()) {
        ("input", _) => (-(3.0f64.sqrt()), 2.0 * 3.0f64.sqrt()),
        ("cotangent", _) => (-1.0, 2.0),
        (_, Some("weight")) if shape.len() == 4 => {
            let bound = (6.0 / (shape[1] * shape[2] * shape[3]) as f64).sqrt();
            (-bound, 2.0 * bound)
        }
        (_, Some("weight")) => (0.5, 0.25),
        (_, Some("running_var")) => (0.5, 1.0),
        (_, Some("bias")) => (-0.2, 0.4),
        (_, Some("running_mean")) => (-0.1, 0.2),
        _ => panic!("no formula for {name}"),
    };
    let (hash, count) = (fnv(name), shape.iter().product::<i64>());
    let unit = |i: i64| (splitmix(hash.wrapping_add(i as u64)) >> 40) as f64 / f64::from(1 << 24);
    let values: Vec<f32> = (0..count).map(|i| (low + width * unit(i)) as f32).collect();
    Tensor::from_slice(&values).view(shape)
}

/// Largest value, norm and 8 entries, as the script's rows have them.
pub fn summary(name: &str, tensor: &Tensor) -> Tensor {
    let flat = tensor.detach().to_kind(Kind::Double).reshape([-1]);
    let hash = fnv(name).wrapping_add(1 << 32);
    let places: Vec<i64> = (0..8).map(|j| (splitmix(hash.wrapping_add(j)) % flat.numel() as u64) as i64).collect();
    let norm = flat.square().sum(Kind::Double).sqrt();
    Tensor::cat(&[Tensor::stack(&[flat.abs().max(), norm], 0), flat.index_select(0, &Tensor::from_slice(&places))], 0)
}
