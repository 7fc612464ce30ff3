//! False negatives among the parents of synthetic negatives: what MoCHi mixes from images of the query's own class (Kalantidis et al., NeurIPS 2020, section 5
//! and its appendix on the class oracle).
//!
//! ```text
//! parents = P( y_n = y_i )                      over all parents n of the synthetic negatives of query i; a pair mix has two
//! pairs   = P( y_n = y_i  or  y_m = y_i )       over the pair mixes of query i, with parents n and m
//! ```
//!
//! The synthetic negatives are those of the proxy task ([`super::proxy_accuracy`](mod@super::proxy_accuracy)): every strategy of the run draws its parents from the
//! hardest negatives of the sample, of which there are the same fraction as in training. `noise`, `repeat` and others with one parent count with it.

use super::proxy_accuracy::ProxyTask;
use crate::EvalError;
use mochi_contrast::{Context, SampleMetadata, diagnostics};
use mochi_tensor::Tensor;

/// Fractions of the query's class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FalseParents {
    /// Of the parents of synthetic negatives.
    pub parents: f64,
    /// Of the pair mixes, those with at least one such parent; `None` if the run has no pair mixes.
    pub pairs: Option<f64>,
}

/// The fractions for first views (B, D) and second views (N, D) of images whose classes are `labels` (N), B <= N; `None` if the run has no synthetic
/// negatives or there is no negative.
///
/// # Errors
/// Shapes that do not fit, or an error of libtorch.
pub fn false_parents(
    first: &Tensor,
    second: &Tensor,
    labels: &[u32],
    task: &ProxyTask,
) -> Result<Option<FalseParents>, EvalError> {
    let rows = |t: &Tensor| usize::try_from(t.size().first().copied().unwrap_or(0)).unwrap_or(0);
    let (queries, images) = (rows(first), rows(second));
    if queries < 1 || images < 2 || queries > images {
        return Ok(None);
    }
    let own: Vec<u32> = (0u32..).take(queries).collect();
    let labels: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    let metadata = |labels| SampleMetadata { labels, ..SampleMetadata::default() };
    let context = Context {
        draws: task.draws,
        queries: metadata(labels.get(..queries)),
        candidates: metadata(Some(&labels)),
        positive_indices: &own,
        samples: task.samples,
        ..Context::default()
    };
    let key = second.f_narrow(0, 0, first.size()[0])?;
    let found = diagnostics(first, &key, second, &task.objective_of(images - 1, &[]), &context)?;
    let found = found.and_then(|found| found.false_negatives);
    Ok(found.and_then(|found| Some(FalseParents { parents: found.parents?, pairs: found.pair_either })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, labels, matrix, number, numbers, proxy_samples};
    use mochi_contrast::{DrawKey, Objective};

    #[test]
    fn fractions_are_those_of_numpy() {
        let (objective, samples) = proxy_samples();
        let task = ProxyTask { objective: &objective, keys: 23, draws: DrawKey::default(), samples: &samples };
        let found = false_parents(&matrix("queries"), &matrix("second"), &labels(), &task).unwrap().unwrap();
        let [parents, pairs] = numbers("false_parents")[..] else { panic!() };
        close(found.parents, parents, 1e-9);
        close(found.pairs.unwrap(), pairs, 1e-9);
    }

    #[test]
    fn drawn_from_all_negatives_they_are_at_chance_and_without_synthesis_there_are_none() {
        let (queries, second, labels) = (matrix("queries"), matrix("second"), labels());
        let of = |objective: &Objective| {
            let task = ProxyTask { objective, keys: 23, draws: DrawKey::default(), samples: &[] };
            false_parents(&queries, &second, &labels, &task).unwrap()
        };
        // 9 x 4,000 parents: a standard error below 0.003.
        let found = of(&Objective::mochi(0.2, 23, 2000, 0)).unwrap();
        close(found.parents, number("false_all"), 0.012);
        assert!(found.pairs.unwrap() > found.parents && found.pairs.unwrap() < 2.0 * found.parents, "{found:?}");
        let mixes = of(&Objective::mochi(0.2, 4, 0, 8)).unwrap();
        assert!(mixes.pairs.is_none() && (0.0..=1.0).contains(&mixes.parents));
        assert_eq!(of(&Objective::plain(0.2)), None);
        let objective = Objective::mochi(0.2, 4, 8, 8);
        let task = ProxyTask { objective: &objective, keys: 23, draws: DrawKey::default(), samples: &[] };
        let one = |t: &Tensor| t.narrow(0, 0, 1);
        assert_eq!(false_parents(&one(&queries), &one(&second), &labels[..1], &task).unwrap(), None);
    }
}
