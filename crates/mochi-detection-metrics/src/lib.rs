//! Average precision of detections by the rules of COCO and PASCAL VOC, and what kinds of errors they contain.
//!
//! ```text
//! Annotations + [Detection] ─┬─> evaluate_coco ─> CocoResult: 12 numbers, per class, precision-recall curves
//!                            ├─> bootstrap_coco ─> CocoIntervals of AP, AP50, AP75
//!                            ├─> evaluate_voc ──> VocResult: AP, AP50, AP75, per class
//!                            └─> analyze ───────> Analysis: kinds of errors and their costs, confusion of classes, worst mistakes
//! ground truth + results, as COCO's files ─> evaluate_coco_files ─> CocoResult
//! ```
//!
//! | item | source |
//! |---|---|
//! | [`evaluate_coco`], [`evaluate_coco_files`] | pycocotools 2.0.11 (`cocoeval.py`), through the crate `hotcoco` |
//! | [`bootstrap_coco`] | percentile bootstrap over images (Efron & Tibshirani 1993, section 13.3) |
//! | [`evaluate_voc`] | `detectron2/evaluation/pascal_voc_evaluation.py` |
//! | [`analyze`] | TIDE (Bolya et al. 2020); confusion by a rule of our own |
//! | [`read_results`], [`write_results`] | COCO's result format, as `detectron2/evaluation/coco_evaluation.py` writes it |
//!
//! Numbers are fractions of 1. What a dataset does not define, such as the AP of a class without objects, is `None`.
//!
//! ```
//! use mochi_annotations::{AnnotatedImage, Annotations, Object};
//! use mochi_detection_metrics::{Detection, Geometry, VocRule, evaluate_coco, evaluate_voc};
//!
//! let bounds = [10.0, 10.0, 50.0, 40.0];
//! let object = Object { id: 1, class: 0, bounds, mask: None, area: 1200.0, crowd: false, difficult: false };
//! let image = AnnotatedImage {
//!     id: 7,
//!     name: "7.jpg".into(),
//!     file: std::path::PathBuf::from("images/7.jpg").into(),
//!     width: 64,
//!     height: 48,
//!     exif_orientation: true,
//!     objects: vec![object],
//! };
//! let annotations = Annotations { classes: vec!["cat".into()], category_ids: vec![1], images: vec![image] };
//! let found = Detection { image: 0, class: 0, bounds: [10.0, 10.0, 50.0, 34.0], score: 0.9, mask: None };
//!
//! let coco = evaluate_coco(&annotations, std::slice::from_ref(&found), Geometry::Box)?;
//! assert!(coco.numbers.ap50 > Some(0.999) && coco.numbers.ap_large.is_none());
//! // The IoU is 0.8: right at 0.50, 0.55, ..., 0.80, 7 of 10 thresholds.
//! assert!((coco.numbers.ap.unwrap_or_default() - 0.7).abs() < 1e-9);
//! assert_eq!(evaluate_voc(&annotations, &[found], VocRule::Area)?.ap50, Some(1.0));
//! # Ok::<(), mochi_detection_metrics::MetricsError>(())
//! ```
#![forbid(unsafe_code)]

mod analysis;
mod coco;
mod detection;
mod error;
mod json;
mod masks;
mod mean;
#[cfg(test)]
mod random_cases;
mod results;
mod shape;
mod voc;

pub use analysis::{
    Analysis, AnalysisOptions, Confusion, ErrorKind, FalsePositive, KindOfError, MissedObject, analyze,
};
pub use coco::{
    CocoClass, CocoIntervals, CocoNumbers, CocoResult, Curve, Curves, bootstrap_coco, evaluate_coco,
    evaluate_coco_files,
};
pub use detection::{Detection, Geometry};
pub use error::MetricsError;
pub use results::{read_results, write_results};
pub use voc::{VocClass, VocResult, VocRule, evaluate_voc};
