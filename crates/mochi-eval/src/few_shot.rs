//! Few-shot classification of frozen features: protocol `few-shot/1`.
//!
//! An episode draws `ways` classes, `shots` training images of each (the support set), and up to `queries` test images of each. With unit rows
//! x / |x| and the mean m_c of a class's support rows,
//!
//! ```text
//! prediction = argmin over the episode's classes c of |x - m_c|^2
//! ```
//!
//! The result is the mean accuracy over episodes with its 95 % interval, mean +- 1.96 s / sqrt(episodes) for the standard deviation s over episodes.
//!
//! Source: nearest class mean of L2-normalized features, Wang, Chao, Weinberger, van der Maaten: *SimpleShot: Revisiting Nearest-Neighbor
//! Classification for Few-Shot Learning*, 2019 (L2N); 5-way 5-shot episodes of frozen self-supervised encoders, Ericsson, Gouk,
//! Hospedales: *How Well Do Self-Supervised Models Transfer?*, CVPR 2021. There both sets come from one split; here the query images
//! are test images, as in the other protocols.

use std::collections::BTreeMap;
use std::time::Instant;

use mochi_random::{Philox, permutation};
use mochi_tensor::{Group, HostValues};
use serde::{Deserialize, Serialize};

use crate::dealt::{dealt, summed};
use crate::features::check_pair;
use crate::nearest::unit_rows;
use crate::{BadImages, EvalError, Features, Progress, Stage};

/// Name and version of this protocol.
pub const FEW_SHOT_PROTOCOL: &str = "few-shot/1";

/// Stream of random numbers of the episodes.
const EPISODES: u64 = 0x6576_616c_0000_0004;

/// Options of [`few_shot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FewShotOptions {
    /// Classes per episode, 2 or more.
    pub ways: usize,
    /// Training images per class, 1 or more.
    pub shots: usize,
    /// Test images per class, 1 or more; fewer where a class has fewer.
    pub queries: usize,
    /// Episodes, 2 or more.
    pub episodes: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for FewShotOptions {
    /// 600 episodes of 5 ways, 5 shots and 15 queries, as in the sources.
    fn default() -> Self {
        Self { ways: 5, shots: 5, queries: 15, episodes: 600, seed: 0 }
    }
}

impl FewShotOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`EvalError::Option`].
    pub fn check(&self) -> Result<(), EvalError> {
        let least = [
            ("ways", self.ways, 2, "at least 2"),
            ("shots", self.shots, 1, "at least 1"),
            ("queries", self.queries, 1, "at least 1"),
            ("episodes", self.episodes, 2, "at least 2"),
        ];
        match least.into_iter().find(|(_, value, least, _)| value < least) {
            Some((option, value, _, expected)) => Err(EvalError::Option { option, value: value.to_string(), expected }),
            None => Ok(()),
        }
    }

    /// Checks what the labels of the training images allow, before features are computed.
    ///
    /// # Errors
    /// [`EvalError::TooFewShots`].
    pub fn check_labels(&self, train: &[u32]) -> Result<(), EvalError> {
        let mut images: BTreeMap<u32, usize> = BTreeMap::new();
        train.iter().for_each(|&label| *images.entry(label).or_default() += 1);
        self.check_classes(images.into_values().filter(|&images| images >= self.shots).count())
    }

    fn check_classes(&self, classes: usize) -> Result<(), EvalError> {
        let Self { ways, shots, .. } = *self;
        if classes < ways { Err(EvalError::TooFewShots { ways, shots, classes }) } else { Ok(()) }
    }
}

/// Result of [`few_shot`]; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FewShotResult {
    /// [`FEW_SHOT_PROTOCOL`].
    pub protocol: String,
    /// Mean accuracy over episodes.
    pub top1: f64,
    /// Its 95 % interval over episodes.
    pub top1_interval: [f64; 2],
    /// Classes per episode.
    pub ways: usize,
    /// Training images per class.
    pub shots: usize,
    /// Most test images per class.
    pub queries: usize,
    /// Number of episodes.
    pub episodes: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// Number of training images.
    pub train_images: usize,
    /// Number of test images.
    pub test_images: usize,
    /// Classes with enough training images and at least one test image.
    pub classes: usize,
    /// Number of features per image.
    pub features: usize,
    /// Seconds of the evaluation, without feature extraction.
    pub seconds: f64,
    /// The images that could not be read.
    #[serde(default)]
    pub bad_images: BadImages,
}

/// A class that episodes can draw: rows of training images and of test images.
#[derive(Default)]
struct Class {
    train: Vec<usize>,
    test: Vec<usize>,
}

