//! Rust closures on libtorch's own threads.

use crate::ffi;
use crate::{TensorError, dim, extent};
use std::any::Any;
use std::ffi::c_void;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;

struct Context<'a> {
    body: &'a (dyn Fn(Range<usize>) + Sync),
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

extern "C" fn trampoline(context: *mut c_void, low: i64, high: i64) {
    // SAFETY: the pointer is the `Context` that lives on `parallel_ranges`' stack until every piece has run.
    let context = unsafe { &*context.cast::<Context>() };
    let range = extent(low)..extent(high);
    // Unwinding through C++ is undefined: the panic is carried over and resumed in the caller.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (context.body)(range)))
        && let Ok(mut place) = context.panic.lock()
    {
        *place = Some(panic);
    }
}

/// Splits `0..n` into ranges of at least `grain` and runs `body` on each, on libtorch's threads; returns when all are done.
/// How the work is cut must not show in the results.
///
/// # Errors
/// libtorch's error.
pub fn parallel_ranges(n: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) -> Result<(), TensorError> {
    let mut context = Context { body, panic: Mutex::new(None) };
    let place: *mut c_void = std::ptr::from_mut(&mut context).cast();
    // SAFETY: `context` outlives the call, which returns only after every piece has run; `body` is Sync.
    ffi::check(unsafe { ffi::mochi_parallel_for(dim(n), dim(grain.max(1)), place, trampoline) })?;
    match context.panic.into_inner() {
        Ok(Some(panic)) => resume_unwind(panic),
        _ => Ok(()),
    }
}

/// Runs `body(row, values of the row, slot of the row, scratch)` for every row of a dense matrix of `width` columns, in parallel. Each
/// row and each slot is lent to one call alone; `scratch` is made once for each range of rows that a thread takes.
///
/// # Errors
/// libtorch's error, or where `values` is not `slots.len()` rows of `width`.
pub fn for_each_row<S: Send, T>(
    values: &mut [f32],
    width: usize,
    slots: &mut [S],
    scratch: impl Fn() -> T + Sync,
    body: impl Fn(usize, &mut [f32], &mut S, &mut T) + Sync,
) -> Result<(), TensorError> {
    if slots.len().checked_mul(width) != Some(values.len()) {
        let text = format!("expected {} rows of {width} values, got {} values", slots.len(), values.len());
        return Err(TensorError::Torch(text));
    }
    let rows = Rows { values: values.as_mut_ptr(), width, slots: slots.as_mut_ptr() };
    parallel_ranges(slots.len(), 1, &|range| {
        let mut scratch = scratch();
        for index in range {
            // SAFETY: `at::parallel_for` gives each index below `slots.len()` to one call.
            let (row, slot) = unsafe { rows.lend(index) };
            body(index, row, slot, &mut scratch);
        }
    })
}

/// Rows of a matrix and their slots, lent to several threads by index.
struct Rows<S> {
    values: *mut f32,
    width: usize,
    slots: *mut S,
}

// SAFETY: `lend` gives each row to one thread alone; what crosses threads are floats and `S: Send`.
unsafe impl<S: Send> Sync for Rows<S> {}

impl<S> Rows<S> {
    /// Row and slot `index`.
    ///
    /// # Safety
    /// `index` is within the rows and lent only once as long as the borrows last.
    #[allow(clippy::mut_from_ref, reason = "each index is lent once: that is the contract")]
    unsafe fn lend(&self, index: usize) -> (&mut [f32], &mut S) {
        // SAFETY: the caller's contract; both pointers come from mutable slices that `for_each_row` borrows until all calls have returned.
        unsafe {
            let row = std::slice::from_raw_parts_mut(self.values.add(index * self.width), self.width);
            (row, &mut *self.slots.add(index))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_visited_once_and_panics_arrive_here() {
        let mut values: Vec<f32> = (0..60).map(|i| i as f32).collect();
        let mut sums = vec![0.0f32; 20];
        for_each_row(
            &mut values,
            3,
            &mut sums,
            || (),
            |row, values, sum, ()| {
                values[0] += row as f32;
                *sum += values.iter().sum::<f32>();
            },
        )
        .unwrap();
        for (row, sum) in sums.iter().enumerate() {
            assert_eq!(*sum, (9 * row + 3 + row) as f32);
        }
        assert!(for_each_row(&mut values, 4, &mut sums, || (), |_, _, _, _| ()).is_err());
        assert!(for_each_row(&mut [], usize::MAX, &mut sums, || (), |_, _, _, _| ()).is_err());
        for_each_row(&mut [], 0, &mut sums, || (), |row, _, sum, ()| *sum = row as f32).unwrap();
        assert_eq!(sums[19], 19.0);
        let caught = catch_unwind(|| parallel_ranges(8, 1, &|range| assert!(!range.contains(&5), "five")));
        assert!(caught.is_err());
    }
}
