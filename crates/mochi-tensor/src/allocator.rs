//! mimalloc for a binary that trains on the CPU, also under libtorch (its `malloc` replaces glibc's in the whole process).
//!
//! glibc's allocator returns the memory of large activations to the kernel at every step, and gets it back page by page at the next: a step
//! takes 1.5 times as long.

use std::ffi::{c_int, c_long};

pub use mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3: after how many milliseconds freed memory returns to the kernel; -1 is never.
const PURGE_DELAY: c_int = 15;

/// Keeps freed memory for the next step instead of returning it to the kernel after a second.
pub fn keep_freed_memory() {
    // SAFETY: an option of mimalloc's own table, read atomically whenever memory is freed.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, c_long::from(-1i8)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_purge_delay() {
        // SAFETY: as above.
        let now = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(now(), 1000, "mimalloc's default");
        keep_freed_memory();
        assert_eq!(now(), -1);
    }
}
