//! Where a run is on its way: by steps, or by training time if it has a time budget.
//!
//! Without a budget the position of a step is its number. With a budget `b`, of which `a` seconds were spent before the first step, and `n` planned steps, the
//! position of a step that begins after `t` seconds is `n min((t - a) / (b - a), 1)`: the learning rate and the warm-up follow the time, so that they run
//! their whole course however fast the machine turns out to be. The last step is the one that is expected to end nearest to the end of the budget.

use std::time::Duration;

use crate::task::Timeline;

/// Weight of the newest step in the mean duration of a step.
const NEWEST: f64 = 0.1;

/// Position and end of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    timeline: Timeline,
    /// Mean seconds per step, recent steps more than others; of a resumed run at first that of all its steps.
    step_s: Option<f64>,
    /// Seconds of the budget that were spent before the first step.
    before_s: f64,
    ended: bool,
}

impl Clock {
    /// The clock of a run of which `step` steps were taken in `elapsed_s` seconds, `before_s` of them before the first. `ended`: a step with [`Self::is_last`] was
    /// among them.
    pub fn new(timeline: Timeline, step: u64, elapsed_s: f64, before_s: f64, ended: bool) -> Self {
        let step_s = (step > 0).then(|| (elapsed_s - before_s) / step as f64);
        let ended = match timeline.budget {
            None => step >= timeline.steps,
            Some(budget) => ended || elapsed_s >= budget.as_secs_f64() || timeline.steps == 0,
        };
        Self { timeline, step_s, before_s, ended }
    }

    /// Seconds of the budget that were spent before the first step.
    pub fn before_s(&self) -> f64 {
        self.before_s
    }

    /// Whether no step is left.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Position of the step after `step` steps and `elapsed_s` seconds, in planned steps.
    pub fn position(&self, step: u64, elapsed_s: f64) -> f64 {
        match self.timeline.budget {
            None => step as f64,
            Some(budget) => {
                let (done, whole) = (elapsed_s - self.before_s, budget.as_secs_f64() - self.before_s);
                self.timeline.steps as f64 * (done / whole.max(1e-9)).clamp(0.0, 1.0)
            }
        }
    }

    /// Whether the step after `step` steps and `elapsed_s` seconds is the last one.
    pub fn is_last(&self, step: u64, elapsed_s: f64) -> bool {
        match (self.timeline.budget, self.step_s) {
            (None, _) => step + 1 >= self.timeline.steps,
            // One more step would end further after the end than this one ends before it.
            (Some(budget), Some(step_s)) => elapsed_s + 1.5 * step_s >= budget.as_secs_f64(),
            (Some(budget), None) => elapsed_s >= budget.as_secs_f64(),
        }
    }

    /// Records a step and whether it was the last one.
    pub fn step(&mut self, seconds: f64, last: bool) {
        self.step_s = Some(self.step_s.map_or(seconds, |mean| mean + NEWEST * (seconds - mean)));
        self.ended = last;
    }

    /// Steps of the whole run: with a budget, as many as the recent speed lets expect.
    pub fn total_steps(&self, step: u64, elapsed_s: f64) -> u64 {
        match (self.left(elapsed_s), self.step_s) {
            _ if self.ended => step,
            (None, _) | (_, None) => self.timeline.steps.max(step),
            (Some(left), Some(step_s)) => step + (left.as_secs_f64() / step_s.max(1e-9)).round().max(1.0) as u64,
        }
    }

