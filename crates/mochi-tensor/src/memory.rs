//! Float32 values in host memory as Rust slices: how logits reach Mochi's own kernels.

use crate::{Device, Kind, Tensor, TensorError, ffi};
use std::ops::{Deref, DerefMut};

/// The values of a contiguous float32 CPU tensor that nothing else can reach, as a slice in row-major order.
///
/// A [`Tensor`] is a handle: clones, views and the autograd graph share its memory, and any of them may write to it through a shared
/// reference. A slice into such memory would be unsound. This type therefore owns the only handle.
#[derive(Debug)]
pub struct HostValues {
    tensor: Tensor,
    count: usize,
}

impl HostValues {
    /// Takes over a float32 CPU tensor. The values are copied only if the tensor is not contiguous, or if another handle, a view or an
    /// autograd graph shares its memory.
    ///
    /// # Errors
    /// [`TensorError::Torch`] for another type or device, or where memory is short.
    pub fn new(tensor: Tensor) -> Result<Self, TensorError> {
        let (kind, device) = (tensor.kind(), tensor.device());
        if kind != Kind::Float || device != Device::Cpu {
            return Err(TensorError::Torch(format!(
                "expected a float32 tensor on the CPU, got {kind:?} on {device:?}"
            )));
        }
        let mut sole = 0;
        // SAFETY: `tensor` is a live tensor, `sole` a valid place for an int.
        ffi::check(unsafe { ffi::mochi_is_sole_owner(ffi::raw(&tensor), &mut sole) })?;
        let tensor = if sole == 1 && tensor.is_contiguous() {
            tensor
        } else {
            let mut copy = Tensor::f_empty(tensor.size(), (Kind::Float, Device::Cpu))?;
            copy.f_copy_(&tensor.f_detach()?)?;
            copy
        };
        let count = tensor.numel();
        Ok(Self { tensor, count })
    }

    /// `count` zeros in the memory from which a device takes them: pinned for CUDA, so that [`crate::upload`] copies nothing on the host.
    /// Who writes to them after an upload waits until the device has finished with it, e.g. by reading a result back.
    ///
    /// # Errors
    /// libtorch's error, e.g. when memory is short.
    pub fn zeros(count: usize, device: Device) -> Result<Self, TensorError> {
        let tensor = Tensor::f_zeros([crate::dim(count)], (Kind::Float, Device::Cpu))?;
        Self::new(if device.is_cuda() { tensor.f_pin_memory(device)? } else { tensor })
    }

    /// A copy of a tensor's values, which others go on using.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn copy_of(tensor: &Tensor) -> Result<Self, TensorError> {
        Self::new(tensor.shallow_clone())
    }

    /// The tensor with its values as they are now.
    pub fn into_tensor(self) -> Tensor {
        self.tensor
    }

    fn pointer(&self) -> *mut f32 {
        if self.count == 0 { std::ptr::NonNull::dangling().as_ptr() } else { self.tensor.data_ptr().cast() }
    }
}

impl Deref for HostValues {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `new` has made sure of `count` dense floats on the CPU that only `self.tensor` refers to; the field is private and no
        // method lends the handle, so nothing writes to them while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.pointer(), self.count) }
    }
}

impl DerefMut for HostValues {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above; `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(), self.count) }
    }
}

// SAFETY: a shared reference gives nothing but a shared slice of floats; reading the data pointer changes no tensor.
unsafe impl Sync for HostValues {}

/// A new CPU tensor of the given shape with a copy of `values`.
///
/// # Errors
/// Where the shape does not hold `values.len()` elements.
pub fn from_f32(values: &[f32], shape: &[i64]) -> Result<Tensor, TensorError> {
    Ok(Tensor::f_from_slice(values)?.f_view(shape)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: i64) -> Tensor {
        Tensor::arange(n, (Kind::Float, Device::Cpu))
    }

    /// House review, defect 6: a slice must not alias what another handle can write.
    #[test]
    fn h6_6_values_are_copied_wherever_another_handle_shares_them() {
        let mut whole = ramp(4);
        let shared = [
            HostValues::new(whole.shallow_clone()).unwrap(),
            HostValues::copy_of(&whole).unwrap(),
            HostValues::new(whole.view([2, 2])).unwrap(),
            HostValues::new(whole.narrow(0, 0, 4)).unwrap(),
            HostValues::new(whole.detach()).unwrap(),
        ];
        let _ = whole.f_add_scalar_(1.0).unwrap();
        for values in &shared {
            assert_eq!(values[..], [0.0, 1.0, 2.0, 3.0]);
        }
        // Saved for the backward pass: the graph reads it later.
        let leaf = ramp(3).set_requires_grad(true);
        let result = leaf.exp();
        let mut values = HostValues::new(result.shallow_clone()).unwrap();
        values.fill(0.0);
        result.sum(Kind::Float).backward();
        assert_eq!(leaf.grad().double_value(&[0]), 1.0);
    }

    #[test]
    fn a_fresh_tensor_is_changed_in_place_without_a_copy() {
        let fresh = ramp(6).view([2, 3]) * 2.0;
        let place = fresh.data_ptr();
        let mut values = HostValues::new(fresh).unwrap();
        assert_eq!(values.as_ptr().cast(), place.cast_const());
        values[5] = -1.0;
        let tensor = values.into_tensor();
        assert_eq!((tensor.size(), tensor.double_value(&[1, 2]), tensor.data_ptr()), (vec![2, 3], -1.0, place));
        assert_eq!(HostValues::new(ramp(6).view([2, 3]).tr()).unwrap()[..], [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert!(HostValues::new(ramp(0)).unwrap().is_empty());
        assert!(HostValues::new(ramp(2).to_kind(Kind::Double)).is_err());
    }
}
