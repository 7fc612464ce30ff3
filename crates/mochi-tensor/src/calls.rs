//! Counting calls of libtorch's operations: how tests hold that no step waits for a device where it need not.

use std::ffi::CString;

use crate::TensorError;
use crate::ffi;

/// Operations that bring a number to the host, or whose result's size depends on one: on a device, each waits for it.
pub const WAITS: [&str; 5] =
    ["aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::_unique2", "aten::is_nonzero"];

/// What `work` returns, and how many calls of these operations it made on this thread.
///
/// # Errors
/// What libtorch says.
pub fn count_calls<T>(operations: &[&str], work: impl FnOnce() -> T) -> Result<(T, u64), TensorError> {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            // SAFETY: ends what the call below began on this thread; after a panic in `work` too.
            unsafe { ffi::mochi_calls_end() };
        }
    }
    let names: Vec<CString> = operations.iter().filter_map(|name| CString::new(*name).ok()).collect();
    let pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the names live for the length of the call, which copies them.
    ffi::check(unsafe { ffi::mochi_calls_begin(pointers.as_ptr(), pointers.len()) })?;
    let end = End;
    let result = work();
    std::mem::forget(end);
    // SAFETY: as above.
    Ok((result, unsafe { ffi::mochi_calls_end() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    #[test]
    fn calls_are_counted_while_it_lasts() {
        let x = Tensor::from_slice(&[1.0f64, 0.0, 2.0]);
        let (_, calls) = count_calls(&WAITS, || (x.sum(x.kind()).double_value(&[]), x.nonzero())).unwrap();
        assert_eq!(calls, 2);
        x.double_value(&[0]);
        assert_eq!(count_calls(&WAITS, || &x + &x).unwrap().1, 0);
    }
}
