//! How many images have been found so far, to show while a large folder is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that several threads add to while others read it. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(crate) fn add(&self, found: usize) {
        self.0.fetch_add(found as u64, Ordering::Relaxed);
    }

    /// Images found by now; a folder that two sources share counts twice.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
