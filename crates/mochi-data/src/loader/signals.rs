//! What the threads of a loader tell each other.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cancel::Cancel;

/// Signals between a loader and its threads.
#[derive(Default)]
pub(super) struct Signals {
    /// Asks the threads to leave.
    pub(super) stop: Cancel,
    /// Images finished so far.
    pub(super) finished: AtomicU64,
}

/// The contents of a mutex, also after a panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
