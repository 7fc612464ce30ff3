//! Signals between the threads of a loader.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cancel::Cancel;

/// Signals between a loader and its threads.
#[derive(Default)]
pub(super) struct Signals {
    /// Asks the threads to stop.
    pub(super) stop: Cancel,
    /// Number of finished images.
    pub(super) finished: AtomicU64,
}

/// The contents of a mutex, also after a panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
