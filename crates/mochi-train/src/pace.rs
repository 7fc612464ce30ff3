//! How fast training is since the last record.

use std::time::{Duration, Instant};

/// Measures speed between two records.
#[derive(Debug)]
pub(crate) struct Pace {
    since: Instant,
    images: u64,
    waited: Duration,
    /// Seconds without training.
    paused_s: f64,
}

impl Pace {
    pub fn start() -> Self {
        Self { since: Instant::now(), images: 0, waited: Duration::ZERO, paused_s: 0.0 }
    }

    /// Adds a step of `images` images that waited `waited` for its batch.
    pub fn step(&mut self, images: u64, waited: Duration) {
        self.images += images;
        self.waited += waited;
    }

    /// Leaves out seconds in which something else than training was done.
    pub fn pause(&mut self, seconds: f64) {
        self.paused_s += seconds;
    }

    /// Images per second, and the fraction of the time spent waiting for data.
    pub fn speed(&self) -> (f64, f64) {
        let seconds = (self.since.elapsed().as_secs_f64() - self.paused_s).max(1e-9);
        (self.images as f64 / seconds, self.waited.as_secs_f64() / seconds)
    }
}
