//! Work on a file system that may hang: it runs on a thread that can be abandoned and reports progress.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::DataError;

/// Time without progress after which a file system is considered to hang; the same as [`crate::LoaderOptions::stall_timeout`].
pub(super) const TIMEOUT: Duration = Duration::from_secs(600);

/// Progress of the work, for the thread that waits.
#[derive(Debug, Default)]
pub(super) struct Watch {
    ticks: AtomicU64,
    /// Path that each thread works on.
    at: Mutex<Vec<PathBuf>>,
}

impl Watch {
    /// Records progress.
    pub(super) fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// Does `work` on `path`, which a timeout error names.
    pub(super) fn during<T>(&self, path: &Path, work: impl FnOnce() -> T) -> T {
        self.lock().push(path.to_owned());
        let done = work();
        let mut at = self.lock();
        if let Some(place) = at.iter().position(|p| p == path) {
            at.swap_remove(place);
        }
        drop(at);
        self.tick();
        done
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work` on its own thread, and waits as long as it makes progress within `timeout`.
///
/// # Errors
/// [`DataError::ListingStalled`]; the thread is then abandoned, because it cannot be stopped.
pub(super) fn with_timeout<T: Send + 'static>(
    path: &Path,
    timeout: Duration,
    work: impl FnOnce(&Watch) -> T + Send + 'static,
) -> Result<T, DataError> {
    let watch = Arc::new(Watch::default());
    let (sender, receiver) = channel();
    let theirs = watch.clone();
    std::thread::Builder::new()
        .name("mochi-find".into())
        .spawn(move || {
            // After the timeout there is no receiver.
            let _ = sender.send(work(&theirs));
        })
        .map_err(|e| DataError::Threads { detail: e.to_string() })?;
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        match receiver.recv_timeout(timeout.saturating_sub(since.elapsed()).max(Duration::from_millis(1))) {
            Ok(done) => return Ok(done),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(DataError::Threads {
                    detail: "the thread that looks for images exited unexpectedly".into(),
                });
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = watch.ticks.load(Ordering::Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() >= timeout {
            let at = watch.lock().first().cloned().unwrap_or_else(|| path.to_owned());
            return Err(DataError::ListingStalled { path: at, seconds: since.elapsed().as_secs() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_takes_long_is_waited_for_and_hanging_work_is_abandoned() {
        let short = Duration::from_millis(100);
        let slow = with_timeout(Path::new("x"), short, |watch| {
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(20));
                watch.tick();
            }
            7
        });
        assert!(matches!(slow, Ok(7)), "{slow:?}");
        let begun = Instant::now();
        let hung = with_timeout(Path::new("x"), short, |watch| {
            watch.during(Path::new("x/hangs"), || std::thread::sleep(Duration::from_secs(30)));
        });
        assert!(matches!(&hung, Err(DataError::ListingStalled { path, .. }) if path.ends_with("hangs")), "{hung:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        // Printing a backtrace takes longer than that on a busy machine.
        let long = Duration::from_secs(30);
        let panicked = with_timeout(Path::new("x"), long, |_| panic!("on purpose"));
        assert!(matches!(panicked, Err::<(), _>(DataError::Threads { .. })));
    }
}
