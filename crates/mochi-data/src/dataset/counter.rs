//! Counter of the images found so far, for progress while a dataset is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counter that threads can share. Clones share one value.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(crate) fn add(&self, found: usize) {
        self.0.fetch_add(found as u64, Ordering::Relaxed);
    }

    /// Number of images found so far. A folder in two sources counts twice.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
