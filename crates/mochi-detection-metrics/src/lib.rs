//! Average precision of detections by the rules of COCO and PASCAL VOC, and what kinds of errors they contain.
//!
//! ```text
//! Annotations + [Detection] ─┬─> evaluate_coco ─> CocoResult: 12 numbers, per class, precision-recall curves
//!                            ├─> evaluate_voc ──> VocResult: AP, AP50, AP75, per class
//!                            └─> analyze ───────> Analysis: kinds of errors and their costs, confusion of classes, worst mistakes
//! ground truth + results, as COCO's files ─> evaluate_coco_files ─> CocoResult
//! ```
//!
//! | item | source |
//! |---|---|
//! | [`evaluate_coco`], [`evaluate_coco_files`] | pycocotools 2.0.11 (`cocoeval.py`), through the crate `hotcoco` |
//! | [`evaluate_voc`] | `detectron2/evaluation/pascal_voc_evaluation.py` |
//! | [`analyze`] | TIDE (Bolya et al. 2020); confusion by a rule of our own |
//! | [`read_results`], [`write_results`] | COCO's result format, as `detectron2/evaluation/coco_evaluation.py` writes it |
//!
//! Numbers are fractions of 1. What a dataset does not define, such as the AP of a class without objects, is `None`.
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
pub use coco::{CocoClass, CocoNumbers, CocoResult, Curve, Curves, evaluate_coco, evaluate_coco_files};
pub use detection::{Detection, Geometry};
pub use error::MetricsError;
pub use results::{read_results, write_results};
pub use voc::{VocClass, VocResult, VocRule, evaluate_voc};
