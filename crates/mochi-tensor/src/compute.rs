//! Where, in which precision and in which memory layout a network computes.
//!
//! Mixed precision is explicit: parameters stay float32, and each convolution or linear layer casts its weight where it uses it
//! ([`Compute::weight`]). That is what torch's bf16 autocast does, without thread-local state, and the same on CPU and CUDA.

use std::ffi::c_int;

use crate::ffi;
use crate::{Device, Kind, Tensor, TensorError};

/// Arithmetic of the heavy layers; parameters, statistics, logits and losses are float32 in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// float32 throughout.
    Float32,
    /// bfloat16 activations and products, float32 parameters.
    Bf16,
}

impl Precision {
    /// The name that configurations and results use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Bf16 => "bf16",
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
    /// Channels innermost (NHWC in memory): what oneDNN and cuDNN like best, and what [`crate::norm_act`] needs to be fused.
    pub channels_last: bool,
}

impl Compute {
    /// float32 on the CPU, channels innermost.
    pub const CPU: Self = Self { device: Device::Cpu, precision: Precision::Float32, channels_last: true };

    /// The activations' type.
    pub fn kind(&self) -> Kind {
        match self.precision {
            Precision::Float32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        }
    }

    /// Images (B, C, H, W), float32 on any device, as the network's input: on the device, in its type and layout.
    ///
    /// # Errors
    /// What libtorch says where memory is short.
    pub fn input(&self, images: &Tensor) -> Result<Tensor, TensorError> {
        let images = upload(images, self.device)?.f_to_kind(self.kind())?;
        if self.channels_last { channels_last(&images) } else { Ok(images) }
    }

    /// A new kernel (out, in, k, k) in the memory layout of the activations, which convolutions would otherwise give it at every call.
    ///
    /// # Errors
    /// What libtorch says where memory is short.
    pub fn kernel(&self, value: Tensor) -> Result<Tensor, TensorError> {
        if self.channels_last { channels_last(&value) } else { Ok(value) }
    }

    /// A parameter in the type that the heavy layers compute in. The cast is differentiable.
    pub fn weight(&self, parameter: &Tensor) -> Tensor {
        match self.precision {
            Precision::Float32 => parameter.shallow_clone(),
            Precision::Bf16 => parameter.to_kind(Kind::BFloat16),
        }
    }
}

/// A tensor on a device. What comes from the host's memory does not make the host wait for what the device is still doing, as
/// `x.to(device)` would: it equals `x.pin_memory().to(device, non_blocking=True)`.
///
/// # Errors
/// What libtorch says where memory is short.
pub fn upload(x: &Tensor, device: Device) -> Result<Tensor, TensorError> {
    match (x.device(), device) {
        (Device::Cpu, Device::Cuda(index)) => {
            let index = c_int::try_from(index).unwrap_or(c_int::MAX);
            // SAFETY: `x` is a live tensor for the length of the call.
            ffi::new_tensor(|out| unsafe { ffi::mochi_upload(ffi::raw(x), index, out) })
        }
        _ => Ok(x.f_to_device(device)?),
    }
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
