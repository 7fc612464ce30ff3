//! Properties of the dataset and of the machine that the rules of `"auto"` read.

use crate::choice::{Arch, Stem};
use crate::device::Device;

/// Properties of the dataset and of the machine. [`Facts::default`] knows nothing: no image, no GPU, no memory limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Number of images in the dataset.
    pub images: usize,
    /// Median of the images' shorter sides in pixels, where it is known.
    pub short_side: Option<u32>,
    /// The network of the weights of `model.init`, where it is known.
    pub start: Option<StartNetwork>,
    /// Whether all images of a sample are grayscale.
    pub grayscale: bool,
    /// Speed of training steps on this machine, by rising view size. Empty: not measured.
    pub speeds: Vec<Speed>,
    /// Whether the dataset has class labels.
    pub labels: bool,
    /// CPU cores that this process may use.
    pub cores: usize,
    /// The processor and the memory of this process.
    pub cpu: DeviceFacts,
    /// Usable CUDA devices, by index.
    pub gpus: Vec<DeviceFacts>,
    /// Processes that train together; 0 is the same as 1.
    pub processes: usize,
}

/// The network of the weights that a run starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartNetwork {
    /// Backbone.
    pub arch: Arch,
    /// Its first layers; `None` if the weights fit both.
    pub stem: Option<Stem>,
    /// View size in pixels that it was trained with, if that is known.
    pub size: Option<u32>,
}

/// Speed of training steps at a view size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// View size in pixels.
    pub size: u32,
    /// Images per second, after the first epoch.
    pub images_per_s: f64,
    /// Seconds that the first use of an image takes longer, because it is decoded and then kept.
    pub first_s: f64,
}

/// Properties of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Memory that a training step may use, in bytes: a GPU's own, for the CPU the machine's or, in a container, the container's
    /// limit. 0: unknown.
    pub memory_bytes: u64,
    /// Whether bf16 is faster than float32: CPUs with AMX or AVX512-BF16, GPUs of compute capability 8 and above.
    pub fast_bf16: bool,
}

impl Speed {
    /// The speed at another size if the time of a step is proportional to the area of a view.
    #[must_use]
    pub fn scaled(self, size: u32) -> Speed {
        let ratio = f64::from(self.size) / f64::from(size.max(1));
        Speed { size, images_per_s: self.images_per_s * ratio * ratio, ..self }
    }

    /// Images seen in so many seconds, over epochs of `images`.
    pub fn images_in(self, seconds: f64, images: usize) -> f64 {
        let first_epoch_s = images as f64 * (1.0 / self.images_per_s + self.first_s);
        match seconds > first_epoch_s {
            true => images as f64 + (seconds - first_epoch_s) * self.images_per_s,
            false => seconds / (1.0 / self.images_per_s + self.first_s),
        }
    }

    /// Seconds in which `seen` images are seen, over epochs of `images`: the inverse of [`Self::images_in`].
    pub fn seconds_for(self, seen: f64, images: usize) -> f64 {
        seen / self.images_per_s + seen.min(images as f64) * self.first_s
    }
}

/// The machine, as the rules that every task shares read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine<'a> {
    /// CPU cores that this process may use.
    pub(crate) cores: usize,
    /// The processor.
    pub(crate) cpu: DeviceFacts,
    /// Usable CUDA devices, by index.
    pub(crate) gpus: &'a [DeviceFacts],
}

impl Machine<'_> {
    /// Properties of one device; `None` if this machine does not have it.
    pub(crate) fn device(&self, device: Device) -> Option<DeviceFacts> {
        match device {
            Device::Cpu => Some(self.cpu),
            Device::Cuda(index) => self.gpus.get(index).copied(),
        }
    }
}

impl Facts {
    /// Properties of one device; `None` if this machine does not have it.
    pub fn device(&self, device: Device) -> Option<DeviceFacts> {
        self.machine().device(device)
    }

    pub(crate) fn machine(&self) -> Machine<'_> {
        Machine { cores: self.cores, cpu: self.cpu, gpus: &self.gpus }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_seconds_are_inverse() {
        let speed = Speed { size: 32, images_per_s: 50.0, first_s: 0.1 };
        assert_eq!([50.0, 100.0, 300.0].map(|seen| speed.seconds_for(seen, 100)), [6.0, 12.0, 16.0]);
        assert_eq!([6.0, 12.0, 16.0].map(|seconds| speed.images_in(seconds, 100).round()), [50.0, 100.0, 300.0]);
    }
}
