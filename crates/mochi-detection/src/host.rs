//! Tensors as values on the host.

use mochi_tensor::{Device, Kind, Tensor, TensorError, no_grad};

/// All values, float32.
pub(crate) fn floats(x: &Tensor) -> Result<Vec<f32>, TensorError> {
    let plain =
        no_grad(|| x.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1]))?;
    Ok(Vec::<f32>::try_from(&plain)?)
}

/// All values in fours, float32.
pub(crate) fn quads(x: &Tensor) -> Result<Vec<[f32; 4]>, TensorError> {
    Ok(floats(x)?.as_chunks::<4>().0.to_vec())
}
