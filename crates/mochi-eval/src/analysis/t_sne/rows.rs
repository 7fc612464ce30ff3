//! A value for each row, computed on libtorch's threads.

use crate::EvalError;
use mochi_tensor::parallel_ranges;
use std::sync::{Mutex, PoisonError};

/// Rows that a thread takes at least.
const GRAIN: usize = 128;

/// The values of rows 0 .. `n`, in their order.
pub(super) fn by_row<T: Send>(n: usize, row: &(dyn Fn(usize) -> T + Sync)) -> Result<Vec<T>, EvalError> {
    let parts = Mutex::new(Vec::new());
    parallel_ranges(n, GRAIN, &|range| {
        let part: Vec<T> = range.clone().map(row).collect();
        parts.lock().unwrap_or_else(PoisonError::into_inner).push((range.start, part));
    })?;
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.sort_by_key(|&(start, _)| start);
    Ok(parts.into_iter().flat_map(|(_, part)| part).collect())
}
