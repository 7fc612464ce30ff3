//! A CPU tensor's memory as Rust slices, and back: how logits reach our own kernels without a copy.

use crate::{Device, Kind, Tensor, TensorError};

fn check_plain(tensor: &Tensor) -> Result<usize, TensorError> {
    if tensor.device() != Device::Cpu || tensor.kind() != Kind::Float || !tensor.is_contiguous() {
        let what =
            format!("a contiguous float32 CPU tensor was expected, not {:?} on {:?}", tensor.kind(), tensor.device());
        return Err(TensorError::Torch(what));
    }
    Ok(tensor.numel())
}

/// Lends the values of a contiguous float32 CPU tensor.
///
/// # Errors
/// Another type, device or layout.
pub fn read_f32(tensor: &Tensor) -> Result<&[f32], TensorError> {
    let n = check_plain(tensor)?;
    if n == 0 {
        return Ok(&[]);
    }
    // SAFETY: the checks above: `n` dense floats on the CPU. The borrow keeps the tensor alive; writing goes through
    // `with_f32_mut`, which takes the tensor mutably, and no libtorch call runs while a caller reads.
    Ok(unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<f32>(), n) })
}

/// Runs `body` over the values of a contiguous float32 CPU tensor, which it may change in place.
///
/// # Errors
/// Another type, device or layout.
pub fn with_f32_mut<R>(tensor: &mut Tensor, body: impl FnOnce(&mut [f32]) -> R) -> Result<R, TensorError> {
    let n = check_plain(tensor)?;
    if n == 0 {
        return Ok(body(&mut []));
    }
    // SAFETY: as in `read_f32`; the mutable borrow of the handle keeps other safe slices away. Shallow clones share memory: callers
    // pass tensors that they have just made.
    Ok(body(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<f32>(), n) }))
}

/// A new CPU tensor of the given shape with a copy of `values`.
///
/// # Errors
/// Where the shape does not hold `values.len()` elements.
pub fn from_f32(values: &[f32], shape: &[i64]) -> Result<Tensor, TensorError> {
    Ok(Tensor::f_from_slice(values)?.f_view(shape)?)
}
