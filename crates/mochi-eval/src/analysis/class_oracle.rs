//! The class oracle of MoCHi (Kalantidis et al., NeurIPS 2020), an upper bound: the negatives of a query's own class are removed, from its negatives and from
//! the parents of its synthetic negatives.
//!
//! ```text
//! oracle = the proxy accuracy of [`super::proxy_accuracy`], where n is a negative of i only if its class is another one
//! ```
//!
//! What it is above the proxy accuracy is the fraction of queries whose key is not nearest only because images of their own class are nearer.

use super::proxy_accuracy::{ProxyAccuracy, ProxyTask, proxy_accuracy_filtered};
use crate::EvalError;
use mochi_contrast_core::filters::class_oracle;
use mochi_tensor::Tensor;

/// The proxy accuracy of first views (B, D) and second views (N, D) of images whose classes are `labels` (N), among images of other classes; `None` if no
/// query has such a negative.
///
/// # Errors
/// As [`super::proxy_accuracy::proxy_accuracy`].
pub fn oracle_accuracy(
    first: &Tensor,
    second: &Tensor,
    labels: &[u32],
    task: &ProxyTask,
) -> Result<Option<ProxyAccuracy>, EvalError> {
    proxy_accuracy_filtered(first, second, task, (Some(labels), &[class_oracle::SPEC.defaults().build()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, labels, matrix, numbers, proxy_samples};
    use mochi_contrast::DrawKey;

    #[test]
    fn accuracies_are_those_of_numpy_in_float64() {
        let (first, second) = (matrix("queries"), matrix("second"));
        let (objective, samples) = proxy_samples();
        let task = ProxyTask { objective: &objective, keys: 23, draws: DrawKey::default(), samples: &samples };
        let found = oracle_accuracy(&first, &second, &labels(), &task).unwrap().unwrap();
        let [real, with_synthetic] = numbers("oracle")[..] else { panic!() };
        close(found.real, real, 1e-9);
        close(found.with_synthetic.unwrap(), with_synthetic, 1e-9);
        assert_eq!(oracle_accuracy(&first, &second, &[3; 24], &task).unwrap(), None, "one class has no other");
    }
}
