//! Rust closures on libtorch's own threads.

use crate::TensorError;
use crate::ffi;
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
    let range = usize::try_from(low).unwrap_or(0)..usize::try_from(high).unwrap_or(0);
    // Unwinding through C++ is undefined: the panic is carried over and goes on in the caller.
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
/// What libtorch says.
pub fn parallel_ranges(n: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) -> Result<(), TensorError> {
    let mut context = Context { body, panic: Mutex::new(None) };
    let size = |v: usize| i64::try_from(v).unwrap_or(i64::MAX);
    let place: *mut c_void = std::ptr::from_mut(&mut context).cast();
    // SAFETY: `context` outlives the call, which returns only after every piece has run; `body` is Sync.
    ffi::check(unsafe { ffi::mochi_parallel_for(size(n), size(grain.max(1)), place, trampoline) })?;
    match context.panic.into_inner() {
        Ok(Some(panic)) => resume_unwind(panic),
        _ => Ok(()),
    }
}

/// Runs `body(row, values of the row, slot of the row, scratch)` for every row of a dense matrix of `width` columns, in parallel; each
/// row and each slot is lent to one call alone, `scratch` is made once for each range of rows that a thread takes.
///
/// # Errors
/// What libtorch says, or where `values` is not `slots.len()` rows of `width`.
pub fn for_each_row<S: Send, T>(
    values: &mut [f32],
    width: usize,
    slots: &mut [S],
    scratch: impl Fn() -> T + Sync,
    body: impl Fn(usize, &mut [f32], &mut S, &mut T) + Sync,
) -> Result<(), TensorError> {
    if values.len() != width * slots.len() {
        let text = format!("{} values are not {} rows of {width}", values.len(), slots.len());
        return Err(TensorError::Torch(text));
    }
    // One mutex a row hands out the exclusive borrows without pointer arithmetic; nobody ever waits on it.
    let mut rest = values;
    let mut rows = Vec::with_capacity(slots.len());
    for slot in slots.iter_mut() {
        let (row, tail) = rest.split_at_mut(width);
        rest = tail;
        rows.push(Mutex::new((row, slot)));
    }
    parallel_ranges(rows.len(), 1, &|range| {
        let mut scratch = scratch();
        for index in range {
            if let Ok(mut lent) = rows[index].lock() {
                let (row, slot) = &mut *lent;
                body(index, row, slot, &mut scratch);
            }
        }
    })
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
        let caught = catch_unwind(|| parallel_ranges(8, 1, &|range| assert!(!range.contains(&5), "five")));
        assert!(caught.is_err());
    }
}
