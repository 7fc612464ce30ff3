//! The rule of each `"auto"` value of detection alone. Each returns the value and the reason that is written to `config.toml`.

use mochi_text::counted;

use crate::choice::Precision;
use crate::device::Device;
use crate::resolve::rules as shared;

/// Passes over the training images.
const PASSES: usize = 25;

/// bf16 on a GPU that computes it fast. On CPUs float32: most of the time goes into the head's convolutions over regions of 14x14 and 7x7 cells, which were 1.8
/// times as fast in float32 on a Xeon with AVX-512 BF16 (ResNet-18, 64 regions of 4 images).
pub fn precision(device: Device, fast_bf16: bool) -> (Precision, String) {
    match device {
        Device::Cpu => (Precision::Float32, "the small maps of regions are faster in float32 on a CPU".to_owned()),
        Device::Cuda(_) => shared::precision(device, fast_bf16),
    }
}

/// 25 passes over the training images, as about 23 in the published protocol on VOC (24,000 x 16 of 16,551 images), from 300 iterations, in which
/// new heads learn something on little data, to 3000. On a CPU, where an iteration of `small` takes a second or more, 300 to 400.
pub fn iterations(images: usize, batch: usize, device: Device) -> (u64, String) {
    let iterations = (images.saturating_mul(PASSES)).div_ceil(batch.max(1)) as u64;
    let most = if device == Device::Cpu { 400 } else { 3000 };
    let images = counted(images, "image");
    (iterations.clamp(300, most), format!("{PASSES} passes over {images}, from 300 to {most} on {device}"))
}

/// The linear rule from 0.02 for 16 images.
pub fn learning_rate(batch: usize) -> (f64, String) {
    // One division, so that 0.005 is written as 0.005.
    (batch as f64 / 800.0, format!("0.02 x {batch} / 16"))
}

/// 3/4 and 11/12 of the iterations, as 18,000 and 22,000 of 24,000; those within the run, which a run of one iteration has none of.
pub fn milestones(iterations: u64) -> (Vec<u64>, String) {
    let at = |parts: u64| iterations / 12 * parts + iterations % 12 * parts / 12;
    let mut milestones = vec![at(9), at(11)];
    milestones.dedup();
    milestones.retain(|&at| at > 0);
    (milestones, format!("3/4 and 11/12 of {}", counted(iterations, "iteration")))
}

/// A tenth of the iterations, from 100 to 5000, which are the published protocol's.
pub fn checkpoint_steps(iterations: u64) -> (u64, String) {
    ((iterations / 10).clamp(100, 5000), format!("a tenth of {}, from 100 to 5000", counted(iterations, "iteration")))
}
