//! How fast training is since the last record.

use std::time::{Duration, Instant};

/// Measures speed between two records.
#[derive(Debug)]
pub(crate) struct Pace {
    since: Instant,
    images: u64,
    waited: Duration,
}

impl Pace {
    pub fn start() -> Self {
        Self { since: Instant::now(), images: 0, waited: Duration::ZERO }
    }

    /// Adds a step of `images` images that waited `waited` for its batch.
    pub fn step(&mut self, images: u64, waited: Duration) {
        self.images += images;
        self.waited += waited;
    }

    /// Images per second, and the fraction of the time spent waiting for data.
    pub fn speed(&self) -> (f64, f64) {
        let seconds = self.since.elapsed().as_secs_f64().max(1e-9);
        (self.images as f64 / seconds, self.waited.as_secs_f64() / seconds)
    }
}
