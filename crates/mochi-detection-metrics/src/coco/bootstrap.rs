//! 95 % intervals of average precision over the choice of images: the percentile bootstrap.
//!
//! ```text
//! sample b = 1, ..., 1000: n of the n images, drawn with replacement;   AP_b = AP of a dataset in which each image is as often as it was drawn
//! interval: the 2.5 % and the 97.5 % quantile of AP_1, ..., AP_1000, interpolated linearly as `numpy.quantile` does
//! ```
//!
//! Detections are matched with objects within an image, so matching is done once, and a sample only counts: an image that was drawn w times counts w times among the true and
//! false detections and the objects. The interval covers the choice of test images, not the seed of training. A class of which a sample has no object is
//! left out of the sample's mean, as in `COCOeval`. `hotcoco`'s own intervals are of samples without repetition, which are narrower.

use std::sync::Arc;

use hotcoco::params::IouType;
use hotcoco::{COCO, COCOeval};
use mochi_annotations::Annotations;
use mochi_random::{Philox, below};
use rayon::prelude::*;

use super::arrays::THRESHOLDS;
use super::engine::kind_of;
use super::from_annotations;
use super::numbers::{AT_50, AT_75};
use super::problem::Problem;
use crate::detection::{Detection, Geometry};
use crate::error::MetricsError;

/// Samples of an interval.
const SAMPLES: u32 = 1000;
/// The key of the draws: the same images are drawn for every detector.
const SEED: u64 = 0;

/// 95 % intervals, fractions of 1. `None` where no class has an object.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CocoIntervals {
    /// Of the average precision over IoU 0.50, 0.55, ..., 0.95.
    pub ap: Option<[f64; 2]>,
    /// Of the average precision at IoU 0.50.
    pub ap50: Option<[f64; 2]>,
    /// Of the average precision at IoU 0.75.
    pub ap75: Option<[f64; 2]>,
}

