//! The rule of each `"auto"` value. Each returns the value and the reason that is written to `config.toml`.

use mochi_text::counted;

use std::time::Duration;

use crate::choice::{Arch, Augment, EncoderKind, FirstFilters, Layout, OptimizerName, Precision, Stem};
use crate::device::Device;
use crate::sections::Model;
use crate::time::TimeBudget;

/// Epochs by number of images n: 100 sqrt(20,000 / n), from 50 to 400. MoCo trains 200 epochs of 1.3 million images. A small dataset needs more passes for a
/// useful number of steps, and a large one would occupy one machine for weeks; with the square root the steps of a run grow with the number of images.
///
/// They are of two views per image; more views shorten them, so that as many views are seen.
pub fn epochs(images: usize, views: usize) -> (f64, String) {
    let epochs = (100.0 * (20_000.0 / images.max(1) as f64).sqrt()).clamp(50.0, 400.0);
    let reason = format!("100 sqrt(20000 / {images}), from 50 to 400");
    match views {
        2 => (three_digits(epochs), reason),
        _ => (three_digits(epochs * 2.0 / views as f64), format!("{reason}, with {views} views")),
    }
}

/// Grayscale images keep their values: color changes leave only those of brightness and contrast, which cost 0.9 points of k-NN and 0.6 of the linear probe
/// on Fashion-MNIST (docs/results/recipes).
pub fn augment(grayscale: bool) -> (Augment, String) {
    match grayscale {
        true => (Augment::Gray, "grayscale images".to_owned()),
        false => (Augment::Simclr, "color images".to_owned()),
    }
}

/// How long a run will train, as far as that is known before any speed is measured.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// A time limit.
    Time(Duration),
    /// So many views (images x epochs x views of an image).
    Views(f64),
    /// As long as the number of images suggests.
    Open,
}

/// Core-hours up to which the wide and shallow backbone is chosen.
pub(super) const SHORT_HOURS: f64 = 2.0;
/// Views of 64 pixels that a ResNet-18 learns from in this time (docs/results/recipes: 161,000 in 40 minutes of one core).
const SHORT_VIEWS: f64 = 500_000.0;

/// `patch-resnet` for runs of up to two core-hours, otherwise ResNet-18. It learned more in 10 minutes of one core than ResNet-18 in 40; the limit is
/// extrapolated from that (docs/results/recipes).
pub fn arch(length: Length, device: Device, threads: usize) -> (Arch, String) {
    let (short, bound) = match (device, length) {
        (Device::Cuda(_), _) => return (Arch::Resnet18, "a GPU".to_owned()),
        (Device::Cpu, Length::Open) => return (Arch::Resnet18, "no time limit".to_owned()),
        (Device::Cpu, Length::Time(limit)) => {
            (limit.as_secs_f64() * threads as f64 <= SHORT_HOURS * 3600.0, format!("{SHORT_HOURS} core-hours"))
        }
        (Device::Cpu, Length::Views(views)) => (views <= SHORT_VIEWS, counted(SHORT_VIEWS, "view")),
    };
    match short {
        true => (Arch::PatchResnet, format!("at most {bound}")),
        false => (Arch::Resnet18, format!("more than {bound}")),
    }
}

/// Largest views whose feature map `patch-resnet` does not pool.
const FINE_SIZE: u32 = 28;

/// Largest views of which the standard stem of a ResNet would leave a single position in its last feature map.
const SMALL_SIZE: u32 = 32;

/// Small views have few patches, so that each of them counts (docs/results/recipes). ResNets take the stem of MoCo's CIFAR-10 notebook for them.
pub fn stem(arch: Arch, size: u32) -> (Stem, String) {
    match arch {
        Arch::PatchResnet if size <= FINE_SIZE => (Stem::Cifar, format!("{arch}, views of up to {FINE_SIZE} px")),
        Arch::PatchResnet => (Stem::Standard, format!("{arch}, views of more than {FINE_SIZE} px")),
        _ if size <= SMALL_SIZE && arch.has_choice_of_stem() => {
            (Stem::Cifar, format!("{arch}, views of up to {SMALL_SIZE} px"))
        }
        _ => (Stem::Standard, format!("{arch}")),
    }
}