/// Classifies test images by the nearest class mean of a few training images, in a `group` each rank a part of the episodes; all have the same features and
/// get the whole result. `progress` counts this process's episodes.
///
/// # Errors
/// [`EvalError::Option`]; [`EvalError::TooFewShots`] where fewer classes than an episode draws have enough images; features that do not fit each other (see
/// [`crate::match_classes`]), a rank that is lost, or an error of libtorch.
pub fn few_shot(
    train: &Features,
    test: &Features,
    options: &FewShotOptions,
    group: Option<&Group>,
    progress: &mut dyn FnMut(Progress),
) -> Result<FewShotResult, EvalError> {
    let start = Instant::now();
    options.check()?;
    let truth = check_pair(train, test)?;
    let classes = classes(&train.labels, &truth, options.shots);
    options.check_classes(classes.len())?;
    let ways = options.ways;
    let width = train.width();
    let rows = [HostValues::new(unit_rows(&train.values)?)?, HostValues::new(unit_rows(&test.values)?)?];
    let row = |set: usize, index: usize| &rows[set][index * width..(index + 1) * width];
    let philox = Philox::new(options.seed, EPISODES);
    // The first `count` of `items` in an order of this episode and this purpose.
    let draw = |items: &[usize], count: usize, place: [u32; 3]| -> Vec<usize> {
        let order = permutation(philox, place, u32::try_from(items.len()).unwrap_or(u32::MAX));
        order.into_iter().take(count).map(|i| items[i as usize]).collect()
    };
    let mut accuracies = vec![0.0; options.episodes];
    let total = dealt(options.episodes, group).count();
    for (done, episode) in (1..).zip(dealt(options.episodes, group)) {
        let number = u32::try_from(episode).unwrap_or(u32::MAX);
        let every: Vec<usize> = (0..classes.len()).collect();
        let drawn = draw(&every, ways, [number, 0, 0]);
        let mut means = Vec::with_capacity(ways);
        let mut queries = Vec::new();
        for (way, &class) in drawn.iter().enumerate() {
            let place = u32::try_from(way).unwrap_or(u32::MAX);
            let support = draw(&classes[class].train, options.shots, [number, 1, place]);
            means.push(mean(support.iter().map(|&index| row(0, index)), width));
            queries
                .extend(draw(&classes[class].test, options.queries, [number, 2, place]).into_iter().map(|q| (q, way)));
        }
        let correct = queries.iter().filter(|&&(query, way)| nearest(row(1, query), &means) == way).count();
        accuracies[episode] = 100.0 * correct as f64 / queries.len() as f64;
        progress(Progress { stage: Stage::Episodes, done, total });
    }
    let accuracies = summed(accuracies, group, "gathering the accuracies of episodes")?;
    let n = accuracies.len() as f64;
    let average = accuracies.iter().sum::<f64>() / n;
    let variance = accuracies.iter().map(|a| (a - average).powi(2)).sum::<f64>() / (n - 1.0);
    let half = 1.96 * (variance / n).sqrt();
    Ok(FewShotResult {
        protocol: FEW_SHOT_PROTOCOL.to_owned(),
        top1: average,
        top1_interval: [average - half, average + half],
        ways,
        shots: options.shots,
        queries: options.queries,
        episodes: options.episodes,
        seed: options.seed,
        train_images: train.len(),
        test_images: test.len(),
        classes: classes.len(),
        features: width,
        seconds: start.elapsed().as_secs_f64(),
        bad_images: BadImages { training: train.bad_images.clone(), test: test.bad_images.clone() },
    })
}

fn classes(train: &[u32], test: &[u32], shots: usize) -> Vec<Class> {
    let mut all: BTreeMap<u32, Class> = BTreeMap::new();
    train.iter().enumerate().for_each(|(row, &label)| all.entry(label).or_default().train.push(row));
    test.iter().enumerate().for_each(|(row, &label)| all.entry(label).or_default().test.push(row));
    all.into_values().filter(|class| class.train.len() >= shots && !class.test.is_empty()).collect()
}

fn mean<'a>(rows: impl ExactSizeIterator<Item = &'a [f32]>, width: usize) -> Vec<f32> {
    let count = rows.len() as f32;
    let mut sum = vec![0.0; width];
    for row in rows {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / count);
    }
    sum
}

