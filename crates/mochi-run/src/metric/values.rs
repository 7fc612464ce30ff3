//! Values of metrics: those of a step, and their averages between two records.

use super::{Average, Metric};

/// Values by metric, in the order in which they were set.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Vec<(&'static Metric, f64)>);

impl Metrics {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a value; `None` leaves the metric as it is.
    pub fn set(&mut self, metric: &'static Metric, value: impl Into<Option<f64>>) {
        let Some(value) = value.into() else { return };
        match self.0.iter_mut().find(|(other, _)| other.key == metric.key) {
            Some(entry) => entry.1 = value,
            None => self.0.push((metric, value)),
        }
    }

    /// With one more value.
    #[must_use]
    pub fn with(mut self, metric: &'static Metric, value: impl Into<Option<f64>>) -> Self {
        self.set(metric, value);
        self
    }

    /// The value of a metric, if it has one.
    pub fn get(&self, metric: &Metric) -> Option<f64> {
        self.0.iter().find(|(other, _)| other.key == metric.key).map(|&(_, value)| value)
    }

    /// Every value with its metric.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Metric, f64)> {
        self.0.iter().copied()
    }

    /// Sets every value of `other`.
    pub fn extend(&mut self, other: &Metrics) {
        for (metric, value) in other.iter() {
            self.set(metric, value);
        }
    }
}

/// Equal where the same metrics have the same bits, in any order.
impl PartialEq for Metrics {
    fn eq(&self, other: &Self) -> bool {
        let same = |(metric, value): (&Metric, f64)| other.get(metric).map(f64::to_bits) == Some(value.to_bits());
        self.0.len() == other.0.len() && self.iter().all(same)
    }
}

/// Combines the values of several steps, each metric by its [`Average`].
#[derive(Clone, Debug, Default)]
pub struct Averages(Vec<Running>);

#[derive(Clone, Copy, Debug)]
struct Running {
    metric: &'static Metric,
    value: f64,
    steps: u32,
}

impl Averages {
    /// Adds a step. Metrics that it has no value for are unaffected.
    pub fn add(&mut self, step: &Metrics) {
        for (metric, value) in step.iter() {
            match self.0.iter_mut().find(|running| running.metric.key == metric.key) {
                None => self.0.push(Running { metric, value, steps: 1 }),
                Some(running) => {
                    running.steps += 1;
                    running.value = match metric.average {
                        Average::Mean => running.value + value,
                        Average::Last => value,
                        // A NaN must not be lost among numbers.
                        Average::Max if value.is_nan() || running.value.is_nan() => f64::NAN,
                        Average::Max => running.value.max(value),
                    };
                }
            }
        }
    }

    /// The averages of what was added; starts over.
    pub fn take(&mut self) -> Metrics {
        let finish = |running: Running| match running.metric.average {
            Average::Mean => running.value / f64::from(running.steps),
            Average::Last | Average::Max => running.value,
        };
        Metrics(std::mem::take(&mut self.0).into_iter().map(|running| (running.metric, finish(running))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{contrastive, general};
    use super::*;

    #[test]
    fn steps_without_a_value_do_not_count() {
        let mut averages = Averages::default();
        for step in 0..4 {
            let diagnostics = (step == 2).then_some(0.3);
            let metrics = Metrics::new()
                .with(&general::LOSS, f64::from(step))
                .with(&general::LEARNING_RATE, 0.1 / f64::from(step + 1))
                .with(&contrastive::QUEUE_AGE_MAX_STEPS, [3.0, 7.0, 5.0, 1.0][step as usize])
                .with(&contrastive::FALSE_NEGATIVES_IN_QUEUE, diagnostics);
            averages.add(&metrics);
        }
        let record = averages.take();
        assert_eq!(record.get(&general::LOSS), Some(1.5), "mean");
        assert_eq!(record.get(&general::LEARNING_RATE), Some(0.025), "last");
        assert_eq!(record.get(&contrastive::QUEUE_AGE_MAX_STEPS), Some(7.0), "max");
        assert_eq!(record.get(&contrastive::FALSE_NEGATIVES_IN_QUEUE), Some(0.3), "one step of four has it");
        assert_eq!(record.get(&contrastive::PAIR_SIMILARITY), None);
        assert_eq!(averages.take(), Metrics::new(), "starts over");
    }

    #[test]
    fn a_value_is_set_once_and_none_leaves_it() {
        let mut metrics = Metrics::new().with(&general::LOSS, 2.0);
        metrics.set(&general::LOSS, None);
        metrics.set(&general::LOSS, 3.0);
        assert_eq!(metrics.iter().map(|(metric, value)| (metric.key, value)).collect::<Vec<_>>(), [("loss", 3.0)]);
    }
}
