//! When a task is evaluated during training, and what fraction of the time that takes.

/// When a task is evaluated ([`crate::Task::evaluate`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evaluate {
    /// Never.
    Never,
    /// Every `every` steps and after the last. The last evaluation is the result of the run: one that was interrupted is done again from the last step.
    Result {
        /// Steps between evaluations, at least 1.
        every: u64,
    },
    /// After the first step of a run, every `every` steps and after the last, to watch training. An evaluation that would make those of a session take more than
    /// `time_fraction` of its time is left out, except after the first and the last step. A time budget includes the last one. A request to stop ends it.
    Watch {
        /// Steps between evaluations, at least 1.
        every: u64,
        /// Largest fraction of the time of a session.
        time_fraction: f64,
    },
}

/// The evaluations of a session. Times are those on which all ranks agree, so that all of them decide alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evaluations {
    when: Evaluate,
    /// Seconds of training at the begin of the session.
    begun_s: f64,
    spent_s: f64,
    /// Duration of the last evaluation; 0 before the first.
    last_s: f64,
}

impl Evaluations {
    /// Those of a session that begins after `begun_s` seconds of training.
    pub fn new(when: Evaluate, begun_s: f64) -> Self {
        Self { when, begun_s, spent_s: 0.0, last_s: 0.0 }
    }

    /// Whether an evaluation follows step `step`, counted from 1, which ended after `elapsed_s` seconds of training.
    pub fn due(&self, step: u64, last: bool, elapsed_s: f64) -> bool {
        match self.when {
            Evaluate::Never => false,
            Evaluate::Result { every } => last || step.is_multiple_of(every),
            Evaluate::Watch { every, time_fraction } => {
                let affordable = self.spent_s + self.last_s <= time_fraction * (elapsed_s - self.begun_s);
                last || step == 1 || (step.is_multiple_of(every) && affordable)
            }
        }
    }

    /// Records the duration of an evaluation.
    pub fn took(&mut self, seconds: f64) {
        self.spent_s += seconds;
        self.last_s = seconds;
    }

    /// Whether the last evaluation is the result of the run.
    pub fn is_result(&self) -> bool {
        matches!(self.when, Evaluate::Result { .. })
    }

    /// Time that a time budget leaves for the evaluation after the last step.
    pub fn reserve_s(&self) -> f64 {
        if matches!(self.when, Evaluate::Watch { .. }) { self.last_s } else { 0.0 }
    }

    /// Fraction of the session that evaluations took, after `elapsed_s` seconds of training.
    pub fn fraction(&self, elapsed_s: f64) -> f64 {
        self.spent_s / (elapsed_s - self.begun_s).max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of 1 s in a session that begins after 100 s, evaluations of `cost_s`: the steps that are followed by one, and their fraction of the time.
    fn session(when: Evaluate, steps: u64, cost_s: f64) -> (Vec<u64>, f64) {
        let (mut evaluations, mut at, mut found) = (Evaluations::new(when, 100.0), 100.0, vec![]);
        for step in 1..=steps {
            at += 1.0;
            if evaluations.due(step, step == steps, at) {
                at += cost_s;
                evaluations.took(cost_s);
                found.push(step);
            }
        }
        (found, evaluations.fraction(at))
    }

    #[test]
    fn the_interval_grows_until_evaluations_take_the_fraction_that_they_may() {
        assert!(session(Evaluate::Never, 30, 1.0).0.is_empty());
        assert_eq!(session(Evaluate::Result { every: 12 }, 30, 99.0).0, [12, 24, 30]);
        let watch = Evaluate::Watch { every: 10, time_fraction: 0.05 };
        assert_eq!(session(watch, 40, 0.01).0, [1, 10, 20, 30, 40]);
        // 2 s of 40: the second is affordable when 4 s are 5 % of the time.
        let (found, fraction) = session(watch, 400, 2.0);
        assert_eq!(found[..3], [1, 80, 120]);
        assert!(fraction > 0.04 && fraction < 0.055, "{fraction}");
        // A session of few steps has the first and the last.
        assert_eq!(session(watch, 7, 100.0).0, [1, 7]);
    }

    #[test]
    fn a_budget_leaves_time_for_what_is_watched_only() {
        for (when, reserve) in
            [(Evaluate::Watch { every: 10, time_fraction: 0.1 }, 3.0), (Evaluate::Result { every: 10 }, 0.0)]
        {
            let mut evaluations = Evaluations::new(when, 0.0);
            assert_eq!(evaluations.reserve_s(), 0.0);
            evaluations.took(5.0);
            evaluations.took(3.0);
            assert_eq!(evaluations.reserve_s(), reserve);
        }
    }
}
