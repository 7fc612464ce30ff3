//! PASCAL VOC's average precision, as detectron2 computes it (`detectron2/evaluation/pascal_voc_evaluation.py`).
//!
//! Per class c and threshold t, detections are ranked by score, and each is compared with the object of its image and class that it overlaps
//! most:
//!
//! ```text
//! IoU    = (iw * ih) / (area + area' - iw * ih)    with iw = min(x1, x1') - max(x0, x0') + 1, area = (x1 - x0 + 1) (y1 - y0 + 1)
//! right    if IoU > t, the object is not difficult, and no detection of a higher rank had it
//! neither  if IoU > t and the object is difficult
//! false    otherwise
//! recall(k) = right among the first k / objects that are not difficult        precision(k) = right / (right + false) among the first k
//!
//! eleven points   AP = 1/11 sum over r = 0, 0.1, ..., 1 of max precision(k) where recall(k) >= r      (VOC2007)
//! area            AP = area under the precision envelope max over j >= k of precision(j)              (VOC2010 and later)
//! ```
//!
//! `AP` is the mean over t = 0.50, 0.55, ..., 0.95 and classes. It is not COCO's: that has 101 points, no + 1, and other areas.
//!
//! Detections are rounded as in detectron2's text files: xmin and ymin + 1, boxes to one decimal, scores to three. Objects in memory have
//! xmin and ymin without VOC's 1, so it is added again. With three decimals many scores are equal: here the earlier image is ranked higher,
//! then the earlier detection, while detectron2 leaves this to NumPy's unstable sort. detectron2 reads ground truth as integers; fractions
//! are kept here.

use mochi_annotations::Annotations;
use serde::{Deserialize, Serialize};

use crate::detection::{Detection, check};
use crate::error::MetricsError;

/// How an average follows from precision and recall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VocRule {
    /// Precision at eleven recalls: VOC2007.
    ElevenPoints,
    /// Area under the curve: VOC2010 and later.
    Area,
}

/// Result of [`evaluate_voc`]; fractions of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VocResult {
    /// Mean over IoU 0.50 to 0.95 and classes that have objects; `None` if none has.
    pub ap: Option<f64>,
    /// Mean over these classes at IoU 0.50.
    pub ap50: Option<f64>,
    /// Mean over these classes at IoU 0.75.
    pub ap75: Option<f64>,
    /// Per class.
    pub classes: Vec<VocClass>,
}

/// One class; `None` if every object is difficult or there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VocClass {
    /// Its name.
    pub name: String,
    /// Number of objects that are not difficult.
    pub objects: usize,
    /// Mean over IoU 0.50 to 0.95.
    pub ap: Option<f64>,
    /// At IoU 0.50.
    pub ap50: Option<f64>,
    /// At IoU 0.75.
    pub ap75: Option<f64>,
}

/// The thresholds in percent.
const THRESHOLDS: [u32; 10] = [50, 55, 60, 65, 70, 75, 80, 85, 90, 95];
/// The position of 0.75.
const AT_75: usize = 5;

impl VocResult {
    /// The names of the classes without objects, which the means leave out.
    pub fn without_objects(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().filter(|class| class.ap.is_none()).map(|class| class.name.as_str())
    }
}

