//! Gradients averaged over the ranks of a group while the backward pass is still at work.

use std::sync::Arc;

use crate::ffi::{self, RawReducer};
use crate::{Group, Tensor, TensorError};

use super::group::collective;

/// Size of a bucket, torch's default.
const BUCKET_BYTES: i64 = 25 << 20;

/// Averages the gradients of some parameters, in buckets of 25 MiB.
///
/// The order of parameters decides how they are cut into buckets, which decides the last bits of a sum over three or more ranks. Gradients must be cleared
/// (not zeroed) before each backward pass; after it [`Reducer::finish`] leaves the averages in them.
#[derive(Debug)]
pub struct Reducer {
    raw: *mut RawReducer,
    _group: Arc<Group>,
}

// SAFETY: the handle is owned, and the shim's reducer is used by one thread at a time: its methods take `&mut self`, and hooks run inside a backward
// pass of the same parameters.
unsafe impl Send for Reducer {}

impl Reducer {
    /// A reducer of parameters of one type and device.
    ///
    /// # Errors
    /// [`TensorError::Collective`] where a parameter does not learn or has gaps in memory.
    pub fn new(group: &Arc<Group>, parameters: &[Tensor]) -> Result<Self, TensorError> {
        Self::with_bucket_bytes(group, parameters, BUCKET_BYTES)
    }

    pub(super) fn with_bucket_bytes(
        group: &Arc<Group>,
        parameters: &[Tensor],
        bytes: i64,
    ) -> Result<Self, TensorError> {
        let pointers = ffi::pointers(parameters);
        let mut raw = std::ptr::null_mut();
        // SAFETY: a live group, live tensors, as many as told, a valid place for a handle.
        ffi::check(unsafe { ffi::mochi_reducer_new(group.raw(), pointers.as_ptr(), pointers.len(), bytes, &mut raw) })
            .map_err(collective)?;
        Ok(Self { raw, _group: Arc::clone(group) })
    }

    /// Number of buckets.
    pub fn buckets(&self) -> usize {
        // SAFETY: a live reducer.
        unsafe { ffi::mochi_reducer_buckets(self.raw) }
    }

    /// Waits for the averages after a backward pass.
    ///
    /// # Errors
    /// [`TensorError::Collective`] where a rank is gone or late, or a parameter received no gradient.
    pub fn finish(&mut self) -> Result<(), TensorError> {
        // SAFETY: a live reducer.
        ffi::check(unsafe { ffi::mochi_reducer_finish(self.raw) }).map_err(collective)
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        // SAFETY: the handle is live and not used afterwards; the shim removes its hooks first.
        unsafe { ffi::mochi_reducer_free(self.raw) }
    }
}
