//! Where, in which precision and in which memory layout a network computes.
//!
//! Mixed precision is explicit: parameters stay float32, and each convolution or linear layer casts its weight where it uses it
//! ([`Compute::weight`]). That is what torch's bf16 autocast does, without thread-local state, and the same on CPU and CUDA.

use std::ffi::c_int;

use crate::ffi;
use crate::{Device, Kind, Tensor, TensorError};

/// Arithmetic of the convolutions and matrix products; parameters, statistics, logits and losses are float32 in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// IEEE float32 throughout, on CUDA too.
    Float32,
    /// float32 values whose CUDA products are computed in TF32: 8 bits of exponent, 10 of mantissa. On the CPU the same as float32.
    Tf32,
    /// bfloat16 activations and products, float32 parameters.
    Bf16,
    /// float64 throughout, for comparisons with references: the parameters must be float64 too ([`crate::ParameterStore::set_kind`]).
    Float64,
}

impl Precision {
    /// The name that configurations and results use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
            Self::Float64 => "float64",
        }
    }
}

/// Device, precision and layout of a computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// Device of parameters and activations.
    pub device: Device,
    /// Arithmetic of the heavy layers.
    pub precision: Precision,
    /// Channels innermost (NHWC in memory): fastest for oneDNN and cuDNN, and needed by the fused [`crate::BatchNorm::forward`].
    pub channels_last: bool,
}

impl Compute {
    /// float32 on the CPU, channels innermost.
    pub const CPU: Self = Self { device: Device::Cpu, precision: Precision::Float32, channels_last: true };

    /// Makes this computation's precision the process's: float32 products on CUDA become IEEE float32 or TF32, in backward passes too.
    /// Call it before the first step; IEEE is what [`crate::start`] leaves.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn activate(&self) -> Result<(), TensorError> {
        set_tf32(self.precision == Precision::Tf32)
    }

    /// The activations' type.
    pub fn kind(&self) -> Kind {
        match self.precision {
            Precision::Float32 | Precision::Tf32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
            Precision::Float64 => Kind::Double,
        }
    }

    /// Images (B, C, H, W) on any device, as the network's input: on the device, in its type and layout.
    ///
    /// # Errors
    /// libtorch's error, e.g. when memory is short.
    pub fn input(&self, images: &Tensor) -> Result<Tensor, TensorError> {
        let images = upload(images, self.device)?.f_to_kind(self.kind())?;
        if self.channels_last { channels_last(&images) } else { Ok(images) }
    }

    /// A new kernel (out, in, k, k) in the memory layout of the activations, which convolutions would otherwise give it at every call.
    ///
    /// # Errors
    /// libtorch's error, e.g. when memory is short.
    pub fn kernel(&self, value: Tensor) -> Result<Tensor, TensorError> {
        if self.channels_last { channels_last(&value) } else { Ok(value) }
    }

    /// A parameter in the type that the heavy layers compute in. The cast is differentiable.
    pub fn weight(&self, parameter: &Tensor) -> Tensor {
        match self.precision {
            Precision::Float32 | Precision::Tf32 | Precision::Float64 => parameter.shallow_clone(),
            Precision::Bf16 => parameter.to_kind(Kind::BFloat16),
        }
    }
}

/// A tensor on a device. What comes from the host's memory does not make the host wait for what the device is still doing, as
/// `x.to(device)` would: it equals `x.pin_memory().to(device, non_blocking=True)`.
///
/// # Errors
/// libtorch's error, e.g. when memory is short.
pub fn upload(x: &Tensor, device: Device) -> Result<Tensor, TensorError> {
    match (x.device(), device) {
        (Device::Cpu, Device::Cuda(index)) => {
            let index = c_int::try_from(index).unwrap_or(c_int::MAX); // libtorch refuses what no device has
            // SAFETY: `x` is a live tensor for the length of the call.
            ffi::new_tensor(|out| unsafe { ffi::mochi_upload(ffi::raw(x), index, out) })
        }
        _ => Ok(x.f_to_device(device)?),
    }
}

/// Whether CUDA computes products of float32 tensors in TF32; libtorch's own start value is yes for convolutions.
pub(crate) fn set_tf32(on: bool) -> Result<(), TensorError> {
    // SAFETY: a plain number.
    ffi::check(unsafe { ffi::mochi_set_tf32(on.into()) })
}

/// `x.contiguous(memory_format=torch.channels_last)`; differentiable.
pub(crate) fn channels_last(x: &Tensor) -> Result<Tensor, TensorError> {
    // SAFETY: `x` is a live tensor for the length of the call.
    ffi::new_tensor(|out| unsafe { ffi::mochi_to_channels_last(ffi::raw(x), out) })
}

/// Whether a (B, C, H, W) tensor is dense with its channels innermost.
pub(crate) fn is_channels_last(x: &Tensor) -> bool {
    let mut flag = 0;
    // SAFETY: `x` is a live tensor, `flag` a valid place for an int.
    ffi::check(unsafe { ffi::mochi_is_channels_last(ffi::raw(x), &mut flag) }).is_ok() && flag == 1
}

/// Held by tests that set or read libtorch's process-wide precision.
#[cfg(test)]
pub(crate) fn alone() -> std::sync::MutexGuard<'static, ()> {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of convolutions and of matrix products.
    fn tf32() -> [bool; 2] {
        [0, 1].map(|product| {
            let mut on = 0;
            // SAFETY: `on` is a valid place for an int.
            ffi::check(unsafe { ffi::mochi_uses_tf32(product, &mut on) }).unwrap();
            on == 1
        })
    }

    /// House review, defect 2: convolutions of float32 tensors on CUDA were TF32. The setting can be read without a GPU.
    #[test]
    fn h6_2_float32_on_cuda_is_float32_unless_tf32_is_chosen() {
        let _alone = alone();
        crate::start(None).unwrap();
        assert_eq!(tf32(), [false; 2]);
        let compute = |precision| Compute { precision, ..Compute::CPU };
        compute(Precision::Tf32).activate().unwrap();
        assert_eq!(tf32(), [true; 2]);
        assert_eq!(compute(Precision::Tf32).kind(), Kind::Float);
        for precision in [Precision::Float32, Precision::Bf16] {
            compute(precision).activate().unwrap();
            assert_eq!(tf32(), [false; 2]);
        }
    }
}