/// Evaluates boxes by VOC's rules.
///
/// # Errors
/// [`MetricsError::Detection`] for an index out of range or a number that is not finite.
pub fn evaluate_voc(
    annotations: &Annotations,
    detections: &[Detection],
    rule: VocRule,
) -> Result<VocResult, MetricsError> {
    check(annotations, detections)?;
    let mut found: Vec<Vec<Row>> = annotations.classes.iter().map(|_| Vec::new()).collect();
    for detection in detections {
        found[detection.class].push(Row::of(detection));
    }
    let mut averages: Vec<Option<[f64; 10]>> = Vec::new();
    let mut classes = Vec::new();
    for (class, (name, rows)) in annotations.classes.iter().zip(found).enumerate() {
        let truth = Truth::of(annotations, class);
        let all = (truth.counted > 0).then(|| {
            let ranked = truth.overlaps(rows);
            THRESHOLDS.map(|percent| truth.average_precision(&ranked, f64::from(percent) / 100.0, rule))
        });
        classes.push(VocClass {
            name: name.clone(),
            objects: truth.counted,
            ap: all.map(|all| mean(&all)),
            ap50: all.map(|all| all[0]),
            ap75: all.map(|all| all[AT_75]),
        });
        averages.push(all);
    }
    let defined: Vec<[f64; 10]> = averages.into_iter().flatten().collect();
    let at = |t: usize| mean(&defined.iter().map(|all| all[t]).collect::<Vec<_>>());
    let over_thresholds: Vec<f64> = (0..THRESHOLDS.len()).map(at).collect();
    let some = |value: f64| (!defined.is_empty()).then_some(value);
    Ok(VocResult { ap: some(mean(&over_thresholds)), ap50: some(at(0)), ap75: some(at(AT_75)), classes })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A line of detectron2's text files.
struct Row {
    image: usize,
    score: f64,
    bounds: [f64; 4],
}

impl Row {
    fn of(detection: &Detection) -> Self {
        let [x0, y0, x1, y1] = detection.bounds.map(f64::from);
        Self {
            image: detection.image,
            score: rounded(f64::from(detection.score), 3),
            bounds: [x0 + 1.0, y0 + 1.0, x1, y1].map(|value| rounded(value, 1)),
        }
    }
}

/// The value that the text with so many decimals has. Rust and Python both round the exact binary value, halves to even.
fn rounded(value: f64, decimals: usize) -> f64 {
    format!("{value:.decimals$}").parse().unwrap_or(value)
}

/// An object of one class.
struct Object {
    bounds: [f64; 4],
    difficult: bool,
}

/// The objects of one class.
struct Truth {
    /// Per image.
    objects: Vec<Vec<Object>>,
    /// The number of those that are not difficult.
    counted: usize,
}

/// A detection and the object that it overlaps most: the IoU and the object's position in its image.
struct Ranked {
    image: usize,
    best: Option<(f64, usize)>,
}

impl Truth {
    fn of(annotations: &Annotations, class: usize) -> Self {
        let of_class = |image: &mochi_annotations::AnnotatedImage| -> Vec<Object> {
            let own = image.objects.iter().filter(|one| one.class == class);
            own.map(|one| {
                let [x0, y0, x1, y1] = one.bounds;
                Object { bounds: [x0 + 1.0, y0 + 1.0, x1, y1], difficult: one.difficult }
            })
            .collect()
        };
        let objects: Vec<Vec<Object>> = annotations.images.iter().map(of_class).collect();
        let counted = objects.iter().flatten().filter(|one| !one.difficult).count();
        Self { objects, counted }
    }

    /// Detections by falling score, then image, then their order.
    fn overlaps(&self, mut rows: Vec<Row>) -> Vec<Ranked> {
        rows.sort_by_key(|row| row.image);
        rows.sort_by(|a, b| b.score.total_cmp(&a.score));
        rows.into_iter()
            .map(|row| {
                let mut best: Option<(f64, usize)> = None;
                for (i, object) in self.objects[row.image].iter().enumerate() {
                    let overlap = overlap(row.bounds, object.bounds);
                    if best.is_none_or(|(most, _)| overlap > most) {
                        best = Some((overlap, i));
                    }
                }
                Ranked { image: row.image, best }
            })
            .collect()
    }

    fn average_precision(&self, ranked: &[Ranked], threshold: f64, rule: VocRule) -> f64 {
        let mut taken: Vec<Vec<bool>> = self.objects.iter().map(|objects| vec![false; objects.len()]).collect();
        let (mut right, mut wrong) = (0.0, 0.0);
        let mut curve = Vec::with_capacity(ranked.len());
        for one in ranked {
            match one.best.filter(|&(overlap, _)| overlap > threshold) {
                Some((_, object)) if self.objects[one.image][object].difficult => {}
                Some((_, object)) if !taken[one.image][object] => {
                    taken[one.image][object] = true;
                    right += 1.0;
                }
                _ => wrong += 1.0,
            }
            let (recall, all): (f64, f64) = (right / self.counted as f64, right + wrong);
            curve.push((recall, right / all.max(f64::EPSILON)));
        }
        match rule {
            VocRule::ElevenPoints => eleven_points(&curve),
            VocRule::Area => area(&curve),
        }
    }
}

fn overlap(a: [f64; 4], b: [f64; 4]) -> f64 {
    let width = (a[2].min(b[2]) - a[0].max(b[0]) + 1.0).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1]) + 1.0).max(0.0);
    let area = |c: [f64; 4]| (c[2] - c[0] + 1.0) * (c[3] - c[1] + 1.0);
    let both = width * height;
    both / (area(a) + area(b) - both)
}

/// (recall, precision) of the first detections.
fn eleven_points(curve: &[(f64, f64)]) -> f64 {
    (0..11)
        .map(|k| {
            let recall = 0.1 * f64::from(k);
            curve.iter().filter(|point| point.0 >= recall).map(|point| point.1).fold(0.0, f64::max) / 11.0
        })
        .sum()
}

fn area(curve: &[(f64, f64)]) -> f64 {
    let mut envelope: Vec<f64> = curve.iter().map(|point| point.1).collect();
    for i in (1..envelope.len()).rev() {
        envelope[i - 1] = envelope[i - 1].max(envelope[i]);
    }
    let mut before = 0.0;
    let mut sum = 0.0;
    for (&(recall, _), precision) in curve.iter().zip(envelope) {
        sum += (recall - before) * precision;
        before = recall;
    }
    sum
}

#[cfg(test)]
#[path = "voc_tests.rs"]
mod tests;