/// k-means for the backbone whose first convolution is most of it.
pub fn first_filters(arch: Arch) -> (FirstFilters, String) {
    match arch {
        Arch::PatchResnet => (FirstFilters::Kmeans, format!("{arch}")),
        _ => (FirstFilters::Random, format!("{arch}")),
    }
}

/// The first GPU if one is usable, otherwise the CPU.
pub fn device(cuda: bool) -> (Device, String) {
    if cuda { (Device::Cuda(0), "a GPU is usable".to_owned()) } else { (Device::Cpu, "no usable GPU".to_owned()) }
}

/// bf16 if the chosen device computes it faster than float32.
pub fn precision(device: Device, fast_bf16: bool) -> (Precision, String) {
    match fast_bf16 {
        true => (Precision::Bf16, format!("{device} is fast at bf16")),
        false => (Precision::Float32, format!("{device} has no fast bf16")),
    }
}

/// oneDNN and tensor cores take channels-last feature maps without copies; CUDA's float32 kernels prefer the contiguous format.
pub fn layout(device: Device, precision: Precision) -> (Layout, String) {
    match (device, precision) {
        (Device::Cuda(_), Precision::Float32) => (Layout::Contiguous, "float32 on CUDA".to_owned()),
        _ => (Layout::ChannelsLast, format!("{precision} on {device}")),
    }
}

/// Threads of the tensor library: one per core.
pub fn threads(available: usize) -> (usize, String) {
    (available.max(1), counted(available, "core"))
}

/// Threads that decode and augment. With a GPU the cores have little else to do. On a CPU the network needs them, and one core prepares views many
/// times faster than a network consumes them.
pub fn data_threads(device: Device, available: usize) -> (usize, String) {
    let threads = match device {
        Device::Cuda(_) => available.saturating_sub(1).clamp(1, 32),
        Device::Cpu => (available / 4).clamp(1, 8),
    };
    (threads, format!("{} with the network on {device}", counted(available, "core")))
}

/// Memory per view of a batch during a step, in bytes (activations kept for the backward pass).
///
/// A rough estimate from the size of all feature maps at 224 pixels with the standard stem in float32 (32 pixels for CIFAR ResNets), scaled by
/// area. The CIFAR stem has 16 times the area (`patch-resnet` without pooling twice the activations), bf16 half the bytes.
pub fn bytes_per_view(model: &Model, size: u32, precision: Precision) -> u64 {
    let (mib, side) = match model.arch {
        Arch::Resnet18 => (30.0, 224.0),
        Arch::Resnet34 => (45.0, 224.0),
        Arch::Resnet50 => (95.0, 224.0),
        Arch::Resnet101 => (140.0, 224.0),
        Arch::Resnet20 => (3.0, 32.0),
        Arch::Resnet32 => (5.0, 32.0),
        Arch::Resnet44 => (7.0, 32.0),
        Arch::Resnet56 => (9.0, 32.0),
        Arch::PatchResnet => (1.2, 64.0),
    };
    let area = (f64::from(size) / side).powi(2);
    let stem = match (model.stem, model.arch) {
        (Stem::Cifar, Arch::PatchResnet) => 2.0,
        (Stem::Cifar, arch) if arch.has_choice_of_stem() => 16.0,
        _ => 1.0,
    };
    let bytes = if precision == Precision::Bf16 { 0.5 } else { 1.0 };
    (mib * area * stem * bytes * 1_048_576.0) as u64
}

/// Images per step: 512 views (256 images of two views, as in MoCo), halved while a step needs more than half of the device's memory, but at least 32
/// images (smaller batches harm batch norm and the turnover of the queue) and at most the number of images.
pub fn batch(images: usize, views: usize, memory_bytes: u64, bytes_per_image: u64) -> (usize, String) {
    let (mut batch, mut reason) = match views {
        2 => (256usize, "as in MoCo".to_owned()),
        views => ((VIEWS_PER_STEP / views).max(32), format!("about {VIEWS_PER_STEP} views")),
    };
    let fits = |batch: usize| memory_bytes == 0 || bytes_per_image.saturating_mul(batch as u64) <= memory_bytes / 2;
    while batch > 32 && !fits(batch) {
        batch /= 2;
        reason = format!("about half of {} MiB of memory", memory_bytes >> 20);
    }
    if batch > images {
        // The smallest batch that batch norm accepts; a dataset of fewer images is refused by the checks.
        batch = images.max(2);
        reason = "all images".to_owned();
    }
    (batch, reason)
}

