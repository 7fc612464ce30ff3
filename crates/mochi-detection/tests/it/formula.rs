//! Detectors and images whose values are given by a formula, which the fixtures' scripts have as well.

use mochi_detection::boxes::ImageSize;
use mochi_detection::{Detector, DetectorSpec, ImageGroup, names};
use mochi_tensor::{Compute, Device, Kind, Precision, Role, Tensor, no_grad, with_seed};
use serde_json::Value;

/// Reads a fixture.
pub fn numbers(file: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Values in [0, 1) of a name: FNV-1a and SplitMix64.
pub fn uniform(name: &str, count: usize) -> Vec<f64> {
    let hash =
        name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (1..=count as u64)
        .map(|i| {
            let mut z = hash.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            (z >> 40) as f64 / f64::from(1 << 24)
        })
        .collect()
}

/// The value of one of detectron2's tensors. `deviations`: those of weights, by the end of the name; He et al.'s for others.
fn value(name: &str, shape: &[i64], deviations: &[(&str, f64)]) -> Tensor {
    let fan = shape[1..].iter().product::<i64>() as f64;
    let fixed = deviations.iter().find(|(end, _)| name.ends_with(end));
    let deviation = fixed.map_or((2.0 / fan).sqrt(), |(_, deviation)| *deviation);
    let v = |i: f64| 2.0 * i - 1.0;
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
    let norm = name.contains(".norm.");
    let values: Vec<f64> = uniform(name, count)
        .into_iter()
        .map(v)
        .map(|v| match name {
            _ if norm && name.ends_with("weight") => (if name.contains("conv3.norm") { 0.25 } else { 1.0 }) + 0.1 * v,
            _ if norm => 0.1 * v,
            _ if name.ends_with("bias") => 0.05 * v,
            _ => 3f64.sqrt() * deviation * v,
        })
        .collect();
    Tensor::from_slice(&values).view(shape)
}

/// A detector in float64. Running statistics are 0 and 1.
pub fn detector(spec: DetectorSpec, deviations: &[(&str, f64)]) -> Detector {
    let architecture = spec.architecture;
    let compute = Compute { precision: Precision::Float64, ..Compute::CPU };
    let detector = with_seed(0, || Detector::new(spec, compute)).unwrap();
    detector.store().set_kind(Kind::Double);
    no_grad(|| {
        for (name, tensor, _) in detector.store().iter().filter(|(.., role)| *role == Role::Parameter) {
            let value = value(&names::detectron2(name, architecture), &tensor.size(), deviations);
            tensor.shallow_clone().copy_(&value);
        }
    });
    detector
}

/// One of detectron2's tensors.
pub fn tensor(detector: &Detector, wanted: &str) -> Tensor {
    let architecture = detector.spec().architecture;
    let mut all = detector.store().iter();
    all.find(|(name, ..)| names::detectron2(name, architecture) == wanted).unwrap().1.shallow_clone()
}

/// Normalized image number `i`, (1, 3, h, w).
fn image(i: usize, ImageSize { height, width }: ImageSize) -> Tensor {
    let count = 3 * (height * width) as usize;
    let values: Vec<f64> = uniform(&format!("image{i}"), count).into_iter().map(|u| (256.0 * u).floor()).collect();
    let channel = |values: [f32; 3]| Tensor::from_slice(&values.map(f64::from)).view([3, 1, 1]);
    let pixels = Tensor::from_slice(&values).view([1, 3, i64::from(height), i64::from(width)]);
    (pixels - channel([123.675, 116.280, 103.530])) / channel([58.395, 57.120, 57.375])
}

/// Images of these sizes, padded to the largest.
pub fn group(sizes: &[ImageSize]) -> ImageGroup {
    let most = |side: fn(&ImageSize) -> u32| i64::from(sizes.iter().map(side).max().unwrap());
    let shape = [sizes.len() as i64, 3, most(|size| size.height), most(|size| size.width)];
    let pixels = Tensor::zeros(shape, (Kind::Double, Device::Cpu));
    for (i, &size) in sizes.iter().enumerate() {
        let image = image(i, size);
        let place = pixels.narrow(0, i as i64, 1).narrow(2, 0, image.size()[2]).narrow(3, 0, image.size()[3]);
        place.shallow_clone().copy_(&image);
    }
    ImageGroup { pixels, sizes: sizes.to_vec() }
}

/// Relative to the value, or to 0.001 where that is larger.
pub fn close(ours: f64, wanted: &Value, tolerance: f64, what: &str) {
    let wanted = wanted.as_f64().unwrap();
    let gap = (ours - wanted).abs() / wanted.abs().max(1e-3);
    assert!(gap < tolerance, "{what}: {ours} is not {wanted} ({gap:.1e})");
}
