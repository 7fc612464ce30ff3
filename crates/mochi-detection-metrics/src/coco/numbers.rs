//! COCO's twelve numbers, per class, and curves: the types and how they follow from the arrays (`COCOeval.summarize`).

use serde::{Deserialize, Serialize};

use super::arrays::{Arrays, RECALLS, THRESHOLDS};
use crate::mean::mean_of_defined;

/// Positions of the thresholds 0.50 and 0.75.
pub(super) const AT_50: usize = 0;
pub(super) const AT_75: usize = 5;
/// Positions of the areas: all; up to 32^2; 32^2 to 96^2; from 96^2 on.
const ALL: usize = 0;
const SMALL: usize = 1;
const MEDIUM: usize = 2;
const LARGE: usize = 3;
/// Position of 100 detections.
const MOST: usize = 2;

/// COCO's twelve numbers, each a fraction of 1. `None` where no class has an object of this size (pycocotools: -1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CocoNumbers {
    /// Average precision over IoU 0.50, 0.55, ..., 0.95 and classes.
    pub ap: Option<f64>,
    /// Average precision at IoU 0.50.
    pub ap50: Option<f64>,
    /// Average precision at IoU 0.75.
    pub ap75: Option<f64>,
    /// AP of objects of at most 32^2 square pixels.
    pub ap_small: Option<f64>,
    /// AP of objects of 32^2 to 96^2 square pixels.
    pub ap_medium: Option<f64>,
    /// AP of objects of at least 96^2 square pixels.
    pub ap_large: Option<f64>,
    /// Average recall of the best detection of each class in an image.
    pub ar1: Option<f64>,
    /// Average recall of the 10 best.
    pub ar10: Option<f64>,
    /// Average recall of the 100 best.
    pub ar100: Option<f64>,
    /// Average recall of small objects.
    pub ar_small: Option<f64>,
    /// Average recall of medium objects.
    pub ar_medium: Option<f64>,
    /// Average recall of large objects.
    pub ar_large: Option<f64>,
}

impl CocoNumbers {
    /// The numbers with their usual names, in pycocotools' order.
    pub fn named(&self) -> [(&'static str, Option<f64>); 12] {
        [
            ("AP", self.ap),
            ("AP50", self.ap50),
            ("AP75", self.ap75),
            ("APs", self.ap_small),
            ("APm", self.ap_medium),
            ("APl", self.ap_large),
            ("AR1", self.ar1),
            ("AR10", self.ar10),
            ("AR100", self.ar100),
            ("ARs", self.ar_small),
            ("ARm", self.ar_medium),
            ("ARl", self.ar_large),
        ]
    }

    pub(super) fn of(arrays: &Arrays) -> Self {
        let ap = |thresholds: &[usize], area: usize| {
            let (every, classes) = (0..RECALLS, 0..arrays.classes);
            mean_of_defined(thresholds.iter().flat_map(|&t| every.clone().map(move |r| (t, r))).flat_map(|(t, r)| {
                classes.clone().map(move |class| arrays.precision[arrays.at(t, r, class, area, MOST)])
            }))
        };
        let ar =
            |area: usize, cap: usize| {
                let classes = 0..arrays.classes;
                mean_of_defined((0..THRESHOLDS).flat_map(|t| {
                    classes.clone().map(move |class| arrays.recall[arrays.recall_at(t, class, area, cap)])
                }))
            };
        let every: Vec<usize> = (0..THRESHOLDS).collect();
        Self {
            ap: ap(&every, ALL),
            ap50: ap(&[AT_50], ALL),
            ap75: ap(&[AT_75], ALL),
            ap_small: ap(&every, SMALL),
            ap_medium: ap(&every, MEDIUM),
            ap_large: ap(&every, LARGE),
            ar1: ar(ALL, 0),
            ar10: ar(ALL, 1),
            ar100: ar(ALL, MOST),
            ar_small: ar(SMALL, MOST),
            ar_medium: ar(MEDIUM, MOST),
            ar_large: ar(LARGE, MOST),
        }
    }
}

/// A precision-recall curve at the recalls 0.00, 0.01, ..., 1.00.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The best precision at this or a larger recall; 0 where the recall is not reached. 101 values.
    pub precision: Vec<f64>,
    /// The score from which on detections count, for this recall; 0 where it is not reached. Empty for a mean curve.
    pub score: Vec<f64>,
}

/// The curves of one class, or their mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// At IoU 0.50.
    pub iou50: Curve,
    /// At IoU 0.75.
    pub iou75: Curve,
}

impl Curves {
    fn of_class(arrays: &Arrays, class: usize) -> Option<Self> {
        let curve = |threshold: usize| {
            let at = |recall: usize| arrays.at(threshold, recall, class, ALL, MOST);
            let precision: Vec<f64> = (0..RECALLS).map(|recall| arrays.precision[at(recall)]).collect();
            let score = (0..RECALLS).map(|recall| arrays.scores[at(recall)]).collect();
            (precision[0] > -1.0).then_some(Curve { precision, score })
        };
        Some(Self { iou50: curve(AT_50)?, iou75: curve(AT_75)? })
    }

    fn mean(classes: &[CocoClass]) -> Option<Self> {
        let mean = |curve: fn(&Curves) -> &Curve| {
            let curves: Vec<&Curve> = classes.iter().filter_map(|class| class.curves.as_ref()).map(curve).collect();
            let at = |recall: usize| mean_of_defined(curves.iter().map(|curve| curve.precision[recall]));
            let precision: Option<Vec<f64>> = (0..RECALLS).map(at).collect();
            precision.map(|precision| Curve { precision, score: Vec::new() })
        };
        Some(Self { iou50: mean(|curves| &curves.iou50)?, iou75: mean(|curves| &curves.iou75)? })
    }
}

/// The numbers of one class; `None` where it has no object that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CocoClass {
    /// Its name.
    pub name: String,
    /// AP over IoU 0.50 to 0.95.
    pub ap: Option<f64>,
    /// AP at IoU 0.50.
    pub ap50: Option<f64>,
    /// AP at IoU 0.75.
    pub ap75: Option<f64>,
    /// Precision-recall curves.
    pub curves: Option<Curves>,
}

/// Result of an evaluation by COCO's rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CocoResult {
    /// The twelve numbers.
    pub numbers: CocoNumbers,
    /// Per class, in the order of the classes; by increasing category id if they come from a file.
    pub classes: Vec<CocoClass>,
    /// Mean curves of the classes that have objects.
    pub curves: Option<Curves>,
    /// What was left out or counted in an unexpected way, as sentences for people.
    pub notes: Vec<String>,
}

impl CocoResult {
    pub(super) fn of(arrays: &Arrays, names: Vec<String>, notes: Vec<String>) -> Self {
        let ap =
            |class: usize, thresholds: std::ops::Range<usize>| {
                mean_of_defined(thresholds.flat_map(|t| {
                    (0..RECALLS).map(move |recall| arrays.precision[arrays.at(t, recall, class, ALL, MOST)])
                }))
            };
        let one = |(class, name): (usize, String)| CocoClass {
            name,
            ap: ap(class, 0..THRESHOLDS),
            ap50: ap(class, AT_50..AT_50 + 1),
            ap75: ap(class, AT_75..AT_75 + 1),
            curves: Curves::of_class(arrays, class),
        };
        let classes: Vec<CocoClass> = names.into_iter().enumerate().map(one).collect();
        Self { numbers: CocoNumbers::of(arrays), curves: Curves::mean(&classes), classes, notes }
    }
}
