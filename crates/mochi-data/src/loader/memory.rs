//! Memory for batches, provided by the caller.

use std::ops::DerefMut;

use crate::error::DataError;

/// Provides buffers to a loader, so that views are written directly into a tensor's memory or into pinned memory.
pub trait Memory: Send + Sync + 'static {
    /// A buffer of floats with unspecified contents.
    type Buffer: DerefMut<Target = [f32]> + Send + 'static;

    /// A buffer of exactly `floats` floats for one view of one batch. Called by the worker threads.
    ///
    /// # Errors
    /// [`DataError::Memory`] if there is not enough memory.
    fn lend(&self, floats: usize) -> Result<Self::Buffer, DataError>;
}

/// Heap memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heap;

impl Memory for Heap {
    type Buffer = Vec<f32>;

    fn lend(&self, floats: usize) -> Result<Vec<f32>, DataError> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(floats).map_err(|error| DataError::Memory { detail: error.to_string() })?;
        buffer.resize(floats, 0.0);
        Ok(buffer)
    }
}
