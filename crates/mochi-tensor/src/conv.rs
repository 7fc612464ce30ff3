//! Convolutions as the networks' heavy layers compute them: `torch.nn.functional.conv2d` under [`Compute`]'s precision.
//!
//! The weight is a float32 parameter, cast where it is used, which is what torch's bf16 autocast does. On a CPU whose bfloat16
//! products come from AVX512 alone, 1x1 kernels take the shim's own weight gradient (`shim/pointwise.cpp`): the same sums, kept in float32 to
//! the end. On a CPU without AVX-512, kernels over maps of a few pixels take another one in float32 (`shim/small_map.cpp`).

use crate::compute::is_channels_last;
use crate::ffi;
use crate::{Compute, Device, Kind, Tensor, TensorError};

/// Geometry of a square convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvOptions {
    /// Pixels from one output to the next.
    pub stride: i64,
    /// Zeros around the input.
    pub padding: i64,
    /// Pixels from one tap of the kernel to the next; 1 for a dense kernel.
    pub dilation: i64,
}

/// x (B, in, H, W) with a square kernel (out, in, k, k) and an optional bias (out,): (B, out, H', W').
///
/// # Errors
/// libtorch's error for shapes that do not fit.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvOptions,
    compute: &Compute,
) -> Result<Tensor, TensorError> {
    let &ConvOptions { stride, padding, dilation } = options;
    let kernel = weight.size();
    let plain = bias.is_none() && dilation == 1;
    if plain && kernel.len() == 4 && x.dim() == 4 && x.device() == Device::Cpu && is_channels_last(x) {
        let size = x.size();
        let side = |at: usize| (size[at] + 2 * padding - kernel[at]).div_euclid(stride.max(1)) + 1;
        let pointwise = (kernel[2], kernel[3], padding) == (1, 1, 0);
        // SAFETY: plain numbers.
        let [packed, small] =
            unsafe { [ffi::mochi_pointwise_fits(kernel[0], kernel[1]), ffi::mochi_small_map_fits(side(2) * side(3))] };
        if x.kind() == Kind::BFloat16 && pointwise && packed == 1 {
            // SAFETY: both tensors outlive the call; the shim checks what the kernel relies on.
            return ffi::new_tensor(|out| unsafe { ffi::mochi_pointwise(ffi::raw(x), ffi::raw(weight), stride, out) });
        }
        if x.kind() == Kind::Float && weight.kind() == Kind::Float && !pointwise && small == 1 {
            // SAFETY: as above.
            return ffi::new_tensor(|out| unsafe {
                ffi::mochi_small_map(ffi::raw(x), ffi::raw(weight), stride, padding, out)
            });
        }
    }
    let bias = bias.map(|bias| compute.weight(bias));
    Ok(x.f_conv2d(&compute.weight(weight), bias, [stride; 2], [padding; 2], [dilation; 2], 1)?)
}

#[cfg(test)]
#[path = "conv_tests.rs"]
mod tests;
