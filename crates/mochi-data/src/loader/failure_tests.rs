//! A hanging file or missing threads end an epoch with an error instead of an endless wait. (Panics of decoders are tested in `dataset/raw.rs`.)
#![allow(clippy::unwrap_used)]

use super::*;
use crate::OpenOptions;
use crate::testing::{hold, images};

fn options(batch: usize) -> LoaderOptions {
    LoaderOptions { batch, size: 16, threads: 2, max_bad_fraction: 1.0, ..LoaderOptions::default() }
}

#[test]
fn a_file_that_hangs_is_named_and_the_loader_can_be_dropped() {
    let dir = images(8);
    let dataset = Dataset::open(dir.path(), &OpenOptions::default()).unwrap();
    let Some(held) = hold(&dir.path().join("5.jpg")) else { return };
    let begun = Instant::now();
    let mut loader =
        Loader::new(&dataset, LoaderOptions { stall_timeout: Duration::from_millis(300), ..options(8) }).unwrap();
    let error = loader.next().unwrap().unwrap_err();
    assert!(matches!(&error, DataError::Stalled { what, .. } if what == "5.jpg"), "{error}");
    assert!(error.hint().is_some() && loader.next().is_none());
    drop(loader);
    assert!(begun.elapsed() < Duration::from_secs(20), "waited for what hangs");
    drop(held);
}

#[test]
fn threads_that_are_gone_are_an_error_and_not_a_wait() {
    let dir = images(8);
    let dataset = Dataset::open(dir.path(), &OpenOptions::default()).unwrap();
    let mut loader = Loader::new(&dataset, LoaderOptions { prefetch: 1, ..options(2) }).unwrap();
    assert!(loader.next().unwrap().is_ok());
    // As if both threads had been killed: each decrements the count of running threads when it ends.
    loader.shared.signals.stop.request();
    loader.shared.changed.notify_all();
    let begun = Instant::now();
    let rest: Vec<_> = loader.by_ref().collect();
    assert!(matches!(rest.last(), Some(Err(DataError::Threads { .. }))), "{rest:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// Memory that panics at the second batch.
struct Broken(std::sync::atomic::AtomicUsize);

impl Memory for Broken {
    type Buffer = Vec<f32>;

    fn lend(&self, floats: usize) -> Result<Vec<f32>, DataError> {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) < 2, "no more memory");
        Heap.lend(floats)
    }
}

// House review H6.8.
#[test]
fn h6_8_a_panic_outside_of_an_image_is_the_batchs_error_at_once() {
    let dir = images(8);
    let dataset = Dataset::open(dir.path(), &OpenOptions::default()).unwrap();
    let begun = Instant::now();
    let options = LoaderOptions { prefetch: 1, ..options(2) };
    let mut loader = Loader::with_memory(&dataset, options, Broken(Default::default())).unwrap();
    assert!(loader.next().unwrap().is_ok());
    let error = loader.next().unwrap().unwrap_err();
    assert!(matches!(&error, DataError::Panicked { detail } if detail.contains("no more memory")), "{error}");
    assert!(error.hint().is_some() && loader.next().is_none());
    drop(loader);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
