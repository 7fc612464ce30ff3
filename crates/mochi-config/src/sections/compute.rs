//! `[compute]`: what the arithmetic runs on.

use super::section;
use crate::choice::{Device, Layout, Precision};
use crate::keys::Kind;

section! {
    /// Device, precision and threads.
    Compute, ComputeSettings, "compute" {
        /// What computes. Auto: CUDA where there is a GPU that works, else the CPU.
        auto device: Device = Kind::Choice(Device::WORDS);
        /// Arithmetic of convolutions and matrix products. Auto: `bf16` where the device is fast at it.
        auto precision: Precision = Kind::Choice(Precision::WORDS);
        /// How feature maps lie in memory. Auto: `channels_last`, except for `float32` on CUDA.
        auto layout: Layout = Kind::Choice(Layout::WORDS);
        /// Threads of the tensor library. Auto: as many as cores.
        auto threads: usize = Kind::Integer { min: 1, max: 1024 };
    }
}
