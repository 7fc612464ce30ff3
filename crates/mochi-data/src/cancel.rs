//! A flag that ends waiting early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks everything that waits for data to stop. Clones share one flag, which is never lowered again.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Raises the flag.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is raised.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl From<Arc<AtomicBool>> for Cancel {
    /// Shares a flag that a signal handler raises.
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }
}