/// The largest power of two that is at most a quarter of the keys produced per epoch, from 256 to 65536, at least the keys of one step and at most
/// those of one epoch. Below 1024 keys per epoch the lower bound of 256 is more than a quarter.
///
/// A quarter, because an image's own key of the last epoch is then rarely among its negatives: over two independent shuffles of n images the gap
/// between two uses of an image has a triangular distribution on (0, 2n), so a queue of K <= n keys contains it with probability (K/n)^2 / 2, which
/// is 3 % at n/4. A power of two holds complete batches of any automatic size.
pub fn queue(images: usize, batch: usize, symmetric: bool) -> (usize, String) {
    let keys_an_image = if symmetric { 2 } else { 1 };
    let keys = images.saturating_mul(keys_an_image);
    let quarter = keys / 4;
    let power = if quarter == 0 { 1 } else { 1 << quarter.ilog2() };
    let queue: usize = power.clamp(256, 65_536);
    let step = batch.saturating_mul(keys_an_image);
    let reason = match () {
        () if keys < queue.max(step) => format!("all {} of an epoch", counted(keys, "key")),
        () if queue < step => format!("the {step} keys of a step"),
        () => format!("about a quarter of {keys} keys per epoch, from 256 to 65536"),
    };
    (queue.max(step).min(keys.max(1)), reason)
}

/// Batch-norm groups: up to 8, as MoCo's 8 GPUs, of at least 16 images each (MoCo's have 32), all of one size. With several processes at least one on
/// each, and as many on each.
pub fn bn_groups(batch: usize, processes: usize) -> (usize, String) {
    let processes = processes.max(1);
    let fits =
        |groups: &usize| batch.is_multiple_of(*groups) && groups.is_multiple_of(processes) && batch / groups >= 16;
    let groups = (1..=processes.max(8)).rev().find(fits).unwrap_or(1);
    match (groups, processes) {
        (1, 2..) => (1, format!("the whole batch: a process has {} images, less than 16", batch / processes)),
        _ => (groups, format!("groups of {} images", batch / groups)),
    }
}

/// N: a sixteenth of the candidate keys (MoCHi uses 1/64 of 65536 to 1/16 of 16384), from 64 to 1024.
pub fn hardest(queue: usize) -> (usize, String) {
    match (queue / 16).clamp(64, 1024) {
        hardest if hardest > queue => (queue, "all candidate keys".to_owned()),
        hardest => (hardest, format!("a sixteenth of {queue}, but 64 to 1024")),
    }
}

/// s: N, but at most a sixteenth of the candidate keys: in a small queue more would tilt the loss toward its hardest keys, which are often of the query's class.
pub fn pairs(hardest: usize, candidates: usize) -> (usize, String) {
    match candidates / 16 {
        most if most < hardest => (most.max(1), format!("a sixteenth of {candidates}")),
        _ => (hardest, "equal to hardest".to_owned()),
    }
}

/// m: the key encoder's memory of 1 / (1 - m) steps is four times the K / B steps that a key stays in the queue, but at least 100 steps. MoCo's 0.999 for 65,536
/// keys and batches of 256 has about this ratio.
pub fn momentum(queue: usize, batch: usize) -> (f64, String) {
    let rate = (batch as f64 / (4.0 * queue.max(1) as f64)).min(0.01);
    ((1e5 * (1.0 - rate)).round() / 1e5, format!("1 - {batch} / (4 x {queue}), at least 0.99"))
}

/// Epochs before synthetic negatives begin: 5 % of them, but at least 1,000 steps and twice the steps that fill the queue, and at most a quarter. A young encoder
/// embeds all images alike, and the paper begins after 10 of 200 epochs, which are 5,000 steps.
pub fn synthesis_warmup(epochs: f64, steps_per_epoch: usize, steps_to_fill: usize) -> (f64, String) {
    let steps = 1000.max(2 * steps_to_fill);
    let of_steps = steps as f64 / steps_per_epoch.max(1) as f64;
    match epochs / 20.0 {
        part if of_steps >= epochs / 4.0 && part < of_steps => {
            (three_digits(epochs / 4.0), format!("a quarter of {}, less than {steps} steps", counted(epochs, "epoch")))
        }
        part if part < of_steps => (three_digits(of_steps), counted(steps, "step")),
        part => (three_digits(part), format!("{} / 20", counted(epochs, "epoch"))),
    }
}

