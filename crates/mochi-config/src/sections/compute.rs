//! `[compute]`: device, precision and threads.

use crate::choice::{Layout, Precision};
use crate::device::Device;
use crate::kind::Kind;
use crate::section::section;

section! {
    /// Device, precision and threads.
    Compute, ComputeSettings, "compute" {
        /// Device: `cpu`, `cuda` (the first GPU) or `cuda:N`. auto: `cuda` if a GPU is usable, otherwise `cpu`.
        auto device: Device = Kind::Device;
        /// Precision of convolutions and matrix products; parameters, statistics and logits are always float32. auto: `bf16` if the device
        /// computes it faster than float32 (CPUs with AMX or AVX512-BF16, GPUs of compute capability 8 and above), otherwise `float32`. `tf32`
        /// lets CUDA compute float32 products with 10-bit mantissas; on the CPU it is the same as `float32`.
        auto precision: Precision = Kind::Choice(Precision::WORDS);
        /// Memory format of feature maps. auto: `contiguous` for `float32` on CUDA, otherwise `channels_last`.
        auto layout: Layout = Kind::Choice(Layout::WORDS);
        /// Threads of the tensor library. auto: the number of cores.
        auto threads: usize = Kind::Integer { min: 1, max: 1024 };
    }
}
