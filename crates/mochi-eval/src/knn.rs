//! Weighted k-nearest neighbors: evaluation without any training.
//!
//! For a test row x and unit training rows y_i with classes c_i, over the k training rows of largest cosine:
//!
//! ```text
//! score(c) = sum over neighbors i with c_i = c of exp(cos(x, y_i) / t)          prediction = argmax score
//! ```
//!
//! Source: Wu, Xiong, Yu, Lin: *Unsupervised Feature Learning via Non-Parametric Instance Discrimination*, CVPR 2018, section 3.4.
//! facebookresearch/moco's CIFAR notebook does the same (`knn_predict`, k 200, t 0.1) on the 128 outputs of the whole encoder: its
//! numbers are those of [`FeatureSource::Embedding`], protocol `knn-embedding/1`, not of backbone features.
//!
//! By default k = min(200, max(5, N / (2 C))) for N training images of C classes: half of an average class, so that a class of few
//! images can still win, and 200 from 400 images per class on.
//!
//! Ties: of equal cosines the earlier training image is nearer, of equal scores the smaller class number wins. A class without a
//! neighbor is never among the top 5.
//!
//! In several processes the blocks of 512 test images are dealt to the ranks: products have the shapes of one process, and what is summed over ranks are
//! numbers of correct images.
//!
//! Memory besides the features and their normalized copy: 512 x 4,096 cosines (8 MiB) and 512 x 2 k candidates of 8 bytes.
//! Time is that of the product N_test x N_train x F.

use crate::dealt::{dealt, summed};
use crate::features::check_pair;
use crate::interval::bootstrap_interval;
use crate::nearest::{CHUNK, nearest};
use crate::{BadImages, EvalError, FeatureSource, Features, Progress, Stage, classes};
use mochi_tensor::Group;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Protocol of k-NN on backbone features or pixels.
pub const KNN_PROTOCOL: &str = "knn/2";

/// Protocol of k-NN on embeddings, the output of the whole encoder.
pub const KNN_EMBEDDING_PROTOCOL: &str = "knn-embedding/1";

/// Options of [`knn`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnnOptions {
    /// Number of neighbors, 1 to [`Self::MAX_K`]; `None` derives it from the training set. Never more than there are training images.
    pub k: Option<usize>,
    /// Temperature of the vote, above 0.
    pub temperature: f64,
}

impl KnnOptions {
    /// Upper bound of `k`; candidates take 8 KiB per neighbor.
    pub const MAX_K: usize = 10_000;

    /// Checks the ranges; [`knn`] does so too, but only after the features have been extracted.
    ///
    /// # Errors
    /// [`EvalError::Option`].
    pub fn check(&self) -> Result<(), EvalError> {
        if let Some(k) = self.k.filter(|k| !(1..=Self::MAX_K).contains(k)) {
            return Err(EvalError::Option {
                option: "k",
                value: k.to_string(),
                expected: "an integer from 1 to 10000",
            });
        }
        let t = self.temperature;
        if !(t.is_finite() && t > 0.0) {
            let expected = "a number above 0";
            return Err(EvalError::Option { option: "temperature", value: t.to_string(), expected });
        }
        Ok(())
    }
}

impl Default for KnnOptions {
    /// k from the training set, t 0.1.
    fn default() -> Self {
        Self { k: None, temperature: 0.1 }
    }
}

/// Result of [`knn`]; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnnResult {
    /// [`KNN_PROTOCOL`] or [`KNN_EMBEDDING_PROTOCOL`].
    pub protocol: String,
    /// Percentage of test images whose class has the highest score.
    pub top1: f64,
    /// 95 % interval of `top1` over test images.
    pub top1_interval: [f64; 2],
    /// Percentage of test images whose class has one of the five highest scores above 0.
    pub top5: f64,
    /// Number of neighbors that voted.
    pub k: usize,
    /// Whether `k` was derived from the training set.
    pub k_automatic: bool,
    /// Temperature of the vote.
    pub temperature: f64,
    /// The layer that the features are taken from.
    pub feature_source: FeatureSource,
    /// Number of training images.
    pub train_images: usize,
    /// Number of test images.
    pub test_images: usize,
    /// Number of training images that could not be read.
    pub bad_train_images: usize,
    /// Number of test images that could not be read.
    pub bad_test_images: usize,
    /// Number of classes with training images.
    pub classes: usize,
    /// Number of features per image.
    pub features: usize,
    /// Seconds of the evaluation, without feature extraction.
    pub seconds: f64,
    /// The images that could not be read.
    #[serde(default)]
    pub bad_images: BadImages,
}

