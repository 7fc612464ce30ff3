//! For tests of this workspace only: counting calls of libtorch's operations: how tests make sure that no step waits for a device where it need not.

use std::ffi::CString;

use crate::TensorError;
use crate::ffi;

/// Operations that bring a number to the host, or whose result's size depends on one: on a device, each waits for it.
pub const WAITS: [&str; 5] =
    ["aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::_unique2", "aten::is_nonzero"];

/// Runs `work` and counts its calls of the named operations on this thread. Calls may be nested: each counts for itself.
///
/// # Errors
/// libtorch's error.
pub fn count_calls<T>(operations: &[&str], work: impl FnOnce() -> T) -> Result<(T, u64), TensorError> {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            let _ = end();
        }
    }
    let names: Vec<CString> = operations.iter().filter_map(|name| CString::new(*name).ok()).collect();
    let pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the names live for the length of the call, which copies them.
    ffi::check(unsafe { ffi::mochi_calls_begin(pointers.as_ptr(), pointers.len()) })?;
    let after_panic = End;
    let result = work();
    std::mem::forget(after_panic);
    Ok((result, end()?))
}

/// Ends the count that this thread began last.
fn end() -> Result<u64, TensorError> {
    let mut calls = 0;
    // SAFETY: `calls` is a valid place for the count.
    ffi::check(unsafe { ffi::mochi_calls_end(&mut calls) })?;
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    #[test]
    fn calls_are_counted_during_the_work_only() {
        let x = Tensor::from_slice(&[1.0f64, 0.0, 2.0]);
        let (_, calls) = count_calls(&WAITS, || (x.sum(x.kind()).double_value(&[]), x.nonzero())).unwrap();
        assert_eq!(calls, 2);
        x.double_value(&[0]);
        assert_eq!(count_calls(&WAITS, || &x + &x).unwrap().1, 0);
    }

    /// House review, defect 14.
    #[test]
    fn h6_14_nested_counts_are_independent_and_an_end_without_a_begin_is_an_error() {
        let x = Tensor::from_slice(&[1.0f64, 0.0, 2.0]);
        let ((inner, _), outer) = count_calls(&WAITS, || {
            x.double_value(&[0]);
            let inner = count_calls(&["aten::nonzero"], || (x.nonzero(), x.double_value(&[1]))).unwrap().1;
            (inner, x.nonzero())
        })
        .unwrap();
        assert_eq!((inner, outer), (1, 4));
        assert!(end().is_err());
        assert!(std::panic::catch_unwind(|| count_calls(&WAITS, || panic!("inside"))).is_err());
        assert_eq!(count_calls(&WAITS, || x.double_value(&[0])).unwrap().1, 1);
    }
}
