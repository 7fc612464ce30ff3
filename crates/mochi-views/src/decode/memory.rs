//! Limit of the decoders' working memory: threads that decode very large images at the same time wait for each other.
//!
//! A progressive JPEG of [`super::MAX_PIXELS`] takes about 800 MB while it is decoded. Without a common limit every thread could use that much.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Memory that all threads together can reserve: 1.25 GiB, or one image.
const TOTAL: u64 = 1280 << 20;
/// Smaller images are not counted.
const SMALL: u64 = 16 << 20;

static POOL: Pool = Pool { used: Mutex::new(0), changed: Condvar::new() };

struct Pool {
    used: Mutex<u64>,
    changed: Condvar,
}

impl Pool {
    fn used(&self) -> MutexGuard<'_, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(&self, bytes: u64) -> Permit<'_> {
        let bytes = if bytes < SMALL { 0 } else { bytes.min(TOTAL) };
        if bytes > 0 {
            let mut used = self.used();
            while *used + bytes > TOTAL {
                used = self.changed.wait(used).unwrap_or_else(PoisonError::into_inner);
            }
            *used += bytes;
        }
        Permit { pool: self, bytes }
    }
}

/// Reserved memory, released when dropped.
pub(super) struct Permit<'a> {
    pool: &'a Pool,
    bytes: u64,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            *self.pool.used() -= self.bytes;
            self.pool.changed.notify_all();
        }
    }
}

/// Waits until `bytes` of working memory are free and reserves them. A single image is always allowed.
pub(super) fn reserve(bytes: u64) -> Permit<'static> {
    POOL.reserve(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Report S13.
    #[test]
    fn s13_large_images_of_several_threads_stay_below_the_limit() {
        let pool = Pool { used: Mutex::new(0), changed: Condvar::new() };
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..6u64 {
                let (pool, now, most) = (&pool, &now, &most);
                scope.spawn(move || {
                    for round in 0..20 {
                        let bytes = [TOTAL / 3, TOTAL / 2 + 1, u64::MAX, 1][(thread + round) as usize % 4];
                        let permit = pool.reserve(bytes);
                        let reserved = now.fetch_add(permit.bytes, Ordering::SeqCst) + permit.bytes;
                        most.fetch_max(reserved, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(permit.bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= TOTAL);
        assert_eq!(*pool.used(), 0);
    }
}
