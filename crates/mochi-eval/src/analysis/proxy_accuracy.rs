//! Accuracy on the proxy task of MoCHi (Kalantidis et al., NeurIPS 2020, figure 2): whether the key of a query is nearer to it than every negative.
//!
//! ```text
//! real           = mean over i of  [ x_i·y_i > max_n x_i·y_n ]              x_i: first view of image i; y_n: second view of image n, n != i a negative
//! with synthetic = mean over i of  [ x_i·y_i > max(max_n x_i·y_n, max_h x_i·h) ]        h: the synthetic negatives of i, as the run makes them
//! ```
//!
//! The synthetic negatives are mixed from the `N · (number of negatives) / K` hardest negatives of the sample, with N hard negatives of K candidate
//! keys in the run: from the same fraction of the negatives as in training. With fewer negatives than there are keys, the task is easier than that of
//! training; it is compared between checkpoints.

use crate::EvalError;
use mochi_contrast::{Context, DrawKey, ExplicitSamples, Filter, LossVariant, Objective, SampleMetadata, info_nce};
use mochi_tensor::Tensor;

/// The proxy task of a run.
#[derive(Clone, Debug)]
pub struct ProxyTask<'a> {
    /// The run's objective: its temperature, its N and its synthetic negatives. Its filters and its loss variant have no influence.
    pub objective: &'a Objective,
    /// K, the number of candidate keys of a query in training, of which the N hardest are mixed.
    pub keys: usize,
    /// Seed and step of the draws.
    pub draws: DrawKey,
    /// Parents and coefficients that are given instead of drawn.
    pub samples: &'a [ExplicitSamples],
}

/// Fractions of queries whose key is nearer than every negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProxyAccuracy {
    /// Among the real negatives.
    pub real: f64,
    /// Among real and synthetic negatives; `None` if the run has no synthetic ones.
    pub with_synthetic: Option<f64>,
}

/// The proxy accuracy of first views (B, D) and second views (N, D) of the same images, B <= N; `None` unless there is a negative.
///
/// # Errors
/// Rows that are not of norm 1, shapes that do not fit, or an error of libtorch.
pub fn proxy_accuracy(first: &Tensor, second: &Tensor, task: &ProxyTask) -> Result<Option<ProxyAccuracy>, EvalError> {
    proxy_accuracy_filtered(first, second, task, (None, &[]))
}

/// The same among the negatives that filters leave, with the classes (N) of the images.
pub(super) fn proxy_accuracy_filtered(
    first: &Tensor,
    second: &Tensor,
    task: &ProxyTask,
    (labels, filters): (Option<&[u32]>, &[Filter]),
) -> Result<Option<ProxyAccuracy>, EvalError> {
    let rows = |t: &Tensor| usize::try_from(t.size().first().copied().unwrap_or(0)).unwrap_or(0);
    let (queries, images) = (rows(first), rows(second));
    if queries < 1 || images < 2 || queries > images {
        return Ok(None);
    }
    let own: Vec<u32> = (0u32..).take(queries).collect();
    let labels: Option<Vec<i64>> = labels.map(|labels| labels.iter().map(|&label| i64::from(label)).collect());
    let metadata = |labels| SampleMetadata { labels, ..SampleMetadata::default() };
    let context = Context {
        draws: task.draws,
        queries: metadata(labels.as_ref().and_then(|labels| labels.get(..queries))),
        candidates: metadata(labels.as_deref()),
        positive_indices: &own,
        samples: task.samples,
        ..Context::default()
    };
    let objective = task.objective_of(images - 1, filters);
    let key = second.f_narrow(0, 0, first.size()[0])?;
    let measures = info_nce(first, &key, second, &objective, &context)?.measures;
    Ok((measures.without_negatives < 1.0).then_some(ProxyAccuracy {
        real: measures.accuracy_real,
        with_synthetic: objective.has_synthesis().then_some(measures.accuracy_with_synthetic),
    }))
}

impl ProxyTask<'_> {
    /// The objective for a sample with this many negatives: its N is at least 1, unless the run has none.
    pub(super) fn objective_of(&self, negatives: usize, filters: &[Filter]) -> Objective {
        let n = self.objective.hard_negatives;
        let scaled = (n as f64 * negatives as f64 / self.keys.max(1) as f64).round() as usize;
        Objective {
            hard_negatives: scaled.max(n.min(1)),
            filters: filters.to_vec(),
            loss: LossVariant::INFO_NCE,
            ..self.objective.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, matrix, numbers, proxy_samples};

    #[test]
    fn accuracies_are_those_of_numpy_in_float64() {
        let (first, second) = (matrix("queries"), matrix("second"));
        let (objective, samples) = proxy_samples();
        let task = ProxyTask { objective: &objective, keys: 23, draws: DrawKey::default(), samples: &samples };
        let found = proxy_accuracy(&first, &second, &task).unwrap().unwrap();
        let [real, with_synthetic] = numbers("proxy")[..] else { panic!() };
        close(found.real, real, 1e-9);
        close(found.with_synthetic.unwrap(), with_synthetic, 1e-9);

        let plain = Objective::plain(0.2);
        let found = proxy_accuracy(&first, &second, &ProxyTask { objective: &plain, samples: &[], ..task.clone() });
        assert_eq!(found.unwrap().unwrap(), ProxyAccuracy { real, with_synthetic: None });
        let one = |t: &Tensor| t.narrow(0, 0, 1);
        assert_eq!(proxy_accuracy(&one(&first), &one(&second), &task).unwrap(), None);
    }

    #[test]
    fn the_fraction_of_hard_negatives_is_that_of_training() {
        let objective = Objective::mochi(0.2, 1024, 8, 8);
        let of = |keys, negatives| {
            let task = ProxyTask { objective: &objective, keys, draws: DrawKey::default(), samples: &[] };
            task.objective_of(negatives, &[]).hard_negatives
        };
        assert_eq!([of(65_536, 1023), of(65_536, 10), of(1024, 2048)], [16, 1, 2048]);
    }
}
