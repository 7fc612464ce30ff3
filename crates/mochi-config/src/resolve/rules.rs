//! The rule of every `"auto"`. Each returns its value and the phrase that stands beside it in `config.toml`.

use super::{Facts, cores};
use crate::choice::{Arch, Device, Layout, OptimizerName, Precision, Stem};
use crate::sections::Model;

/// Epochs by images. MoCo trains 200 epochs of 1.3 million images; a short data set needs more passes to come to a
/// number of steps at which anything is learnt, and a large one would keep one machine busy for weeks.
///
/// | images | epochs |
/// |---|---|
/// | under 2,000 | 400 |
/// | under 20,000 | 200 |
/// | under 200,000 | 100 |
/// | more | 50 |
pub fn epochs(images: usize) -> (u32, String) {
    let (epochs, bound) = match images {
        0..2_000 => (400, "under 2000"),
        2_000..20_000 => (200, "under 20000"),
        20_000..200_000 => (100, "under 200000"),
        _ => (50, "200000 or more"),
    };
    (epochs, format!("{images} images, {bound}"))
}

/// CUDA where it works.
pub fn device(cuda: bool) -> (Device, String) {
    if cuda { (Device::Cuda, "a GPU works here".to_owned()) } else { (Device::Cpu, "no working GPU".to_owned()) }
}

/// bf16 where it is fast.
pub fn precision(bf16_fast: bool) -> (Precision, String) {
    match bf16_fast {
        true => (Precision::Bf16, "fast on this device".to_owned()),
        false => (Precision::Float32, "no fast bf16 on this device".to_owned()),
    }
}

/// Channels last feeds the convolutions of oneDNN and of tensor cores without copies; CUDA's float32 kernels prefer
/// the contiguous layout.
pub fn layout(device: Device, precision: Precision) -> (Layout, String) {
    match (device, precision) {
        (Device::Cuda, Precision::Float32) => (Layout::Contiguous, "float32 on CUDA".to_owned()),
        _ => (Layout::ChannelsLast, format!("{precision} on {device}")),
    }
}

/// Threads that decode and augment. Beside a GPU the cores have little else to do; on a CPU the network takes them,
/// and one core brings in views many times faster than a network of any depth uses them up.
pub fn data_threads(device: Device, available: usize) -> (usize, String) {
    let threads = match device {
        Device::Cuda => available.saturating_sub(1).clamp(1, 32),
        Device::Cpu => (available / 4).clamp(1, 8),
    };
    (threads, format!("{}, network on {device}", cores(available)))
}

/// Bytes that one image of a batch holds while a step runs (activations kept for the backward pass).
///
/// A rough figure from the size of all feature maps at 224 pixels with the standard stem in float32 (32 pixels for the
/// CIFAR family), scaled by area; the CIFAR stem has 16 times the area, bf16 half the bytes.
pub fn bytes_per_image(model: &Model, size: u32, precision: Precision) -> u64 {
    let (mib, side) = match model.arch {
        Arch::Resnet18 => (30.0, 224.0),
        Arch::Resnet34 => (45.0, 224.0),
        Arch::Resnet50 => (95.0, 224.0),
        Arch::Resnet101 => (140.0, 224.0),
        Arch::Resnet20 => (3.0, 32.0),
        Arch::Resnet32 => (5.0, 32.0),
        Arch::Resnet44 => (7.0, 32.0),
        Arch::Resnet56 => (9.0, 32.0),
    };
    let area = (f64::from(size) / side).powi(2);
    let stem = if model.stem == Stem::Cifar && !model.arch.is_cifar_family() { 16.0 } else { 1.0 };
    let bytes = if precision == Precision::Bf16 { 0.5 } else { 1.0 };
    (mib * area * stem * bytes * 1_048_576.0) as u64
}

/// Images a step: MoCo's 256, halved while an epoch would have under 50 steps or the step would take over half of the
/// memory, not under 32 (batch-norm and the queue's refresh suffer), never more than there are images.
pub fn batch(facts: &Facts, bytes_per_image: u64) -> (usize, String) {
    let (mut batch, mut reason) = (256usize, "MoCo's".to_owned());
    let fits = |batch: usize| {
        facts.memory_bytes == 0 || bytes_per_image.saturating_mul(batch as u64) <= facts.memory_bytes / 2
    };
    while batch > 32 && facts.images / batch < 50 {
        batch /= 2;
        reason = format!("{} steps an epoch of {} images", facts.images / batch, facts.images);
    }
    while batch > 32 && !fits(batch) {
        batch /= 2;
        reason = format!("about half of {} MiB of memory", facts.memory_bytes >> 20);
    }
    if batch > facts.images {
        // The smallest batch that batch-norm can take; a data set of fewer images is refused by the checks.
        batch = facts.images.max(2);
        reason = "all images there are".to_owned();
    }
    (batch, reason)
}

/// The largest power of two that is at most a quarter of an epoch's keys, from 256 to 65536, at least one step's keys
/// and at most one epoch's.
///
/// A quarter, because an image's own key of the last epoch is then rarely among its negatives: over two independent
/// shuffles of n images the gap between two uses of an image has a triangular distribution on (0, 2n), so a queue of
/// K <= n holds it with probability (K/n)^2 / 2, which is 3 % at n/4. A power of two holds whole batches of any
/// automatic size; the ring takes any other as well.
pub fn queue(images: usize, batch: usize, symmetric: bool) -> (usize, String) {
    let keys_an_image = if symmetric { 2 } else { 1 };
    let keys = images.saturating_mul(keys_an_image);
    let quarter = keys / 4;
    let power = if quarter == 0 { 1 } else { 1 << quarter.ilog2() };
    let queue: usize = power.clamp(256, 65_536);
    let queue = queue.max(batch.saturating_mul(keys_an_image)).min(keys.max(1));
    (queue, format!("about a quarter of {keys} keys an epoch, from 256 to 65536"))
}

/// Groups of batch-norm statistics: as MoCo's 8 GPUs, of at least 16 images each (MoCo's had 32), all of one size.
pub fn bn_groups(batch: usize) -> (usize, String) {
    let groups = (1..=8).rev().find(|groups| batch.is_multiple_of(*groups) && batch / groups >= 16).unwrap_or(1);
    (groups, format!("groups of {} images against the batch-norm leak", batch / groups))
}

/// N: a sixteenth of the queue (MoCHi takes 1/64 of 65536 up to 1/16 of 16384), from 64 to 1024, at most the queue.
pub fn hardest(queue: usize) -> (usize, String) {
    ((queue / 16).clamp(64, 1024).min(queue), format!("{queue} / 16, from 64 to 1024"))
}

/// The linear rule on MoCo's 0.03 at 256 images (SGD) and 0.3 at 256 (LARS, as SimCLR).
pub fn learning_rate(name: OptimizerName, batch: usize) -> (f64, String) {
    let base = match name {
        OptimizerName::Sgd => 0.03,
        OptimizerName::Lars => 0.3,
    };
    (base * batch as f64 / 256.0, format!("{base} x {batch} / 256"))
}

/// Once an epoch. A look costs about as much as the step's loss, so that twenty steps make it little; a large data set would wait long for an
/// epoch's end.
pub fn diagnostics_every_steps(steps_per_epoch: u64) -> (u64, String) {
    (steps_per_epoch.clamp(20, 1000), format!("{steps_per_epoch} steps an epoch, from 20 to 1000"))
}