/// Number of neighbors by default: min(200, max(5, N / (2 C))) for N training images of C classes.
pub fn automatic_k(train_images: usize, classes: usize) -> usize {
    (train_images / (2 * classes.max(1))).clamp(5, 200)
}

/// Classifies `test` by its nearest neighbors in `train`, in a `group` each rank its part of `test`; all have the same features and get the whole result.
/// `progress` counts this process's test images.
///
/// # Errors
/// [`EvalError::Option`], features that do not fit each other (see [`crate::match_classes`]), a rank that is lost, or an error of libtorch.
pub fn knn(
    train: &Features,
    test: &Features,
    options: &KnnOptions,
    group: Option<&Group>,
    progress: &mut dyn FnMut(Progress),
) -> Result<KnnResult, EvalError> {
    let start = Instant::now();
    options.check()?;
    let truth = check_pair(train, test)?;
    let classes = classes::count(&train.labels);
    let k = options.k.unwrap_or_else(|| automatic_k(train.len(), classes)).min(train.len());
    let scores = scores(train, test, (k, options.temperature), CHUNK, group, progress)?;
    let ranks = scores.iter().filter_map(|(row, scores)| rank(scores, *truth.get(*row)?));
    let (mut top1, mut top5) = (0.0, 0.0);
    for rank in ranks {
        top1 += f64::from(u8::from(rank == 0));
        top5 += f64::from(u8::from(rank < 5));
    }
    let counts = summed(vec![top1, top5], group, "counting correct images")?;
    let percent = |count: usize| 100.0 * counts.get(count).copied().unwrap_or(0.0) / truth.len() as f64;
    let protocol = match train.source {
        FeatureSource::Embedding => KNN_EMBEDDING_PROTOCOL,
        FeatureSource::Backbone | FeatureSource::Pixels => KNN_PROTOCOL,
    };
    Ok(KnnResult {
        protocol: protocol.to_owned(),
        top1: percent(0),
        top1_interval: bootstrap_interval(percent(0), truth.len()),
        top5: percent(1),
        k,
        k_automatic: options.k.is_none(),
        temperature: options.temperature,
        feature_source: train.source,
        train_images: train.len(),
        test_images: test.len(),
        bad_train_images: train.bad_images.len(),
        bad_test_images: test.bad_images.len(),
        classes,
        features: train.width(),
        seconds: start.elapsed().as_secs_f64(),
        bad_images: BadImages { training: train.bad_images.clone(), test: test.bad_images.clone() },
    })
}

/// Classes with votes and their scores times exp(-nearest cosine / t): a factor that changes no order and prevents
/// overflow at small temperatures. Ascending class numbers.
type Scores = Vec<(u32, f64)>;

/// How many classes score higher than `class`, or as high with a smaller number; `None` if it has no vote.
fn rank(scores: &Scores, class: u32) -> Option<usize> {
    let (_, own) = *scores.iter().find(|(c, _)| *c == class)?;
    Some(scores.iter().filter(|&&(c, score)| score > own || (score == own && c < class)).count())
}

/// The scores of this process's test rows, with the number of each, by their `k` neighbors at temperature `t`. `chunk`: test rows and training rows at
/// once.
fn scores(
    train: &Features,
    test: &Features,
    (k, t): (usize, f64),
    chunk: (usize, usize),
    group: Option<&Group>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<(usize, Scores)>, EvalError> {
    let blocks = dealt(test.len().div_ceil(chunk.0), group);
    let total = blocks.map(|block| chunk.0.min(test.len() - block * chunk.0)).sum();
    let mut all = Vec::with_capacity(total);
    nearest((&test.values, &train.values), k, chunk, group, &mut |first, block| {
        let scores = block.iter_mut().map(|top| vote(top.finish(), &train.labels, t));
        all.extend((first..).zip(scores));
        progress(Progress { stage: Stage::Neighbors, done: all.len(), total });
    })?;
    Ok(all)
}

/// Sums the neighbors' weights by class; `neighbors` best first.
fn vote(neighbors: &[(f32, u32)], labels: &[u32], t: f64) -> Scores {
    let highest = neighbors.first().map_or(0.0, |n| f64::from(n.0));
    let mut votes: Scores = neighbors
        .iter()
        .filter_map(|&(cosine, at)| {
            let class = labels.get(usize::try_from(at).ok()?)?;
            Some((*class, ((f64::from(cosine) - highest) / t).exp()))
        })
        .collect();
    // Stable: within a class the weights are added in the order of nearness.
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

#[cfg(test)]
#[path = "knn_tests.rs"]
mod tests;
