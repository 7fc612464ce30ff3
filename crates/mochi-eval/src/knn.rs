//! Weighted k-nearest neighbours: the judgement without any training.
//!
//! For a test row x and unit training rows y_i with classes c_i, over the k training rows of largest cosine:
//!
//! ```text
//! score(c) = sum over neighbours i with c_i = c of exp(cos(x, y_i) / t)          prediction = argmax score
//! ```
//!
//! Source: Wu, Xiong, Yu, Lin: *Unsupervised Feature Learning via Non-Parametric Instance Discrimination*, CVPR 2018, section 3.4, as
//! `knn_predict` of facebookresearch/moco's CIFAR notebook does it (k 200, t 0.1). Ties: the earlier training image is the nearer, the
//! smaller class number wins. A class without a neighbour is never among the top 5.
//!
//! Memory beside the features and their normalised copy: 512 x 4,096 cosines (8 MiB) and 512 x 2 k candidates, whatever N is.
//! Time is that of the product N_test x N_train x F.

use crate::features::{as_i64, check_pair};
use crate::top_k::TopK;
use crate::{EvalError, Features, Progress, Stage};
use mochi_tensor::{HostValues, Tensor, for_each_row, no_grad};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Name and version of this protocol; it stands in every result.
pub const KNN_PROTOCOL: &str = "knn/1";

/// Test rows and training rows whose cosines are held at once.
const CHUNK: (usize, usize) = (512, 4096);

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnnOptions {
    /// Neighbours; more than there are training images means all of them.
    pub k: usize,
    /// Temperature of the vote.
    pub temperature: f64,
}

impl Default for KnnOptions {
    /// k 200, t 0.1.
    fn default() -> Self {
        Self { k: 200, temperature: 0.1 }
    }
}

/// The judgement; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnnResult {
    /// [`KNN_PROTOCOL`].
    pub protocol: String,
    /// Share of test images whose class has the highest score, in percent.
    pub top1: f64,
    /// Share of test images whose class has one of the five highest scores above 0, in percent.
    pub top5: f64,
    /// Neighbours that voted: as asked, or all training images where there are fewer.
    pub k: usize,
    /// Temperature of the vote.
    pub temperature: f64,
    /// Training images.
    pub train_images: usize,
    /// Test images.
    pub test_images: usize,
    /// Classes of the training split.
    pub classes: usize,
    /// Features of an image.
    pub features: usize,
    /// Time of the judgement, without the extraction of the features.
    pub seconds: f64,
}

/// Judges `test` by its neighbours in `train`. `progress` counts test rows.
///
/// # Errors
/// [`EvalError::Option`], features that cannot be judged (as [`crate::match_classes`]), or what libtorch says.
pub fn knn(
    train: &Features,
    test: &Features,
    options: &KnnOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<KnnResult, EvalError> {
    let start = Instant::now();
    let truth = check_pair(train, test)?;
    let k = options.k.min(train.len());
    let scores = scores(train, test, &KnnOptions { k, ..*options }, CHUNK, progress)?;
    let ranks = scores.iter().zip(&truth).map(|(scores, &class)| rank(scores, class));
    let (mut top1, mut top5) = (0usize, 0usize);
    for rank in ranks.flatten() {
        top1 += usize::from(rank == 0);
        top5 += usize::from(rank < 5);
    }
    let percent = |hits: usize| 100.0 * hits as f64 / truth.len() as f64;
    Ok(KnnResult {
        protocol: KNN_PROTOCOL.to_owned(),
        top1: percent(top1),
        top5: percent(top5),
        k,
        temperature: options.temperature,
        train_images: train.len(),
        test_images: test.len(),
        classes: train.class_names.len(),
        features: train.width(),
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Classes that got votes, with their scores times exp(-nearest cosine / t): a factor that changes no order and keeps small
/// temperatures from overflowing. Ascending class numbers.
type Scores = Vec<(u32, f64)>;

/// How many classes score higher than `class`, or as high with a smaller number; `None` where it has no vote.
fn rank(scores: &Scores, class: u32) -> Option<usize> {
    let (_, own) = *scores.iter().find(|(c, _)| *c == class)?;
    Some(scores.iter().filter(|&&(c, score)| score > own || (score == own && c < class)).count())
}

/// The scores of every test row. `chunk`: test rows and training rows at once.
fn scores(
    train: &Features,
    test: &Features,
    options: &KnnOptions,
    chunk: (usize, usize),
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Scores>, EvalError> {
    let (k, t) = (options.k, options.temperature);
    if k == 0 {
        return Err(EvalError::Option { option: "k", value: "0".into(), expected: "it must be at least 1" });
    }
    if !(t.is_finite() && t > 0.0) {
        return Err(EvalError::Option { option: "temperature", value: t.to_string(), expected: "it must be above 0" });
    }
    let (train_rows, test_rows) = (unit_rows(&train.values)?, unit_rows(&test.values)?);
    let mut all = Vec::with_capacity(test.len());
    for from in (0..test.len()).step_by(chunk.0) {
        let rows = chunk.0.min(test.len() - from);
        let queries = test_rows.f_narrow(0, as_i64(from), as_i64(rows))?;
        let mut nearest = vec![TopK::new(k); rows];
        for first in (0..train.len()).step_by(chunk.1) {
            let columns = chunk.1.min(train.len() - first);
            let block = train_rows.f_narrow(0, as_i64(first), as_i64(columns))?;
            let mut cosines = HostValues::new(no_grad(|| queries.f_matmul(&block.f_tr()?))?)?;
            let position = u32::try_from(first).unwrap_or(u32::MAX);
            for_each_row(&mut cosines, columns, &mut nearest, || (), |_, row, top, ()| top.offer(row, position))?;
        }
        all.extend(nearest.iter_mut().map(|top| vote(top.finish(), &train.labels, t)));
        progress(Progress { stage: Stage::Neighbours, done: from + rows, total: test.len() });
    }
    Ok(all)
}

/// Sums the neighbours' weights by class; `neighbours` best first.
fn vote(neighbours: &[(f32, u32)], labels: &[u32], t: f64) -> Scores {
    let highest = neighbours.first().map_or(0.0, |n| f64::from(n.0));
    let mut votes: Scores = neighbours
        .iter()
        .filter_map(|&(cosine, at)| {
            let class = labels.get(usize::try_from(at).ok()?)?;
            Some((*class, ((f64::from(cosine) - highest) / t).exp()))
        })
        .collect();
    // Stable: within a class the weights are added in the order of nearness, always the same.
    votes.sort_by_key(|&(class, _)| class);
    votes.dedup_by(|next, sum| {
        let same = next.0 == sum.0;
        if same {
            sum.1 += next.1;
        }
        same
    });
    votes
}

/// torch's `F.normalize(x, dim=1)` (eps 1e-12): a row of zeros stays one and is at cosine 0 from everything.
fn unit_rows(values: &Tensor) -> Result<Tensor, EvalError> {
    no_grad(|| {
        let norm = values.f_norm_scalaropt_dim(2, [1i64].as_slice(), true)?.f_clamp_min(1e-12)?;
        Ok(values.f_div(&norm)?)
    })
}

#[cfg(test)]
#[path = "knn_tests.rs"]
mod tests;
