//! Time left.

use std::time::{Duration, Instant};

/// What lies this far back counts half.
const HALF_LIFE_S: f64 = 30.0;

/// The recent pace of work in parts: a mean over time with weights that halve every 30 s. A run that was slow at first, or becomes slow, soon shows
/// the time that it will really take.
#[derive(Clone, Debug)]
pub struct Pace {
    at: Instant,
    done: u64,
    /// Weighted parts and seconds.
    parts: f64,
    seconds: f64,
}

impl Pace {
    /// The pace of work of which `done` parts were done before it starts now.
    pub fn start(done: u64) -> Pace {
        Pace::start_at(Instant::now(), done)
    }

    fn start_at(at: Instant, done: u64) -> Pace {
        Pace { at, done, parts: 0.0, seconds: 0.0 }
    }

    /// Records that so many parts are done by now.
    pub fn reach(&mut self, done: u64) {
        self.reach_at(Instant::now(), done);
    }

    fn reach_at(&mut self, now: Instant, done: u64) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        let kept = 0.5f64.powf(seconds / HALF_LIFE_S);
        self.parts = self.parts * kept + done.saturating_sub(self.done) as f64;
        self.seconds = self.seconds * kept + seconds;
        (self.at, self.done) = (now, done);
    }

    /// The time that so many more parts take; `None` before the first one is done.
    pub fn left(&self, parts: u64) -> Option<Duration> {
        let seconds = parts as f64 * self.seconds / self.parts;
        (self.parts > 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_the_recent_pace() {
        let begun = Instant::now();
        let at = |s: u64| begun + Duration::from_secs(s);
        let mut pace = Pace::start_at(begun, 500);
        assert_eq!(pace.left(100), None);
        for second in 1..=600 {
            pace.reach_at(at(second), 500 + second);
        }
        assert_eq!(pace.left(100).unwrap().as_secs_f64().round(), 100.0);
        // Ten times as slow from here on: after five half-lives the old pace hardly counts.
        for part in 1..=15 {
            pace.reach_at(at(600 + 10 * part), 1100 + part);
        }
        let left = pace.left(100).unwrap().as_secs_f64();
        assert!((750.0..1000.0).contains(&left), "{left} s; the mean of the whole session says 122 s");
    }
}