    /// What is left of the budget, if there is one.
    pub fn left(&self, elapsed_s: f64) -> Option<Duration> {
        let left = |budget: Duration| Duration::try_from_secs_f64(budget.as_secs_f64() - elapsed_s).unwrap_or_default();
        self.timeline.budget.map(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Timeline = Timeline { steps: 100, steps_per_epoch: 10, warm_up: 0, budget: None };
    const TIMED: Timeline = Timeline { budget: Some(Duration::from_secs(200)), ..PLAN };

    #[test]
    fn without_a_budget_steps_count() {
        let clock = Clock::new(PLAN, 7, 1e9, 0.0, false);
        assert_eq!((clock.position(7, 1e9), clock.total_steps(7, 1e9), clock.left(3.0)), (7.0, 100, None));
        assert_eq!([98, 99].map(|step| clock.is_last(step, 0.0)), [false, true]);
        assert_eq!([99, 100].map(|step| Clock::new(PLAN, step, 0.0, 0.0, false).ended()), [false, true]);
    }

    /// Takes steps of a machine, whose speed may change, until the clock ends; the time, the steps and the positions.
    fn run(mut clock: Clock, mut at: (u64, f64), step_s: impl Fn(u64) -> f64) -> (f64, u64, Vec<f64>) {
        let mut positions = Vec::new();
        while !clock.ended() {
            positions.push(clock.position(at.0, at.1));
            let last = clock.is_last(at.0, at.1);
            clock.step(step_s(at.0), last);
            at = (at.0 + 1, at.1 + step_s(at.0));
        }
        (at.1, at.0, positions)
    }

    #[test]
    fn with_a_budget_the_schedule_ends_with_the_time() {
        // As planned, twice as fast, five times as slow from the middle on, and a machine that was suspended.
        let as_planned = run(Clock::new(TIMED, 0, 0.0, 0.0, false), (0, 0.0), |_| 2.0);
        assert_eq!((as_planned.0, as_planned.1), (200.0, 100));
        let fast = run(Clock::new(TIMED, 0, 0.0, 0.0, false), (0, 0.0), |_| 1.0);
        assert_eq!((fast.0, fast.1), (200.0, 200));
        let slower = run(Clock::new(TIMED, 0, 0.0, 0.0, false), (0, 0.0), |step| if step < 50 { 2.0 } else { 10.0 });
        assert!((slower.0 - 200.0).abs() <= 10.0 && slower.1 < 65, "{slower:?}");
        let suspended =
            run(Clock::new(TIMED, 0, 0.0, 0.0, false), (0, 0.0), |step| if step == 20 { 150.0 } else { 2.0 });
        assert!((suspended.0 - 200.0).abs() <= 20.0, "{suspended:?}");
        for (.., positions) in [as_planned, fast, slower] {
            assert!(positions.windows(2).all(|w| w[0] < w[1]));
            assert!(positions[0] == 0.0 && *positions.last().unwrap() >= 94.0, "{positions:?}");
        }
    }

    #[test]
    fn a_resumed_run_keeps_its_budget() {
        let resumed = run(Clock::new(TIMED, 50, 100.0, 0.0, false), (50, 100.0), |_| 4.0);
        assert!((resumed.0 - 200.0).abs() <= 4.0, "{resumed:?}");
        assert_eq!(resumed.2[0], 50.0);
        assert!(Clock::new(TIMED, 100, 199.0, 0.0, true).ended());
        assert!(Clock::new(TIMED, 100, 200.0, 0.0, false).ended());
        let clock = Clock::new(TIMED, 50, 100.0, 0.0, false);
        assert_eq!((clock.total_steps(50, 100.0), clock.left(150.0)), (100, Some(Duration::from_secs(50))));
    }

    /// Opening the images and measuring the speed take none of the warm-up of the learning rate.
    #[test]
    fn the_schedule_begins_with_the_first_step() {
        let (_, _, positions) = run(Clock::new(TIMED, 0, 60.0, 60.0, false), (0, 60.0), |_| 2.0);
        assert_eq!(positions[0], 0.0);
        assert!((positions[35] - 50.0).abs() < 1e-9, "{positions:?}");
        let resumed = Clock::new(TIMED, 35, 130.0, 60.0, false);
        assert_eq!((resumed.position(35, 130.0), resumed.total_steps(35, 130.0)), (50.0, 70));
    }
}
