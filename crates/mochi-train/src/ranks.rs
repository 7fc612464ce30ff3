//! What the ranks of a run agree on after every step: whether to stop, how long training has taken, what the step measured.
//!
//! One sum over a vector of fixed length; a run of one process does nothing. An evaluation within a run agrees on a stop after each of its pieces. Time is that of rank 0, so that a time budget ends on the same step
//! everywhere.

use std::sync::Arc;

use mochi_data::BadImage;
use mochi_run::{Metric, Metrics};
use mochi_tensor::collectives::Operation;
use mochi_tensor::{Group, Tensor, TensorError};
use mochi_term::StopFlag;

use crate::TrainError;

/// Values of the vector before those of the metrics: stop, time, images, bad images.
const HEAD: usize = 4;

/// What one rank reports, or what all agree on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Whether to stop: agreed if any rank asks for it.
    pub stop: bool,
    /// Seconds of training.
    pub elapsed_s: f64,
    /// Images of the step, over all ranks.
    pub images: u64,
    /// Bad images found, over all ranks.
    pub bad: usize,
    /// The step's values: their mean over the ranks that have one.
    pub metrics: Metrics,
}

/// The group of a run, if it has more than one process.
#[derive(Clone, Debug)]
pub(crate) struct Ranks {
    group: Option<Arc<Group>>,
    metrics: &'static [&'static Metric],
}

impl Ranks {
    /// Of a task that reports these metrics.
    pub fn new(group: Option<&Arc<Group>>, metrics: &'static [&'static Metric]) -> Self {
        Self { group: group.map(Arc::clone), metrics }
    }

    /// Number of processes.
    pub fn size(&self) -> usize {
        self.group.as_ref().map_or(1, |group| group.size())
    }

    /// What the ranks agree on.
    pub fn agree(&self, own: Report) -> Result<Report, TensorError> {
        let Some(group) = &self.group else { return Ok(own) };
        let elapsed_s = if group.rank() == 0 { own.elapsed_s } else { 0.0 };
        let mut values = vec![f64::from(u8::from(own.stop)), elapsed_s, own.images as f64, own.bad as f64];
        for metric in self.metrics {
            let value = own.metrics.get(metric);
            values.extend([value.unwrap_or(0.0), f64::from(u8::from(value.is_some()))]);
        }
        let mut sums = Tensor::f_from_slice(&values)?;
        group.all_reduce(&mut sums, Operation::Sum, "agreeing on a step")?;
        let sums = Vec::<f64>::try_from(&sums)?;
        let mut metrics = Metrics::new();
        for (metric, pair) in self.metrics.iter().zip(sums[HEAD..].chunks_exact(2)) {
            metrics.set(metric, (pair[1] > 0.0).then(|| pair[0] / pair[1]));
        }
        Ok(Report { stop: sums[0] > 0.0, elapsed_s: sums[1], images: sums[2] as u64, bad: sums[3] as usize, metrics })
    }

    /// The bad images of all ranks, of which there are `count`.
    pub fn bad_images(&self, own: Vec<BadImage>, count: usize) -> Result<Vec<BadImage>, TrainError> {
        let Some(group) = self.group.as_ref().filter(|_| count > 0) else { return Ok(own) };
        let unreadable = |error: serde_json::Error| TrainError::Internal(format!("a list of bad images: {error}"));
        let text = serde_json::to_string(&own).map_err(unreadable)?;
        let lists = group.share_text(&text)?;
        let lists = lists.iter().map(|list| serde_json::from_str::<Vec<BadImage>>(list));
        Ok(lists.collect::<Result<Vec<_>, _>>().map_err(unreadable)?.concat())
    }
}

/// Whether any rank was asked to stop: all get the same answer, for which they wait for each other.
pub(crate) fn any_stops(group: Option<&Group>, stop: &StopFlag) -> Result<bool, TensorError> {
    match group {
        None => Ok(stop.requested()),
        Some(group) => {
            let [stops] = group.largest([f64::from(u8::from(stop.requested()))], "agreeing whether to stop")?;
            Ok(stops > 0.0)
        }
    }
}

/// The flag for what one rank waits for by itself, such as its data: where there are others, only a stop that all have agreed on counts.
pub(crate) fn own_stop(group: Option<&Group>, stop: &StopFlag) -> StopFlag {
    if group.is_none() { stop.clone() } else { StopFlag::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_run::metric::general::{IMAGES_PER_S, LOSS};
    use std::time::Duration;

    static METRICS: [&Metric; 2] = [&LOSS, &IMAGES_PER_S];

    #[test]
    fn one_stop_is_everybodys_time_is_rank_0s_and_values_are_means_of_those_that_have_one() {
        let agreed = Group::of_threads(3, Duration::from_secs(20), |group| {
            let rank = group.rank();
            let own = Report {
                stop: rank == 1,
                elapsed_s: 5.0 + rank as f64,
                images: 4,
                bad: rank,
                metrics: Metrics::new().with(&LOSS, rank as f64).with(&IMAGES_PER_S, (rank == 2).then_some(8.0)),
            };
            let bad = |name: &str| BadImage {
                index: rank,
                name: name.into(),
                reason: mochi_views::BadReason::Empty,
                detail: String::new(),
            };
            let ranks = Ranks::new(Some(&Arc::new(group)), &METRICS);
            let agreed = ranks.agree(own).unwrap();
            let bad = ranks.bad_images(if rank == 2 { vec![bad("a"), bad("b")] } else { vec![] }, agreed.bad).unwrap();
            (agreed, bad.iter().map(|bad| bad.name.clone()).collect::<Vec<_>>())
        });
        for (agreed, bad) in agreed.unwrap() {
            assert_eq!((agreed.stop, agreed.elapsed_s, agreed.images, agreed.bad), (true, 5.0, 12, 3));
            assert_eq!((agreed.metrics.get(&LOSS), agreed.metrics.get(&IMAGES_PER_S)), (Some(1.0), Some(8.0)));
            assert_eq!(bad, ["a", "b"]);
        }
    }

    #[test]
    fn a_single_process_agrees_with_itself() {
        let own = Report { stop: true, elapsed_s: 3.0, images: 2, bad: 1, metrics: Metrics::new().with(&LOSS, 1.0) };
        let agreed = Ranks::new(None, &METRICS).agree(own).unwrap();
        assert_eq!((agreed.stop, agreed.elapsed_s, agreed.metrics.get(&LOSS)), (true, 3.0, Some(1.0)));
    }
}
