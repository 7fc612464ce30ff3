//! The measures of one checkpoint.

use super::alignment_uniformity::alignment_uniformity;
use super::class_oracle::oracle_accuracy;
use super::false_parents::false_parents;
use super::hardest::{Hardest, hardest};
use super::measure::{
    ALIGNMENT, FALSE_NEGATIVES_ALL, FALSE_NEGATIVES_HARDEST, FALSE_PAIRS, FALSE_PARENTS, NEGATIVE_SIMILARITY,
    POSITIVE_SIMILARITY, PROXY_ACCURACY, PROXY_ACCURACY_ORACLE, PROXY_ACCURACY_ORACLE_SYNTHETIC,
    PROXY_ACCURACY_SYNTHETIC, PURITY, PURITY_CHANCE, RANK_ME_EMBEDDINGS, RANK_ME_FEATURES, SPREAD, STABILITY,
    UNIFORMITY, Values,
};
use super::neighbors::{Neighbors, chance, neighbors, purity, stability};
use super::proxy_accuracy::{ProxyTask, proxy_accuracy};
use super::rank_me::rank_me;
use super::similarity::{Similarity, similarity};
use super::spread::spread;
use crate::EvalError;
use mochi_tensor::Tensor;
use serde::Serialize;

/// Images that are queries of the similarities and of the hardest negatives, at most; each is compared with all others.
pub(crate) const QUERIES: i64 = 1024;

/// The measures of one checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CheckpointAnalysis {
    /// Steps done.
    pub step: u64,
    /// Its measures.
    #[serde(flatten)]
    pub values: Values,
    /// Histograms of the similarities.
    pub similarity: Option<Similarity>,
    /// Curves of the hardest negatives.
    pub hardest: Option<Hardest>,
}

/// What one encoder makes of the sample.
pub(crate) struct Embedded<'a> {
    /// (N, F), of the images' evaluation views.
    pub features: &'a Tensor,
    /// (N, D), of the same views.
    pub embeddings: &'a Tensor,
    /// Classes of the rows of both.
    pub labels: Option<&'a [u32]>,
    /// (M, D) each, of two augmented views.
    pub views: [&'a Tensor; 2],
    /// Classes of the rows of `views`.
    pub view_labels: Option<&'a [u32]>,
}

/// Measures one encoder: `k` neighbors, compared with those `before`, and the proxy task of the run.
pub(crate) fn measure(
    step: u64,
    of: &Embedded,
    (k, task): (usize, &ProxyTask),
    before: Option<&Neighbors>,
) -> Result<(CheckpointAnalysis, Neighbors), EvalError> {
    let mut values = Values::default();
    let (alignment, uniformity) = alignment_uniformity(of.views)?;
    values.set(&ALIGNMENT, Some(alignment));
    values.set(&UNIFORMITY, uniformity);
    values.set(&RANK_ME_FEATURES, rank_me(of.features)?);
    values.set(&RANK_ME_EMBEDDINGS, rank_me(of.embeddings)?);
    values.set(&SPREAD, spread(of.embeddings)?);

    let [first, second] = of.views;
    let queries = first.f_narrow(0, 0, QUERIES.min(first.size().first().copied().unwrap_or(0)))?;
    let similarity = similarity(&queries, second)?;
    values.set(&POSITIVE_SIMILARITY, similarity.as_ref().map(|s| s.positive_mean));
    values.set(&NEGATIVE_SIMILARITY, similarity.as_ref().map(|s| s.negative_mean));
    let hardest = hardest(&queries, second, of.view_labels, task.objective.temperature)?;
    values.set(&FALSE_NEGATIVES_HARDEST, hardest.as_ref().and_then(|h| h.false_among_hardest));
    values.set(&FALSE_NEGATIVES_ALL, hardest.as_ref().and_then(|h| h.false_among_all));

    let proxy = proxy_accuracy(&queries, second, task)?;
    values.set(&PROXY_ACCURACY, proxy.map(|accuracy| accuracy.real));
    values.set(&PROXY_ACCURACY_SYNTHETIC, proxy.and_then(|accuracy| accuracy.with_synthetic));
    let (oracle, parents) = match of.view_labels {
        Some(labels) => {
            (oracle_accuracy(&queries, second, labels, task)?, false_parents(&queries, second, labels, task)?)
        }
        None => (None, None),
    };
    values.set(&FALSE_PARENTS, parents.map(|found| found.parents));
    values.set(&FALSE_PAIRS, parents.and_then(|found| found.pairs));
    values.set(&PROXY_ACCURACY_ORACLE, oracle.map(|accuracy| accuracy.real));
    values.set(&PROXY_ACCURACY_ORACLE_SYNTHETIC, oracle.and_then(|accuracy| accuracy.with_synthetic));

    let found = neighbors(of.features, k)?;
    values.set(&STABILITY, before.and_then(|before| stability(&found, before)));
    values.set(&PURITY, of.labels.and_then(|labels| purity(&found, labels)));
    values.set(&PURITY_CHANCE, of.labels.and_then(chance));
    Ok((CheckpointAnalysis { step, values, similarity, hardest }, found))
}