impl CocoIntervals {
    /// The intervals with their usual names, in [`CocoNumbers`](crate::CocoNumbers)' order.
    pub fn named(&self) -> [(&'static str, Option<[f64; 2]>); 3] {
        [("AP", self.ap), ("AP50", self.ap50), ("AP75", self.ap75)]
    }
}

/// 95 % intervals of what [`evaluate_coco`](crate::evaluate_coco) computes, over the choice of images. The same arguments give the same intervals.
///
/// # Errors
/// As [`evaluate_coco`](crate::evaluate_coco).
pub fn bootstrap_coco(
    annotations: &Annotations,
    detections: &[Detection],
    geometry: Geometry,
) -> Result<CocoIntervals, MetricsError> {
    let matched = Matched::of(from_annotations::problem(annotations, detections, geometry)?)?;
    let samples: Vec<Numbers> = (0..SAMPLES)
        .into_par_iter()
        .map_init(Scratch::default, |scratch, sample| matched.numbers(&drawn(sample, matched.images), scratch))
        .collect();
    let interval = |number: usize| quantiles(samples.iter().filter_map(|one| one[number]).collect());
    Ok(CocoIntervals { ap: interval(0), ap50: interval(1), ap75: interval(2) })
}

/// AP, AP50 and AP75.
type Numbers = [Option<f64>; 3];

/// How often each image is in a sample.
fn drawn(sample: u32, images: usize) -> Vec<u32> {
    let family = Philox::new(SEED, 0);
    let mut times = vec![0; images];
    let n = u32::try_from(images).unwrap_or(u32::MAX);
    for group in 0..n.div_ceil(4) {
        let words = family.words([group, sample, 0, 0]);
        for word in words.into_iter().take((n - 4 * group) as usize) {
            times[below(word, n) as usize] += 1;
        }
    }
    times
}

/// The 2.5 % and the 97.5 % quantile.
fn quantiles(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some([0.025, 0.975].map(|q| {
        let at = q * last as f64;
        let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
        low + (high - low) * at.fract()
    }))
}

/// Which detections are right, at every threshold, for objects of all sizes and at most 100 detections per image and class.
struct Matched {
    images: usize,
    /// 0.00, 0.01, ..., 1.00 as they are in pycocotools.
    recalls: Vec<f64>,
    classes: Vec<Class>,
}

#[derive(Default)]
struct Class {
    /// Best score first.
    detections: Vec<Found>,
    /// Objects that count, as image and number.
    objects: Vec<(usize, u32)>,
}

struct Found {
    score: f64,
    image: usize,
    /// By threshold.
    verdicts: [Verdict; THRESHOLDS],
}

impl Found {
    /// Whether copies of both alternate in a dataset with a repeated image.
    fn is_tied_with(&self, other: &Found) -> bool {
        self.image == other.image && self.score == other.score
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Verdict {
    True,
    False,
    /// A detection of a crowd.
    #[default]
    Ignored,
}

impl Matched {
    fn of(mut problem: Problem) -> Result<Self, MetricsError> {
        let engine = |error: hotcoco::error::Error| MetricsError::Engine { detail: error.to_string() };
        let kind: IouType = kind_of(problem.geometry);
        let (images, zero_ids) = (problem.images, std::mem::take(&mut problem.zero_ids));
        let mut classes: Vec<Class> = (0..problem.classes).map(|_| Class::default()).collect();
        let [truth, found] = problem.datasets().map(|dataset| Arc::new(COCO::from_dataset(dataset)));
        let mut evaluation = COCOeval::new(truth, found, kind);
        evaluation.params.area_ranges.truncate(1);
        evaluation.evaluate().map_err(engine)?;
        let recalls = evaluation.params.rec_thrs.clone();
        let mut cells: Vec<_> = evaluation.eval_imgs().iter().flatten().collect();
        cells.sort_by_key(|cell| cell.image_id);
        for cell in cells {
            let (Some(class), image) = (classes.get_mut(cell.category_id as usize), cell.image_id as usize) else {
                continue;
            };
            let objects = cell.gt_ignore.iter().filter(|&&ignored| !ignored).count() as u32;
            if objects > 0 {
                class.objects.push((image, objects));
            }
            for (i, &score) in cell.dt_scores.iter().enumerate() {
                let verdicts = std::array::from_fn(|t| match cell.dt_matched[(t, i)] {
                    _ if cell.dt_ignore[(t, i)] => Verdict::Ignored,
                    // See zero_id.rs.
                    matched if matched && !zero_ids.contains(&cell.dt_matches[(t, i)]) => Verdict::True,
                    _ => Verdict::False,
                });
                // Adding 0 makes -0 equal to 0, as it is in NumPy.
                class.detections.push(Found { score: score + 0.0, image, verdicts });
            }
        }
        for Class { detections, .. } in &mut classes {
            detections.sort_by(|a, b| b.score.total_cmp(&a.score));
            // What comes after the last right detection at any threshold changes no precision that counts, unless an image that is drawn twice repeats it.
            let last = detections.iter().rposition(|found| found.verdicts.contains(&Verdict::True));
            let rest = last.and_then(|last| detections.get(last..)).unwrap_or_default();
            let tied = rest.iter().take_while(|found| found.is_tied_with(&rest[0])).count();
            detections.truncate(last.map_or(0, |last| last + tied));
        }
        Ok(Self { images, recalls, classes })
    }

    /// AP, AP50 and AP75 of a sample that has each image `times[image]` times.
    fn numbers(&self, times: &[u32], scratch: &mut Scratch) -> Numbers {
        let (mut sums, mut defined) = ([0.0; 3], 0);
        for class in &self.classes {
            let objects: u64 = class.objects.iter().map(|&(image, n)| u64::from(times[image]) * u64::from(n)).sum();
            if objects == 0 {
                continue;
            }
            defined += 1;
            for t in 0..THRESHOLDS {
                let precision = class.average_precision(t, (times, &self.recalls), objects as f64, scratch);
                sums[0] += precision / THRESHOLDS as f64;
                match t {
                    AT_50 => sums[1] += precision,
                    AT_75 => sums[2] += precision,
                    _ => {}
                }
            }
        }
        sums.map(|sum| (defined > 0).then(|| sum / f64::from(defined)))
    }
}

/// Recall and precision after each detection, kept from one call to the next for their memory.
#[derive(Default)]
struct Scratch(Vec<(f64, f64)>);

impl Class {
    /// Mean over the recalls 0.00, 0.01, ..., 1.00 of the best precision at this or a larger recall.
    fn average_precision(
        &self,
        threshold: usize,
        (times, recalls): (&[u32], &[f64]),
        objects: f64,
        Scratch(curve): &mut Scratch,
    ) -> f64 {
        curve.clear();
        let (mut right, mut wrong) = (0_u64, 0_u64);
        for tied in self.detections.chunk_by(Found::is_tied_with) {
            let times = u64::from(times[tied[0].image]);
            // Copies of one detection follow each other; those of several with one score alternate.
            let (rounds, weight) = if tied.len() == 1 { (times.min(1), times) } else { (times, 1) };
            for found in (0..rounds).flat_map(|_| tied) {
                match found.verdicts[threshold] {
                    Verdict::True => {
                        right += weight;
                        // Precision is best just after a right detection: these points are the whole curve.
                        curve.push((right as f64 / objects, right as f64 / (right + wrong) as f64));
                    }
                    Verdict::False => wrong += weight,
                    Verdict::Ignored => {}
                }
            }
        }
        let (mut sum, mut best) = (0.0, 0.0_f64);
        let mut points = curve.iter().rev().peekable();
        for &recall in recalls.iter().rev() {
            while let Some(&&(reached, precision)) = points.peek() {
                if reached < recall {
                    break;
                }
                best = best.max(precision);
                points.next();
            }
            sum += best;
        }
        sum / recalls.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coco::cases::{case, in_memory};
    use crate::evaluate_coco;

    const KINDS: [Geometry; 2] = [Geometry::Box, Geometry::Mask];

    fn numbers(annotations: &Annotations, found: &[Detection], geometry: Geometry, times: &[u32]) -> Numbers {
        let matched = Matched::of(from_annotations::problem(annotations, found, geometry).unwrap()).unwrap();
        matched.numbers(times, &mut Scratch::default())
    }

    fn assert_equal(ours: Numbers, theirs: Numbers, what: &str) {
        for (a, b) in ours.into_iter().zip(theirs) {
            assert_eq!(a.is_some(), b.is_some(), "{what}");
            assert!((a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 1e-9, "{what}: {ours:?}, {theirs:?}");
        }
    }

    fn evaluated(annotations: &Annotations, found: &[Detection], geometry: Geometry) -> Numbers {
        let numbers = evaluate_coco(annotations, found, geometry).unwrap().numbers;
        [numbers.ap, numbers.ap50, numbers.ap75]
    }

    /// The dataset in which each image is as often as it was drawn.
    fn repeated(annotations: &Annotations, found: &[Detection], times: &[u32]) -> (Annotations, Vec<Detection>) {
        let mut by_id: Vec<usize> = (0..annotations.images.len()).collect();
        by_id.sort_by_key(|&image| annotations.images[image].id);
        let (mut all, mut copies) = (Annotations { images: Vec::new(), ..annotations.clone() }, Vec::new());
        for (rank, image) in by_id.into_iter().enumerate() {
            for _ in 0..times[rank] {
                let mut copy = annotations.images[image].clone();
                copy.id = all.images.len() as u64 + 1;
                let of_copy = found.iter().filter(|one| one.image == image).cloned();
                copies.extend(of_copy.map(|one| Detection { image: all.images.len(), ..one }));
                all.images.push(copy);
            }
        }
        (all, copies)
    }

    #[test]
    fn a_sample_has_the_average_precision_of_the_dataset_with_repeated_images() {
        let (mut compared, mut differing) = (0, 0);
        for seed in 0..240 {
            let Some((annotations, found)) = in_memory(&case(seed)) else { continue };
            let images = annotations.images.len();
            for geometry in KINDS {
                let once = vec![1; images];
                let whole = evaluated(&annotations, &found, geometry);
                assert_equal(numbers(&annotations, &found, geometry, &once), whole, &format!("case {seed}"));
                let times = drawn(seed as u32, images);
                let (all, copies) = repeated(&annotations, &found, &times);
                let sample = numbers(&annotations, &found, geometry, &times);
                assert_equal(sample, evaluated(&all, &copies, geometry), &format!("sample of case {seed}"));
                compared += 1;
                differing += usize::from(sample != whole);
            }
        }
        assert!(compared > 100 && differing > 50, "{compared} samples, {differing} of another value");
    }

    #[test]
    fn samples_are_of_the_size_of_the_dataset_and_differ() {
        let [first, second] = [0, 1].map(|sample| drawn(sample, 1001));
        assert_eq!([first.iter().sum::<u32>(), second.iter().sum::<u32>()], [1001, 1001]);
        assert_ne!(first, second);
        // 1 - 1 / e of the images on average.
        let share = first.iter().filter(|&&times| times > 0).count() as f64 / 1001.0;
        assert!((share - 0.632).abs() < 0.04, "{share}");
        assert_eq!(drawn(0, 0), Vec::<u32>::new());
    }

    /// `numpy.quantile([4, 1, 3, 2], [0.025, 0.975])`.
    #[test]
    fn quantiles_are_numpys() {
        let [low, high] = quantiles(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert!((low - 1.075).abs() < 1e-12 && (high - 3.925).abs() < 1e-12);
        assert_eq!(quantiles(Vec::new()), None);
    }

    /// One object in each of 100 images, found in 60 of them: AP50 is the fraction of images that are found, up to the grid of recalls, so
    /// the interval is the binomial one, SciPy's `binom.ppf([0.025, 0.975], 100, 0.6) / 100` = [0.50, 0.69].
    #[test]
    fn the_interval_of_a_fraction_is_the_binomial_one() {
        use mochi_annotations::{AnnotatedImage, Object};
        let bounds = [10.0, 10.0, 50.0, 40.0];
        let object = |id| Object { id, class: 0, bounds, mask: None, area: 1200.0, crowd: false, difficult: false };
        let image = |id: u64| AnnotatedImage {
            id,
            name: id.to_string(),
            file: std::path::PathBuf::from(id.to_string()).into(),
            width: 64,
            height: 48,
            exif_orientation: true,
            objects: vec![object(id)],
        };
        let annotations =
            Annotations { classes: vec!["cat".into()], category_ids: vec![1], images: (1..=100).map(image).collect() };
        let found =
            |image| Detection { image, class: 0, bounds: bounds.map(|edge: f64| edge as f32), score: 0.9, mask: None };
        let found: Vec<Detection> = (0..60).map(found).collect();
        let intervals = bootstrap_coco(&annotations, &found, Geometry::Box).unwrap();
        let [low, high] = intervals.ap50.unwrap();
        assert!((low - 0.50).abs() < 0.025 && (high - 0.69).abs() < 0.025, "{low} {high}");
        assert_eq!(intervals, bootstrap_coco(&annotations, &found, Geometry::Box).unwrap());
        assert_eq!(bootstrap_coco(&annotations, &[], Geometry::Box).unwrap().ap, Some([0.0, 0.0]));
        let empty = Annotations { images: Vec::new(), ..annotations };
        assert_eq!(bootstrap_coco(&empty, &[], Geometry::Box).unwrap(), CocoIntervals::default());
    }
}