/// Index of the nearest mean; the first of equals.
fn nearest(row: &[f32], means: &[Vec<f32>]) -> usize {
    let distance = |mean: &Vec<f32>| row.iter().zip(mean).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    let mut best = (0, f64::INFINITY);
    for (index, distance) in means.iter().map(distance).enumerate() {
        if distance < best.1 {
            best = (index, distance);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureSource;
    use mochi_tensor::from_f32;

    fn features(rows: &[[f32; 2]], labels: &[u32]) -> Features {
        let flat: Vec<f32> = rows.concat();
        Features {
            values: from_f32(&flat, &[i64::try_from(rows.len()).unwrap(), 2]).unwrap(),
            labels: labels.to_vec(),
            images: (0..u32::try_from(labels.len()).unwrap()).collect(),
            class_names: ["a", "b", "c"].map(str::to_owned).to_vec(),
            bad_images: vec![],
            source: FeatureSource::Backbone,
        }
    }

    fn run(train: &Features, test: &Features, options: FewShotOptions) -> Result<FewShotResult, EvalError> {
        few_shot(train, test, &options, None, &mut |_| ())
    }

    fn two_ways() -> FewShotOptions {
        FewShotOptions { ways: 2, ..FewShotOptions::default() }
    }

    #[test]
    fn classes_in_their_own_directions_are_told_apart_whatever_the_length_of_a_row() {
        let train = features(&[[1.0, 0.1], [9.0, 0.0], [0.0, 2.0], [0.1, 1.0]], &[0, 0, 1, 1]);
        let test = features(&[[0.01, 0.0], [0.0, 50.0]], &[0, 1]);
        let options = FewShotOptions { shots: 1, episodes: 20, ..two_ways() };
        let result = run(&train, &test, options).unwrap();
        assert_eq!((result.top1, result.top1_interval, result.ways, result.classes), (100.0, [100.0, 100.0], 2, 2));
        let swapped = features(&[[0.01, 0.0], [0.0, 50.0]], &[1, 0]);
        assert_eq!(run(&train, &swapped, options).unwrap().top1, 0.0);
    }

    #[test]
    fn the_mean_is_over_all_shots_and_draws_follow_the_seed() {
        // Class 0's mean direction is (1, 1) / sqrt 2 with both shots; with one, the query is nearer to class 1 half of the time.
        let train = features(&[[1.0, 0.0], [0.0, 1.0], [-0.2, 1.0], [-0.2, 1.0]], &[0, 0, 1, 1]);
        let test = features(&[[0.6, 0.9]], &[0]);
        let options = FewShotOptions { shots: 1, episodes: 200, ..two_ways() };
        assert!(
            matches!(run(&train, &test, options), Err(EvalError::TooFewShots { classes: 1, .. })),
            "class 1 has no test image"
        );
        let test = features(&[[0.6, 0.9], [-0.2, 1.0]], &[0, 1]);
        let of = |shots, seed| run(&train, &test, FewShotOptions { shots, seed, episodes: 200, ..two_ways() }).unwrap();
        assert_eq!(of(2, 0).top1, 100.0);
        let one = of(1, 0);
        assert_eq!(one, FewShotResult { seconds: one.seconds, ..of(1, 0) });
        assert_ne!(one.top1, of(1, 1).top1);
        let [low, high] = one.top1_interval;
        assert!(low < one.top1 && one.top1 < high && one.top1 < 100.0);
    }

    #[test]
    fn ranks_average_the_episodes_of_one_process() {
        let values = crate::draws::normal(120 * 4, 1.0, 3);
        let labels: Vec<u32> = (0..120).map(|i| i % 3).collect();
        let rows: Vec<[f32; 2]> = values.chunks(2).map(|row| [row[0], row[1]]).collect();
        let options = FewShotOptions { shots: 2, queries: 3, episodes: 25, ..two_ways() };
        let evaluate = |group: Option<&Group>| {
            let (train, test) = (features(&rows[..120], &labels), features(&rows[120..], &labels));
            let mut last = (0, 0);
            let result = few_shot(&train, &test, &options, group, &mut |p| last = (p.done, p.total)).unwrap();
            (FewShotResult { seconds: 0.0, ..result }, last)
        };
        let (one, seen) = evaluate(None);
        assert_eq!(seen, (25, 25));
        for (size, shares) in [(2, &[13, 12][..]), (3, &[9, 8, 8])] {
            let found = Group::of_threads(size, std::time::Duration::from_secs(60), |group| evaluate(Some(&group)));
            for (rank, (result, seen)) in found.unwrap().into_iter().enumerate() {
                assert_eq!((&result, seen), (&one, (shares[rank], shares[rank])), "rank {rank} of {size}");
            }
        }
    }

    #[test]
    fn classes_without_enough_images_are_left_out_and_options_are_checked() {
        let train = features(&[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [-1.0, 0.0]], &[0, 0, 1, 1, 2]);
        let test = features(&[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], &[0, 1, 2]);
        let options = FewShotOptions { shots: 2, episodes: 5, ..two_ways() };
        assert_eq!(run(&train, &test, options).unwrap().classes, 2);
        let refused = |ways, shots| run(&train, &test, FewShotOptions { ways, shots, ..options }).unwrap_err();
        assert!(matches!(refused(2, 3), EvalError::TooFewShots { ways: 2, shots: 3, classes: 0 }));
        // Report: the standard result of data with two classes was of 2 ways, under the heading "5-way 5-shot".
        assert!(matches!(refused(3, 2), EvalError::TooFewShots { ways: 3, classes: 2, .. }));
        let early = FewShotOptions { ways: 3, ..options }.check_labels(&train.labels);
        assert!(matches!(early, Err(EvalError::TooFewShots { ways: 3, classes: 2, .. })));
        assert!(matches!(run(&train, &test, FewShotOptions { ways: 1, ..options }), Err(EvalError::Option { .. })));
    }
}