/// Linear scaling of 0.03 per 256 images (SGD, MoCo) or 0.3 per 256 images (LARS, SimCLR). SGD with a shared encoder, and AdamW: by the square root of
/// the batch, as SimCLR's for small batches (section B.1), from the rate that was found for 256 images (docs/results/recipes).
pub fn learning_rate(name: OptimizerName, encoder: EncoderKind, batch: usize, views: usize) -> (f64, String) {
    let ratio = batch as f64 / 256.0;
    let root = |base: f64| match views {
        2 => (base * ratio.sqrt(), format!("{base} x sqrt({batch} / 256)")),
        // By the number of views: those of an image are as many rows of the loss.
        _ => (
            three_digits(base * (batch as f64 * views as f64 / VIEWS_PER_STEP as f64).sqrt()),
            format!("{base} x sqrt({batch} x {views} / {VIEWS_PER_STEP})"),
        ),
    };
    let linear = |base: f64| (base * ratio, format!("{base} x {batch} / 256"));
    match (name, encoder) {
        (OptimizerName::Sgd, EncoderKind::Shared) => root(SHARED_RATE),
        (OptimizerName::Sgd, EncoderKind::Momentum) => linear(0.03),
        (OptimizerName::Lars, _) => linear(0.3),
        (OptimizerName::Adamw, _) => root(ADAMW_RATE),
    }
}

/// Views of a step of 256 images with two views each.
const VIEWS_PER_STEP: usize = 512;

/// Rate of SGD with a shared encoder at 256 images.
const SHARED_RATE: f64 = 0.12;

/// Rate of AdamW at 256 images.
const ADAMW_RATE: f64 = 0.001;

/// A number rounded to three significant digits.
pub(super) fn three_digits(number: f64) -> f64 {
    if number <= 0.0 || !number.is_finite() {
        return number;
    }
    let digits = 10f64.powf(2.0 - number.log10().floor());
    // Division, so that 3.1 is written as 3.1.
    (number * digits).round() / digits
}

/// The steps of one epoch. Diagnostics cost about as much as the loss of a step, which is little once per 20 steps; the upper bound serves datasets
/// with long epochs.
pub fn diagnostics_every_steps(steps_per_epoch: u64) -> (u64, String) {
    (steps_per_epoch.clamp(20, 1000), format!("{} per epoch, from 20 to 1000", counted(steps_per_epoch, "step")))
}

/// Checkpoints that are kept over a run, apart from the newest: enough for a curve, and few for the disk.
pub const KEPT: u64 = 6;

/// The multiple of the steps between checkpoints, `every`, that leaves about `KEPT` of them over the planned steps.
pub fn keep_every(epochs: f64, steps_per_epoch: usize, every: u64) -> (u64, String) {
    let steps = epochs * steps_per_epoch as f64;
    let times = (steps / (KEPT * every) as f64).round().max(1.0) as u64;
    (every.saturating_mul(times), format!("about {KEPT} checkpoints over {}", counted(epochs, "epoch")))
}

/// Shortest time limit of a run that is evaluated without labeled images, in seconds: shorter ones leave little to be seen between the first and the last
/// evaluation.
const WATCHED_S: f64 = 600.0;

/// With labeled images the steps of one epoch, otherwise the same if the run is long enough. `evaluation.time_fraction` limits the time that it takes.
pub fn evaluation_every_steps(labeled: bool, time: TimeBudget, steps_per_epoch: u64) -> (u64, String) {
    let long = matches!(time, TimeBudget::Limit(limit) if limit.as_secs_f64() >= WATCHED_S);
    match labeled || long {
        true => (
            steps_per_epoch.clamp(20, 1000),
            format!("{} per epoch, from 20 to 1000", counted(steps_per_epoch, "step")),
        ),
        false => (0, "no labeled images, and no time limit of 10 minutes or more".to_owned()),
    }
}
